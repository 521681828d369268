//! `import-django`, with databases that Django made: see `tests/django/create.py`.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Instant,
};

use mycars_testkit::{TestDatabase, store_contract::Rows};
use serde_json::Value;

use crate::support::{
    Installation, Request, Server,
    accounts::{id_of, join, log_in, login, me, refresh},
    on_both_databases,
    process::Process,
};

on_both_databases!(
    killed_import_leaves_nothing_or_everything,
    flat_cars_users_tokens_and_pictures_are_imported,
    cars_with_details_are_imported_without_profiles,
    check_lists_each_planted_fault_in_one_line,
);

/// A database of the Django system.
struct Django {
    database: TestDatabase,
    fixture: PathBuf,
}

impl Django {
    /// Loads the fixture of this shape into a database of the same kind as that of the installation.
    fn of(shape: &str, installation: &Installation) -> Self {
        let is_sqlite = installation.database().url().starts_with("sqlite");
        let (kind, database) = if is_sqlite {
            ("sqlite", TestDatabase::empty_sqlite())
        } else {
            ("postgres", TestDatabase::empty_postgres())
        };
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/django/fixtures");
        let fixture = fixtures.join(format!("{shape}-{kind}"));
        let dump = fs::read_to_string(fixture.join("dump.sql")).unwrap();
        // Rows of SQLite's dump refer to tables that it creates later.
        let settings = if is_sqlite {
            "PRAGMA foreign_keys = OFF;"
        } else {
            ""
        };
        database.execute(&format!("{settings}\n{dump}"));
        Self { database, fixture }
    }

    fn media(&self) -> String {
        self.fixture.join("media").display().to_string()
    }

    /// Returns the cars as Django REST framework serialised them.
    fn cars(&self) -> Vec<Value> {
        let lines = fs::read_to_string(self.fixture.join("cars.jsonl")).unwrap();
        lines
            .lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// Returns a token that Django issued to a user.
    fn token(&self, kind: &str, username: &str) -> String {
        let tokens: Value =
            serde_json::from_slice(&fs::read(self.fixture.join("tokens.json")).unwrap()).unwrap();
        tokens[kind][username].as_str().unwrap().to_owned()
    }

    /// Returns the names and contents of all files of a SQLite database; none of a PostgreSQL database.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let url = self.database.url();
        let Some(path) = url.strip_prefix("sqlite://") else {
            return Vec::new();
        };
        let mut files: Vec<_> = fs::read_dir(Path::new(path).parent().unwrap())
            .unwrap()
            .map(|file| file.unwrap().path())
            .map(|path| (path.clone(), fs::read(path).unwrap()))
            .collect();
        files.sort();
        files
    }
}

