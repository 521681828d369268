//! Browser sessions: login, logout, and the protection from other sites.

use mycars_http::Limits;
use mycars_testkit::http::{
    Request,
    accounts::{PASSWORD, SUPERUSER_PASSWORD, join, log_in, new_car, plates, register},
    browser::{Browser, cookie, form},
};
use serde_json::json;

use crate::support::{start, start_with};

#[test]
fn browser_login_needs_own_form() {
    let server = start();
    register(&server, "ann");
    let mut browser = Browser::new(&server);
    let credentials = [("username", "ann"), ("password", PASSWORD)];
    let forged = server.send(&form("/api-auth/login/", &credentials));
    assert_eq!(forged.status, 403);
    assert_eq!(cookie(&forged, "sessionid"), None);

    let answer = browser.log_in("ann", PASSWORD, "/api/cars/?limit=2");
    assert_eq!(
        (answer.status, answer.header("Location").as_deref()),
        (302, Some("/api/cars/?limit=2"))
    );
    let cookies = answer.header("Set-Cookie").unwrap();
    assert!(
        cookies.contains("sessionid=") && cookies.contains("HttpOnly; SameSite=Lax; Path=/"),
        "{cookies}"
    );
    assert_eq!(browser.get("/api/me/").json(200)["username"], "ann");
}

#[test]
fn wrong_password_shows_error_and_keeps_username() {
    let server = start();
    register(&server, "ann");
    let mut browser = Browser::new(&server);
    for (username, password) in [("ann", "wrong"), ("nobody", PASSWORD), ("ann", "")] {
        let answer = browser.log_in(username, password, "/api/");
        assert_eq!(answer.status, 200);
        assert!(
            answer
                .text()
                .contains("Please enter a correct username and password.")
        );
        assert!(answer.text().contains(&format!("value=\"{username}\"")));
        assert_eq!(cookie(&answer, "sessionid"), None);
    }
}

#[test]
fn login_redirects_within_this_site() {
    let server = start();
    register(&server, "ann");
    for next in ["//evil.example", "https://evil.example/", "/\\evil.example", ""] {
        let answer = Browser::new(&server).log_in("ann", PASSWORD, next);
        assert_eq!(answer.header("Location").as_deref(), Some("/api/"), "{next:?}");
    }
}

#[test]
fn session_writes_need_csrf_token() {
    let server = start();
    let access = join(&server, "ann").access;
    let browser = Browser::of(&server, "ann");
    assert_eq!(browser.get("/api/cars/").json(200), json!([]));

    let car = json!({"brand": "Toyota", "model": "Camry", "year": 2023, "license": "B-AB 1"});
    let without = browser.send(Request::post("/api/cars/", &car));
    assert_eq!(
        without.json(403),
        json!({"detail": "CSRF Failed: CSRF token missing."})
    );
    let wrong = browser.send(Request::post("/api/cars/", &car).header("X-CSRFToken", &"x".repeat(32)));
    let detail = "CSRF Failed: CSRF token from the 'X-Csrftoken' HTTP header incorrect.";
    assert_eq!(wrong.json(403), json!({"detail": detail}));
    assert!(plates(&server, &access).is_empty());

    browser
        .send(Request::post("/api/cars/", &car).header("X-CSRFToken", &browser.token))
        .json(201);
    assert_eq!(plates(&server, &access), ["B-AB 1"]);
    // A token in the header `Authorization` needs no CSRF token: no other site can send it.
    browser.send(new_car(&access, "B-AB 2")).json(201);
}

