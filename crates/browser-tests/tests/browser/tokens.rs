//! "Authorize": the pages with an access token instead of a session.

use serde_json::json;

use crate::support::{CLIENT, Site, wait_for};

#[test]
fn pages_work_with_a_token_instead_of_a_session() {
    let site = Site::open();
    let api = site.api_of(CLIENT);
    assert_eq!(site.visit("/api/cars/"), 401);
    site.button("Authorize").click();
    site.browser.find("#token").type_in(api.token());
    site.button("Use it").click();
    wait_for_status(&site, "200");
    assert_eq!(site.json(), json!([]));

    let form = site.form("POST");
    form.fill("Brand", "Fiat")
        .fill("Model", "Panda")
        .fill("Year", "1985")
        .fill("License", "B-AB 1");
    form.button("POST").click();
    wait_for_status(&site, "201");
    assert_eq!(api.get("/api/cars/")[0]["license"], "B-AB 1");
    site.link("Open it").click();
    wait_for_status(&site, "200");
    assert_eq!(site.path(), "/api/cars/1/");
    assert_eq!(site.json()["brand"], "Fiat");

    let form = site.form("PUT or PATCH");
    form.fill("Year", "1700");
    form.button("PUT").click();
    wait_for_status(&site, "400");
    assert!(!site.form("PUT or PATCH").error("Year").is_empty());
    site.form("PUT or PATCH")
        .fill("Year", "1986")
        .button("PUT")
        .click();
    wait_for_status(&site, "200");
    assert_eq!(api.get("/api/cars/1/")["year"], 1986);

    assert_not_stored(&site, api.token());
    assert!(site.browser.cookie("sessionid").is_none());
    site.assert_quiet();

    site.browser.reload();
    assert_eq!(site.status(), 401, "the token ends with the page");
    assert_not_stored(&site, api.token());
}

#[test]
fn token_can_be_removed() {
    let site = Site::open();
    let api = site.api_of(CLIENT);
    site.visit("/api/cars/");
    site.button("Authorize").click();
    site.browser
        .find("#token")
        .type_in(&format!("Bearer {}", api.token()));
    site.button("Use it").click();
    wait_for_status(&site, "200");
    site.browser.find("#authorize summary").click();
    site.button("Forget it").click();
    wait_for_status(&site, "401");
    assert_not_stored(&site, api.token());
    assert!(site.button("Authorize").is_shown());
    site.assert_quiet();
}

#[test]
fn wrong_token_is_refused_and_can_be_replaced() {
    let site = Site::open();
    let api = site.api_of(CLIENT);
    site.visit("/api/cars/");
    site.button("Authorize").click();
    site.browser.find("#token").type_in("nonsense");
    site.button("Use it").click();
    wait_for("the refusal", || {
        site.browser.text().contains("token_not_valid").then_some(())
    });
    site.browser.find("#authorize summary").click();
    site.browser.find("#token").type_in(api.token());
    site.button("Use it").click();
    wait_for_status(&site, "200");
    site.assert_quiet();
}

#[test]
fn options_keeps_the_input() {
    let site = Site::open();
    site.log_in(CLIENT);
    site.visit("/api/cars/");
    site.form("POST").fill("Brand", "Fiat");
    site.button("OPTIONS").click();
    wait_for("the description", || {
        // One script does both, because an element may be replaced before its text is read.
        let shown = "return document.querySelector('#request .verb')?.textContent";
        (site.browser.run(shown, &[]) == "OPTIONS").then_some(())
    });
    assert_eq!(site.json()["name"], "Car List");
    assert_eq!(site.form("POST").value("Brand"), "Fiat");
    site.assert_quiet();
}

#[test]
fn controls_that_need_scripts_are_hidden_without_them() {
    for (site, has_scripts) in [(Site::open(), true), (Site::without_scripts(), false)] {
        site.visit("/api/");
        for selector in ["#authorize", "[data-options]", "[data-copy]", "[data-copy-json]"] {
            assert_eq!(site.browser.find(selector).is_shown(), has_scripts, "{selector}");
        }
    }
}

#[track_caller]
fn wait_for_status(site: &Site, status: &str) {
    wait_for(status, || {
        let shown = "return document.querySelector('#response .status')?.textContent";
        let is_idle = "return !document.body.hasAttribute('aria-busy')";
        (site.browser.run(is_idle, &[]) == true && site.browser.run(shown, &[]) == status).then_some(())
    });
}

/// Asserts that a token is neither stored nor in the page or the URL.
#[track_caller]
fn assert_not_stored(site: &Site, token: &str) {
    let script = "return [
        JSON.stringify(localStorage), JSON.stringify(sessionStorage), JSON.stringify(history.state), document.cookie,
        location.href, document.documentElement.outerHTML,
        ...[...document.querySelectorAll('input, textarea')].map((it) => it.value)]";
    let places = site.browser.run(script, &[]);
    let signature = token.rsplit('.').next().expect("it has parts");
    for place in places.as_array().expect("it is a list") {
        assert!(!place.to_string().contains(signature), "{place}");
    }
    let cookies = site.browser.cookies();
    assert!(
        cookies
            .iter()
            .all(|cookie| !cookie.to_string().contains(signature)),
        "{cookies:?}"
    );
}
