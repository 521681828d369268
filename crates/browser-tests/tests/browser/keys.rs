//! API keys and logins: on the pages of the API, and on the page of a user in the panel.

use serde_json::json;

use crate::support::{CLIENT, PASSWORD, ROOT, Site, with_and_without_scripts};

with_and_without_scripts!(
    user_creates_and_ends_a_key,
    user_ends_other_logins,
    admin_ends_keys_and_logins_of_a_user,
);

fn user_creates_and_ends_a_key(site: &Site) {
    site.log_in(CLIENT);
    assert_eq!(site.visit("/api/me/keys/"), 200);
    let form = site.form("POST");
    form.fill("Name", "Dashboard").choose("Rights", "Read");
    form.fill("Expires at", "yesterday").fill("Password", PASSWORD);
    assert_eq!(form.press("POST"), 400);
    let form = site.form("POST");
    assert!(!form.error("Expires at").is_empty());
    assert_eq!(form.value("Name"), "Dashboard");
    assert_eq!(form.value("Password"), "");
    form.fill("Expires at", "").fill("Password", PASSWORD);
    assert_eq!(form.press("POST"), 201, "{}", site.browser.text());
    let created = site.json();
    let key = created["key"].as_str().unwrap();
    assert_eq!(site.visit("/api/me/keys/"), 200);
    assert!(!site.browser.text().contains(key), "it is shown once");

    assert_eq!(site.visit(&format!("/api/me/keys/{}/", created["id"])), 405);
    assert_eq!(site.delete(), 200, "{}", site.browser.text());
    assert_eq!(site.visit("/api/me/keys/"), 200);
    assert_eq!(site.json(), json!([]));
    site.assert_quiet();
}

fn user_ends_other_logins(site: &Site) {
    site.api_of(CLIENT);
    site.log_in(CLIENT);
    assert_eq!(site.visit("/api/me/logins/"), 200);
    let listed = site.json();
    let current = |kind: &str| {
        let of_kind = listed.as_array().unwrap().iter();
        let mut of_kind = of_kind.filter(|login| login["kind"] == kind);
        of_kind.any(|login| login["current"] == true)
    };
    assert_eq!((current("session"), current("token")), (true, false), "{listed}");
    assert_eq!(site.delete(), 200, "{}", site.browser.text());
    assert_eq!(site.visit("/api/me/logins/"), 200, "this login stays");
    assert_eq!(site.json().as_array().unwrap().len(), 1);
    site.assert_quiet();
}

fn admin_ends_keys_and_logins_of_a_user(site: &Site) {
    let api = site.api_of(CLIENT);
    let key = json!({"name": "Dashboard", "rights": "read", "password": PASSWORD});
    api.create("/api/me/keys/", &key);
    site.enter_panel(ROOT);
    assert_eq!(site.visit("/admin/users/2/"), 200);
    assert_eq!(site.follow(&site.tool("Logins and keys")), 200);
    let rows = site.texts("tbody tr");
    assert!(rows.iter().any(|row| row.contains("Dashboard")), "{rows:?}");
    for field in ["key", "login"] {
        let button = site.browser.find(&format!("button[name={field}]"));
        assert_eq!(site.follow(&button), 200);
        assert!(site.notice().contains("was ended"), "{}", site.notice());
    }
    let left = site.texts("tbody tr");
    assert_eq!(left.len(), rows.len() - 2);
    assert_eq!(api.get("/api/me/keys/"), json!([]));
    site.assert_quiet();
}
