//! The audit log: its entries for every change, and the callers that may read them.

use mycars_testkit::http::{
    Answer, Client, Request, TINY_JPEG,
    accounts::{
        PASSWORD, SUPERUSER_PASSWORD, add_car, id_of, join, log_in, new_car, new_client, registration,
    },
    browser::Browser,
    panel::Panel,
};
use serde_json::{Value, json};

use crate::support::{start, start_with};

const ALL: &str = "/api/admin/history/";

/// A new password.
const OTHER_PASSWORD: &str = "Meadow-changed-55";

fn patch(path: &str, body: &Value, access: &str) -> Request {
    Request::new("PATCH", path).json(body).bearer(access)
}

fn put(path: &str, body: &Value, access: &str) -> Request {
    Request::new("PUT", path).json(body).bearer(access)
}

fn delete(path: &str, access: &str) -> Request {
    Request::new("DELETE", path).bearer(access)
}

fn as_root(server: &Client) -> String {
    log_in(server, "root", SUPERUSER_PASSWORD).access
}

/// Returns the entries that a query finds.
#[track_caller]
fn find(server: &Client, root: &str, query: &str) -> Vec<Value> {
    let page = server.send(&Request::get(&format!("{ALL}?{query}")).bearer(root));
    page.json(200)["results"].as_array().unwrap().clone()
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Returns an entry as text, without its time and request. Ids become the names in `ids`.
fn line(entry: &Value, ids: &[(&Value, &str)]) -> String {
    let name_of = |id: &Value, is_car: bool| {
        let known = ids
            .iter()
            .find(|(known, name)| known.to_string() == text(id) && (*name == "CAR") == is_car);
        known.map_or_else(|| text(id), |(_, name)| (*name).to_owned())
    };
    let object = if entry["object_type"] == "refresh_token" {
        "(id)".to_owned()
    } else {
        let name = name_of(&entry["object_id"], entry["object_type"] == "car");
        format!("{name} {}", text(&entry["object"]))
    };
    let [actor_name, channel, address, action, object_type] =
        ["actor_name", "channel", "address", "action", "object_type"].map(|key| text(&entry[key]));
    let actor = name_of(&entry["actor"], false);
    let changes = entry["changes"].as_array().unwrap().iter().map(|change| {
        let field = text(&change["field"]);
        let [before, after] = ["before", "after"].map(|key| match &*field {
            "owner" => name_of(&change[key], false),
            // The paths of pictures are random.
            "image" if !change[key].is_null() => "(picture)".to_owned(),
            _ => text(&change[key]),
        });
        format!("\n  {field}: {before} -> {after}")
    });
    format!("{actor_name} ({actor}, {channel}, {address}) {action} {object_type} {object}")
        + &changes.collect::<String>()
        + "\n"
}

/// Requests of which each change must have one entry; logins, refused requests and equal values must have none.
struct Script<'s> {
    server: &'s Client,
    root: &'s str,
    /// The ids of the requests that changed something.
    changes: Vec<String>,
}

impl<'s> Script<'s> {
    fn on(server: &'s Client, root: &'s str) -> Self {
        Self {
            server,
            root,
            changes: Vec::new(),
        }
    }

    #[track_caller]
    fn send(&self, request: &Request, status: u16) -> Answer {
        let answer = self.server.send(request);
        assert_eq!(answer.status, status, "{request:?}: {}", answer.text());
        answer
    }

    #[track_caller]
    fn change(&mut self, request: &Request, status: u16) -> Answer {
        let answer = self.send(request, status);
        self.changes.push(answer.header("X-Request-Id").unwrap());
        answer
    }

    /// Returns all entries except that of the superuser as text.
    fn entries(&self, ids: &[(&Value, &str)]) -> String {
        let entries = find(self.server, self.root, "ordering=at&limit=100&offset=1");
        let mut requests: Vec<_> = entries.iter().map(|entry| text(&entry["request_id"])).collect();
        requests.dedup();
        assert_eq!(requests, self.changes);
        entries.iter().map(|entry| line(entry, ids)).collect()
    }
}

