"""A client's workflow with the Python client that openapi-generator generates from the OpenAPI document.

Run by scripts/generated-client against a server of its own, whose URL is in the document.
"""

import json
from pathlib import Path

import mycars_client
from mycars_client import AccountApi, ApiClient, CarsApi, Configuration, ServiceApi, TokensApi

PICTURE = Path(__file__).parent.parent / "contract" / "files" / "tiny.png"
PASSWORD = "Meadow-lark-77"


def main() -> None:
    with ApiClient(Configuration(access_token=log_in())) as client:
        cars = CarsApi(client)
        car = add_car(cars)
        upload_picture(cars, car)
        list_and_change(cars, car)
    print("The Python client of openapi-generator works.")


def log_in() -> str:
    with ApiClient() as client:
        user = AccountApi(client).register(
            mycars_client.RegistrationRequest(
                username="generator",
                email="generator@example.com",
                first_name="Ann",
                last_name="Lee",
                password=PASSWORD,
            )
        )
        assert user.role is mycars_client.Role.CLIENT and user.last_login is None
        credentials = mycars_client.TokenObtainPairRequest(username="generator", password=PASSWORD)
        wrong = credentials.model_copy(update={"password": "wrong"})
        assert refusal(lambda: TokensApi(client).obtain_token(wrong)) == (
            401,
            {"detail": "No active account found with the given credentials"},
        )
        return TokensApi(client).obtain_token(credentials).access


def refusal(call) -> tuple[int, dict]:
    try:
        call()
    except mycars_client.ApiException as error:
        return error.status, json.loads(error.body)
    raise AssertionError("The server did not refuse.")


def add_car(cars: CarsApi) -> mycars_client.Car:
    body = mycars_client.CarRequest(brand="Toyota", model="Camry", year=2023, license="GE 1", notes="Winter tyres")
    car = cars.create_car(body)
    assert (car.year, car.mileage, car.vin) == (2023, 0, None)
    duplicate = body.model_copy(update={"license": "ge 1"})
    assert refusal(lambda: cars.create_car(duplicate)) == (
        400,
        {"license": ["car with this license already exists."]},
    )
    return car


def upload_picture(cars: CarsApi, car: mycars_client.Car) -> None:
    shown = cars.upload_car_image(car.id, image=("camry.png", PICTURE.read_bytes()))
    jpeg = ServiceApi(cars.api_client).get_media(shown.image.removeprefix("/media/cars/"))
    assert jpeg.startswith(b"\xff\xd8\xff")


def list_and_change(cars: CarsApi, car: mycars_client.Car) -> None:
    # None removes a value, and missing fields stay unchanged.
    changed = cars.update_car(
        car.id, patched_car_request=mycars_client.PatchedCarRequest(color=None, mileage=17_000)
    )
    assert (changed.color, changed.mileage, changed.notes) == (None, 17_000, "Winter tyres")
    everything = cars.list_cars().actual_instance
    assert isinstance(everything, list) and [one.id for one in everything] == [car.id]
    page = cars.list_cars(search="camry", limit=1).actual_instance
    assert isinstance(page, mycars_client.CarPage) and [one.id for one in page.results] == [car.id]
    assert (page.count, page.next) == (1, None)


main()
