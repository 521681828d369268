//! Passwords, deactivations, and the logins that they end.

use mycars_testkit::http::{
    Request,
    accounts::{PASSWORD, SUPERUSER_PASSWORD, log_in, login, me, new_admin, new_client, refresh},
    browser::{Browser, cookie},
    panel::{Panel, counted, hidden, message, tally, with},
};
use serde_json::json;

use super::OTHER_PASSWORD;
use crate::support::start;

#[test]
fn own_new_password_keeps_only_this_session() {
    let server = start();
    let id = new_admin(&server, "ann");
    let tokens = log_in(&server, "ann", PASSWORD);
    let mut panel = Panel::of(&server, "ann", PASSWORD);
    let other = Panel::of(&server, "ann", PASSWORD);
    let change = |old: &str, new: &str, again: &str| {
        let fields = [("old_password", old), ("new_password", new), ("password2", again)];
        panel.submit("/admin/password/", &fields)
    };
    for (old, new, again, said) in [
        ("wrong", OTHER_PASSWORD, OTHER_PASSWORD, "Old password"),
        (PASSWORD, OTHER_PASSWORD, "Meadow-x-56", "again"),
        (PASSWORD, "password", "password", "too common"),
        (PASSWORD, "", "", "New password"),
    ] {
        let refused = change(old, new, again);
        assert_eq!(refused.status, 400, "{}", refused.text());
        assert!(refused.text().contains(said), "{said}: {}", refused.text());
        assert!(
            !refused.text().contains(OTHER_PASSWORD),
            "a password is not sent back"
        );
    }
    other.page("/admin/");
    let answer = change(PASSWORD, OTHER_PASSWORD, OTHER_PASSWORD);
    assert_eq!(
        (answer.status, answer.header("Location").as_deref()),
        (303, Some("/admin/"))
    );
    let old = panel
        .browser
        .session
        .replace(cookie(&answer, "sessionid").unwrap());
    panel.browser.token = cookie(&answer, "csrftoken").unwrap();
    assert_ne!(panel.browser.session, old, "the key is a new one");
    panel.page("/admin/");
    assert_eq!(
        panel
            .submit("/admin/users/bulk/", &[("action", "export_csv"), ("all", "1")])
            .status,
        200
    );
    assert_eq!(
        other.browser.get("/admin/").status,
        303,
        "another browser's login is over"
    );
    let planted = Request::get("/admin/").header("Cookie", &format!("sessionid={}", old.unwrap()));
    assert_eq!(server.send(&planted).status, 303);
    assert_eq!(refresh(&server, &tokens.refresh), 401);
    assert_eq!(server.send(&login("ann", PASSWORD)).status, 401);
    log_in(&server, "ann", OTHER_PASSWORD);
    let entry = &panel.history("limit=1")["results"][0];
    assert_eq!(
        (&entry["channel"], &entry["object_id"]),
        (&json!("panel"), &json!(id.to_string()))
    );
    let changes = entry["changes"].as_array().unwrap();
    let told = |field: &str| {
        let change = changes.iter().find(|change| change["field"] == field);
        change.map(|change| (change["before"].clone(), change["after"].clone()))
    };
    assert_eq!(told("password"), Some((json!("********"), json!("********"))));
    assert_eq!(told("sessions"), Some((json!(2), json!(0))));
    assert_eq!(told("refresh_tokens").map(|(_, left)| left), Some(json!(0)));
    assert_eq!(changes.len(), 3);
}

