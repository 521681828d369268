"""Sends requests of eight users to MYCARS_URL until the file `is-over` exists in a folder and enough requests were sent.

Usage: rolling-update.py FOLDER REQUESTS. Writes the number of requests to the file `sent` in the folder. Each request has a
connection of its own and is never repeated. Prints the number of requests, those without a status of 2xx, and the
longest time to a response for each kind; fails if a request had no status of 2xx.
"""

import collections
import http.client
import json
import os
import pathlib
import sys
import threading
import time
import urllib.parse

FOLDER, REQUESTS = pathlib.Path(sys.argv[1]), int(sys.argv[2])
ADDRESS = urllib.parse.urlsplit(os.environ["MYCARS_URL"]).netloc
PASSWORD = "Meadow-lark-77"

lock = threading.Lock()
sent = 0
counts, failures, longest = collections.Counter(), collections.Counter(), collections.Counter()


def send(kind, method, path, body=None, access=None):
    """Sends a request, and returns the response's JSON, or `None` if it failed."""
    global sent
    headers = {"Content-Type": "application/json", "Accept": "application/json", "Connection": "close"}
    if access:
        headers["Authorization"] = "Bearer " + access
    begin = time.monotonic()
    try:
        connection = http.client.HTTPConnection(ADDRESS, timeout=60)
        connection.request(method, path, body and json.dumps(body), headers)
        response = connection.getresponse()
        status, text = response.status, response.read()
        connection.close()
    except (OSError, http.client.HTTPException) as error:
        status, text = type(error).__name__, b""
    with lock:
        sent += 1
        if sent % 100 == 0:
            # Renamed, so that readers never see half of it.
            (FOLDER / "sent.new").write_text(str(sent))
            (FOLDER / "sent.new").rename(FOLDER / "sent")
        counts[kind] += 1
        longest[kind] = max(longest[kind], time.monotonic() - begin)
        if status not in range(200, 300):
            failures[kind] += 1
            print(f"{kind}: {status} {text[:200]!r}", flush=True)
            return None
    return json.loads(text)


def is_over():
    return sent >= REQUESTS and (FOLDER / "is-over").exists()


def use(number):
    """Sends the requests of one user."""
    name = f"user{number}"
    names = {"username": name, "email": f"{name}@example.org", "first_name": "Ann", "last_name": "Lee"}
    send("register", "POST", "/api/register/", {**names, "password": PASSWORD, "password2": PASSWORD})
    tokens, step = None, 0
    while not is_over():
        if step % 10 == 0 or not tokens:
            login = {"username": name, "password": PASSWORD}
            tokens = send("login", "POST", "/api/token/", login) or tokens
        else:
            refreshed = send("refresh", "POST", "/api/token/refresh/", {"refresh": tokens["refresh"]})
            tokens = {**tokens, **(refreshed or {})}
        access = tokens and tokens["access"]
        car = {"brand": "Toyota", "model": "Camry", "year": 2023, "license": f"U{number} {step}", "mileage": 15000}
        created = send("create", "POST", "/api/cars/", car, access)
        if created:
            path = f"/api/cars/{created['id']}/"
            send("read", "GET", path, access=access)
            send("change", "PATCH", path, {"mileage": 15001}, access)
        send("list", "GET", "/api/cars/?page_size=20", access=access)
        send("profile", "GET", "/api/me/", access=access)
        step += 1


threads = [threading.Thread(target=use, args=(number,)) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print("| request | number | not 2xx | longest, ms |\n|---|---|---|---|")
for kind, number in counts.most_common():
    print(f"| {kind} | {number} | {failures[kind]} | {longest[kind] * 1000:.0f} |")
print(f"| all | {sent} | {failures.total()} | {max(longest.values()) * 1000:.0f} |")
sys.exit(1 if failures else 0)
