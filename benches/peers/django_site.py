"""A Django REST framework service of the shape of My Cars, in one file: cars of owners, administration of users, tokens
of simplejwt. It has no audit log, no rate limits and no admin pages.

`python django_site.py migrate` creates the tables in DATABASE_URL, a URL of PostgreSQL; gunicorn serves `application`.
"""

import os
import sys
from urllib.parse import urlsplit

from django.conf import settings

database = urlsplit(os.environ["DATABASE_URL"])
settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": database.path[1:],
            "HOST": database.hostname,
            "PORT": database.port,
            "USER": database.username,
            # Connections are kept, as in My Cars.
            "CONN_MAX_AGE": None,
        }
    },
    DEBUG=False,
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", "rest_framework"],
    MIDDLEWARE=["django.middleware.security.SecurityMiddleware", "django.middleware.common.CommonMiddleware"],
    PASSWORD_HASHERS=["django.contrib.auth.hashers.BCryptSHA256PasswordHasher"],
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework_simplejwt.authentication.JWTAuthentication"],
        "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
        "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.LimitOffsetPagination",
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    },
    ROOT_URLCONF=__name__,
    SECRET_KEY="a key for the benchmark, which protects nothing at all",
    USE_TZ=True,
)

import django

django.setup()

from django.contrib.auth.models import User
from django.core.validators import MaxValueValidator, MinValueValidator
from django.core.wsgi import get_wsgi_application
from django.db import connection, models
from django.urls import include, path
from rest_framework import permissions, routers, serializers, viewsets
from rest_framework_simplejwt.views import TokenObtainPairView


class Car(models.Model):
    owner = models.ForeignKey(User, models.CASCADE, related_name="cars")
    brand = models.CharField(max_length=100)
    model = models.CharField(max_length=100)
    year = models.IntegerField(validators=[MinValueValidator(1886), MaxValueValidator(2100)])
    color = models.CharField(max_length=50, null=True)
    license = models.CharField(max_length=20, unique=True)
    vin = models.CharField(max_length=17, null=True)
    mileage = models.PositiveIntegerField(default=0)
    image = models.CharField(max_length=200, null=True)
    notes = models.TextField(null=True)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        app_label = "contenttypes"
        db_table = "cars"
        indexes = [models.Index(fields=["owner", "-created_at", "-id"], name="cars_of_owner")]


class CarSerializer(serializers.ModelSerializer):
    class Meta:
        model = Car
        fields = ["id", "brand", "model", "year", "color", "license", "vin", "mileage", "image", "notes",
                  "created_at", "updated_at"]
        read_only_fields = ["image"]


class UserSerializer(serializers.ModelSerializer):
    class Meta:
        model = User
        fields = ["id", "username", "email", "first_name", "last_name", "is_active", "is_staff", "date_joined"]


class Cars(viewsets.ModelViewSet):
    serializer_class = CarSerializer

    def get_queryset(self):
        return Car.objects.filter(owner=self.request.user).order_by("-created_at", "-id")

    def perform_create(self, serializer):
        serializer.save(owner=self.request.user)


class Users(viewsets.ReadOnlyModelViewSet):
    permission_classes = [permissions.IsAdminUser]
    serializer_class = UserSerializer
    queryset = User.objects.filter(is_staff=False).order_by("id")


router = routers.DefaultRouter()
router.register("cars", Cars, "car")
router.register("admin/users", Users)
urlpatterns = [path("api/token/", TokenObtainPairView.as_view()), path("api/", include(router.urls))]
application = get_wsgi_application()

if __name__ == "__main__":
    from django.contrib.auth.hashers import make_password
    from django.core.management import execute_from_command_line

    execute_from_command_line([sys.argv[0], "migrate", "--verbosity=0"])
    with connection.schema_editor() as editor:
        editor.create_model(Car)
    print(make_password(os.environ["PASSWORD"]))