#[test]
fn planted_csrf_token_is_refused_and_replaced() {
    let server = start();
    let access = join(&server, "ann").access;
    register(&server, "bob");
    let mut browser = Browser::of(&server, "ann");
    let own = browser.token.clone();
    let car = |plate: &str| json!({"brand": "Toyota", "model": "Camry", "year": 2023, "license": plate});
    let strangers = Browser::of(&server, "bob").token;
    let anonymous = Browser::new(&server).token;
    for planted in [
        "0123456789abcdef0123456789abcdef".to_owned(),
        strangers,
        anonymous,
    ] {
        browser.token.clone_from(&planted);
        let by_header =
            browser.send(Request::post("/api/cars/", &car("EVIL")).header("X-CSRFToken", &planted));
        assert_eq!(by_header.status, 403, "{planted}");
        for path in ["/api/cars/", "/api-auth/logout/"] {
            let by_form = browser.submit(path, &[("brand", "Toyota")]);
            assert_eq!(by_form.status, 403, "{path} {planted}");
        }
        // The page's forms hold the right token all the same, and its cookie is set again.
        let page = browser.send(Request::get("/api/cars/").header("Accept", "text/html"));
        assert_eq!(cookie(&page, "csrftoken").as_deref(), Some(own.as_str()));
        assert!(page.text().contains(&own) && !page.text().contains(&planted));
    }
    assert!(plates(&server, &access).is_empty());
    browser.token.clone_from(&own);
    let sent = browser.send(Request::post("/api/cars/", &car("B-AB 1")).header("X-CSRFToken", &own));
    sent.json(201);
    let page = browser.send(Request::get("/api/cars/").header("Accept", "text/html"));
    assert_eq!(
        cookie(&page, "csrftoken"),
        None,
        "it is not set again if it is right"
    );
}

#[test]
fn request_from_another_site_changes_nothing() {
    let server = start();
    let access = join(&server, "ann").access;
    let browser = Browser::of(&server, "ann");
    let car = json!({"brand": "Toyota", "model": "Camry", "year": 2023, "license": "B-AB 1"});
    let with_token = || Request::post("/api/cars/", &car).header("X-CSRFToken", &browser.token);
    let foreign = browser.send(with_token().header("Origin", "https://evil.example"));
    let detail =
        "CSRF Failed: Origin checking failed - https://evil.example does not match any trusted origins.";
    assert_eq!(foreign.json(403), json!({"detail": detail}));
    assert_eq!(
        browser
            .send(with_token().header("Sec-Fetch-Site", "cross-site"))
            .status,
        403
    );
    assert!(plates(&server, &access).is_empty());
}

#[test]
fn form_overrides_method_on_own_pages_only() {
    let server = start();
    let access = join(&server, "ann").access;
    let id = server.send(&new_car(&access, "B-AB 1")).json(201)["id"].clone();
    let path = format!("/api/cars/{id}/");
    let browser = Browser::of(&server, "ann");
    let delete = [("_method", "DELETE")];

    assert_eq!(
        server.send(&form(&path, &delete).bearer(&access)).status,
        405,
        "programs cannot override the method"
    );
    assert_eq!(
        browser
            .send(form(&path, &delete).header("Accept", "text/html"))
            .status,
        403,
        "without the CSRF token"
    );
    let mut smuggled = form(&path, &delete).header("Accept", "text/html");
    "GET".clone_into(&mut smuggled.method);
    assert_eq!(browser.send(smuggled).status, 200, "a GET only reads");
    assert_eq!(plates(&server, &access), ["B-AB 1"]);

    let edited = browser.submit(&path, &[("_method", "PATCH"), ("brand", "Honda"), ("color", "")]);
    assert_eq!(edited.status, 200, "{}", edited.text());
    let car = server.send(&Request::get(&path).bearer(&access)).json(200);
    assert_eq!((&car["brand"], &car["color"]), (&json!("Honda"), &json!(null)));
    assert_eq!(browser.submit(&path, &delete).status, 200, "a page replaces 204");
    assert!(plates(&server, &access).is_empty());
}

#[test]
fn login_replaces_session_key() {
    let server = start();
    register(&server, "ann");
    let mut browser = Browser::of(&server, "ann");
    let before = browser.session.clone().unwrap();
    browser.log_in("ann", PASSWORD, "/api/");
    assert_ne!(browser.session.as_ref(), Some(&before));
    assert_eq!(browser.get("/api/me/").status, 200);
    let old = Request::get("/api/me/").header("Cookie", &format!("sessionid={before}"));
    assert_eq!(server.send(&old).status, 401);

    let planted = "0".repeat(64);
    let mut victim = Browser::new(&server);
    victim.session = Some(planted.clone());
    victim.log_in("ann", PASSWORD, "/api/");
    let attacker = Request::get("/api/me/").header("Cookie", &format!("sessionid={planted}"));
    assert_eq!(
        server.send(&attacker).status,
        401,
        "a planted key is not used for a login"
    );
}