#[test]
fn each_change_of_own_data_has_one_entry() {
    let server = start();
    let root = as_root(&server);
    let root_id = json!(id_of(&server, &root));
    let mut script = Script::on(&server, &root);
    script.change(&registration("ann", "ann@example.com"), 201);
    let ann = log_in(&server, "ann", PASSWORD);
    let access = ann.access.as_str();
    let ann_id = json!(id_of(&server, access));
    let phone = patch("/api/me/", &json!({"phone": "555-1234"}), access);
    script.change(&phone, 200);
    script.send(&phone, 200);
    let passwords = json!({"old_password": "wrong", "new_password": OTHER_PASSWORD});
    script.send(&put("/api/change-password/", &passwords, access), 400);
    script.send(&registration("ann", "other@example.com"), 400);
    script.send(&new_car("nonsense", "B-AB 3"), 401);
    script.send(&delete(&format!("/api/admin/users/{root_id}/"), access), 403);

    let car = script.change(&new_car(access, "B-AB 1"), 201).json(201)["id"].clone();
    let path = format!("/api/cars/{car}/");
    let picture = format!("{path}upload-image/");
    script.change(
        &patch(&path, &json!({"mileage": 900, "notes": "Oil"}), access),
        200,
    );
    let whole = json!({"brand": "Honda", "model": "Camry", "year": 2022, "license": "B-AB 1"});
    script.change(&put(&path, &whole, access), 200);
    script.change(&Request::upload(&picture, TINY_JPEG).bearer(access), 200);
    script.change(&Request::upload(&picture, TINY_JPEG).bearer(access), 200);
    script.change(&delete(&picture, access), 204);
    script.send(&patch(&path, &json!({"mileage": -1}), access), 400);
    script.send(&patch(&path, &json!({"mileage": 1}), &root), 404);
    script.send(&delete(&path, &root), 404);
    script.send(&new_car(&root, "b-ab 1"), 400);
    script.send(&Request::upload(&picture, b"no picture").bearer(access), 400);
    script.change(&delete(&path, access), 204);

    let refresh = json!({"refresh": ann.refresh});
    script.send(&Request::post("/api/logout/", &refresh).bearer(&root), 400);
    script.send(&Request::post("/api/token/refresh/", &refresh), 200);
    script.send(
        &Request::post("/api/token/verify/", &json!({"token": access})),
        200,
    );
    let browser = Browser::of(&server, "ann");
    assert_eq!(browser.submit("/api-auth/logout/", &[]).status, 302);
    script.change(&Request::post("/api/logout/", &refresh).bearer(access), 200);
    let passwords = json!({"old_password": PASSWORD, "new_password": OTHER_PASSWORD});
    script.change(&put("/api/change-password/", &passwords, access), 200);

    insta::assert_snapshot!(script.entries(&[(&ann_id, "ANN"), (&car, "CAR")]));
}

#[test]
fn each_change_by_an_admin_has_one_entry() {
    let server = start();
    let root = as_root(&server);
    let root_id = json!(id_of(&server, &root));
    let mut script = Script::on(&server, &root);
    let own = format!("/api/admin/users/{root_id}/");
    script.send(&delete(&own, &root), 403);
    script.send(
        &patch(&own, &json!({"role": "client", "first_name": "Else"}), &root),
        403,
    );
    script.send(
        &Request::post(ALL, &json!({"action": "created"})).bearer(&root),
        405,
    );
    script.send(&delete(ALL, &root), 405);
    let new = json!({
        "username": "bob", "email": "bob@example.com", "first_name": "Bob", "last_name": "Lee", "password": PASSWORD,
    });
    let bob = script
        .change(&Request::post("/api/admin/users/", &new).bearer(&root), 201)
        .json(201)["id"]
        .clone();
    let path = format!("/api/admin/users/{bob}/");
    for body in [
        json!({"role": "admin"}),
        json!({"is_active": false}),
        json!({"is_active": true}),
        json!({"password": OTHER_PASSWORD}),
        json!({"address": "Here 1", "username": "rob"}),
    ] {
        script.change(&patch(&path, &body, &root), 200);
    }
    let as_rob = log_in(&server, "rob", OTHER_PASSWORD).access;
    let new = json!({"brand": "Honda", "model": "Civic", "year": 2022, "license": "B-AB 2"});
    let request = Request::post(&format!("{path}cars/"), &new).bearer(&root);
    let bobs_car = script.change(&request, 201).json(201)["id"].clone();
    script.change(&patch("/api/me/", &json!({"phone": "555-9"}), &as_rob), 200);
    script.change(&delete(&path, &root), 204);

    let ids = [(&root_id, "ROOT"), (&bob, "BOB"), (&bobs_car, "CAR")];
    insta::assert_snapshot!(script.entries(&ids));
}

