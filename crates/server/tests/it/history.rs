//! The audit log: its entries for every change, and the callers that may read them.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};

use crate::support::{
    Answer, Installation, Request, Server,
    accounts::{PASSWORD, join, log_in, me, new_car, register, registration},
    browser::Browser,
    http::TINY_JPEG,
    installation::SUPERUSER_PASSWORD,
    on_both_databases,
};

on_both_databases!(
    changes_of_own_account_are_recorded,
    changes_of_own_cars_are_recorded,
    changes_by_admin_are_recorded,
    changes_by_commands_are_recorded,
    entries_survive_deletion_of_object_and_actor,
    entries_hide_passwords,
    token_rotation_is_recorded,
    login_adds_no_entry,
    refused_changes_are_not_recorded,
    filters_select_entries_and_wrong_ones_are_refused,
    history_is_always_paginated,
    owner_reads_history_of_own_car,
    history_in_browser_is_html,
);

const ALL: &str = "/api/admin/history/";

/// A server with a superuser that reads the audit log.
struct Reader<'s> {
    server: &'s Server,
    access: String,
}

impl<'s> Reader<'s> {
    fn on(server: &'s Server) -> Self {
        Self {
            server,
            access: log_in(server, "root", SUPERUSER_PASSWORD).access,
        }
    }

    fn get(&self, path: &str) -> Answer {
        self.server.send(&Request::get(path).bearer(&self.access))
    }

    /// Returns the entries that a query finds.
    #[track_caller]
    fn find(&self, query: &str) -> Vec<Value> {
        let envelope = self.get(&format!("{ALL}?{query}")).json(200);
        envelope["results"].as_array().unwrap().clone()
    }

    /// Returns the newest entry.
    #[track_caller]
    fn newest(&self) -> Value {
        self.find("limit=1").remove(0)
    }

    /// Returns the number of entries.
    #[track_caller]
    fn count(&self) -> u64 {
        self.get(ALL).json(200)["count"].as_u64().unwrap()
    }

    fn id_of(&self, access: &str) -> i64 {
        me(self.server, access).json(200)["id"].as_i64().unwrap()
    }
}

/// A user whose changes are expected in the audit log.
struct Author<'r> {
    reader: &'r Reader<'r>,
    id: i64,
    name: &'r str,
}

impl Author<'_> {
    /// Sends a request that makes one change, and checks that it has exactly one entry.
    #[track_caller]
    fn expect(
        &self,
        request: &Request,
        status: u16,
        action: &str,
        object: (&str, i64),
        told: &[(&str, Value, Value)],
    ) {
        let before = self.reader.count();
        let answer = self.reader.server.send(request);
        assert_eq!(answer.status, status, "{}", answer.text());
        assert_eq!(self.reader.count(), before + 1, "one entry for {request:?}");
        let entry = self.reader.newest();
        let id = answer.header("X-Request-Id").unwrap();
        assert_eq!(entry["request_id"], json!(id));
        assert_eq!(entry["address"], "127.0.0.1");
        assert_eq!(entry["channel"], "api");
        assert_eq!(entry["action"], action);
        assert_eq!(entry["object_type"], object.0);
        assert_eq!(entry["object_id"], object.1.to_string());
        assert_eq!(entry["actor"], self.id);
        assert_eq!(entry["actor_name"], self.name);
        assert_eq!(entry["changes"], changes(told));
    }
}

fn changes(expected: &[(&str, Value, Value)]) -> Value {
    let change = |(field, before, after): &(&str, Value, Value)| json!({"field": field, "before": before, "after": after});
    expected.iter().map(change).collect()
}

fn start(installation: &Installation) -> Server {
    installation.create_superuser("root");
    installation.start()
}

fn patch(path: &str, body: &Value, access: &str) -> Request {
    Request::new("PATCH", path).json(body).bearer(access)
}

fn delete(path: &str, access: &str) -> Request {
    Request::new("DELETE", path).bearer(access)
}

/// Returns the recorded change of a password.
fn hidden() -> Value {
    json!("********")
}