#[test]
fn session_ends_at_logout_password_change_deactivation() {
    let server = start();
    let ann = join(&server, "ann").access;
    let id = server.send(&Request::get("/api/me/").bearer(&ann)).json(200)["id"].clone();

    let browser = Browser::of(&server, "ann");
    assert_eq!(
        browser
            .submit("/api-auth/logout/", &[("next", "/api/cars/")])
            .status,
        302
    );
    assert_eq!(browser.get("/api/me/").status, 401);

    let browser = Browser::of(&server, "ann");
    let root = log_in(&server, "root", SUPERUSER_PASSWORD).access;
    let active = |flag: bool| {
        let path = format!("/api/admin/users/{id}/");
        let change = Request::new("PATCH", &path)
            .json(&json!({"is_active": flag}))
            .bearer(&root);
        server.send(&change).json(200);
    };
    active(false);
    assert_eq!(browser.get("/api/me/").status, 401);
    active(true);
    assert_eq!(browser.get("/api/me/").status, 401, "it stays ended");

    let browser = Browser::of(&server, "ann");
    let ann = log_in(&server, "ann", PASSWORD).access;
    let change = json!({"old_password": PASSWORD, "new_password": "Meadow-x-55"});
    server
        .send(
            &Request::new("PUT", "/api/change-password/")
                .json(&change)
                .bearer(&ann),
        )
        .json(200);
    assert_eq!(browser.get("/api/me/").status, 401);
}

#[test]
fn cookies_of_other_programs_keep_the_session() {
    let server = start();
    register(&server, "ann");
    let browser = Browser::of(&server, "ann");
    let key = browser.session.as_deref().unwrap();
    for cookies in [
        format!("theme=gr\u{fc}n; sessionid={key}"),
        format!("sessionid={key}; theme=gr\u{fc}n"),
        format!("gr\u{fc}n; sessionid={key}"),
        format!("sessionid=\"{key}\"; a"),
        format!(";;=;; sessionid={key};"),
        format!("sessionid=other; sessionid={key}"),
    ] {
        let request = Request::get("/api/me/").header("Cookie", &cookies);
        assert_eq!(server.send(&request).json(200)["username"], "ann", "{cookies}");
    }
    let separate = Request::get("/api/me/")
        .header("Cookie", "theme=gr\u{fc}n")
        .header("Cookie", &format!("sessionid={key}"));
    assert_eq!(server.send(&separate).json(200)["username"], "ann");

    let theme = format!("theme=gr\u{fc}n; csrftoken={}", browser.token);
    let fields = [
        ("username", "ann"),
        ("password", PASSWORD),
        ("csrfmiddlewaretoken", browser.token.as_str()),
    ];
    let logged_in = server.send(&form("/api-auth/login/", &fields).header("Cookie", &theme));
    assert_eq!(logged_in.status, 302, "{}", logged_in.text());
}

/// A number of logins above the rate of a minute.
const MANY: usize = 15;

#[test]
fn cross_site_logins_do_not_use_up_own_rate_limit() {
    let server = start_with(|settings| {
        let often = "1000/min".parse().unwrap();
        settings.throttle = Some(Limits {
            login: "10/min".parse().unwrap(),
            account: often,
            account_total: often,
            register: often,
            refresh: often,
            password_reset: often,
            export: often,
            password: often,
            taken: often,
            anon: often,
            user: often,
            address: often,
            user_jobs: 2,
            ipv6_prefix: 56,
        });
    });
    register(&server, "ann");
    let credentials = [("username", "ann"), ("password", "wrong")];
    for _ in 0..MANY {
        let forged = form("/api-auth/login/", &credentials);
        assert_eq!(server.send(&forged).status, 403);
        assert_eq!(
            server
                .send(&forged.header("Origin", "https://evil.example"))
                .status,
            403
        );
    }
    let mut statuses = Vec::new();
    for _ in 0..MANY {
        let simple = form("/api/token/", &credentials).header("Origin", "https://evil.example");
        statuses.push(server.send(&simple).status);
    }
    assert_eq!(statuses.first(), Some(&401));
    assert_eq!(statuses.last(), Some(&429), "it is limited all the same");
    let mut browser = Browser::new(&server);
    assert_eq!(browser.log_in("ann", PASSWORD, "").status, 302);
    log_in(&server, "ann", PASSWORD);
}

#[test]
fn form_that_names_a_slow_method_is_refused_early() {
    let server = start();
    register(&server, "ann");
    let browser = Browser::of(&server, "ann");
    let change = [
        ("_method", "PUT"),
        ("old_password", PASSWORD),
        ("new_password", "x"),
    ];
    let page = || form("/api/change-password/", &change).header("Accept", "text/html");
    let stale = page().header("Cookie", "sessionid=00000000000000000000000000000000");
    assert_eq!(server.send(&stale).status, 401);
    assert_eq!(browser.send(page()).status, 403, "without the CSRF token");
    let wrong = browser.submit("/api/change-password/", &change);
    assert_eq!(wrong.status, 400, "{}", wrong.text());
}

