//! Erasing users: by the command, in the panel, and by leaving. Neither the database nor the media folder holds the
//! user's strings afterwards, and the audit log still has the same entries.

use std::fs;

use mycars_domain::audit::erased_name;
use mycars_testkit::TestDatabase;
use serde_json::{Value, json};

use crate::support::{
    Installation, Request, Server,
    accounts::{PASSWORD, SUPERUSER_PASSWORD, add_picture, join, log_in, login, patch_user},
    browser::Browser,
    on_both_databases,
    panel::Panel,
};

on_both_databases!(
    erased_user_is_nowhere_in_database_and_media,
    leaving_needs_the_password_and_erases,
    panel_erases_selected_users,
    user_that_was_deleted_before_is_erased_by_id,
    addresses_are_removed_after_days,
);

const USERNAME: &str = "wilhelmine17";

/// Texts of the user that nothing else holds.
const STRINGS: [&str; 12] = [
    USERNAME,
    "xanthe@post.example",
    "earlier@post.example",
    "Wilhelmine-Ada",
    "Xanthopoulou",
    "+49 555 0170",
    "Fliederweg 17b",
    "WX QZ 991",
    "Tante Friedas Wagen",
    "203.0.113.77",
    "203.0.113.78",
    "Wanderer/7",
];

/// Registers the user from an address of their own, with a car and a picture. An admin changes them, too.
fn live(server: &Server) -> i64 {
    let from = |request: Request| request.header("X-Forwarded-For", "203.0.113.77");
    let body = json!({
        "username": USERNAME, "email": "earlier@post.example", "first_name": "Wilhelmine-Ada",
        "last_name": "Xanthopoulou", "password": PASSWORD, "password2": PASSWORD,
    });
    let user = server
        .send(&from(Request::post("/api/register/", &body)))
        .json(201);
    let id = user["id"].as_i64().unwrap();
    let access = log_in(server, USERNAME, PASSWORD).access;
    let change = json!({
        "email": "xanthe@post.example", "phone": "+49 555 0170", "address": "Fliederweg 17b, 12345 Ulm",
    });
    let request = Request::new("PATCH", "/api/me/").json(&change).bearer(&access);
    server.send(&from(request)).json(200);
    let car = json!({
        "brand": "Toyota", "model": "Camry", "year": 2023, "license": "WX QZ 991", "notes": "Tante Friedas Wagen",
    });
    let request = Request::post("/api/cars/", &car).bearer(&access);
    let car = server.send(&from(request)).json(201)["id"].as_i64().unwrap();
    add_picture(server, &access, car);
    patch_user(server, id, &json!({"address": "Fliederweg 17b"}));
    log_in_often(server);
    id
}

/// Logs the user in: one login is logged out, one is used again after its rotation, one stays, and one is in a browser.
fn log_in_often(server: &Server) {
    let from = |request: Request| {
        let request = request.header("X-Forwarded-For", "203.0.113.78");
        server.send(&request.header("User-Agent", "Wanderer/7"))
    };
    let log_in = || from(login(USERNAME, PASSWORD)).json(200);
    let refresh = |tokens: &Value| {
        let body = json!({"refresh": tokens["refresh"]});
        from(Request::post("/api/token/refresh/", &body))
    };
    let [logged_out, reused, kept] = [(); 3].map(|()| log_in());
    let log_out = Request::post("/api/logout/", &json!({"refresh": logged_out["refresh"]}));
    from(log_out.bearer(logged_out["access"].as_str().unwrap())).json(200);
    let rotated = refresh(&reused).json(200);
    refresh(&rotated).json(200);
    refresh(&reused).json(401);
    refresh(&kept).json(200);
    log_in();
}

fn with_proxy(installation: &Installation) -> Server {
    installation.create_superuser("root");
    installation.start_with_all(&[
        ("MYCARS__SERVER__TRUSTED_PROXIES", "127.0.0.1"),
        ("MYCARS__TOKENS__ROTATE_REFRESH", "true"),
    ])
}