fn changes_of_own_account_are_recorded(installation: &Installation) {
    let server = start(installation);
    let reader = Reader::on(&server);
    let before = reader.count();
    server.send(&registration("ann", "ann@example.com")).json(201);
    assert_eq!(reader.count(), before + 1);
    let tokens = log_in(&server, "ann", PASSWORD);
    let access = tokens.access.as_str();
    let id = reader.id_of(access);
    let entry = reader.newest();
    assert_eq!(
        (&entry["actor"], &entry["actor_name"]),
        (&json!(null), &json!("anonymous"))
    );
    assert_eq!(
        (&entry["action"], &entry["object_type"]),
        (&json!("created"), &json!("user"))
    );
    assert_eq!(
        (&entry["object_id"], &entry["object"]),
        (&json!(id.to_string()), &json!("ann"))
    );
    let none = || json!(null);
    let told = [
        ("username", none(), json!("ann")),
        ("email", none(), json!("ann@example.com")),
        ("first_name", none(), json!("Ann")),
        ("last_name", none(), json!("Lee")),
        ("role", none(), json!("client")),
        ("is_active", none(), json!(true)),
        ("is_superuser", none(), json!(false)),
        ("password", none(), hidden()),
    ];
    assert_eq!(entry["changes"], changes(&told));

    let ann = Author {
        reader: &reader,
        id,
        name: "ann",
    };
    let phone = [("phone", none(), json!("555-1234"))];
    let request = patch("/api/me/", &json!({"phone": "555-1234"}), access);
    ann.expect(&request, 200, "changed", ("user", id), &phone);
    let unchanged = reader.count();
    server.send(&request).json(200);
    assert_eq!(reader.count(), unchanged, "equal values are no change");

    let refresh = json!({"refresh": tokens.refresh});
    server
        .send(&Request::post("/api/logout/", &refresh).bearer(access))
        .json(200);
    assert_eq!(reader.count(), unchanged + 1);
    let entry = reader.newest();
    assert_eq!(
        (&entry["action"], &entry["object_type"]),
        (&json!("revoked"), &json!("refresh_token"))
    );
    assert_eq!(
        (&entry["actor"], &entry["object"]),
        (&json!(id), &entry["object_id"])
    );
    assert_eq!(
        entry["changes"],
        changes(&[("revocation", none(), json!("logged_out"))])
    );

    let passwords = json!({"old_password": PASSWORD, "new_password": "Meadow-x-55"});
    let request = Request::new("PUT", "/api/change-password/")
        .json(&passwords)
        .bearer(access);
    let told = [("password", hidden(), hidden())];
    ann.expect(&request, 200, "changed", ("user", id), &told);
}

fn changes_of_own_cars_are_recorded(installation: &Installation) {
    let server = start(installation);
    let reader = Reader::on(&server);
    let access = join(&server, "ann").access;
    let access = access.as_str();
    let id = reader.id_of(access);
    let ann = Author {
        reader: &reader,
        id,
        name: "ann",
    };
    let none = || json!(null);
    let car = server.send(&new_car(access, "B-AB 1")).json(201)["id"]
        .as_i64()
        .unwrap();
    let entry = reader.newest();
    assert_eq!(
        (&entry["action"], &entry["actor"]),
        (&json!("created"), &json!(id))
    );
    assert_eq!(entry["object"], "Toyota Camry (B-AB 1)");
    let told = [
        ("brand", none(), json!("Toyota")),
        ("model", none(), json!("Camry")),
        ("year", none(), json!(2023)),
        ("license", none(), json!("B-AB 1")),
        ("mileage", none(), json!(0)),
        ("owner", none(), json!(id)),
    ];
    assert_eq!(entry["changes"], changes(&told));

    let path = format!("/api/cars/{car}/");
    let object = ("car", car);
    let told = [("mileage", json!(0), json!(900)), ("notes", none(), json!("Oil"))];
    let request = patch(&path, &json!({"mileage": 900, "notes": "Oil"}), access);
    ann.expect(&request, 200, "changed", object, &told);
    let whole = json!({"brand": "Honda", "model": "Camry", "year": 2022, "license": "B-AB 1"});
    let told = [
        ("brand", json!("Toyota"), json!("Honda")),
        ("year", json!(2023), json!(2022)),
    ];
    let request = Request::new("PUT", &path).json(&whole).bearer(access);
    ann.expect(&request, 200, "changed", object, &told);
    expect_pictures(&ann, &path, car, access);
    let told = [
        ("brand", json!("Honda"), none()),
        ("model", json!("Camry"), none()),
        ("year", json!(2022), none()),
        ("license", json!("B-AB 1"), none()),
        ("mileage", json!(900), none()),
        ("owner", json!(id), none()),
        ("notes", json!("Oil"), none()),
    ];
    ann.expect(&delete(&path, access), 204, "deleted", object, &told);
}

