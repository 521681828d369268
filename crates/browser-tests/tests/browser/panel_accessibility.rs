//! Accessibility of all pages of the panel, light and dark, on a screen and on a phone; and use with the keyboard.

use serde_json::json;

use crate::{
    accessibility::{Inspection, LONG},
    support::{CLIENT, ROOT, Site, cars},
};

const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";

/// A script that returns the name of the focused element.
const FOCUSED: &str = "const it = document.activeElement;
    return it.getAttribute('aria-label') || it.name || it.innerText || it.id;";

/// Creates a site with a few cars, whose texts have the maximum length.
fn filled() -> Site {
    let site = Site::open();
    let ann = site.api_of(CLIENT);
    for number in 0..3 {
        let mut car = cars::car(&format!("B-{number}"));
        for (name, length) in [("brand", 50), ("model", 50), ("color", 30)] {
            car[name] = json!(LONG.chars().take(length).collect::<String>());
        }
        car["notes"] = LONG.repeat(3).into();
        ann.create("/api/cars/", &car);
    }
    ann.change(
        "/api/me/",
        &json!({"first_name": LONG.repeat(2).chars().take(150).collect::<String>()}),
    );
    ann.change(
        "/api/cars/1/",
        &json!({"notes": LONG.repeat(2), "mileage": 16_000}),
    );
    site.enter_panel(ROOT);
    site
}

#[test]
fn panel_lists_are_accessible() {
    let site = filled();
    let mut inspection = Inspection::of(&site);
    inspection.visit("/admin/", 200);
    inspection.visit("/admin/users/", 200);
    inspection.visit(
        "/admin/cars/?limit=1&offset=1&ordering=-year,brand&search=b&year_min=2000",
        200,
    );
    inspection.visit("/admin/cars/?search=nothing", 200);
    inspection.visit("/admin/cars/?year_min=x&limit=x&ordering=x", 400);
    inspection.visit("/admin/history/", 200);
    inspection.visit("/admin/history/?action=changed&at_min=2020-01-01", 200);
    inspection.visit("/admin/tokens/", 200);
    inspection.end();
}

#[test]
fn panel_forms_are_accessible() {
    let site = filled();
    let mut inspection = Inspection::of(&site);
    inspection.visit("/admin/users/2/", 200);
    inspection.visit("/admin/users/2/access/", 200);
    inspection.visit("/admin/users/add/", 200);
    assert_eq!(site.change_form().press("Save"), 400);
    inspection.look("400 of a user");
    inspection.visit("/admin/cars/1/", 200);
    site.change_form()
        .field("Picture")
        .type_in(&cars::picture("tiny.jpg"));
    site.change_form().press("Save and continue editing");
    inspection.look("a car with a picture, saved");
    site.api_of(CLIENT)
        .change("/api/cars/1/", &json!({"mileage": 17_000}));
    site.change_form().fill("Mileage", "18000");
    assert_eq!(site.change_form().press("Save"), 409);
    inspection.look("409 of a car");
    inspection.visit("/admin/cars/add/", 200);
    site.change_form().fill("Owner", "e");
    assert_eq!(site.change_form().press("Find"), 200);
    inspection.look("owners found");
    inspection.visit("/admin/users/2/import/", 200);
    let rows = "brand;model;year;license\nVW;;1999;B-1";
    site.form_with("Import").fill("Or paste rows", rows);
    assert_eq!(site.form_with("Import").press("Import"), 400);
    inspection.look("400 of an import");
    inspection.visit("/admin/users/2/password/", 200);
    inspection.visit("/admin/password/", 200);
    assert_eq!(site.form_with("Set the password").press("Set the password"), 400);
    inspection.look("400 of a password");
    inspection.end();
}

