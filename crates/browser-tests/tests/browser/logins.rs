//! Login and logout.

use serde_json::Value;

use crate::support::{CLIENT, PASSWORD, ROOT, Site};

const REFUSED: &str = "Please enter a correct username and password.";

/// A page that needs a login, and is not the default page after login.
const REQUESTED: &str = "/api/cars/?limit=2&ordering=-year";

#[test]
fn login_and_logout_work() {
    logs_in_and_out(&Site::open());
}

#[test]
fn without_scripts_login_and_logout_work() {
    logs_in_and_out(&Site::without_scripts());
}

fn logs_in_and_out(site: &Site) {
    assert_eq!(site.visit(REQUESTED), 401);
    assert_eq!(site.follow(&site.link("Log in")), 200);
    site.fill_in_login(CLIENT, "wrong");
    assert!(site.browser.text().contains(REFUSED), "{}", site.browser.text());
    let form = site.form_with("Log in");
    assert_eq!(form.value("Username"), CLIENT);
    assert_eq!(form.value("Password"), "");
    assert!(site.browser.cookie("sessionid").is_none());

    site.fill_in_login(CLIENT, PASSWORD);
    assert_eq!(site.path(), REQUESTED);
    assert_eq!(site.status(), 200);
    assert_eq!(site.browser.find(".username").text(), CLIENT);

    assert_eq!(
        site.follow(&site.button("Log out")),
        401,
        "the page stays the same"
    );
    assert_eq!(site.path(), REQUESTED);
    assert!(site.browser.cookie("sessionid").is_none());
    site.assert_quiet();
}

#[test]
fn login_never_redirects_to_another_server() {
    let site = Site::open();
    for next in [
        "//evil.example",
        "https://evil.example/",
        "/%5Cevil.example",
        "javascript:alert(1)",
        "",
    ] {
        site.visit(&format!("/api-auth/login/?next={next}"));
        site.fill_in_login(CLIENT, PASSWORD);
        assert_eq!(site.path(), "/api/", "{next}");
    }
    site.assert_quiet();
}

#[test]
fn session_cookie_is_http_only_and_same_site() {
    let site = Site::open();
    site.log_in(CLIENT);
    let session = session(&site);
    assert_eq!(session["httpOnly"], true, "{session}");
    assert_eq!(session["sameSite"], "Lax", "{session}");
    assert_eq!(session["path"], "/", "{session}");
    let seen = site.browser.run("return document.cookie", &[]);
    assert!(!seen.as_str().unwrap().contains("sessionid"), "{seen}");
}

#[test]
fn each_login_has_its_own_session() {
    let site = Site::open();
    let mut keys = Vec::new();
    let mut tokens = Vec::new();
    for username in [CLIENT, CLIENT, ROOT] {
        // The second login comes without a logout before it.
        site.log_in(username);
        keys.push(session(&site)["value"].as_str().unwrap().to_owned());
        tokens.push(site.browser.cookie("csrftoken").unwrap()["value"].clone());
    }
    for list in [&mut keys.clone(), &mut texts(&tokens)] {
        list.sort();
        list.dedup();
        assert_eq!(list.len(), 3, "a session was reused: {list:?}");
    }
    let status = |key: &str| {
        site.api()
            .status_with_cookie("/api/me/", &format!("sessionid={key}"))
    };
    assert_eq!(status(&keys[2]), 200);
    assert_eq!(
        status(&keys[1]),
        401,
        "a login ends the previous session of the browser"
    );
    site.browser.go(&format!("{}/api/", site.url()));
    site.follow(&site.button("Log out"));
    assert_eq!(status(&keys[2]), 401, "the session is deleted on the server");
}

fn session(site: &Site) -> Value {
    site.browser.cookie("sessionid").expect("a user is logged in")
}

fn texts(values: &[Value]) -> Vec<String> {
    values.iter().map(Value::to_string).collect()
}