/// Uploads a picture of a car, replaces it, and removes it.
fn expect_pictures(author: &Author<'_>, path: &str, car: i64, access: &str) {
    let reader = author.reader;
    let path = format!("{path}upload-image/");
    let upload = Request::upload(&path, TINY_JPEG).bearer(access);
    let first = reader.server.send(&upload).json(200)["image"].clone();
    assert_eq!(
        reader.newest()["changes"],
        changes(&[("image", json!(null), first.clone())])
    );
    let second = reader.server.send(&upload).json(200)["image"].clone();
    assert_eq!(
        reader.newest()["changes"],
        changes(&[("image", first, second.clone())])
    );
    let told = [("image", second, json!(null))];
    author.expect(&delete(&path, access), 204, "changed", ("car", car), &told);
}

fn changes_by_admin_are_recorded(installation: &Installation) {
    let server = start(installation);
    let reader = Reader::on(&server);
    let root = reader.access.as_str();
    let root_id = reader.id_of(root);
    let none = || json!(null);
    let author = Author {
        reader: &reader,
        id: root_id,
        name: "root",
    };
    let new = json!({
        "username": "bob", "email": "bob@example.com", "first_name": "Bob", "last_name": "Lee", "password": PASSWORD,
    });
    let request = Request::post("/api/admin/users/", &new).bearer(root);
    let bob = server.send(&request).json(201)["id"].as_i64().unwrap();
    let entry = reader.newest();
    assert_eq!(
        (&entry["action"], &entry["object"]),
        (&json!("created"), &json!("bob"))
    );
    assert_eq!(entry["actor_name"], "root");

    let path = format!("/api/admin/users/{bob}/");
    let object = ("user", bob);
    for (body, told) in [
        (
            json!({"role": "admin"}),
            ("role", json!("client"), json!("admin")),
        ),
        (
            json!({"role": "client"}),
            ("role", json!("admin"), json!("client")),
        ),
        (
            json!({"is_active": false}),
            ("is_active", json!(true), json!(false)),
        ),
        (
            json!({"is_active": true}),
            ("is_active", json!(false), json!(true)),
        ),
        (
            json!({"password": "Meadow-x-55"}),
            ("password", hidden(), hidden()),
        ),
        (json!({"address": "Here 1"}), ("address", none(), json!("Here 1"))),
        (
            json!({"username": "rob"}),
            ("username", json!("bob"), json!("rob")),
        ),
    ] {
        author.expect(&patch(&path, &body, root), 200, "changed", object, &[told]);
    }

    let car = json!({"brand": "Honda", "model": "Civic", "year": 2022, "license": "B-AB 2"});
    let request = Request::post(&format!("{path}cars/"), &car).bearer(root);
    let car = server.send(&request).json(201)["id"].as_i64().unwrap();
    assert_eq!(reader.newest()["object_id"], json!(car.to_string()));
    let of_car = format!("{path}cars/{car}/");
    let request = patch(&of_car, &json!({"color": "Red"}), root);
    author.expect(
        &request,
        200,
        "changed",
        ("car", car),
        &[("color", none(), json!("Red"))],
    );
    expect_pictures(&author, &of_car, car, root);

    let before = reader.count();
    let answer = server.send(&delete(&path, root));
    assert_eq!(answer.status, 204);
    assert_eq!(reader.count(), before + 2, "the user and the car are gone");
    let id = json!(answer.header("X-Request-Id"));
    let entries = reader.find("action=deleted&ordering=at");
    let told: Vec<_> = entries
        .iter()
        .map(|entry| (&entry["object_type"], &entry["object_id"]))
        .collect();
    assert_eq!(
        told,
        [
            (&json!("car"), &json!(car.to_string())),
            (&json!("user"), &json!(bob.to_string()))
        ]
    );
    assert!(entries.iter().all(|entry| entry["request_id"] == id));
}

