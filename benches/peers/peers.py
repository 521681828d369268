"""Compares My Cars with Django REST framework and PocketBase: the same cars, requests and connections, in turn.

`scripts/bench-peers` installs what it needs and runs it; docs/performance.md has the figures.
"""

import argparse
import json
import os
import shutil
import sqlite3
import statistics
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

HERE = Path(__file__).resolve().parent
KEY = "a key for the benchmark, which protects nothing at all"
PASSWORD = "benchmark-8412"
USERS = 10_000
OWNER, OWNER_OF_1000, BUYER = 2, 3, 4
TICK = 1 / os.sysconf("SC_CLK_TCK")

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--mycars", type=Path, required=True, help="the release binary")
parser.add_argument("--venv", type=Path, required=True, help="the folder with gunicorn and pocketbase")
parser.add_argument("--folder", type=Path, default=Path("target/bench-peers"))
parser.add_argument("--postgres", default="postgres://postgres@127.0.0.1:5432", help="a server; two databases are created")
parser.add_argument("--cars", type=int, default=100_000)
parser.add_argument("--seconds", type=int, default=3)
parser.add_argument("--repetitions", type=int, default=3)
parser.add_argument("--connections", type=int, nargs="+", default=[16])
parser.add_argument("--rows", nargs="*", default=["car", "list of 20", "list of 1000", "new car", "20 clients"])
arguments = parser.parse_args()
for path in ("mycars", "venv", "folder"):
    setattr(arguments, path, getattr(arguments, path).absolute())


def run(command, **options):
    return subprocess.run(command, check=True, text=True, capture_output=True, **options).stdout


def psql(database, sql):
    run(["psql", "-qXv", "ON_ERROR_STOP=1", f"{arguments.postgres}/{database}"], input=sql)


