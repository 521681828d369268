//! API keys: their life, and the requests that they authenticate. The matrix tests every route.

use serde_json::{Value, json};

use crate::support::{
    Installation, Request, Server,
    accounts::{PASSWORD, SUPERUSER_PASSWORD, id_of, join, log_in, new_car, plates},
    on_both_databases,
};

on_both_databases!(
    key_is_shown_once_and_works_until_it_is_ended,
    key_of_inactive_or_deleted_user_is_refused_at_once,
    requests_with_key_count_to_its_user,
    key_ends_with_a_password_set_by_an_admin,
    key_is_created_with_the_password_alone,
);

const PATH: &str = "/api/me/keys/";

/// Creates a key, and returns the response.
fn create(server: &Server, access: &str, rights: &str) -> Value {
    let body = json!({"name": "Dashboard", "rights": rights, "password": PASSWORD});
    server.send(&Request::post(PATH, &body).bearer(access)).json(201)
}

fn listed(server: &Server, access: &str) -> Value {
    server.send(&Request::get(PATH).bearer(access)).json(200)
}

fn key_of(created: &Value) -> &str {
    created["key"].as_str().unwrap()
}

fn key_is_shown_once_and_works_until_it_is_ended(installation: &Installation) {
    let server = installation.start();
    let access = &join(&server, "ann").access;
    let created = create(&server, access, "write");
    let key = key_of(&created);
    let form = regex::Regex::new("^mck_[0-9a-f]{8}_[0-9a-f]{48}$").unwrap();
    assert!(form.is_match(key), "{key}");
    assert!(key.starts_with(created["prefix"].as_str().unwrap()));

    server.send(&new_car(key, "B-AB 12")).json(201);
    assert_eq!(plates(&server, key), ["B-AB 12"]);
    let page = Request::get("/api/cars/")
        .header("Accept", "text/html")
        .bearer(key);
    assert_eq!(server.send(&page).status, 403);
    let list = listed(&server, access);
    assert!(
        list[0].get("key").is_none() && list[0]["last_used_at"].is_string(),
        "{list}"
    );

    let path = format!("{PATH}{}/", created["id"]);
    let eve = join(&server, "eve").access;
    let end = |access: &str| server.send(&Request::new("DELETE", &path).bearer(access)).status;
    assert_eq!([end(&eve), end(access), end(access)], [404, 204, 404]);
    let cars = Request::get("/api/cars/").bearer(key);
    assert_eq!(server.send(&cars).json(401)["code"], "token_not_valid");
    assert_eq!(listed(&server, access), json!([]));

    let other = create(&server, access, "read");
    let expire = "UPDATE api_keys SET expires_at = '2026-01-01 00:00:00+00:00'";
    installation.database().execute(expire);
    let refused = server.send(&Request::get("/api/cars/").bearer(key_of(&other)));
    assert_eq!(refused.json(401)["messages"][0]["message"], "Token is expired");
}

fn key_of_inactive_or_deleted_user_is_refused_at_once(installation: &Installation) {
    installation.create_superuser("root");
    let server = installation.start();
    let access = join(&server, "ann").access;
    let id = id_of(&server, &access);
    let created = create(&server, &access, "read");
    let cars = Request::get("/api/cars/").bearer(key_of(&created));
    let root = log_in(&server, "root", SUPERUSER_PASSWORD).access;
    let set_active = |is_active: bool| {
        let body = json!({"is_active": is_active});
        let path = format!("/api/admin/users/{id}/");
        let change = Request::new("PATCH", &path).json(&body).bearer(&root);
        server.send(&change).json(200);
    };
    for (is_active, status) in [(true, 200), (false, 401), (true, 200)] {
        set_active(is_active);
        assert_eq!(server.send(&cars).status, status);
    }
    let delete = Request::new("DELETE", &format!("/api/admin/users/{id}/")).bearer(&root);
    assert_eq!(server.send(&delete).status, 204);
    assert_eq!(server.send(&cars).status, 401);
}

fn requests_with_key_count_to_its_user(installation: &Installation) {
    let server = installation.start_with_all(&[
        ("MYCARS__THROTTLE__ENABLED", "true"),
        ("MYCARS__THROTTLE__USER", "10/day"),
    ]);
    let access = join(&server, "ann").access;
    let key = create(&server, &access, "read");
    let status = |credential: &str| server.send(&Request::get("/api/cars/").bearer(credential)).status;
    let with_key: Vec<u16> = (0..10).map(|_| status(key_of(&key))).collect();
    assert_eq!(with_key.iter().filter(|status| **status == 200).count(), 9);
    assert_eq!(status(&access), 429);
}

fn key_ends_with_a_password_set_by_an_admin(installation: &Installation) {
    installation.create_superuser("root");
    let server = installation.start();
    let access = join(&server, "ann").access;
    let id = id_of(&server, &access);
    let created = create(&server, &access, "read");
    let cars = Request::get("/api/cars/").bearer(key_of(&created));
    let own = json!({"old_password": PASSWORD, "new_password": "Harbour-bridge-19"});
    let change = Request::new("PUT", "/api/change-password/").json(&own);
    server.send(&change.bearer(&access)).json(200);
    assert_eq!(server.send(&cars).status, 200, "the user changed it");

    let root = log_in(&server, "root", SUPERUSER_PASSWORD).access;
    let change = Request::new("PATCH", &format!("/api/admin/users/{id}/"));
    let change = change.json(&json!({"password": "Lighthouse-20"})).bearer(&root);
    server.send(&change).json(200);
    assert_eq!(server.send(&cars).status, 401);
    let entries = server.send(&Request::get("/api/admin/history/?limit=1").bearer(&root));
    let entry = &entries.json(200)["results"][0];
    let key = format!("Dashboard ({}, read)", created["prefix"].as_str().unwrap());
    let ended = json!({"field": "api_key", "before": key, "after": null});
    assert!(entry["changes"].as_array().unwrap().contains(&ended), "{entry}");
}

/// A thief of an access token must neither get a key nor find out the password here.
fn key_is_created_with_the_password_alone(installation: &Installation) {
    let server = installation.start_with_all(&[
        ("MYCARS__THROTTLE__ENABLED", "true"),
        ("MYCARS__THROTTLE__ACCOUNT", "3/hour"),
    ]);
    let access = join(&server, "ann").access;
    let without = json!({"name": "Dashboard", "rights": "write"});
    let refused = server.send(&Request::post(PATH, &without).bearer(&access));
    assert_eq!(refused.json(400)["password"], json!(["This field is required."]));
    let guess = |_| {
        let body = json!({"name": "Dashboard", "rights": "write", "password": "a wrong one"});
        server.send(&Request::post(PATH, &body).bearer(&access)).status
    };
    assert_eq!((0..4).map(guess).collect::<Vec<_>>(), [400, 400, 400, 429]);
    assert_eq!(listed(&server, &access), json!([]));
}
