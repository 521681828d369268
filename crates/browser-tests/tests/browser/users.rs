//! Management of users by an admin.

use serde_json::json;

use crate::support::{PASSWORD, ROOT, Site, with_and_without_scripts};

with_and_without_scripts!(admin_creates_changes_and_deletes_a_user,);

fn admin_creates_changes_and_deletes_a_user(site: &Site) {
    site.log_in(ROOT);
    let api = site.api_of(ROOT);
    assert_eq!(site.visit("/api/admin/users/"), 200);
    let form = site.form("POST");
    form.fill("Username", "bob")
        .fill("First name", "Bob")
        .fill("Last name", "Ray");
    form.fill("Email address", "not an address")
        .fill("Password", PASSWORD)
        .fill("Password (again)", "other");
    assert_eq!(form.press("POST"), 400);
    let form = site.form("POST");
    assert!(!form.error("Email address").is_empty());
    assert_eq!(form.value("Username"), "bob");
    assert_eq!(form.value("Email address"), "not an address");
    assert_eq!(form.value("Password"), "", "passwords are not sent back");

    form.fill("Email address", "bob@example.com")
        .fill("Password", PASSWORD)
        .fill("Password (again)", PASSWORD);
    form.choose("Role", "Client");
    assert_eq!(form.press("POST"), 201, "{}", site.browser.text());
    let page = format!("/api/admin/users/{}/", site.json()["id"]);
    site.api_of("bob");

    assert_eq!(site.follow(&site.link("Open it")), 200);
    assert_eq!(site.path(), page);
    let form = site.form("PUT or PATCH");
    form.fill("First name", "Robert")
        .fill("Phone", "+49 30 1234567")
        .choose("Role", "Admin");
    assert_eq!(form.press("PUT"), 200, "{}", site.browser.text());
    let bob = api.get(&page);
    assert_eq!(
        (&bob["first_name"], &bob["role"]),
        (&json!("Robert"), &json!("admin"))
    );
    let tokens = site.api_of("bob");

    let form = site.form("PUT or PATCH");
    let active = form.field("Active");
    assert_eq!(active.property("checked"), true);
    active.click();
    assert_eq!(form.press("PATCH"), 200, "{}", site.browser.text());
    assert_eq!(api.get(&page)["is_active"], false);
    assert_eq!(tokens.status("/api/me/"), 401, "inactive users are refused");

    site.visit(&page);
    assert_eq!(site.delete(), 200, "{}", site.browser.text());
    assert_eq!(api.status(&page), 404);
    assert_eq!(site.follow(&site.link("Users")), 200);
    site.assert_quiet();
}

#[test]
fn password_fields_have_autocomplete_hints() {
    let site = Site::open();
    site.log_in(ROOT);
    site.visit("/api/admin/users/");
    let form = site.form("POST");
    assert_eq!(form.field("Password").attribute("autocomplete"), "new-password");
    assert_eq!(form.field("Username").attribute("autocomplete"), "off");
    site.visit("/api/change-password/");
    assert_eq!(
        site.form("PUT").field("Old password").attribute("autocomplete"),
        "current-password"
    );
}