#[test]
fn set_password_ends_all_logins() {
    let server = start();
    let panel = Panel::of_root(&server);
    let (ann, id) = new_client(&server, "ann");
    let browser = Browser::of(&server, "ann");
    let path = format!("/admin/users/{id}/password/");
    let set =
        |password: &str, again: &str| panel.submit(&path, &[("password", password), ("password2", again)]);
    for (password, again) in [
        ("", ""),
        ("short", "short"),
        (OTHER_PASSWORD, "else"),
        (OTHER_PASSWORD, ""),
    ] {
        assert_eq!(set(password, again).status, 400, "{password:?} {again:?}");
    }
    assert_eq!(browser.get("/api/me/").status, 200);
    assert_eq!(set(OTHER_PASSWORD, OTHER_PASSWORD).status, 303);
    assert_eq!(browser.get("/api/me/").status, 401);
    assert_eq!(refresh(&server, &ann.refresh), 401);
    assert_eq!(server.send(&login("ann", PASSWORD)).status, 401);
    log_in(&server, "ann", OTHER_PASSWORD);
    // The form of a user cannot change the password, even with a forged field.
    let fields = panel.user_form(id);
    panel.save(
        &format!("/admin/users/{id}/"),
        &with(&fields, &[("password", "Meadow-x-77")]),
    );
    log_in(&server, "ann", OTHER_PASSWORD);
}

#[test]
fn deactivation_ends_logins_and_is_logged() {
    let server = start();
    let panel = Panel::of_root(&server);
    let (ann, id) = new_client(&server, "ann");
    let browser = Browser::of(&server, "ann");
    let path = format!("/admin/users/{id}/");
    // Browsers send no value for a box that is not ticked, so a hidden field has the value.
    panel.save(&path, &with(&panel.user_form(id), &[("is_active", "false")]));
    assert_eq!(me(&server, &ann.access).status, 401);
    assert_eq!(refresh(&server, &ann.refresh), 401);
    assert_eq!(browser.get("/api/me/").status, 401);
    let ended = json!([
        {"field": "is_active", "before": true, "after": false},
        {"field": "refresh_tokens", "before": 1, "after": 0},
        {"field": "sessions", "before": 1, "after": 0},
    ]);
    assert_eq!(panel.history("limit=1")["results"][0]["changes"], ended);
    let twice = [("is_active", "false"), ("is_active", "true")];
    panel.save(&path, &with(&panel.user_form(id), &twice));
    assert_eq!(me(&server, &ann.access).status, 401, "it was ended");
    assert_eq!(refresh(&server, &ann.refresh), 401, "it was ended");
    assert_eq!(browser.get("/api/me/").status, 401, "it was ended");
    let again = log_in(&server, "ann", PASSWORD);
    Browser::of(&server, "ann");
    let answer = panel.bulk("/admin/users/bulk/", "deactivate", ("selected", &id.to_string()));
    assert!(
        message(&answer).contains("1 user deactivated"),
        "{}",
        message(&answer)
    );
    assert_eq!(me(&server, &ann.access).status, 401);
    let entry = &panel.history("limit=1")["results"][0];
    assert_eq!(entry["changes"], ended);
    assert_eq!(entry["channel"], "panel");
    panel.bulk("/admin/users/bulk/", "activate", ("selected", &id.to_string()));
    assert_eq!(refresh(&server, &again.refresh), 401);
    // PUT and PATCH of the API do the same.
    let whole =
        json!({"username": "ann", "email": "ann@example.com", "first_name": "Ann", "last_name": "Lee"});
    for (method, fields) in [("PATCH", json!({})), ("PUT", whole)] {
        let tokens = log_in(&server, "ann", PASSWORD);
        for is_active in [false, true] {
            let mut fields = fields.clone();
            fields["is_active"] = json!(is_active);
            let root = log_in(&server, "root", SUPERUSER_PASSWORD).access;
            let change = Request::new(method, &format!("/api/admin/users/{id}/")).json(&fields);
            server.send(&change.bearer(&root)).json(200);
        }
        assert_eq!(refresh(&server, &tokens.refresh), 401, "{method}");
    }
}

