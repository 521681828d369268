"""Creates databases of the Django system with Django itself, for the tests of `mycars import-django`.

    create.py SHAPE URL FOLDER [--users N] [--cars N] [--pictures N]

SHAPE is `garage` (flat cars) or `backend` (cars with details), URL is `sqlite:///PATH` or `postgres://USER@HOST/NAME`.
FOLDER gets `media/`, `cars.jsonl` (each car as Django REST framework serialises it) and `tokens.json`.
All passwords are `Harbour-x7-` and the username.
"""

import argparse
import datetime
import json
import pathlib
import random
import urllib.parse

import django
from django.conf import settings

SECRET_KEY = "the-key-of-the-black-box-tests-0123456789"
# Algorithms by the name that Django stores.
ALGORITHMS = ["pbkdf2_sha256", "pbkdf2_sha1", "bcrypt_sha256", "bcrypt", "argon2", "scrypt"]
CENTURY = datetime.timedelta(days=36500)

parser = argparse.ArgumentParser()
parser.add_argument("shape", choices=["garage", "backend"])
parser.add_argument("url")
parser.add_argument("folder", type=pathlib.Path)
parser.add_argument("--users", type=int, default=12)
parser.add_argument("--cars", type=int, default=20)
parser.add_argument("--pictures", type=int, default=2)
options = parser.parse_args()

url = urllib.parse.urlparse(options.url)
if url.scheme == "sqlite":
    database = {"ENGINE": "django.db.backends.sqlite3", "NAME": url.path}
else:
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": url.path[1:],
        "USER": url.username,
        "HOST": url.hostname,
        "PORT": url.port or 5432,
    }
settings.configure(
    SECRET_KEY=SECRET_KEY,
    DATABASES={"default": database},
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "rest_framework",
        "rest_framework_simplejwt.token_blacklist",
        options.shape,
    ],
    USE_TZ=True,
    TIME_ZONE="UTC",
    MEDIA_ROOT=options.folder / "media",
    MEDIA_URL="/media/",
    SIMPLE_JWT={"ACCESS_TOKEN_LIFETIME": CENTURY, "REFRESH_TOKEN_LIFETIME": CENTURY},
)
django.setup()

from django.apps import apps
from django.contrib.auth import hashers
from django.contrib.auth.models import User
from django.core.files.base import ContentFile
from django.core.management import call_command
from django.db import connection, transaction
from django.utils import timezone
from PIL import Image
from rest_framework import serializers
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

import importlib

models = importlib.import_module(f"{options.shape}.models")
rng = random.Random(17)


def cheap(algorithm):
    """Returns Django's hasher of an algorithm with less work, so that thousands of hashes take seconds."""
    hasher = {
        "pbkdf2_sha256": hashers.PBKDF2PasswordHasher,
        "pbkdf2_sha1": hashers.PBKDF2SHA1PasswordHasher,
        "bcrypt_sha256": hashers.BCryptSHA256PasswordHasher,
        "bcrypt": hashers.BCryptPasswordHasher,
        "argon2": hashers.Argon2PasswordHasher,
        "scrypt": hashers.ScryptPasswordHasher,
    }[algorithm]()
    hasher.iterations = 1000
    hasher.rounds = 4
    hasher.time_cost, hasher.memory_cost, hasher.parallelism = 1, 1024, 1
    hasher.work_factor = 1024
    return hasher


HASHERS = [cheap(algorithm) for algorithm in ALGORITHMS]


def encode(hasher, password):
    salt = hasher.salt()
    return hasher.encode(password, salt)


def moment(number):
    """Returns a point in time with microseconds that are sometimes zero."""
    micros = (number * 7919) % 1_000_000 if number % 3 else 0
    start = datetime.datetime(2024, 1, 1, 8, 30, tzinfo=datetime.timezone.utc)
    return start + datetime.timedelta(minutes=17 * number, microseconds=micros)


def create_users():
    users = []
    for number in range(1, options.users + 1):
        username = f"user{number}"
        # User 1 is a superuser without names, as of `createsuperuser`; user 2 has no usable password.
        is_first = number == 1
        if number == 2:
            password = hashers.make_password(None)
        else:
            password = encode(HASHERS[number % len(HASHERS)], f"Harbour-x7-{username}")
        users.append(
            User(
                username=username,
                email=f"User{number}@Example.com" if number % 2 else f"user{number}@example.com",
                first_name="" if is_first else rng.choice(["Ann", "Zoë", "Jürgen", "李"]),
                last_name="" if is_first else f"Example {number}",
                password=password,
                is_superuser=is_first,
                is_staff=is_first,
                is_active=number != 5,
                date_joined=moment(number),
                last_login=moment(number + 1) if number % 4 == 0 else None,
            )
        )
    User.objects.bulk_create(users, batch_size=500)
    users = list(User.objects.order_by("id"))
    if options.shape == "garage":
        profiles = [
            models.UserProfile(
                user=user,
                role="admin" if user.id in (1, 3) else "client",
                phone=[None, "", "+49 30 1234567"][user.id % 3],
                address=[None, "Hauptstraße 1\n10115 Berlin", ""][user.id % 3],
            )
            for user in users
            # User 4 has no profile.
            if user.id != 4
        ]
        models.UserProfile.objects.bulk_create(profiles, batch_size=500)
        for profile in profiles[: 20]:
            models.UserProfile.objects.filter(pk=profile.pk).update(created_at=moment(profile.user_id), updated_at=moment(profile.user_id + 2))
    return users