fn import<'a>(url: &'a str, more: &[&'a str]) -> Vec<&'a str> {
    [&["import-django", "--from", url][..], more].concat()
}

fn password_of(username: &str) -> String {
    format!("Harbour-x7-{username}")
}

fn flat_cars_users_tokens_and_pictures_are_imported(installation: &Installation) {
    let django = Django::of("garage", installation);
    let (url, media, before) = (django.database.url(), django.media(), django.files());
    let run =
        |more: &[&str]| installation.run(&import(&url, &[&["--media", media.as_str()][..], more].concat()));
    let counts = "12 users, 20 cars and 2 pictures";
    let checked = run(&["--check"]).success();
    assert!(
        checked.starts_with(&format!("Found no problem in {counts} of ")),
        "{checked}"
    );
    let dry = run(&["--dry-run"]).success();
    assert!(
        dry.contains("would be imported") && dry.contains("nothing was changed"),
        "{dry}"
    );
    assert!(!installation.path("data/media/cars").exists());
    let done = run(&[]);
    // There is no progress bar in a pipe.
    let is_event = |line: &str| line.contains("security event");
    assert!(done.stderr.lines().all(is_event), "{}", done.stderr);
    let said = done.success();
    let tokens = "with 20 refresh tokens (10 of them blacklisted)";
    assert!(
        said.starts_with(&format!("Imported {counts} {tokens} from ")),
        "{said}"
    );
    let again = run(&[]).refusal();
    assert!(again.contains("has 12 users and 20 cars already"), "{again}");
    assert!(django.files() == before, "the source must not change");

    let server = installation.start();
    users_log_in(&server);
    let admin = django.token("access", "user1");
    assert_eq!(me(&server, &django.token("access", "user3")).json(200)["id"], 3);
    assert_eq!(refresh(&server, &django.token("refresh", "user3")), 200);
    assert_eq!(refresh(&server, &django.token("blacklisted", "user3")), 401);
    for mut expected in django.cars() {
        if expected["vin"] == "" {
            expected["vin"] = Value::Null;
        }
        let mut car = car(&server, &admin, &expected);
        let (image, was) = (car["image"].take(), expected["image"].take());
        assert_eq!(car, expected);
        assert_eq!(image.is_null(), was.is_null(), "{expected}");
        if let Some(image) = image.as_str() {
            let path = &image[image.find("/media/").unwrap()..];
            let answer = server.send(&Request::get(path));
            assert_eq!(answer.header("content-type").as_deref(), Some("image/jpeg"));
        }
    }
    let history = Request::get("/api/cars/2/history/").bearer(&django.token("access", "user3"));
    assert_eq!(server.send(&history).json(200)["results"][0]["action"], "created");
    // The last user of the Django system was deleted.
    let new = join(&server, "newcomer");
    assert_eq!(id_of(&server, &new.access), 14);
}

/// Logs in one user of each algorithm, twice: the first login replaces the hash.
fn users_log_in(server: &Server) {
    for number in [1, 6, 7, 8, 9, 10, 11] {
        let username = format!("user{number}");
        for _ in 0..2 {
            let tokens = log_in(server, &username, &password_of(&username));
            assert_eq!(me(server, &tokens.access).json(200)["id"], number);
        }
        assert_eq!(server.send(&login(&username, "Harbour-x7-other")).status, 401);
    }
    // One has no usable password, and one is inactive.
    for username in ["user2", "user5"] {
        let status = server.send(&login(username, &password_of(username))).status;
        assert_eq!(status, 401, "{username}");
    }
}

/// Returns a car through the API.
fn car(server: &Server, admin: &str, expected: &Value) -> Value {
    let cars = format!("/api/admin/users/{}/cars/{}/", expected["owner"], expected["id"]);
    server.send(&Request::get(&cars).bearer(admin)).json(200)
}

/// Number of imports that are killed on each database.
const KILLS: u32 = 8;

fn killed_import_leaves_nothing_or_everything(installation: &Installation) {
    let django = Django::of("garage", installation);
    let (url, media) = (django.database.url(), django.media());
    let arguments = import(&url, &["--media", &media]);
    let make = || {
        if installation.database().url().starts_with("sqlite") {
            Installation::on(TestDatabase::sqlite())
        } else {
            Installation::on(TestDatabase::postgres())
        }
    };
    // Ids of tokens are the only values of an import that Django does not have.
    let rows = |target: &Installation| Rows::of_store(&*target.database().store()).rows.len();
    let started = Instant::now();
    installation.run(&arguments).success();
    let (whole, expected) = (started.elapsed(), rows(installation));
    for number in 0..KILLS {
        let target = make();
        let mut command = Command::new(env!("CARGO_BIN_EXE_mycars"));
        target.prepare(&mut command).args(&arguments);
        let mut importing = Process::spawn(&mut command);
        // Any moment is as good as another, up to the end of the import.
        thread::sleep(whole * number / KILLS);
        importing.kill();
        target.database().wait_until_unused();
        if rows(&target) == 0 {
            target.run(&arguments).success();
        }
        assert_eq!(rows(&target), expected, "killed in part {number} of {KILLS}");
    }
}

fn cars_with_details_are_imported_without_profiles(installation: &Installation) {
    let django = Django::of("backend", installation);
    let url = django.database.url();
    let said = installation.run(&import(&url, &[])).success();
    assert!(
        said.starts_with("Imported 12 users, 20 cars and 0 pictures"),
        "{said}"
    );
    let server = installation.start();
    let admin = django.token("access", "user1");
    for expected in django.cars() {
        let car = car(&server, &admin, &expected);
        for (field, value) in expected.as_object().unwrap() {
            assert_eq!(&car[field], value, "{field} of {expected}");
        }
        assert_eq!((&car["mileage"], &car["vin"]), (&0.into(), &Value::Null));
    }
    let me = me(&server, &django.token("access", "user3")).json(200);
    assert_eq!(me["role"], "client");
}

fn check_lists_each_planted_fault_in_one_line(installation: &Installation) {
    let unreadable = installation
        .run(&import("sqlite://none.sqlite3", &["--check"]))
        .refusal();
    assert!(unreadable.contains("this user may read it"), "{unreadable}");
    let django = Django::of("garage", installation);
    django.database.execute(
        "UPDATE auth_user SET username = 'USER6' WHERE id = 7;
         UPDATE auth_user SET email = 'USER8@Example.com' WHERE id = 6;
         UPDATE auth_user SET email = '' WHERE id = 9;
         UPDATE auth_user SET password = 'md5$salt$86d3f3a95c324c9479bd8986968f4327' WHERE id = 10;
         UPDATE auth_user SET is_staff = (1 = 1) WHERE id = 4;
         UPDATE garage_userprofile SET role = 'boss' WHERE user_id = 6;
         UPDATE garage_car SET year = -5 WHERE id = 3;
         UPDATE garage_car SET license = 'b-äb 5' WHERE id = 4;
         UPDATE garage_car SET vin = 'SHORT' WHERE id = 7;
         UPDATE garage_car SET mileage = -1 WHERE id = 8;
         UPDATE garage_car SET image = 'cars/none.jpg' WHERE id = 9;
         UPDATE garage_car SET image = '../tokens.json' WHERE id = 10;",
    );
    let (url, media) = (django.database.url(), django.media());
    let finished = installation.run(&import(&url, &["--media", &media, "--check"]));
    let expected = [
        r#"auth_user 4 {"role":["The user is a staff member without the role admin. Choose a role with --staff-role."]}"#,
        r#"auth_user 6 {"role":["\"boss\" is not a valid choice."]}"#,
        r#"auth_user 7 {"username":["A user with that username already exists. (auth_user 6, ignoring case)"]}"#,
        r#"auth_user 8 {"email":["This email is already registered. (auth_user 6, ignoring case)"]}"#,
        r#"auth_user 9 {"email":["This field may not be blank."]}"#,
        r#"auth_user 10 {"password":["The hash can't be verified, or needs too much work (md5). Choose --keep-unverifiable-passwords, and set a new password after the import."]}"#,
        r#"garage_car 3 {"year":["Ensure this value is greater than or equal to 1886."]}"#,
        r#"garage_car 5 {"license":["car with this license already exists. (garage_car 4, ignoring case)"]}"#,
        r#"garage_car 7 {"vin":["Enter a valid VIN: 17 characters, the letters A to Z without I, O and Q, and digits."]}"#,
        r#"garage_car 8 {"mileage":["Ensure this value is greater than or equal to 0."]}"#,
        r#"garage_car 9 {"image":["The file cars/none.jpg does not exist in the folder."]}"#,
        r#"garage_car 10 {"image":["The file ../tokens.json does not exist in the folder."]}"#,
    ];
    assert_eq!(finished.stdout.lines().collect::<Vec<_>>(), expected);
    let refusal = finished.stderr;
    assert!(
        refusal.starts_with("12 rows have problems, and nothing was imported"),
        "{refusal}"
    );
    assert_eq!(finished.code, Some(1));
    // The choices leave the faults that need a correction.
    let choices = [
        "--without-pictures",
        "--staff-role=client",
        "--email-domain=moved.invalid",
        "--keep-invalid",
        "--keep-unverifiable-passwords",
        "--check",
    ];
    let remaining = installation.run(&import(&url, &choices)).stdout;
    let rows: Vec<&str> = remaining
        .lines()
        .filter_map(|line| line.split(" {").next())
        .collect();
    assert_eq!(
        rows,
        ["auth_user 6", "auth_user 7", "garage_car 5", "garage_car 8"]
    );
}