#[test]
fn long_list_in_browser_is_paginated() {
    let server = start();
    let access = join(&server, "ann").access;
    let browser = Browser::of(&server, "ann");
    let list = |query: &str| {
        let page = browser.send(Request::get(&format!("/api/cars/{query}")).header("Accept", "text/html"));
        assert_eq!(page.status, 200);
        page.text()
    };
    let add = |number: u32| {
        let car = new_car(&access, &format!("Q-ZZ {number}"));
        server.send(&car).json(201);
    };
    (0..100).for_each(add);
    let short = list("");
    assert!(short.contains("100 items") && !short.contains("answers the whole list"));

    add(100);
    let first = list("");
    assert_eq!(first.matches("Q-ZZ ").count(), 100);
    assert!(first.contains("1–100 of 101") && first.contains("answers the whole list"));
    assert!(first.contains("href=\"/api/cars/?limit=100&#38;offset=100\""));
    assert_eq!(list("?limit=100&offset=100").matches("Q-ZZ ").count(), 1);
    let longer = list("?limit=101");
    assert_eq!(longer.matches("Q-ZZ ").count(), 101);
    assert!(!longer.contains("answers the whole list"));

    let whole = browser.get("/api/cars/").json(200);
    assert_eq!(whole.as_array().unwrap().len(), 101);
    let as_json =
        browser.send(Request::get("/api/cars/?format=json").header("Accept", "text/html,*/*;q=0.8"));
    assert_eq!(as_json.json(200), whole);
}

fn delete_account() -> Request {
    Request::new("DELETE", "/api/delete-account/")
}

#[test]
fn delete_account_by_session_needs_csrf_token() {
    let server = start();
    let tokens = join(&server, "ann");
    let (browser, other) = (Browser::of(&server, "ann"), Browser::of(&server, "ann"));
    let without = browser.send(delete_account());
    assert_eq!(
        without.json(403),
        json!({"detail": "CSRF Failed: CSRF token missing."})
    );
    let with_token = || delete_account().header("X-CSRFToken", &browser.token);
    let foreign = browser.send(with_token().header("Origin", "https://evil.example"));
    assert_eq!(foreign.status, 403);
    assert_eq!(browser.get("/api/me/").status, 200);

    let deleted = browser.send(with_token());
    assert_eq!((deleted.status, deleted.body.len()), (204, 0));
    let cookie = deleted.header("Set-Cookie").unwrap_or_default();
    assert!(
        cookie.contains("sessionid=;") && cookie.contains("Max-Age=0"),
        "{cookie}"
    );
    for browser in [&browser, &other] {
        assert_eq!(browser.get("/api/me/").status, 401);
    }
    assert_eq!(server.send(&delete_account().bearer(&tokens.access)).status, 401);
}

#[test]
fn delete_account_by_page_shows_a_page_without_login() {
    let server = start();
    register(&server, "ann");
    let browser = Browser::of(&server, "ann");
    let path = "/api/delete-account/";
    let page = browser.send(Request::get(path).header("Accept", "text/html"));
    assert_eq!(page.status, 405);
    let html = page.text();
    assert!(html.contains("DELETE") && html.contains(">ann<"), "{html}");
    let deleted = browser.submit(path, &[("_method", "DELETE")]);
    assert_eq!(deleted.status, 200);
    let html = deleted.text();
    assert!(
        html.contains("A 204 has no body.") && !html.contains(">ann<"),
        "{html}"
    );
    assert_eq!(cookie(&deleted, "sessionid").as_deref(), Some(""));
    assert_eq!(browser.get("/api/me/").status, 401);
}

#[test]
fn delete_account_by_token_keeps_other_users_session() {
    let server = start();
    let ann = join(&server, "ann").access;
    register(&server, "bob");
    let browser = Browser::of(&server, "bob");
    let deleted = browser.send(delete_account().bearer(&ann));
    assert_eq!(deleted.status, 204);
    assert_eq!(cookie(&deleted, "sessionid"), None);
    assert_eq!(browser.get("/api/me/").json(200)["username"], "bob");
}