def car(i):
    """The columns of a car with this number."""
    brand, model = [("Toyota", "Corolla"), ("Volkswagen", "Golf"), ("Ford", "Focus"), ("Fiat", "Panda")][i % 4]
    owner = OWNER if i % (arguments.cars // 20) == 0 else OWNER_OF_1000 if i % (arguments.cars // 1000) == 1 else 5 + i % (USERS - 4)
    notes = "Winter tyres are in the cellar." if i % 3 == 0 else None
    return owner, brand, model, 1990 + i % 35, "Silver", f"B-XY {i:08}", f"WVWZZZ1J{i:09}", i * 37 % 300_000, notes


CARS = """INSERT INTO cars (owner_id, brand, model, year, color, license, vin, mileage, notes, created_at, updated_at {more})
    SELECT CASE WHEN i % {a} = 0 THEN 2 WHEN i % {b} = 1 THEN 3 ELSE 5 + i % 9996 END, 'Toyota', 'Corolla', 1990 + i % 35,
    'Silver', 'B-XY ' || i, 'WVWZZZ1J' || i, (i * 37) % 300000,
    CASE WHEN i % 3 = 0 THEN 'Winter tyres are in the cellar.' END, {moment}, {moment} {values}
    FROM (WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {cars}) SELECT i FROM n) AS numbers"""


def cars_sql(moment, more="", values=""):
    cars = arguments.cars
    return CARS.format(a=cars // 20, b=cars // 1000, cars=cars, moment=moment, more=more, values=values)


class Program:
    """A server that is measured."""

    login_path, users = "/api/token/", "/api/admin/users/?limit=20"
    cars = "/api/cars/"

    def start(self, command, environment=None, ready="/"):
        self.folder.mkdir(parents=True, exist_ok=True)
        log = open(self.folder / "log", "w")
        environment = {"PATH": os.environ["PATH"], **(environment or {})}
        self.process = subprocess.Popen(command, cwd=self.folder, env=environment, stdout=log, stderr=log)
        for _ in range(400):
            try:
                urllib.request.urlopen(self.url + ready, timeout=1)
                return
            except urllib.error.HTTPError:
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"{self.name} did not start: see {self.folder}/log")

    def post(self, path, body, token=None):
        headers = {"Content-Type": "application/json"} | ({"Authorization": token} if token else {})
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), headers)
        return json.load(urllib.request.urlopen(request))

    def tokens(self):
        def token(username):
            return "Bearer " + self.post(self.login_path, {"username": username, "password": PASSWORD})["access"]
        return {user: token(f"user{user:05}") for user in (OWNER, OWNER_OF_1000, BUYER)} | {1: token("admin")}

    def request(self, row):
        """Returns the method, the path, the user and the body of a row."""
        return {
            "car": ("GET", f"{self.cars}{arguments.cars // 20}/", OWNER, None),
            "list of 20": ("GET", self.cars, OWNER, None),
            "list of 1000": ("GET", self.cars, OWNER_OF_1000, None),
            "new car": ("POST", self.cars, BUYER, self.new_car()),
            "20 clients": ("GET", self.users, 1, None),
            "login": ("POST", self.login_path, None, {"username": f"user{OWNER:05}", "password": PASSWORD}),
        }[row]

    def new_car(self):
        return {"brand": "Toyota", "model": "Corolla", "year": 2019, "color": "Silver", "vin": "WVWZZZ1JZXW000001",
                "license": f"{int(time.time() * 10):x}-NUMBER", "mileage": 15000, "notes": "Winter tyres."}

    def processes(self):
        """The process and those that it has started."""
        pids = [self.process.pid]
        for pid in pids:
            pids += map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
        return pids

    def measure(self, row, connections):
        method, path, user, body = self.request(row)
        file = self.folder / "body"
        file.write_text(json.dumps(body) if body else "")
        headers = ["-H", f"Authorization: {self.access[user]}"] if user else []
        headers += ["-H", "Content-Type: application/json"] if body else []
        before = processor_time(self.processes()), processor_time(postgres())
        output = run(["wrk", "-t1", f"-c{connections}", f"-d{arguments.seconds}s", "--timeout=60s",
                      "-s", HERE.parent / "wrk/load.lua", *headers, self.url, "--", method, file, path])
        result = json.loads(next(line for line in output.splitlines() if line.startswith("{")))
        after = processor_time(self.processes()), processor_time(postgres())
        count = max(result["requests"], 1)
        return {"rate": result["requests"] / result["seconds"], "p50": result["p50"], "p99": result["p99"],
                "failed": result["failed"], "cpu": (after[0] - before[0]) / count * 1e6,
                "database": (after[1] - before[1]) / count * 1e6,
                "memory": sum(memory(pid) for pid in self.processes())}

    def stop(self):
        self.process.terminate()
        self.process.wait()


class MyCars(Program):
    def __init__(self, port, kind, url):
        self.name, self.url = f"My Cars, {kind}", f"http://127.0.0.1:{port}"
        self.folder = arguments.folder / f"mycars-{kind}"
        self.environment = {
            "SECRET_KEY": KEY, "ALLOWED_HOSTS": "127.0.0.1", "DATABASE_URL": url, "MYCARS__DATA_DIR": "data",
            "MYCARS__SERVER__BIND": f"127.0.0.1:{port}", "MYCARS__THROTTLE__ENABLED": "false",
            "MYCARS__QUOTAS__CARS_PER_USER": "0", "MYCARS__TOKENS__ACCESS_MINUTES": "1440",
        }
        self.command("migrate")
        self.command("createsuperuser", "--noinput", "--username=admin", "--email=a@example.com")
        now = "now()" if kind == "PostgreSQL" else "strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now')"
        users = f"""INSERT INTO users (id, username, username_key, email, email_key, first_name, last_name, role, is_active,
            is_superuser, password, search_key, date_joined, created_at, updated_at) SELECT i, name, name, name || '@x.org',
            name || '@x.org', 'Ann', 'Example', 'client', TRUE, FALSE, (SELECT password FROM users WHERE id = 1), name,
            {now}, {now}, {now} FROM (WITH RECURSIVE n (i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < {USERS})
            SELECT i, 'user' || substr(CAST(100000 + i AS TEXT), 2) AS name FROM n) AS numbers"""
        cars = cars_sql(now, ", license_key, search_key", ", 'b-xy ' || i, 'toyota corolla b-xy ' || i")
        if kind == "SQLite":
            with sqlite3.connect(url.removeprefix("sqlite://")) as database:
                database.execute(users)
                database.execute(cars)
        else:
            psql("peers_mycars", f"{users}; {cars}; VACUUM ANALYZE;")
        self.start([arguments.mycars], self.environment, "/health/ready")
        self.access = self.tokens()

    def command(self, *words):
        self.folder.mkdir(parents=True, exist_ok=True)
        run([arguments.mycars, *words], cwd=self.folder, env=self.environment | {"MYCARS_SUPERUSER_PASSWORD": PASSWORD})


