"""Imports a database that `create.py` made, and compares the server with Django.

    compare.py MYCARS FOLDER SOURCE TARGET

MYCARS is the binary, FOLDER the one that `create.py` filled, SOURCE the URL of its database, and TARGET that of an empty
one. Prints the time and memory of the import, and fails at the first difference.
"""

import hashlib
import json
import os
import pathlib
import resource
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

mycars, folder, source, target = sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3], sys.argv[4]
SECRET_KEY = "the-key-of-the-black-box-tests-0123456789"
ADDRESS = "127.0.0.1:8765"
LOGINS = 50

work = tempfile.mkdtemp()
environment = {
    "PATH": os.environ["PATH"],
    "DATABASE_URL": target,
    "SECRET_KEY": SECRET_KEY,
    "ALLOWED_HOSTS": "127.0.0.1",
    "MYCARS__THROTTLE__ENABLED": "false",
    "MYCARS__PASSWORDS__BCRYPT_COST": "4",
    "MYCARS__LOG__LEVEL": "error",
}


def digest():
    if not source.startswith("sqlite://"):
        return None
    return hashlib.sha256(pathlib.Path(source.removeprefix("sqlite://")).read_bytes()).hexdigest()


def send(method, path, body=None, token=None):
    headers = {"Content-Type": "application/json"}
    if token:
        headers["Authorization"] = f"Bearer {token}"
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://{ADDRESS}{path}", data, headers, method=method)
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


before = digest()
media = ["--media", str(folder / "media")] if (folder / "media").exists() else []
for arguments in (["--check"], []):
    start = time.monotonic()
    done = subprocess.run(
        [mycars, "import-django", "--from", source, *media, *arguments],
        cwd=work, env=environment, capture_output=True, text=True,
    )
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(f"{time.monotonic() - start:.1f} s, peak {peak} MiB:", done.stdout.strip()[-300:], done.stderr.strip()[-300:])
    assert done.returncode == 0
assert digest() == before, "the source was changed"

server = subprocess.Popen([mycars, "runserver", ADDRESS], cwd=work, env=environment, stdout=subprocess.DEVNULL)
try:
    for _ in range(200):
        try:
            send("GET", "/health/ready")
            break
        except OSError:
            time.sleep(0.1)
    users = [number for number in range(6, 6 + 6 * LOGINS)]
    for number in users:
        status, _ = send("POST", "/api/token/", {"username": f"user{number}", "password": f"Harbour-x7-user{number}"})
        assert status == 200, f"user{number} cannot log in: {status}"
    print(f"{LOGINS} users of each of 6 algorithms logged in with their old passwords")

    tokens = json.loads((folder / "tokens.json").read_text())
    for username, token in tokens["access"].items():
        status, body = send("GET", "/api/me/", token=token)
        assert status == (401 if username == "user5" else 200), f"{username}: {status}"
    refused = [send("POST", "/api/token/refresh/", {"refresh": token})[0] for token in tokens["blacklisted"].values()]
    assert set(refused) == {401}, refused
    live = {name: token for name, token in tokens["refresh"].items() if name != "user5"}
    accepted = [send("POST", "/api/token/refresh/", {"refresh": token})[0] for token in live.values()]
    assert set(accepted) == {200}, accepted
    print(f"{len(tokens['access'])} access tokens go on, {len(accepted)} refresh tokens go on, {len(refused)} stay dead")

    admin, compared, pictures = tokens["access"]["user1"], 0, 0
    expected = [json.loads(line) for line in open(folder / "cars.jsonl")]
    owners = {}
    for car in expected:
        owners.setdefault(car["owner"], []).append(car)
    for owner, cars in owners.items():
        status, body = send("GET", f"/api/admin/users/{owner}/cars/", token=admin)
        assert status == 200, status
        found = {car["id"]: car for car in json.loads(body)}
        for car in cars:
            ours = found.pop(car["id"])
            # A blank number is null in My Cars, and pictures get new names.
            if car.get("vin") == "":
                car["vin"] = None
            if car.pop("image", None):
                assert send("GET", ours["image"][ours["image"].index("/media/"):])[0] == 200
                pictures += 1
            different = {field: (value, ours[field]) for field, value in car.items() if ours[field] != value}
            assert not different, f"car {car['id']}: {different}"
            compared += 1
        assert not found, f"user {owner} has other cars"
    print(f"{compared} cars equal Django's, and {pictures} pictures are served")
finally:
    server.terminate()
    server.wait()
