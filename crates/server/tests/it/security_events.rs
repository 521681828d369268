//! The log lines of security events, and the filter for fail2ban in `docs/security.md`.

use std::collections::BTreeSet;

use mycars_testkit::TestDatabase;
use regex::Regex;
use serde_json::{Value, json};

use crate::support::{
    Installation, Request, Server,
    accounts::{PASSWORD, SUPERUSER_PASSWORD, join, log_in, login, me},
    browser::{Browser, form},
    raw::Connection,
};

const DOCUMENT: &str = include_str!("../../../../docs/security.md");

/// A username that imitates a log line.
const HOSTILE: &str =
    "eve\r\n2026-11-26T12:00:00.000000Z  WARN address=192.0.2.66 \"address\":\"192.0.2.66\" \u{202e}\u{2028}";

const NEW_PASSWORD: &str = "Copper-island-35";

#[test]
fn security_events_are_lines_without_secrets() {
    let installation = Installation::on(TestDatabase::sqlite())
        .with("MYCARS__LOG__FORMAT", "json")
        .with("MYCARS__LOG__LEVEL", "debug")
        .with("MYCARS__TOKENS__ROTATE_REFRESH", "true");
    installation.create_superuser("root");
    let server = installation.start();

    let ann = join(&server, "ann");
    let id = me(&server, &ann.access).json(200)["id"].clone();
    let root = log_in(&server, "root", SUPERUSER_PASSWORD);
    let mut browser = Browser::new(&server);
    browser.log_in("root", SUPERUSER_PASSWORD, "/admin/");
    server
        .send(&Request::get("/api/admin/users/").bearer(&ann.access))
        .json(403);
    server.send(&login(HOSTILE, PASSWORD)).json(401);
    let mut stranger = Browser::new(&server);
    assert_eq!(stranger.log_in("ann", NEW_PASSWORD, "/").status, 200);
    let credentials = [("username", "ann"), ("password", PASSWORD)];
    assert_eq!(server.send(&form("/api-auth/login/", &credentials)).status, 403);
    browser.send(Request::post("/api/cars/", &json!({}))).json(403);
    let refresh = Request::post("/api/token/refresh/", &json!({"refresh": ann.refresh}));
    let rotated = server.send(&refresh).json(200);
    server.send(&refresh).json(401);
    // A replay may have ended the logins.
    let ann = log_in(&server, "ann", PASSWORD);
    let change = json!({
        "old_password": PASSWORD, "new_password": NEW_PASSWORD, "new_password2": NEW_PASSWORD,
    });
    let change = Request::new("PUT", "/api/change-password/").json(&change);
    assert_eq!(server.send(&change.bearer(&ann.access)).status, 200);
    let path = format!("/api/admin/users/{id}/");
    for change in [
        json!({"role": "admin"}),
        json!({"password": PASSWORD}),
        json!({"email": "ann@example.net"}),
    ] {
        let change = Request::new("PATCH", &path).json(&change).bearer(&root.access);
        server.send(&change).json(200);
    }
    assert_eq!(
        browser
            .submit(&format!("/admin/users/{id}/end-logins/"), &[])
            .status,
        303
    );
    let change = Request::new("PATCH", &path).json(&json!({"is_active": false}));
    server.send(&change.bearer(&root.access)).json(200);
    let all = [("action", "export_csv"), ("all", "1")];
    assert_eq!(browser.submit("/admin/users/bulk/", &all).status, 200);

    let secrets = [
        PASSWORD,
        NEW_PASSWORD,
        SUPERUSER_PASSWORD,
        &ann.access,
        &ann.refresh,
        &root.access,
        rotated["refresh"].as_str().unwrap(),
        browser.session.as_deref().unwrap(),
        &browser.token,
        &stranger.token,
    ]
    .map(str::to_owned);
    let log = server.stop().stderr;
    let leaked: Vec<_> = secrets.iter().filter(|secret| log.contains(*secret)).collect();
    assert!(leaked.is_empty(), "{leaked:?} in {log}");

    let hostile = concat!(
        r"eve\u{d}\u{a}2026-11-26T12:00:00.000000Z  WARN address=192.0.2.66 ",
        r#""address":"192.0.2.66" \u{202e}\u{2028}"#
    );
    let of_ann = |event: &str| json!({"event": event, "account": "ann", "user_id": id});
    let of_root = |event: &str| json!({"event": event, "account": "root", "user_id": 1});
    let by_root = |event, detail| with(of_ann(event), &json!({"author": "root", "detail": detail}));
    let expected = [
        of_ann("login_succeeded"),
        with(of_root("login_succeeded"), &json!({"detail": "admin"})),
        with(of_root("login_succeeded"), &json!({"detail": "admin"})),
        with(
            of_ann("permission_denied"),
            &json!({"detail": "You do not have permission to perform this action."}),
        ),
        json!({"event": "login_failed", "account": hostile}),
        json!({"event": "login_failed", "account": "ann"}),
        json!({"event": "csrf_refused", "detail": "CSRF token missing."}),
        with(of_root("csrf_refused"), &json!({"detail": "CSRF token missing."})),
        of_ann("refresh_token_reused"),
        of_ann("login_succeeded"),
        with(of_ann("password_set"), &json!({"author": "ann", "detail": "own"})),
        by_root("role_changed", "admin"),
        by_root("password_set", "admin"),
        by_root("email_changed", "admin"),
        by_root("logins_ended", "all"),
        with(of_ann("user_deactivated"), &json!({"author": "root"})),
        with(of_root("data_exported"), &json!({"detail": "2 of users"})),
    ];
    let events: Vec<Value> = security_events(&log).into_iter().map(essence).collect();
    assert_eq!(events, expected);
}