class Django(Program):
    def __init__(self, port, url):
        self.name, self.url = "Django, PostgreSQL", f"http://127.0.0.1:{port}"
        self.folder = arguments.folder / "django"
        environment = {"DATABASE_URL": url, "PASSWORD": PASSWORD, "PYTHONPATH": str(HERE), "PYTHONDONTWRITEBYTECODE": "1"}
        python = arguments.venv / "bin/python"
        hashed = run([python, HERE / "django_site.py"], env=environment).strip().splitlines()[-1]
        columns = "(id, username, email, password, first_name, last_name, is_staff, is_superuser, is_active, date_joined)"
        psql("peers_django", f"""INSERT INTO auth_user {columns}
            SELECT i, CASE i WHEN 1 THEN 'admin' ELSE 'user' || lpad(i::text, 5, '0') END, i || '@x.org', '{hashed}', 'Ann',
            'Example', i = 1, i = 1, true, now() FROM generate_series(1, {USERS}) AS i;
            {cars_sql("now()")}; VACUUM ANALYZE;""")
        cores = os.cpu_count()
        self.start([arguments.venv / "bin/gunicorn", "--bind", f"127.0.0.1:{port}", f"--workers={cores}", "--threads=8",
                    "--worker-class=gthread", "--keep-alive=60", "django_site:application"], environment, "/api/")
        self.access = self.tokens()


class PocketBase(Program):
    """Its SQLite does not sync each commit, and it checks no token against the database but the user's record."""

    cars, users = "/api/collections/cars/records", "/api/collections/users/records?perPage=20"
    login_path = "/api/collections/users/auth-with-password"

    def __init__(self, port):
        self.name, self.url, self.folder = "PocketBase", f"http://127.0.0.1:{port}", arguments.folder / "pocketbase"
        self.folder.mkdir(parents=True)
        binary = arguments.venv / "bin/pocketbase"
        command = [binary, "serve", f"--http=127.0.0.1:{port}", "--dir=data"]
        run([binary, "superuser", "upsert", "root@example.com", PASSWORD, "--dir=data"], cwd=self.folder)
        self.start(command, ready="/api/health")
        login = {"identity": "root@example.com", "password": PASSWORD}
        root = self.post("/api/collections/_superusers/auth-with-password", login)["token"]
        own = "owner = @request.auth.id"
        text = [{"name": name, "type": "text"} for name in ("brand", "model", "color", "license", "vin", "image", "notes")]
        numbers = [{"name": name, "type": "number"} for name in ("year", "mileage")]
        times = [{"name": "created", "type": "autodate", "onCreate": True},
                 {"name": "updated", "type": "autodate", "onCreate": True, "onUpdate": True}]
        owner = {"name": "owner", "type": "relation", "collectionId": "_pb_users_auth_", "maxSelect": 1, "cascadeDelete": True}
        self.post("/api/collections", {
            "name": "cars", "type": "base", "fields": [owner, *text, *numbers, *times], "listRule": own, "viewRule": own,
            "createRule": own, "indexes": ["CREATE UNIQUE INDEX license ON cars (license)",
                                           "CREATE INDEX owned ON cars (owner, created DESC)"]}, root)
        ids = {user: self.post("/api/collections/users/records", {
            "email": f"u{user}@example.com", "password": PASSWORD, "passwordConfirm": PASSWORD}, root)["id"]
            for user in (OWNER, OWNER_OF_1000, BUYER)}
        self.stop()
        self.buyer, self.first = ids[BUYER], f"c{arguments.cars // 20:014}"
        with sqlite3.connect(self.folder / "data/data.db") as database:
            columns = "id, owner, brand, model, year, color, license, vin, mileage, notes, created, updated, image"
            now = time.strftime("%Y-%m-%d %H:%M:%S.000Z", time.gmtime())
            def row(i):
                owner, *rest, notes = car(i)
                return (f"c{i:014}", ids.get(owner, f"u{owner:014}"), *rest, notes or "", now, now, "")
            database.executemany(f"INSERT INTO cars ({columns}) VALUES ({','.join('?' * 13)})",
                                 map(row, range(1, arguments.cars + 1)))
        self.start(command, ready="/api/health")
        self.access = {user: self.post(self.login_path, {"identity": f"u{user}@example.com", "password": PASSWORD})["token"]
                       for user in ids}

    def request(self, row):
        all_cars = f"{self.cars}?perPage=1000&skipTotal=1&sort=-created"
        return {
            "car": ("GET", f"{self.cars}/{self.first}", OWNER, None),
            "list of 20": ("GET", all_cars, OWNER, None),
            "list of 1000": ("GET", all_cars, OWNER_OF_1000, None),
            "new car": ("POST", self.cars, BUYER, self.new_car() | {"owner": self.buyer}),
            "login": ("POST", self.login_path, None, {"identity": f"u{OWNER}@example.com", "password": PASSWORD}),
        }[row]