#[test]
fn logins_and_keys_of_a_user_are_ended_one_by_one() {
    let server = start();
    let panel = Panel::of_root(&server);
    let (ann, id) = new_client(&server, "ann");
    let browser = Browser::of(&server, "ann");
    let body = json!({"name": "<i>sync", "rights": "read", "password": PASSWORD});
    let create = Request::post("/api/me/keys/", &body).bearer(&ann.access);
    let key = server.send(&create).json(201);
    let logins = Request::get("/api/me/logins/").bearer(&ann.access);
    let logins = server.send(&logins).json(200);
    let path = format!("/admin/users/{id}/access/");
    let page = panel.page(&path);
    assert!(
        page.contains("Logins (2)") && page.contains("API keys (1)"),
        "{page}"
    );
    assert!(!page.contains("<i>sync"), "text stays text: {page}");

    let cars = Request::get("/api/cars/").bearer(key["key"].as_str().unwrap());
    assert_eq!(server.send(&cars).status, 200);
    let key = key["id"].to_string();
    assert!(message(&panel.submit(&path, &[("key", &key)])).contains("was ended"));
    assert_eq!(server.send(&cars).status, 401);
    for login in logins.as_array().unwrap() {
        panel.save(&path, &[("login", &login["id"].to_string())]);
    }
    assert_eq!(browser.get("/api/me/").status, 401);
    assert_eq!(refresh(&server, &ann.refresh), 401);
    let page = panel.page(&path);
    assert!(
        page.contains("Logins (0)") && page.contains("API keys (0)"),
        "{page}"
    );
    assert!(message(&panel.submit(&path, &[("key", &key)])).contains("ended already"));
}

#[test]
fn ended_logins_stay_ended() {
    let server = start();
    let panel = Panel::of_root(&server);
    let (ann, id) = new_client(&server, "ann");
    let browser = Browser::of(&server, "ann");
    let path = format!("/admin/users/{id}/end-logins/");
    let body = json!({"name": "sync", "rights": "read", "password": PASSWORD});
    let create = Request::post("/api/me/keys/", &body).bearer(&ann.access);
    let key = server.send(&create).json(201);
    let counts = [("Refresh tokens", 1), ("Logins of browsers", 1), ("API keys", 1)];
    assert_eq!(tally(&panel.page(&path)), counted(&counts));
    assert_eq!(browser.get("/api/me/").status, 200, "asking ends nothing");
    panel.save(&path, &[]);
    let cars = Request::get("/api/cars/").bearer(key["key"].as_str().unwrap());
    assert_eq!(server.send(&cars).status, 401);
    assert_eq!(browser.get("/api/me/").status, 401);
    assert_eq!(refresh(&server, &ann.refresh), 401);
    assert_eq!(me(&server, &ann.access).status, 200, "until it expires");
    let entry = &panel.history("limit=1")["results"][0];
    assert_eq!(
        (&entry["action"], &entry["channel"]),
        (&json!("revoked"), &json!("panel"))
    );
    assert_eq!(
        entry["changes"],
        json!([
            {"field": "refresh_tokens", "before": 1, "after": 0}, {"field": "sessions", "before": 1, "after": 0},
            {"field": "api_key", "before": format!("sync ({}, read)", key["prefix"].as_str().unwrap()), "after": null},
        ])
    );
    let again = log_in(&server, "ann", PASSWORD);
    let other = log_in(&server, "ann", PASSWORD);
    assert_eq!(refresh(&server, &again.refresh), 200);
    let number = hidden(&panel.page("/admin/tokens/?search=ann&state=live"), "selected");
    let answer = panel.bulk("/admin/tokens/bulk/", "revoke", ("selected", &number));
    assert!(
        message(&answer).contains("1 refresh token ended"),
        "{}",
        message(&answer)
    );
    let left = [&again, &other].map(|tokens| refresh(&server, &tokens.refresh));
    assert_eq!(
        left.iter().filter(|status| **status == 401).count(),
        1,
        "one of the two: {left:?}"
    );
    let entry = &panel.history("limit=1")["results"][0];
    assert_eq!(
        (&entry["object_type"], &entry["channel"]),
        (&json!("refresh_token"), &json!("panel"))
    );
    let listed = panel.page("/admin/tokens/?state=ended");
    assert_eq!(
        listed.matches("ended: by an admin or from another login").count(),
        2,
        "{listed}"
    );
}
