"""The models of the earlier Django system: cars with a table of details, and users without a profile."""

from django.contrib.auth.models import User
from django.db import models


class CarDetails(models.Model):
    brand = models.CharField(max_length=100)
    model = models.CharField(max_length=100)
    year = models.IntegerField()
    color = models.CharField(max_length=50)


class Car(models.Model):
    owner = models.ForeignKey(User, on_delete=models.CASCADE)
    car_details = models.ForeignKey(CarDetails, on_delete=models.CASCADE)
    license = models.CharField(max_length=20, unique=True)