def processor_time(pids):
    """The processor time of processes, in seconds."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1].split()
            total += (int(fields[11]) + int(fields[12])) * TICK
        except OSError:
            pass
    return total


def postgres():
    names = ((path, path / "comm") for path in Path("/proc").glob("[0-9]*"))
    return [path.name for path, name in names if name.exists() and name.read_text().strip() == "postgres"]


def memory(pid):
    """Resident memory in MB."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def compare(programs, row, connections):
    results = {program: [] for program in programs if row != "20 clients" or not isinstance(program, PocketBase)}
    # The first measurement fills the caches and does not count.
    for repetition in range(arguments.repetitions + 1):
        for program, measured in results.items():
            result = program.measure(row, connections)
            measured.extend([result] if repetition else [])
            time.sleep(0.2 if row != "login" else 2)
    for program, measured in results.items():
        median = {key: statistics.median(result[key] for result in measured) for key in measured[0]}
        rates = [result["rate"] for result in measured]
        print(f"| {row} | {connections} | {program.name} | {median['rate']:.1f} ({min(rates):.0f}–{max(rates):.0f}) "
              f"| {median['p50']:.2f} | {median['p99']:.2f} | {median['cpu']:.0f} | {median['database']:.0f} "
              f"| {median['memory']:.0f} | {median['failed']:.0f} |", flush=True)


def main():
    for name in ("mycars-SQLite", "mycars-PostgreSQL", "django", "pocketbase"):
        shutil.rmtree(arguments.folder / name, ignore_errors=True)
    for database in ("peers_mycars", "peers_django"):
        psql("postgres", f"DROP DATABASE IF EXISTS {database}")
        psql("postgres", f"CREATE DATABASE {database}")
    sqlite = arguments.folder / "mycars-SQLite/cars.sqlite3"
    programs = []
    try:
        programs.append(MyCars(9601, "PostgreSQL", f"{arguments.postgres}/peers_mycars"))
        programs.append(Django(9602, f"{arguments.postgres}/peers_django"))
        programs.append(MyCars(9603, "SQLite", f"sqlite://{sqlite}"))
        programs.append(PocketBase(9604))
        print("| request | connections | program | req/s (min–max) | p50 ms | p99 ms | CPU µs | PostgreSQL's CPU µs | memory MB | failed |")
        print("|---|---|---|---|---|---|---|---|---|---|")
        for connections in arguments.connections:
            for row in arguments.rows:
                compare(programs, row, connections)
    finally:
        for program in programs:
            program.stop()


main()