fn changes_by_commands_are_recorded(installation: &Installation) {
    let server = start(installation);
    let reader = Reader::on(&server);
    let entry = reader.newest();
    assert_eq!(
        (&entry["action"], &entry["object"]),
        (&json!("created"), &json!("root"))
    );
    let is_by_command_line = |entry: &Value| {
        assert_eq!(entry["channel"], "command_line");
        assert_eq!(
            (&entry["actor"], &entry["actor_name"]),
            (&json!(null), &json!("system"))
        );
        assert_eq!(
            (&entry["request_id"], &entry["address"]),
            (&json!(null), &json!(null))
        );
    };
    is_by_command_line(&entry);

    register(&server, "ann");
    let before = reader.count();
    at_a_terminal(
        installation,
        &["changepassword", "ann"],
        "Meadow-x-55\nMeadow-x-55\n",
    );
    log_in(&server, "ann", "Meadow-x-55");
    assert_eq!(reader.count(), before + 1);
    let entry = reader.newest();
    assert_eq!(
        (&entry["action"], &entry["object"]),
        (&json!("changed"), &json!("ann"))
    );
    assert_eq!(entry["changes"], changes(&[("password", hidden(), hidden())]));
    is_by_command_line(&entry);

    let before = reader.count();
    for command in ["flushexpiredtokens", "clearsessions", "sweepmedia"] {
        installation.run(&[command]).success();
    }
    assert_eq!(reader.count(), before, "tidying up changes nothing of anybody's");
}