/// Returns the id, time, action, object and author of each entry, oldest first.
fn entries(server: &Server) -> Vec<[Value; 6]> {
    let root = log_in(server, "root", SUPERUSER_PASSWORD).access;
    let path = "/api/admin/history/?ordering=at&limit=1000";
    let list = server.send(&Request::get(path).bearer(&root)).json(200);
    let entries = list["results"].as_array().unwrap().iter();
    let facts = ["id", "at", "action", "object_type", "object_id", "actor"];
    entries
        .map(|entry| facts.map(|fact| entry[fact].clone()))
        .collect()
}

/// Returns those of the user's strings that are in the database, in rows or in columns that are computed from them.
fn strings_in(installation: &Installation) -> Vec<&'static str> {
    let dump = installation.database().dump().to_lowercase();
    assert!(dump.contains("root@example.com"), "the dump has all tables");
    let is_there = |text: &&str| dump.contains(&text.to_lowercase());
    STRINGS.into_iter().filter(is_there).collect()
}

fn pictures(installation: &Installation) -> usize {
    fs::read_dir(installation.path("data/media/cars")).map_or(0, Iterator::count)
}

#[track_caller]
fn assert_erased(installation: &Installation, server: &Server, id: i64, before: &[[Value; 6]]) {
    assert_eq!(strings_in(installation), [""; 0]);
    assert_eq!(pictures(installation), 0);
    let after = entries(server);
    assert_eq!(after[..before.len()], *before);
    let added: Vec<_> = after[before.len()..]
        .iter()
        .map(|[_, _, action, kind, ..]| (action, kind))
        .collect();
    let expected =
        [("deleted", "car"), ("deleted", "user"), ("erased", "user")].map(|(a, b)| (json!(a), json!(b)));
    assert_eq!(added, expected.iter().map(|(a, b)| (a, b)).collect::<Vec<_>>());
    let root = log_in(server, "root", SUPERUSER_PASSWORD).access;
    let path = format!("/api/admin/history/?object_type=user&object_id={id}");
    let list = server.send(&Request::get(&path).bearer(&root)).json(200);
    for entry in list["results"].as_array().unwrap() {
        assert_eq!(entry["object"], erased_name(mycars_domain::UserId(id)), "{entry}");
    }
}

fn erased_user_is_nowhere_in_database_and_media(installation: &Installation) {
    let server = with_proxy(installation);
    let id = live(&server);
    assert_eq!(strings_in(installation), STRINGS);
    assert_eq!(pictures(installation), 1);
    // Tokens that have expired keep the device until they are deleted, or the user is.
    installation.database().execute(
        "UPDATE refresh_tokens SET expires_at = '2001-02-03 04:05:06+00:00'
         WHERE id = (SELECT max(id) FROM refresh_tokens)",
    );
    let before = entries(&server);
    let printed = installation.run(&["eraseuser", USERNAME, "--noinput"]).success();
    assert_eq!(
        printed,
        format!("Erased user {id}. Backups from before still hold their data.\n")
    );
    assert_erased(installation, &server, id, &before);
    server.send(&login(USERNAME, PASSWORD)).json(401);
    let refusal = installation.run(&["eraseuser", USERNAME, "--noinput"]).refusal();
    assert!(
        refusal.contains("does not exist; name a deleted user by --id"),
        "{refusal}"
    );
}