#[test]
fn documented_security_events_are_those_of_the_program() {
    let program = include_str!("../../../application/src/security_log.rs");
    let name = Regex::new(r#"Self::\w+ => "([a-z_]+)""#).unwrap();
    let outcomes = ["refused", "detected", "success"];
    let names = name.captures_iter(program).map(|found| found[1].to_owned());
    let names: BTreeSet<String> = names.filter(|name| !outcomes.contains(&name.as_str())).collect();
    let row = Regex::new(r"(?m)^\| `([a-z_]+)` \| (?:refused|detected|success) \|").unwrap();
    let documented = row.captures_iter(DOCUMENT).map(|found| found[1].to_owned());
    assert_eq!(documented.collect::<BTreeSet<_>>(), names);
}

#[test]
fn refused_requests_are_security_events() {
    let installation = Installation::on(TestDatabase::sqlite())
        .with("MYCARS__LOG__FORMAT", "json")
        .with("MYCARS__THROTTLE__ENABLED", "true");
    let server = installation.start();
    until_throttled(&server, &login("ann", "wrong"));
    until_throttled(&server, &Request::post("/api/register/", &json!({})));
    let log = server.stop().stderr;
    let events: Vec<Value> = security_events(&log).into_iter().map(essence).collect();
    for (event, detail) in [("login_throttled", "login"), ("rate_exceeded", "register")] {
        let expected = json!({"event": event, "detail": detail});
        assert!(events.contains(&expected), "{expected} in {log}");
    }
}

#[test]
fn fail2ban_filter_finds_address_of_refused_logins() {
    let failures: Vec<Regex> = failregex().collect();
    assert_eq!(failures.len(), 2, "one for each format");
    for format in ["text", "json"] {
        let installation = Installation::on(TestDatabase::sqlite())
            .with("MYCARS__LOG__FORMAT", format)
            .with("MYCARS__THROTTLE__ENABLED", "true");
        let server = installation.start();
        join(&server, "ann");
        until_throttled(&server, &login(HOSTILE, "wrong"));
        let log = server.stop().stderr;
        let refused = |line: &&str| line.contains("login_failed") || line.contains("login_throttled");
        let expected = log.lines().filter(refused).count();
        assert!(expected > 1, "{log}");
        // fail2ban removes the time from the line.
        for has_time in [true, false] {
            let found: Vec<String> = log
                .lines()
                .map(|line| {
                    if has_time {
                        line.to_owned()
                    } else {
                        without_time(line)
                    }
                })
                .filter_map(|line| failures.iter().find_map(|regex| host(regex, &line)))
                .collect();
            assert_eq!(found, vec!["127.0.0.1"; expected], "{log}");
        }
    }
}

#[test]
fn malformed_request_is_not_logged_by_default() {
    let log = |level: &str| {
        let installation = Installation::on(TestDatabase::sqlite()).with("MYCARS__LOG__LEVEL", level);
        let server = installation.start();
        let mut connection = Connection::to(server.address());
        connection.send("nonsense\r\n\r\n");
        connection.read_to_end();
        server.stop().stderr
    };
    let quiet = log("info");
    assert!(!quiet.contains("ERROR"), "{quiet}");
    let loud = log("info,actix_http::h1::dispatcher=error");
    assert!(loud.contains("ERROR actix_http::h1::dispatcher: "), "{loud}");
}

/// Sends a request until it is refused.
fn until_throttled(server: &Server, request: &Request) {
    let refused = (0..1000).any(|_| server.send(request).status == 429);
    assert!(refused, "{request:?} is never throttled");
}

/// Returns the security events in a log, as JSON, after a check of the fields that all have.
fn security_events(log: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    let events: Vec<Value> = lines
        .filter(|line: &Value| line["target"] == "mycars::security")
        .collect();
    for event in &events {
        let level = match event["outcome"].as_str() {
            Some("refused" | "detected") => "WARN",
            Some("success") => "INFO",
            other => panic!("{other:?}: {event}"),
        };
        assert_eq!(event["level"], level, "{event}");
        assert_eq!(event["address"], "127.0.0.1", "{event}");
        assert!(event["span"]["id"].is_string(), "{event}");
    }
    events
}

/// Returns the fields of an event that differ between events.
fn essence(mut event: Value) -> Value {
    let names = ["event", "account", "user_id", "author", "detail"];
    event
        .as_object_mut()
        .unwrap()
        .retain(|name, _| names.contains(&name.as_str()));
    event
}

fn with(mut event: Value, fields: &Value) -> Value {
    event
        .as_object_mut()
        .unwrap()
        .extend(fields.as_object().unwrap().clone());
    event
}

/// Returns the expressions of the filter in the document.
fn failregex() -> impl Iterator<Item = Regex> {
    let (_, rest) = DOCUMENT.split_once("\nfailregex = ").unwrap();
    let lines = rest
        .lines()
        .take_while(|line| *line != "```" && !line.contains(" = "));
    lines.map(|line| Regex::new(&line.trim().replace("<HOST>", "(?P<host>[0-9A-Fa-f.:]+)")).unwrap())
}

fn host(regex: &Regex, line: &str) -> Option<String> {
    Some(regex.captures(line)?["host"].to_owned())
}

/// Returns a line without its first time.
fn without_time(line: &str) -> String {
    let time = Regex::new(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z").unwrap();
    time.replace(line, "").into_owned()
}
