"""Additions to the OpenAPI document of My Cars for Schemathesis.

- Credentials: a valid case that ends a login uses a new user.
- Values that are taken already, and the paths of pictures.
- The server's coercions: the wire contract (docs/api.md, section 1) accepts a little more than the document, as Django
  REST framework does.

Failures are ignored only for the reasons at the end of this file.
"""

import itertools
import json
import os
import re
import unicodedata
from datetime import date
from email.parser import BytesParser
from email.policy import HTTP
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jsonschema_rs
import requests
import schemathesis
from schemathesis.core.failures import AcceptedNegativeData
from schemathesis.core.parameters import ParameterLocation
from schemathesis.openapi.checks import RejectedPositiveData
from schemathesis.transport.serialization import Binary

BASE_URL = os.environ["MYCARS_URL"]
ACCESS_TOKEN = os.environ["ACCESS_TOKEN"]
PASSWORD = "Meadow-lark-77"
JSON = "application/json"
MULTIPART = "multipart/form-data"

counter = itertools.count(1)


# --- Responses


@schemathesis.deserializer("image/jpeg")
def read_jpeg(context, response):
    is_part = response.status_code == 206
    if not is_part and not response.content.startswith(b"\xff\xd8\xff"):
        raise ValueError("This is no JPEG.")
    return "a picture"


# --- Credentials


@schemathesis.auth(refresh_interval=None)
class Bearer:
    def get(self, case, context):
        return ACCESS_TOKEN

    def set(self, case, token, context):
        authorize(case, token)


def authorize(case, token):
    case.headers = {**(case.headers or {}), "Authorization": f"Bearer {token}"}


def new_user():
    """Registers a user and logs in; returns the username and the tokens."""
    number = next(counter)
    name = f"throw-away-{number}"
    person = {"username": name, "email": f"{name}@example.com", "first_name": "Ann", "last_name": "Lee"}
    taken.update(key for _, key in unique(person))
    post("/api/register/", {**person, "password": PASSWORD})
    return name, post("/api/token/", {"username": name, "password": PASSWORD})


def post(path, body=None, **options):
    response = requests.post(BASE_URL + path, json=body, timeout=20, **options)
    response.raise_for_status()
    return response.json()


def log_in(case):
    name, _ = new_user()
    case.body |= {"username": name, "password": PASSWORD}


def refresh(case):
    _, tokens = new_user()
    case.body |= {"refresh": tokens["refresh"]}


def verify(case):
    _, tokens = new_user()
    case.body |= {"token": tokens["access"]}


def log_out(case):
    _, tokens = new_user()
    case.body |= {"refresh": tokens["refresh"]}
    authorize(case, tokens["access"])


def change_password(case):
    _, tokens = new_user()
    case.body |= {"old_password": PASSWORD}
    authorize(case, tokens["access"])


FILES = Path(__file__).parent.parent / "contract" / "files"
PICTURES = itertools.cycle([(FILES / f"tiny.{kind}").read_bytes() for kind in ("jpg", "png", "webp", "gif")])


def attach_picture(case):
    case.body = {**case.body, "image": Binary(next(PICTURES))}


def name_picture(case):
    headers = {"Authorization": f"Bearer {ACCESS_TOKEN}"}
    car = {"brand": "Toyota", "model": "Camry", "year": 2023, "license": f"PIC {next(counter)}"}
    car = post("/api/cars/", car, headers=headers)
    image = {"image": next(PICTURES)}
    car = post(f"/api/cars/{car['id']}/upload-image/", files=image, headers=headers)
    case.path_parameters = {"file": car["image"].removeprefix("/media/cars/")}


# Operations that need existing objects. A logout and a password change end the logins of their caller, so they need
# another user.
NEEDS = {
    "obtain_token": log_in,
    "refresh_token": refresh,
    "verify_token": verify,
    "logout": log_out,
    "change_password": change_password,
    "upload_car_image": attach_picture,
    "upload_user_car_image": attach_picture,
    "get_media": name_picture,
}

# --- Unique values

# The users that scripts/with-server creates.
taken = {("username", "ann"), ("email", "ann@example.com"), ("username", "root"), ("email", "root@example.com")}


def fresh(field):
    number = next(counter)
    return {"license": f"NEW {number}", "username": f"new-{number}", "email": f"new-{number}@example.com"}[field]


def unique(body):
    """Yields the unique fields of a body, each with the key by which values are compared."""
    if isinstance(body, dict):
        for field in ("license", "username", "email"):
            if isinstance(value := body.get(field), str):
                yield field, (field, unicodedata.normalize("NFKC", value).strip().casefold())


@schemathesis.hook
def before_call(context, case, kwargs):
    is_valid = case.meta is None or case.meta.generation.mode.is_positive
    prepare = NEEDS.get(case.operation.definition.raw.get("operationId"))
    if prepare and is_valid and case.method == case.operation.method.upper():
        prepare(case)
    if case.media_type == MULTIPART and isinstance(case.body, dict):
        case.body = {name: value for name, value in case.body.items() if can_name_part(name)}
    if isinstance(case.body, dict) and isinstance(username := case.body.get("username"), str):
        case.body = {**case.body, "username": possible(username)}
    # Otherwise all cases after the first one with the same value would be refused for it, and prove nothing.
    for field, key in list(unique(case.body)):
        if key in taken and prepare is not log_in:
            case.body = {**case.body, field: fresh(field)}


def can_name_part(name):
    """Returns whether a header can hold the name of a part: in quotation marks, a backslash is an escape, and control
    characters are not allowed."""
    return not any(character == "\\" or unicodedata.category(character) == "Cc" for character in name)