def create_cars(users):
    def values(number):
        return {
            "brand": rng.choice(["VW", "Škoda", "Toyota", "BYD"]),
            "model": f"Model {number % 97}",
            "year": 1990 + number % 36,
            "color": ["Red", "", "Grün"][number % 3],
        }

    if options.shape == "backend":
        details = models.CarDetails.objects.bulk_create(
            [models.CarDetails(**values(number)) for number in range(1, options.cars + 1)], batch_size=1000
        )
        cars = [
            models.Car(owner=users[number % len(users)], car_details=detail, license=f"B-ÄB {number}")
            for number, detail in enumerate(details, 1)
        ]
        models.Car.objects.bulk_create(cars, batch_size=1000)
        return
    cars = [
        models.Car(
            owner=users[number % len(users)],
            license=f"B-ÄB {number}",
            vin=[None, "", f"1HGBH41JXMN{number % 1_000_000:06}"][number % 3],
            mileage=number * 13 % 400_000,
            notes=[None, "", "Winter tyres,\nservice \"due\" 😀"][number % 3],
            **(values(number) | ({"color": None} if number % 5 == 0 else {})),
        )
        for number in range(1, options.cars + 1)
    ]
    models.Car.objects.bulk_create(cars, batch_size=1000)
    cars = list(models.Car.objects.order_by("id"))
    for car in cars:
        car.created_at, car.updated_at = moment(car.id), moment(car.id + 3)
    models.Car.objects.bulk_update(cars, ["created_at", "updated_at"], batch_size=500)
    create_pictures(cars)


def create_pictures(cars):
    import io

    size = (1600, 1200) if options.pictures > 10 else (32, 24)
    for car in cars[: options.pictures]:
        picture = Image.effect_noise(size, 40).convert("RGB")
        picture.putpixel((0, 0), (car.id % 256, car.id // 256 % 256, 7))
        content = io.BytesIO()
        picture.save(content, "JPEG" if car.id % 2 else "PNG")
        suffix = "jpg" if car.id % 2 else "png"
        name = car.image.storage.save(f"cars/picture {car.id}.{suffix}", ContentFile(content.getvalue()))
        models.Car.objects.filter(pk=car.pk).update(image=name)


def create_tokens(users):
    """Creates tokens: a live one and a blacklisted one for each of the first users, and an expired one."""
    live, blacklisted = {}, {}
    for user in users[: max(10, options.users // 100)]:
        live[user.username] = str(RefreshToken.for_user(user))
        token = RefreshToken.for_user(user)
        token.blacklist()
        blacklisted[user.username] = str(token)
    expired = RefreshToken.for_user(users[0])
    models_of_tokens = importlib.import_module("rest_framework_simplejwt.token_blacklist.models")
    models_of_tokens.OutstandingToken.objects.filter(jti=expired["jti"]).update(expires_at=moment(1))
    access = {user.username: str(AccessToken.for_user(user)) for user in users[:10]}
    path = options.folder / "tokens.json"
    path.write_text(json.dumps({"access": access, "refresh": live, "blacklisted": blacklisted}, indent=1) + "\n")


class CarSerializer(serializers.ModelSerializer):
    """The serializer of the Django system."""

    owner_name = serializers.SerializerMethodField()
    owner_username = serializers.CharField(source="owner.username", read_only=True)

    class Meta:
        model = models.Car
        fields = ["id", "brand", "model", "year", "color", "license", "vin", "mileage", "owner", "owner_name",
                  "owner_username", "image", "notes", "created_at", "updated_at"]

    def get_owner_name(self, car):
        return car.owner.get_full_name() or car.owner.username


def write_cars():
    with open(options.folder / "cars.jsonl", "w") as file:
        if options.shape == "garage":
            cars = models.Car.objects.select_related("owner").order_by("id").iterator(chunk_size=2000)
            rows = (dict(CarSerializer(car).data) for car in cars)
        else:
            cars = models.Car.objects.select_related("owner", "car_details").order_by("id").iterator(chunk_size=2000)
            fields = ["brand", "model", "year", "color"]
            rows = (
                {"id": car.id, "owner": car.owner_id, "license": car.license}
                | {field: getattr(car.car_details, field) for field in fields}
                for car in cars
            )
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")


options.folder.mkdir(parents=True, exist_ok=True)
call_command("migrate", verbosity=0)
with connection.schema_editor() as editor:
    for model in apps.get_app_config(options.shape).get_models():
        editor.create_model(model)
with transaction.atomic():
    users = create_users()
    create_cars(users)
    create_tokens(users)
    # Ids of deleted rows are never used again.
    last = User.objects.create(username="deleted", email="deleted@example.com")
    last.delete()
write_cars()
connection.close()
