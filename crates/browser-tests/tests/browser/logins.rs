//! Login and logout.

use serde_json::{Value, json};

use crate::support::{CLIENT, PASSWORD, Site, with_and_without_scripts};

with_and_without_scripts!(
    login_and_logout_work,
    forgotten_password_is_set_by_mail,
    email_is_verified_and_its_change_undone_by_mail,
);

const REFUSED: &str = "Please enter a correct username and password.";

/// A page that needs a login, and is not the default page after login.
const REQUESTED: &str = "/api/cars/?limit=2&ordering=-year";

fn login_and_logout_work(site: &Site) {
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

fn forgotten_password_is_set_by_mail(site: &Site) {
    const NEW: &str = "Copper-island-35";
    site.visit("/api-auth/login/");
    assert_eq!(site.follow(&site.link("Forgot your password?")), 200);
    let form = site.form_with("Send the link");
    form.fill("Email address", "ann@example.com");
    assert_eq!(form.press("Send the link"), 200);
    assert!(
        site.browser.text().contains("a link is on its way"),
        "{}",
        site.browser.text()
    );

    let link = site.mailed_link("/api-auth/password/reset/confirm/");
    assert_eq!(site.visit(&link), 200);
    for (password, status) in [("12345678", 400), (NEW, 200)] {
        let form = site.form_with("Set the password");
        form.fill("New password", password);
        assert_eq!(form.press("Set the password"), status, "{}", site.browser.text());
    }
    site.follow(&site.link("Log in"));
    site.fill_in_login(CLIENT, NEW);
    assert_eq!(site.path(), "/api/", "{}", site.browser.text());
    assert_eq!(site.browser.find(".username").text(), CLIENT);
    site.assert_quiet();
}

fn email_is_verified_and_its_change_undone_by_mail(site: &Site) {
    assert_eq!(site.visit("/api-auth/email/verify/resend/"), 200);
    let form = site.form_with("Send the link");
    form.fill("Email address", "ann@example.com");
    assert_eq!(form.press("Send the link"), 200);
    assert_eq!(site.visit(&site.mailed_link("/api-auth/email/verify/")), 200);
    let form = site.form_with("Verify the address");
    assert_eq!(form.press("Verify the address"), 200);
    let shown = site.browser.text();
    assert!(shown.contains("Email address verified."), "{shown}");

    let api = site.api_of(CLIENT);
    api.change("/api/me/", &json!({"email": "new@example.com"}));
    assert_eq!(site.visit(&site.mailed_link("/api-auth/email/undo/")), 200);
    assert_eq!(
        api.get("/api/me/")["email"],
        "new@example.com",
        "reading the page changes nothing"
    );
    let form = site.form_with("Put the old address back");
    assert_eq!(form.press("Put the old address back"), 200);
    let shown = site.browser.text();
    assert!(shown.contains("The old email address is back"), "{shown}");
    assert_eq!(api.status("/api/me/"), 401);
    let link = site.mailed_link("/api-auth/password/reset/confirm/");
    assert_eq!(site.visit(&link), 200);
    let form = site.form_with("Set the password");
    form.fill("New password", PASSWORD);
    assert_eq!(form.press("Set the password"), 200);
    assert_eq!(site.api_of(CLIENT).get("/api/me/")["email"], "ann@example.com");
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

fn session(site: &Site) -> Value {
    site.browser.cookie("sessionid").expect("a user is logged in")
}
