//! Logins of programs and browsers: their list, their end, and the reuse of rotated refresh tokens.

use std::collections::BTreeSet;

use mycars_application::ports::Row;
use mycars_testkit::store_contract::Rows;
use serde_json::{Value, json};

use crate::support::{
    Answer, Installation, Request, Server,
    accounts::{PASSWORD, join, log_in, me, refresh},
    at_once,
    browser::Browser,
    on_both_databases,
};

on_both_databases!(
    fifty_concurrent_refreshes_without_grace_end_the_login,
    fifty_concurrent_refreshes_within_the_grace_get_fifty_pairs,
    ended_logins_are_refused_at_the_next_request,
    dump_of_the_database_holds_no_credential,
);

const PATH: &str = "/api/me/logins/";

/// Sends a refresh token fifty times at once, and returns the successful responses.
fn refresh_fifty_times(server: &Server, token: &str) -> Vec<Value> {
    let request = Request::post("/api/token/refresh/", &json!({"refresh": token}));
    let answers = at_once(50, |_| server.send(&request));
    let (won, lost): (Vec<Answer>, Vec<Answer>) =
        answers.into_iter().partition(|answer| answer.status == 200);
    let blacklisted = json!({"detail": "Token is blacklisted", "code": "token_not_valid"});
    assert!(lost.iter().all(|answer| answer.json(401) == blacklisted));
    won.iter().map(|answer| answer.json(200)).collect()
}

fn refresh_tokens(pairs: &[Value]) -> BTreeSet<&str> {
    pairs
        .iter()
        .map(|pair| pair["refresh"].as_str().unwrap())
        .collect()
}

fn fifty_concurrent_refreshes_without_grace_end_the_login(installation: &Installation) {
    let server = installation.start_with("MYCARS__TOKENS__ROTATE_REFRESH", "true");
    let other = join(&server, "ann").refresh;
    let token = log_in(&server, "ann", PASSWORD).refresh;
    let pairs = refresh_fifty_times(&server, &token);
    assert_eq!(pairs.len(), 1);
    let [issued] = refresh_tokens(&pairs).into_iter().collect::<Vec<_>>()[..] else {
        panic!("one pair has one refresh token");
    };
    assert_eq!(refresh(&server, issued), 401, "the login has ended");
    assert_eq!(refresh(&server, &other), 200, "other logins have not");
}

fn fifty_concurrent_refreshes_within_the_grace_get_fifty_pairs(installation: &Installation) {
    let server = installation.start_with_all(&[
        ("MYCARS__TOKENS__ROTATE_REFRESH", "true"),
        ("MYCARS__TOKENS__REUSE_GRACE_SECONDS", "3600"),
    ]);
    let token = join(&server, "ann").refresh;
    let pairs = refresh_fifty_times(&server, &token);
    let issued = refresh_tokens(&pairs);
    assert_eq!(issued.len(), 50);
    // All of them are one login, which ends with one of them.
    let access = pairs[0]["access"].as_str().unwrap();
    let logins = server.send(&Request::get(PATH).bearer(access)).json(200);
    assert_eq!(logins.as_array().unwrap().len(), 1);
    assert_eq!(logins[0]["address"], "127.0.0.1");
    let log_out = Request::post("/api/logout/", &json!({"refresh": pairs[0]["refresh"]}));
    server.send(&log_out.bearer(access)).json(200);
    for token in issued.into_iter().chain([token.as_str()]) {
        assert_eq!(refresh(&server, token), 401);
    }
}

/// Returns the logins of a user.
fn logins(server: &Server, access: &str) -> Vec<Value> {
    let listed = server.send(&Request::get(PATH).bearer(access)).json(200);
    listed.as_array().unwrap().clone()
}

fn end(server: &Server, access: &str, login: &Value) -> u16 {
    let path = format!("{PATH}{}/", login["id"]);
    let request = Request::new("DELETE", &path).bearer(access);
    server.send(&request).status
}