#[test]
fn entries_hide_passwords() {
    let server = start();
    let root = as_root(&server);
    let (ann, id) = new_client(&server, "ann");
    let set = "Meadow-set-66";
    let passwords = json!({"old_password": PASSWORD, "new_password": OTHER_PASSWORD});
    server
        .send(&put("/api/change-password/", &passwords, &ann.access))
        .json(200);
    let path = format!("/api/admin/users/{id}/");
    server
        .send(&patch(&path, &json!({"password": set}), &root))
        .json(200);
    assert_eq!(server.send(&delete(&path, &root)).status, 204);

    let panel = Panel::of_root(&server);
    let exported = |format| panel.submit("/admin/history/bulk/", &[("action", format)]).text();
    let page = Request::get(ALL).header("Accept", "text/html");
    for text in [
        server.send(&Request::get(ALL).bearer(&root)).text(),
        panel.browser.send(page).text(),
        panel.page("/admin/history/"),
        panel.page(&format!("/admin/users/{id}/history/")),
        exported("export_json"),
        exported("export_csv"),
    ] {
        assert!(text.contains("password"), "{text}");
        for secret in [
            PASSWORD,
            SUPERUSER_PASSWORD,
            OTHER_PASSWORD,
            set,
            "bcrypt",
            &ann.refresh,
        ] {
            assert!(!text.contains(secret), "{secret}");
        }
    }
    for word in [OTHER_PASSWORD, "bcrypt"] {
        assert_eq!(
            find(&server, &root, &format!("search={word}")),
            Vec::<Value>::new()
        );
    }
}

#[test]
fn filters_select_entries() {
    let server = start();
    let root = as_root(&server);
    let (ann, ann_id) = new_client(&server, "ann");
    let (bob, bob_id) = new_client(&server, "bob");
    let car = add_car(&server, &ann.access, "B-ÄÖ 1");
    add_car(&server, &bob.access, "B-AB 2");
    let path = format!("/api/cars/{car}/");
    server
        .send(&patch(&path, &json!({"mileage": 5}), &ann.access))
        .json(200);
    assert_eq!(server.send(&delete(&path, &ann.access)).status, 204);

    let at = find(&server, &root, "action=changed")[0]["at"]
        .as_str()
        .unwrap()
        .to_owned();
    let day = &at[..10];
    let earlier = at.replace('Z', "%2B01:00");
    let of_ann = "deleted (B-ÄÖ 1), changed (B-ÄÖ 1), created (B-ÄÖ 1)";
    for (query, expected) in [
        (format!("actor={ann_id}"), of_ann),
        (format!("object_type=car&object_id={car}"), of_ann),
        ("search=%C3%A4%C3%B6".to_owned(), of_ann),
        (
            format!("actor={ann_id}&ordering=at"),
            "created (B-ÄÖ 1), changed (B-ÄÖ 1), deleted (B-ÄÖ 1)",
        ),
        ("action=changed".to_owned(), "changed (B-ÄÖ 1)"),
        (
            "object_type=user&action=created".to_owned(),
            "created bob, created ann, created root",
        ),
        ("search=BOB,camry".to_owned(), "created (B-AB 2)"),
        (format!("actor={bob_id}&action=deleted"), ""),
        ("actor=999999".to_owned(), ""),
        ("object_id=x".to_owned(), ""),
        (
            "action=&actor=&unknown=1&limit=3".to_owned(),
            "deleted (B-ÄÖ 1), changed (B-ÄÖ 1), created (B-AB 2)",
        ),
        (format!("at_min={at}&at_max={at}"), "changed (B-ÄÖ 1)"),
        (
            format!("at_min={day}&at_max={day}&object_id={car}&object_type=car"),
            of_ann,
        ),
        (format!("at_max={earlier}"), ""),
        ("at_min=2999-01-01".to_owned(), ""),
        ("at_max=2001-02-03T04:05".to_owned(), ""),
    ] {
        let name = |entry: &Value| {
            format!("{} {}", text(&entry["action"]), text(&entry["object"])).replace("Toyota Camry ", "")
        };
        let found: Vec<_> = find(&server, &root, &query).iter().map(name).collect();
        assert_eq!(found.join(", "), expected, "{query}");
    }

    let wrong = "action=burnt&object_type=Car&actor=me&at_min=today&at_max=2026-02-30";
    let no_choice = |value: &str| {
        json!([format!(
            "Select a valid choice. {value} is not one of the available choices."
        )])
    };
    assert_eq!(
        server
            .send(&Request::get(&format!("{ALL}?{wrong}")).bearer(&root))
            .json(400),
        json!({
            "action": no_choice("burnt"),
            "object_type": no_choice("Car"),
            "actor": ["Enter a number."],
            "at_min": ["Enter a valid date/time."],
            "at_max": ["Enter a valid date/time."],
        })
    );
}