/// Runs `mycars` at a terminal with typed input. `script`, which every system has, provides the terminal.
fn at_a_terminal(installation: &Installation, arguments: &[&str], typed: &str) {
    let program = env!("CARGO_BIN_EXE_mycars");
    let mut command = Command::new("script");
    if cfg!(target_os = "macos") {
        command.args(["-q", "/dev/null", program]).args(arguments);
    } else {
        let line = [&[program], arguments].concat().join(" ");
        command.args(["-qec", &line, "/dev/null"]);
    }
    let mut child = installation
        .prepare(&mut command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("`script` can be run (Debian: bsdutils)");
    // The input stays open until the end: closing the terminal would end the command.
    let mut terminal = child.stdin.take().unwrap();
    terminal.write_all(typed.as_bytes()).unwrap();
    let finished = child.wait_with_output().unwrap();
    drop(terminal);
    assert!(finished.status.success(), "{finished:?}");
}

fn entries_survive_deletion_of_object_and_actor(installation: &Installation) {
    let server = start(installation);
    let reader = Reader::on(&server);
    let root = reader.access.as_str();
    let [ann, bob] = ["ann", "bob"].map(|name| join(&server, name).access);
    let [ann_id, bob_id] = [&ann, &bob].map(|access| reader.id_of(access));
    let cars: Vec<i64> = ["B-AB 1", "B-AB 2", "B-AB 3"]
        .iter()
        .map(|plate| {
            server.send(&new_car(&bob, plate)).json(201)["id"]
                .as_i64()
                .unwrap()
        })
        .collect();
    let users = "/api/admin/users";
    let admin = patch(&format!("{users}/{ann_id}/"), &json!({"role": "admin"}), root);
    server.send(&admin).json(200);
    let of_bob = format!("{users}/{bob_id}/cars/{}/", cars[0]);
    server
        .send(&patch(&of_bob, &json!({"mileage": 7}), &ann))
        .json(200);

    assert_eq!(
        server.send(&delete(&format!("{users}/{bob_id}/"), &ann)).status,
        204
    );
    assert_eq!(
        server.send(&delete(&format!("{users}/{ann_id}/"), root)).status,
        204
    );
    let by_ann = reader.find(&format!("actor={ann_id}&ordering=at"));
    let told: Vec<_> = by_ann
        .iter()
        .map(|entry| {
            let text = |name: &str| entry[name].as_str().unwrap().to_owned();
            (text("action"), text("object"), text("actor_name"))
        })
        .collect();
    let entry = |action: &str, object: &str| (action.to_owned(), object.to_owned(), "ann".to_owned());
    assert_eq!(told[0], entry("changed", "Toyota Camry (B-AB 1)"));
    assert_eq!(told.last(), Some(&entry("deleted", "bob")));
    let mut deleted: Vec<_> = told[1..4].to_vec();
    deleted.sort();
    let expected =
        ["B-AB 1", "B-AB 2", "B-AB 3"].map(|plate| entry("deleted", &format!("Toyota Camry ({plate})")));
    assert_eq!(deleted, expected, "each car of a deleted user has an entry");
    assert_eq!(told.len(), 5);
    let of_car = reader.find(&format!("object_type=car&object_id={}", cars[0]));
    assert_eq!(of_car.len(), 3);
    assert_eq!(
        reader.find(&format!("object_type=user&object_id={ann_id}"))[0]["action"],
        "deleted"
    );
    server.stop();
    let server = installation.start();
    assert_eq!(Reader::on(&server).find(&format!("actor={ann_id}")).len(), 5);
}

fn entries_hide_passwords(installation: &Installation) {
    let server = start(installation);
    let reader = Reader::on(&server);
    let ann = join(&server, "ann");
    let id = reader.id_of(&ann.access);
    let [changed, set] = ["Meadow-changed-55", "Meadow-set-66"];
    let passwords = json!({"old_password": PASSWORD, "new_password": changed});
    let request = Request::new("PUT", "/api/change-password/").json(&passwords);
    server.send(&request.bearer(&ann.access)).json(200);
    let path = format!("/api/admin/users/{id}/");
    server
        .send(&patch(&path, &json!({"password": set}), &reader.access))
        .json(200);
    assert_eq!(server.send(&delete(&path, &reader.access)).status, 204);

    let browser = {
        let mut browser = Browser::new(&server);
        browser.log_in("root", SUPERUSER_PASSWORD, "/api/");
        browser
    };
    let page = Request::get(ALL).header("Accept", "text/html");
    let everywhere = [
        reader.get(ALL).text(),
        browser.send(page).text(),
        browser.get("/admin/history/").text(),
        browser.get(&format!("/admin/users/{id}/history/")).text(),
        browser
            .submit("/admin/history/bulk/", &[("action", "export_json")])
            .text(),
        browser
            .submit("/admin/history/bulk/", &[("action", "export_csv")])
            .text(),
    ];
    for text in everywhere {
        assert!(text.contains("password"), "{text}");
        for secret in [
            PASSWORD,
            SUPERUSER_PASSWORD,
            changed,
            set,
            "bcrypt",
            "$2b$",
            "pbkdf2",
            &ann.refresh,
        ] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
    for word in [changed, "bcrypt"] {
        assert_eq!(reader.find(&format!("search={word}")), Vec::<Value>::new());
    }
}

fn token_rotation_is_recorded(installation: &Installation) {
    installation.create_superuser("root");
    let server = installation.start_with("MYCARS__TOKENS__ROTATE_REFRESH", "true");
    let reader = Reader::on(&server);
    let ann = join(&server, "ann");
    let id = reader.id_of(&ann.access);
    let before = reader.count();
    let request = Request::post("/api/token/refresh/", &json!({"refresh": ann.refresh}));
    let answer = server.send(&request);
    answer.json(200);
    assert_eq!(reader.count(), before + 1);
    let entry = reader.newest();
    assert_eq!(
        (&entry["action"], &entry["object_type"]),
        (&json!("revoked"), &json!("refresh_token"))
    );
    assert_eq!(
        (&entry["actor"], &entry["actor_name"]),
        (&json!(id), &json!("ann"))
    );
    assert_eq!(
        entry["changes"],
        changes(&[("revocation", json!(null), json!("rotated"))])
    );
    assert_eq!(entry["request_id"], json!(answer.header("X-Request-Id")));
    server.send(&request).json(401);
    assert_eq!(reader.count(), before + 1);
}

fn login_adds_no_entry(installation: &Installation) {
    let server = start(installation);
    let reader = Reader::on(&server);
    register(&server, "ann");
    let before = reader.count();
    let tokens = log_in(&server, "ann", PASSWORD);
    let refresh = json!({"refresh": tokens.refresh});
    server
        .send(&Request::post("/api/token/refresh/", &refresh))
        .json(200);
    server
        .send(&Request::post(
            "/api/token/verify/",
            &json!({"token": tokens.access}),
        ))
        .json(200);
    let browser = Browser::of(&server, "ann");
    assert_eq!(browser.get("/api/me/").status, 200);
    assert_eq!(browser.submit("/api-auth/logout/", &[]).status, 302);
    assert_eq!(reader.count(), before);
}

fn refused_changes_are_not_recorded(installation: &Installation) {
    let server = start(installation);
    let reader = Reader::on(&server);
    let root = reader.access.as_str();
    let [ann, bob] = ["ann", "bob"].map(|name| join(&server, name));
    let root_id = reader.id_of(root);
    let car = server.send(&new_car(&ann.access, "B-AB 1")).json(201)["id"].clone();
    server.send(&new_car(&ann.access, "B-AB 2")).json(201);
    let path = format!("/api/cars/{car}/");
    let own = format!("/api/admin/users/{root_id}/");
    let wrong = json!({"old_password": "wrong", "new_password": "Meadow-x-55"});
    let before = reader.count();
    for (request, status) in [
        (registration("ann", "other@example.com"), 400),
        (new_car(&bob.access, "b-ab 1"), 400),
        (new_car("nonsense", "B-AB 3"), 401),
        (patch(&path, &json!({"mileage": -1}), &ann.access), 400),
        (patch(&path, &json!({"license": "B-AB 2"}), &ann.access), 400),
        (patch(&path, &json!({"mileage": 1}), &bob.access), 404),
        (delete(&path, &bob.access), 404),
        (
            Request::upload(&format!("{path}upload-image/"), b"no picture").bearer(&ann.access),
            400,
        ),
        (delete(&own, &ann.access), 403),
        (delete(&own, root), 403),
        (
            patch(&own, &json!({"role": "client", "first_name": "Else"}), root),
            403,
        ),
        (patch(&own, &json!({"is_active": false}), root), 403),
        (
            Request::new("PUT", "/api/change-password/")
                .json(&wrong)
                .bearer(&ann.access),
            400,
        ),
        (
            Request::post("/api/logout/", &json!({"refresh": ann.refresh})).bearer(&bob.access),
            400,
        ),
        (
            Request::post(ALL, &json!({"action": "created"})).bearer(root),
            405,
        ),
        (delete(ALL, root), 405),
    ] {
        let answer = server.send(&request);
        assert_eq!(answer.status, status, "{request:?}: {}", answer.text());
    }
    assert_eq!(reader.count(), before);
}

fn filters_select_entries_and_wrong_ones_are_refused(installation: &Installation) {
    let server = start(installation);
    let reader = Reader::on(&server);
    let [ann, bob] = ["ann", "bob"].map(|name| join(&server, name).access);
    let [ann_id, bob_id] = [&ann, &bob].map(|access| reader.id_of(access));
    let car = server.send(&new_car(&ann, "B-ÄÖ 1")).json(201)["id"].clone();
    server.send(&new_car(&bob, "B-AB 2")).json(201);
    server
        .send(&patch(&format!("/api/cars/{car}/"), &json!({"mileage": 5}), &ann))
        .json(200);
    assert_eq!(
        server.send(&delete(&format!("/api/cars/{car}/"), &ann)).status,
        204
    );

    let objects = |query: &str| -> Vec<String> {
        let text = |entry: &Value| format!("{} {}", entry["action"], entry["object"]).replace('"', "");
        reader.find(query).iter().map(text).collect()
    };
    let of_ann = [
        "deleted Toyota Camry (B-ÄÖ 1)",
        "changed Toyota Camry (B-ÄÖ 1)",
        "created Toyota Camry (B-ÄÖ 1)",
    ];
    assert_eq!(objects(&format!("actor={ann_id}")), of_ann);
    assert_eq!(objects(&format!("object_type=car&object_id={car}")), of_ann);
    assert_eq!(objects("search=%C3%A4%C3%B6"), of_ann);
    let oldest_first: Vec<_> = of_ann.iter().rev().copied().collect();
    assert_eq!(objects(&format!("actor={ann_id}&ordering=at")), oldest_first);
    assert_eq!(objects("action=changed"), [of_ann[1]]);
    assert_eq!(
        objects("object_type=user&action=created"),
        ["created bob", "created ann", "created root"]
    );
    assert_eq!(
        objects("search=BOB,camry"),
        ["created Toyota Camry (B-AB 2)"],
        "the search covers the author"
    );
    assert_eq!(
        objects(&format!("actor={bob_id}&action=deleted")),
        Vec::<String>::new()
    );
    assert_eq!(objects("actor=999999").len() + objects("object_id=x").len(), 0);
    assert_eq!(
        objects("action=&actor=&unknown=1").len(),
        7,
        "empty filters are ignored"
    );

    let at = reader.find("action=changed")[0]["at"]
        .as_str()
        .unwrap()
        .to_owned();
    let day = &at[..10];
    assert_eq!(
        objects(&format!("at_min={at}&at_max={at}")),
        [of_ann[1]],
        "both bounds are inclusive"
    );
    assert_eq!(
        objects(&format!("at_min={day}&at_max={day}")).len(),
        7,
        "a date is a whole day"
    );
    assert_eq!(
        objects(&format!("at_max={}", at.replace('Z', "%2B01:00"))),
        Vec::<String>::new(),
        "an hour before"
    );
    assert_eq!(
        objects("at_min=2999-01-01").len() + objects("at_max=2001-02-03T04:05").len(),
        0
    );

    let wrong = "action=burnt&object_type=Car&actor=me&at_min=today&at_max=2026-02-30";
    let no_choice = |value: &str| {
        json!([format!(
            "Select a valid choice. {value} is not one of the available choices."
        )])
    };
    assert_eq!(
        reader.get(&format!("{ALL}?{wrong}")).json(400),
        json!({
            "action": no_choice("burnt"),
            "object_type": no_choice("Car"),
            "actor": ["Enter a number."],
            "at_min": ["Enter a valid date/time."],
            "at_max": ["Enter a valid date/time."],
        })
    );
    let only_one = reader.get(&format!("{ALL}?at_min=x")).json(400);
    assert_eq!(only_one, json!({"at_min": ["Enter a valid date/time."]}));
}

fn history_is_always_paginated(installation: &Installation) {
    let server = start(installation);
    let reader = Reader::on(&server);
    let ann = join(&server, "ann").access;
    let car = server.send(&new_car(&ann, "B-AB 1")).json(201)["id"].clone();
    let path = format!("/api/cars/{car}/");
    for mileage in 1..=120 {
        server
            .send(&patch(&path, &json!({"mileage": mileage}), &ann))
            .json(200);
    }
    let size = |page: &Value| page["results"].as_array().unwrap().len();
    let base = format!("http://{}", server.address());

    let whole = reader.get(ALL).json(200);
    assert_eq!((&whole["count"], size(&whole)), (&json!(123), 100));
    assert_eq!(whole["previous"], json!(null));
    assert_eq!(whole["next"], format!("{base}{ALL}?limit=100&offset=100"));
    assert_eq!(
        whole["results"][0]["changes"][0]["after"], 120,
        "the newest is the first"
    );
    let rest = reader.get(&format!("{ALL}?limit=100&offset=100")).json(200);
    assert_eq!((size(&rest), &rest["next"]), (23, &json!(null)));
    let ids = |page: &Value| -> Vec<i64> {
        let results = page["results"].as_array().unwrap();
        results
            .iter()
            .map(|entry| entry["id"].as_i64().unwrap())
            .collect()
    };
    let all = [ids(&whole), ids(&rest)].concat();
    assert!(all.is_sorted_by(|one, next| one > next), "{all:?}");
    let beyond = reader.get(&format!("{ALL}?limit=50&offset=1000")).json(200);
    assert_eq!((size(&beyond), &beyond["count"]), (0, &json!(123)));

    let own = format!("{path}history/");
    let of_car = server.send(&Request::get(&own).bearer(&ann)).json(200);
    assert_eq!((&of_car["count"], size(&of_car)), (&json!(121), 100));
    assert_eq!(of_car["next"], format!("{base}{own}?limit=100&offset=100"));
    let of_car = server
        .send(&Request::get(&format!("{own}?limit=2&offset=1")).bearer(&ann))
        .json(200);
    assert_eq!(
        (size(&of_car), &of_car["previous"]),
        (2, &json!(format!("{base}{own}?limit=2")))
    );
    drop(server);

    let server = installation.start_with("MYCARS__LISTS__MAX_PAGE_SIZE", "7");
    let reader = Reader::on(&server);
    for query in ["", "?limit=0", "?limit=1000"] {
        assert_eq!(
            size(&reader.get(&format!("{ALL}{query}")).json(200)),
            7,
            "{query}"
        );
    }
}

fn owner_reads_history_of_own_car(installation: &Installation) {
    let server = start(installation);
    let reader = Reader::on(&server);
    let root = reader.access.as_str();
    let [ann, bob] = ["ann", "bob"].map(|name| join(&server, name).access);
    let [ann_id, bob_id, root_id] = [ann.as_str(), &bob, root].map(|access| reader.id_of(access));
    let car = server.send(&new_car(&ann, "B-AB 1")).json(201)["id"].clone();
    server.send(&new_car(&ann, "B-AB 2")).json(201);
    let under = |user: i64| format!("/api/admin/users/{user}/cars/{car}/");
    server
        .send(&patch(&under(ann_id), &json!({"color": "Red"}), root))
        .json(200);

    let own = format!("/api/cars/{car}/history/");
    let read = |path: &str, access: &str| server.send(&Request::get(path).bearer(access));
    let mine = read(&own, &ann).json(200);
    assert_eq!(mine["count"], 2);
    let newest = &mine["results"][0];
    assert_eq!(
        (&newest["actor"], &newest["actor_name"]),
        (&json!(root_id), &json!("root"))
    );
    assert_eq!(
        newest["changes"],
        changes(&[("color", json!(null), json!("Red"))])
    );
    let created = mine["results"][1]["changes"].as_array().unwrap();
    let owner = created.iter().find(|change| change["field"] == "owner");
    assert_eq!(
        owner,
        Some(&json!({"field": "owner", "before": null, "after": ann_id}))
    );
    let keys = |entry: &Value| {
        entry
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
            .join(" ")
    };
    let whole =
        "id at action object_type object_id object actor actor_name channel request_id address changes";
    let without = whole.replace("request_id address ", "");
    assert_eq!(
        keys(newest),
        without,
        "owners do not see addresses of other users"
    );
    assert_eq!(
        read(&format!("{own}?limit=1"), &ann).json(200)["results"][0],
        *newest
    );
    assert_eq!(
        read(own.trim_end_matches('/'), &ann).json(200),
        mine,
        "the slash may be left out"
    );

    let not_found = json!({"detail": "No Car matches the given query."});
    for stranger in [&bob, root] {
        assert_eq!(read(&own, stranger).json(404), not_found);
    }
    let of_ann = read(&format!("{}history/", under(ann_id)), root).json(200);
    assert_eq!(
        (&of_ann["count"], keys(&of_ann["results"][0])),
        (&json!(2), whole.to_owned())
    );
    for other in [bob_id, root_id] {
        assert_eq!(
            read(&format!("{}history/", under(other)), root).json(404),
            not_found
        );
    }
    assert_eq!(read(&format!("{}history/", under(ann_id)), &ann).status, 403);
    assert_eq!(read(ALL, &ann).status, 403);
    assert_eq!(server.send(&Request::get(ALL)).status, 401);
    assert_eq!(
        server.send(&delete(&format!("/api/cars/{car}/"), &ann)).status,
        204
    );
    assert_eq!(
        read(&own, &ann).json(404),
        not_found,
        "a deleted car is not found"
    );
}

fn history_in_browser_is_html(installation: &Installation) {
    let server = start(installation);
    let ann = join(&server, "ann").access;
    let car = server.send(&new_car(&ann, "B-AB 1")).json(201)["id"].clone();
    let page = |browser: &Browser<'_>, path: &str| {
        let answer = browser.send(Request::get(path).header("Accept", "text/html"));
        assert_eq!(
            answer.header("Content-Type").as_deref(),
            Some("text/html; charset=utf-8")
        );
        (answer.status, answer.text())
    };
    let browser = Browser::of(&server, "ann");
    let (status, html) = page(&browser, &format!("/api/cars/{car}/"));
    assert_eq!(status, 200);
    assert!(
        html.contains(&format!("href=\"/api/cars/{car}/history/\"")),
        "{html}"
    );
    let (status, html) = page(&browser, &format!("/api/cars/{car}/history/"));
    assert_eq!(status, 200);
    assert!(
        html.contains("1–1 of 1") && html.contains("Car History"),
        "{html}"
    );
    assert!(!html.contains("127.0.0.1</"), "{html}");
    assert_eq!(page(&browser, ALL).0, 403);

    let mut browser = Browser::new(&server);
    browser.log_in("root", SUPERUSER_PASSWORD, "/api/");
    let (status, html) = page(&browser, &format!("{ALL}?action=created&at_min=2001-01-01"));
    assert_eq!(status, 200);
    assert!(html.contains("<option selected>created</option>"), "{html}");
    let (status, html) = page(&browser, &format!("{ALL}?at_max=tomorrow"));
    assert_eq!(status, 400);
    assert!(
        html.contains("Enter a valid date/time.") && html.contains("value=\"tomorrow\""),
        "{html}"
    );
}