fn ended_logins_are_refused_at_the_next_request(installation: &Installation) {
    let server = installation.start_with("MYCARS__TOKENS__ACCESS_DIES_WITH_LOGIN", "true");
    let phone = join(&server, "ann");
    let laptop = log_in(&server, "ann", PASSWORD);
    let mut browser = Browser::new(&server);
    browser.log_in("ann", PASSWORD, "/api/");
    let listed = logins(&server, &phone.access);
    let is_current = |login: &&Value| login["current"] == true;
    assert_eq!((listed.len(), listed.iter().filter(is_current).count()), (3, 1));
    let of_kind = |kind: &str| -> Vec<&Value> {
        let of_kind = listed.iter().filter(|login| login["kind"] == kind);
        of_kind.filter(|login| login["current"] == false).collect()
    };
    let ([other], [session]) = (&of_kind("token")[..], &of_kind("session")[..]) else {
        panic!("one other login of each kind: {listed:?}");
    };
    assert_eq!(session["address"], "127.0.0.1");
    assert_eq!(browser.get(PATH).status, 200);

    let eve = join(&server, "eve").access;
    assert_eq!(end(&server, &eve, other), 404);
    assert_eq!(me(&server, &laptop.access).status, 200);
    assert_eq!(
        (
            end(&server, &phone.access, other),
            me(&server, &laptop.access).status
        ),
        (204, 401)
    );
    assert_eq!(refresh(&server, &laptop.refresh), 401);
    assert_eq!(end(&server, &phone.access, other), 404, "it has ended already");
    let log_out = Request::post("/api/logout/", &json!({"refresh": laptop.refresh}));
    let log_out = log_out.bearer(&phone.access);
    assert_eq!([200, 400], [(); 2].map(|()| server.send(&log_out).status));
    assert_eq!(
        (
            end(&server, &phone.access, session),
            browser.get("/api/me/").status
        ),
        (204, 401)
    );

    let mut browser = Browser::new(&server);
    browser.log_in("ann", PASSWORD, "/api/");
    let laptop = log_in(&server, "ann", PASSWORD);
    let end_others = Request::new("DELETE", PATH).bearer(&phone.access);
    assert_eq!(server.send(&end_others).status, 204);
    assert_eq!(me(&server, &laptop.access).status, 401);
    assert_eq!(browser.get("/api/me/").status, 401);
    assert_eq!(refresh(&server, &phone.refresh), 200);
    let listed = logins(&server, &phone.access);
    assert_eq!((listed.len(), end(&server, &phone.access, &listed[0])), (1, 204));
    assert_eq!(me(&server, &phone.access).status, 401);
    assert_eq!(me(&server, &eve).status, 200);
}

fn dump_of_the_database_holds_no_credential(installation: &Installation) {
    let server = installation.start_with("MYCARS__TOKENS__ROTATE_REFRESH", "true");
    let ann = join(&server, "ann");
    let request = Request::post("/api/token/refresh/", &json!({"refresh": ann.refresh}));
    let rotated = server.send(&request).json(200);
    let mut browser = Browser::new(&server);
    browser.log_in("ann", PASSWORD, "/api/");
    let key = json!({"name": "sync", "rights": "write", "password": PASSWORD});
    let create = Request::post("/api/me/keys/", &key).bearer(&ann.access);
    let created = server.send(&create).json(201);
    let dump = format!("{:?}", Rows::of_store(&*installation.database().store()));
    assert!(dump.contains("ann@example.com"), "{dump}");
    for secret in [
        ann.refresh.as_str(),
        ann.access.as_str(),
        rotated["refresh"].as_str().unwrap(),
        browser.session.as_deref().unwrap(),
        created["key"].as_str().unwrap(),
        created["key"].as_str().unwrap().rsplit_once('_').unwrap().1,
        PASSWORD,
    ] {
        let (_, signature) = secret.rsplit_once('.').unwrap_or(("", secret));
        assert!(!dump.contains(signature), "{signature} is in {dump}");
    }
    // The device is kept only as long as the login.
    assert!(dump.contains("127.0.0.1"), "{dump}");
    let delete = Request::new("DELETE", "/api/delete-account/");
    assert_eq!(server.send(&delete.bearer(&ann.access)).status, 204);
    for row in Rows::of_store(&*installation.database().store()).rows {
        let text = format!("{row:?}");
        assert!(
            matches!(row, Row::Entry(_)) || !text.contains("127.0.0.1"),
            "{text}"
        );
    }
}