def possible(username):
    """Removes characters that the pattern of usernames allows, but that are no letters or digits of any script."""
    known = "".join(one for one in username if one.isascii() or unicodedata.normalize("NFKC", one).isalnum())
    return known if known or not username else fresh("username")


@schemathesis.hook
def after_call(context, case, response):
    # The response has the stored values: numbers as text, and text trimmed.
    if response.status_code in (200, 201) and response.headers["content-type"] == [JSON]:
        taken.update(key for _, key in unique(response.json()))


# --- Further checks


@schemathesis.check
def login_lasts(context, response, case):
    """No case may end the login of the run, because the remaining cases would prove nothing."""
    sent = response.request.headers.get("Authorization") == f"Bearer {ACCESS_TOKEN}"
    asks_for_token = case.operation.path.startswith("/api/token/")
    assert not (sent and response.status_code == 401) or asks_for_token, "The login has ended."


# --- Ignored failures


@schemathesis.hook
def filter_failure(context, failure, case, response):
    if isinstance(failure, AcceptedNegativeData):
        return not Reading(case, response.request).is_valid()
    if isinstance(failure, RejectedPositiveData):
        # The valid ranges depend on the picture.
        if response.status_code == 416:
            return False
        # After trimming, a text may be too short.
        return Reading(case, response.request).is_valid() and not breaks_rules_alone(response)
    return True


# Rules that no schema can express: they depend on other fields, on the caller, on a list of passwords, or on the year.
RULES = re.compile(
    r"This password is (too common|entirely numeric)\."
    r"|The password is too similar to the .*\."
    r"|Passwords do not match\."
    r"|Only an administrator can grant the admin role\."
    rf"|Ensure this value is less than or equal to {date.today().year + 1}\."
)


def breaks_rules_alone(response):
    errors = response.json()
    messages = [messages for messages in errors.values() if isinstance(messages, list)]
    return len(messages) == len(errors) and all(RULES.fullmatch(text) for texts in messages for text in texts)


class Reading:
    """A request after the server's coercions, to be compared with the document."""

    def __init__(self, case, request):
        self.document = case.operation.schema.raw_schema
        self.operation = case.operation.definition.raw
        self.request = request
        self.is_path_valid = case.meta is None or not case.meta.is_negative_at(ParameterLocation.PATH)

    def is_valid(self):
        return self.is_path_valid and self.is_query_valid() and self.is_body_valid()

    def is_query_valid(self):
        sent = texts(urlsplit(self.request.url).query)
        for parameter in self.operation.get("parameters", []):
            name, schema = parameter["name"], parameter["schema"]
            # Invalid values of these are ignored.
            if name in ("limit", "offset", "ordering"):
                continue
            # A blank value counts as absent.
            if (value := sent.get(name, "").strip()) and not self.fits(read_parameter(value, schema), schema):
                return False
        return True

    def is_body_valid(self):
        content = self.operation.get("requestBody", {}).get("content")
        if not content:
            return True
        body, media_type = read_body(self.request)
        reference = content.get(media_type, next(iter(content.values())))["schema"]
        schema = self.resolve(reference)
        if not isinstance(body, dict):
            return False
        fields = {}
        for name, value in body.items():
            is_known = name in schema["properties"]
            # In a form, a blank optional field counts as absent.
            is_left_out = media_type != JSON and value == "" and name not in schema.get("required", [])
            if is_known and not is_left_out:
                fields[name] = read_field(value, self.resolve(schema["properties"][name]))
        return self.fits(fields, reference)

    def resolve(self, schema):
        if "$ref" not in schema:
            return schema
        return self.document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[-1]]

    def fits(self, value, schema):
        whole = {**schema, "components": self.document["components"]}
        return jsonschema_rs.Draft202012Validator(whole, validate_formats=True).is_valid(value)


def texts(query):
    """Returns the parameters of a query; of several with the same name, the last one."""
    return {name: values[-1] for name, values in parse_qs(query, keep_blank_values=True).items()}


def read_body(request):
    """Returns the body and its media type."""
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else body
    content_type = request.headers.get("Content-Type", "")
    content_type = content_type.decode() if isinstance(content_type, bytes) else content_type
    if content_type.startswith(JSON):
        return json.loads(body) if body else {}, JSON
    if content_type.startswith(MULTIPART):
        message = BytesParser(policy=HTTP).parsebytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
        parts = message.iter_parts()
        return {part.get_param("name", header="content-disposition"): part.get_content() for part in parts}, MULTIPART
    # The type does not matter without a body.
    return None if body else {}, JSON


def read_parameter(text, schema):
    """Converts a filter: any number is accepted, and booleans as in Django's forms."""
    if schema.get("type") == "integer":
        return int(float(text)) if is_number(text) else text
    if schema.get("type") == "boolean":
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    return text


def is_number(text):
    try:
        return abs(float(text)) < float("inf")
    except ValueError:
        return False


def read_field(value, schema):
    """Converts a field: trims text, and accepts numbers as text, integers in text, and the spellings of booleans."""
    types = schema.get("type", "string")
    types = [types] if isinstance(types, str) else types
    value = value.strip() if isinstance(value, str) else value
    if "integer" in types:
        return read_integer(value)
    if "boolean" in types:
        return read_boolean(value)
    if "string" in types and isinstance(value, (int, float)) and not isinstance(value, bool):
        return str(value)
    return value


def read_integer(value):
    if isinstance(value, str) and is_number(value) and float(value).is_integer():
        return int(float(value))
    return value


def read_boolean(value):
    text = str(value).lower()
    if text in ("true", "t", "yes", "y", "on", "1", "1.0"):
        return True
    if text in ("false", "f", "no", "n", "off", "0", "0.0"):
        return False
    return value