fn leaving_needs_the_password_and_erases(installation: &Installation) {
    let server = with_proxy(installation);
    let id = live(&server);
    let access = log_in(&server, USERNAME, PASSWORD).access;
    let leave = |body: Value| {
        let request = Request::post("/api/me/leave/", &body).header("X-Forwarded-For", "203.0.113.77");
        server.send(&request.bearer(&access))
    };
    assert_eq!(
        leave(json!({})).json(400),
        json!({"password": ["This field is required."]})
    );
    let wrong = leave(json!({"password": "a wrong one"}));
    assert_eq!(wrong.json(400), json!({"password": ["Wrong password."]}));
    let root = log_in(&server, "root", SUPERUSER_PASSWORD).access;
    let last = Request::post("/api/me/leave/", &json!({"password": SUPERUSER_PASSWORD}));
    let last = server.send(&last.bearer(&root));
    assert_eq!(
        last.json(403),
        json!({"detail": "The last active superuser has to stay."})
    );

    let before = entries(&server);
    assert_eq!(leave(json!({"password": PASSWORD})).status, 204);
    leave(json!({"password": PASSWORD})).json(401);
    assert_erased(installation, &server, id, &before);
    let log = server.log();
    let event = log.lines().find(|line| line.contains("user_erased")).unwrap();
    assert!(
        !event.contains(USERNAME) && !event.contains("203.0.113.77"),
        "{event}"
    );
}

/// A thief of a token must not find out the password here.
#[test]
fn wrong_passwords_of_leaving_are_throttled() {
    let installation = Installation::on(TestDatabase::sqlite())
        .with("MYCARS__THROTTLE__ENABLED", "true")
        .with("MYCARS__THROTTLE__ACCOUNT", "3/hour");
    let server = installation.start();
    let access = join(&server, "ann").access;
    let leave = |_| {
        let wrong = Request::post("/api/me/leave/", &json!({"password": "a wrong one"}));
        server.send(&wrong.bearer(&access)).status
    };
    assert_eq!((0..4).map(leave).collect::<Vec<_>>(), [400, 400, 400, 429]);
}

fn panel_erases_selected_users(installation: &Installation) {
    let server = with_proxy(installation);
    let id = live(&server);
    let before = entries(&server);
    let selected = id.to_string();
    let done = Panel::of_root(&server).bulk("/admin/users/bulk/", "erase", ("selected", &selected));
    assert_eq!(done.status, 303, "{}", done.text());
    assert_erased(installation, &server, id, &before);
}

fn user_that_was_deleted_before_is_erased_by_id(installation: &Installation) {
    let server = with_proxy(installation);
    let id = live(&server);
    let browser = Browser::of(&server, USERNAME);
    let delete = Request::new("DELETE", "/api/delete-account/").header("X-CSRFToken", &browser.token);
    let delete = delete.header("Origin", &format!("http://{}", server.address()));
    assert_eq!(browser.send(delete).status, 204);
    assert!(strings_in(installation).len() > 8, "the audit log has them");
    let id = id.to_string();
    let erase = |id: &str| installation.run(&["eraseuser", "--id", id, "--noinput"]);
    erase(&id).success();
    assert_eq!(strings_in(installation), [""; 0]);
    let refusal = erase("999").refusal();
    assert!(refusal.contains("user 999 does not exist"), "{refusal}");
}

fn addresses_are_removed_after_days(installation: &Installation) {
    installation.database().execute(
        "INSERT INTO audit_log (at, action, object_type, object_id, object_name, actor_name, channel, address, changes,
             search_key)
         VALUES ('2001-02-03 04:05:06+00:00', 'changed', 'car', '7', 'Golf', 'eve', 'api', '198.51.100.9', '[]', 'golf')",
    );
    let server = with_proxy(installation);
    live(&server);
    for removed in [1, 0] {
        let days = "MYCARS__AUDIT__KEEP_ADDRESSES_DAYS";
        let printed = installation.run_with(&["pruneaudit"], days, "30").success();
        let expected =
            format!("Removed the addresses from {removed} more entries that were older than 30 days.\n");
        assert_eq!(printed, expected);
    }
    let dump = installation.database().dump();
    assert!(!dump.contains("198.51.100.9") && dump.contains("203.0.113.77") && dump.contains("Golf"));
}