#[test]
fn history_is_always_paginated() {
    let server = start();
    let (root, ann) = (as_root(&server), join(&server, "ann").access);
    let path = format!("/api/cars/{}/", add_car(&server, &ann, "B-AB 1"));
    for mileage in 1..=120 {
        server
            .send(&patch(&path, &json!({"mileage": mileage}), &ann))
            .json(200);
    }
    let base = format!("http://{}", server.address());
    let own = format!("{path}history/");
    let null = || json!(null);
    for (access, path, query, size, count, next, previous) in [
        (
            &root,
            ALL,
            "",
            100,
            123,
            json!(format!("{base}{ALL}?limit=100&offset=100")),
            null(),
        ),
        (
            &root,
            ALL,
            "?limit=100&offset=100",
            23,
            123,
            null(),
            json!(format!("{base}{ALL}?limit=100")),
        ),
        (
            &ann,
            own.as_str(),
            "",
            100,
            121,
            json!(format!("{base}{own}?limit=100&offset=100")),
            null(),
        ),
        (
            &ann,
            own.as_str(),
            "?limit=2&offset=1",
            2,
            121,
            json!(format!("{base}{own}?limit=2&offset=3")),
            json!(format!("{base}{own}?limit=2")),
        ),
    ] {
        let page = server
            .send(&Request::get(&format!("{path}{query}")).bearer(access))
            .json(200);
        let results = page["results"].as_array().unwrap();
        assert_eq!(
            (results.len(), &page["count"]),
            (size, &json!(count)),
            "{path}{query}"
        );
        assert_eq!(
            (&page["next"], &page["previous"]),
            (&next, &previous),
            "{path}{query}"
        );
        let ids = results.iter().map(|entry| entry["id"].as_i64());
        assert!(ids.is_sorted_by(|one, next| one > next), "newest first: {page}");
    }

    let server = start_with(|settings| settings.lists.max_page_size = 2);
    let root = as_root(&server);
    for name in ["ann", "bob"] {
        join(&server, name);
    }
    for query in ["", "limit=0", "limit=1000"] {
        assert_eq!(find(&server, &root, query).len(), 2, "{query}");
    }
}

#[test]
fn owner_reads_history_of_own_car() {
    let server = start();
    let root = as_root(&server);
    let root_id = id_of(&server, &root);
    let (ann, ann_id) = new_client(&server, "ann");
    let (bob, bob_id) = new_client(&server, "bob");
    let car = add_car(&server, &ann.access, "B-AB 1");
    add_car(&server, &ann.access, "B-AB 2");
    let under = |user: i64| format!("/api/admin/users/{user}/cars/{car}/");
    server
        .send(&patch(&under(ann_id), &json!({"color": "Red"}), &root))
        .json(200);

    let own = format!("/api/cars/{car}/history/");
    let read = |path: &str, access: &str| server.send(&Request::get(path).bearer(access));
    let mine = read(&own, &ann.access).json(200);
    assert_eq!(mine["count"], 2);
    assert_eq!(mine["results"][0]["actor_name"], "root");
    let keys = |page: &Value| {
        let entry = page["results"][0].as_object().unwrap();
        entry.keys().cloned().collect::<Vec<_>>().join(" ")
    };
    let whole =
        "id at action object_type object_id object actor actor_name channel request_id address changes";
    // Owners do not see addresses of other users.
    assert_eq!(keys(&mine), whole.replace("request_id address ", ""));
    let of_ann = read(&format!("{}history/", under(ann_id)), &root).json(200);
    assert_eq!((&of_ann["count"], keys(&of_ann)), (&json!(2), whole.to_owned()));

    let not_found = json!({"detail": "No Car matches the given query."});
    for (path, access) in [
        (own.clone(), &bob.access),
        (own.clone(), &root),
        (format!("{}history/", under(bob_id)), &root),
        (format!("{}history/", under(root_id)), &root),
    ] {
        assert_eq!(read(&path, access).json(404), not_found, "{path}");
    }
    assert_eq!(
        server
            .send(&delete(&format!("/api/cars/{car}/"), &ann.access))
            .status,
        204
    );
    assert_eq!(
        read(&own, &ann.access).json(404),
        not_found,
        "a deleted car is not found"
    );
}