#[test]
fn panel_confirmations_and_errors_are_accessible() {
    let site = filled();
    let mut inspection = Inspection::of(&site);
    inspection.visit("/admin/cars/1/history/", 200);
    inspection.visit("/admin/users/2/history/", 200);
    inspection.visit("/admin/cars/1/delete/", 200);
    inspection.visit("/admin/users/2/delete/", 200);
    inspection.visit("/admin/users/2/end-logins/", 200);
    inspection.visit("/admin/nowhere/", 404);
    inspection.visit("/admin/cars/99/", 404);
    inspection.visit("/admin/cars/bulk/", 405);
    site.visit("/admin/cars/");
    site.choose_action("Delete");
    inspection.look("nothing chosen");
    for number in 3..60 {
        site.api_of(CLIENT)
            .create("/api/cars/", &cars::car(&format!("B-{number}")));
    }
    site.visit("/admin/cars/");
    site.form_with("Go")
        .field("All 60 that match, on every page")
        .click();
    site.choose_action("Delete");
    inspection.look("confirmation of many");
    site.follow(&site.button("Yes, delete (60 cars)"));
    inspection.look("progress");
    site.visit("/admin/");
    site.leave_panel();
    inspection.look("login");
    site.fill_in_login(CLIENT, crate::support::PASSWORD);
    inspection.look("403 of a client");
    inspection.end();
}

#[test]
fn panel_works_with_the_keyboard_alone() {
    let site = filled();
    let focused = || site.browser.run(FOCUSED, &[]);
    site.visit("/admin/cars/1/");
    site.press_key(TAB);
    assert_eq!(focused(), "Skip to content");
    site.press_key(ENTER);
    site.press_key(TAB);
    let mut order = Vec::new();
    for _ in 0..60 {
        // The focus is visible.
        let script = "const it = document.activeElement;
            const {left, top, width, height} = it.getBoundingClientRect();
            const above = document.elementFromPoint(left + width / 2, top + height / 2);
            return width > 1 && height > 1 && (above === it || it.contains(above) || above?.contains(it) === true);";
        assert_eq!(site.browser.run(script, &[]), true, "{} is hidden", focused());
        order.push(focused().as_str().unwrap().to_owned());
        if order.last().is_some_and(|last| last == "_addanother") {
            break;
        }
        site.press_key(TAB);
    }
    let expected = [
        "Panel",
        "Cars",
        "History",
        "Delete",
        "brand",
        "model",
        "year",
        "color",
        "owner",
        "_find",
        "license",
        "vin",
        "mileage",
        "notes",
        "image",
        "_save",
        "_continue",
        "_addanother",
    ];
    assert_eq!(order, expected);

    // Enter saves in any field, and does nothing else.
    for label in ["Owner", "Color"] {
        site.visit("/admin/cars/1/");
        site.change_form().field(label).type_in(ENTER);
        crate::support::wait_for("the list", || (site.path() == "/admin/cars/").then_some(()));
        assert!(
            site.notice().ends_with("was changed. Open it"),
            "{}",
            site.notice()
        );
    }

    // After loading, the focus is on the faulty field.
    site.visit("/admin/cars/1/");
    site.change_form().fill("Year", "1");
    assert_eq!(site.change_form().press("Save"), 400);
    let class = "return document.activeElement.className";
    assert_eq!(site.browser.run(class, &[]), "problems");
    site.visit("/admin/cars/1/");
    site.change_form().fill("Year", "2000");

    // The menu opens and closes.
    site.visit("/admin/");
    let menu = site.browser.find(".menu > summary");
    menu.type_in(ENTER);
    assert!(site.button("Log out").is_shown());
    site.press_key(TAB);
    assert_eq!(focused(), "Change my password");
    site.press_key("\u{e00c}");
    assert!(!site.browser.find(".menu .pop").is_shown());
    assert_eq!(focused(), ROOT);

    // Rows are selected and sorted without a mouse.
    site.visit("/admin/cars/");
    site.tick("B-1").type_in(" ");
    assert_eq!(site.browser.find("[data-count]").text(), "1 of 3 chosen");
    site.link("Year").type_in(ENTER);
    crate::support::wait_for("the order", || {
        site.path().contains("ordering=year").then_some(())
    });
    site.assert_quiet();
}
