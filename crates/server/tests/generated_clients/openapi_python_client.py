"""A client's workflow with the Python client that openapi-python-client generates from the OpenAPI document.

Run by scripts/generated-client against a server of its own.
"""

import os
from pathlib import Path

from mycars_client import AuthenticatedClient, Client
from mycars_client.api.account import get_me, register
from mycars_client.api.cars import create_car, delete_car, get_car, list_cars, update_car, upload_car_image
from mycars_client.api.service import get_media
from mycars_client.api.tokens import logout, obtain_token, refresh_token
from mycars_client.models import (
    Car,
    CarPage,
    CarRequest,
    Detail,
    Error,
    FieldErrors,
    ImageUploadRequest,
    LogoutRequest,
    PatchedCarRequest,
    RefreshedToken,
    RegistrationRequest,
    Role,
    TokenObtainPairRequest,
    TokenPair,
    TokenRefreshRequest,
    User,
)
from mycars_client.types import File

BASE_URL = os.environ["MYCARS_URL"]
PICTURE = Path(__file__).parent.parent / "contract" / "files" / "tiny.png"
PASSWORD = "Meadow-lark-77"

# Statuses that are not in the document raise an exception.
anybody = Client(base_url=BASE_URL, raise_on_unexpected_status=True)


def main() -> None:
    with anybody:
        registers()
        acts(logs_in())
    print("The client of openapi-python-client works.")


def acts(tokens: TokenPair) -> None:
    with authenticated(tokens.access) as client:
        me = get_me.sync(client=client)
        assert isinstance(me, User) and me.username == "python"
        car = creates_a_car(client)
        uploads_a_picture(client, car)
        changes_it(client, car)
        lists_and_pages(client, car)
        is_told_what_is_wrong(client)
        assert delete_car.sync_detailed(car.id, client=client).status_code == 204
        refreshes(tokens)
        logs_out(client, tokens)


def authenticated(token: str) -> AuthenticatedClient:
    return AuthenticatedClient(base_url=BASE_URL, token=token, raise_on_unexpected_status=True)


def registers() -> None:
    person = RegistrationRequest(
        username="python", email="python@example.com", first_name="Ann", last_name="Lee", password=PASSWORD
    )
    user = register.sync(client=anybody, body=person)
    assert isinstance(user, User) and user.role is Role.CLIENT and user.last_login is None


def logs_in() -> TokenPair:
    wrong = obtain_token.sync(client=anybody, body=TokenObtainPairRequest(username="python", password="wrong"))
    assert isinstance(wrong, Error) and wrong.detail == "No active account found with the given credentials"
    tokens = obtain_token.sync(client=anybody, body=TokenObtainPairRequest(username="python", password=PASSWORD))
    assert isinstance(tokens, TokenPair)
    return tokens


def creates_a_car(client: AuthenticatedClient) -> Car:
    body = CarRequest(brand="Toyota", model="Camry", year=2023, license_="PY 1", color="Blue", notes="Winter tyres")
    answer = create_car.sync_detailed(client=client, body=body)
    car = answer.parsed
    assert isinstance(car, Car) and (car.year, car.mileage, car.vin) == (2023, 0, None)
    assert answer.headers["Location"].endswith(f"/api/cars/{car.id}/")
    return car


def uploads_a_picture(client: AuthenticatedClient, car: Car) -> None:
    with PICTURE.open("rb") as picture:
        body = ImageUploadRequest(image=File(payload=picture, file_name="camry.png", mime_type="image/png"))
        shown = upload_car_image.sync(car.id, client=client, body=body)
    assert isinstance(shown, Car) and shown.image is not None
    jpeg = get_media.sync(shown.image.removeprefix("/media/cars/"), client=anybody)
    assert isinstance(jpeg, File) and jpeg.payload.read(3) == b"\xff\xd8\xff"


def changes_it(client: AuthenticatedClient, car: Car) -> None:
    # None removes a value, and missing fields stay unchanged.
    changed = update_car.sync(car.id, client=client, body=PatchedCarRequest(color=None, mileage=17_000))
    assert isinstance(changed, Car) and (changed.color, changed.mileage) == (None, 17_000)
    assert changed.notes == "Winter tyres" and changed.updated_at > car.updated_at


def lists_and_pages(client: AuthenticatedClient, car: Car) -> None:
    older = create_car.sync(
        client=client, body=CarRequest(brand="Honda", model="Civic", year=1999, license_="PY 2", mileage=90_000)
    )
    assert isinstance(older, Car)
    cars = list_cars.sync(client=client, ordering="brand,-year")
    assert isinstance(cars, list) and [one.id for one in cars] == [older.id, car.id]
    found = list_cars.sync(client=client, search="camry", year_min=2020)
    assert isinstance(found, list) and [one.id for one in found] == [car.id]
    page = list_cars.sync(client=client, ordering="year", limit=1, offset=1)
    assert isinstance(page, CarPage) and (page.count, page.next_) == (2, None) and page.previous is not None
    assert [one.id for one in page.results] == [car.id]


def is_told_what_is_wrong(client: AuthenticatedClient) -> None:
    errors = create_car.sync(client=client, body=CarRequest(brand=" ", model="Camry", year=1700, license_="py 1"))
    assert isinstance(errors, FieldErrors)
    assert errors.to_dict() == {
        "brand": ["This field may not be blank."],
        "year": ["Ensure this value is greater than or equal to 1886."],
        "license": ["car with this license already exists."],
    }
    missing = get_car.sync(1_000_000, client=client)
    assert isinstance(missing, Error) and missing.detail == "No Car matches the given query."


def refreshes(tokens: TokenPair) -> None:
    again = refresh_token.sync(client=anybody, body=TokenRefreshRequest(refresh=tokens.refresh))
    assert isinstance(again, RefreshedToken)
    with authenticated(again.access) as client:
        assert isinstance(get_me.sync(client=client), User)


def logs_out(client: AuthenticatedClient, tokens: TokenPair) -> None:
    done = logout.sync(client=client, body=LogoutRequest(refresh=tokens.refresh))
    assert isinstance(done, Detail)
    over = refresh_token.sync(client=anybody, body=TokenRefreshRequest(refresh=tokens.refresh))
    assert isinstance(over, Error) and over.code == "token_not_valid"


main()
