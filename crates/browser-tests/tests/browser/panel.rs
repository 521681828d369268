//! The everyday tasks of an admin in the panel.

use std::fs;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{CLIENT, PASSWORD, ROOT, Site, cars, wait_for, with_and_without_scripts};

with_and_without_scripts!(
    admin_finds_and_deactivates_a_user,
    invalid_form_shows_errors_and_keeps_the_input,
    admin_deletes_many_cars,
    admin_reads_the_history,
    admin_sets_a_users_password,
    own_password_change_keeps_the_login,
    edit_conflict_is_shown_and_can_be_resolved,
    list_keeps_its_filters_and_page,
    export_holds_the_rows_of_the_list,
);

const SHIFT: &str = "\u{e008}";

/// A password that no user has yet.
const FRESH: &str = "Walnut-harbour-38";

fn admin_finds_and_deactivates_a_user(site: &Site) {
    for username in ["bert", "cleo"] {
        site.register(username);
    }
    let ann = site.api_of(CLIENT);
    assert_eq!(ann.status("/api/me/"), 200);
    site.enter_panel(ROOT);
    assert_eq!(site.follow(&site.link("Users")), 200);
    assert_eq!(site.rows().len(), 4);
    site.search("nn@exam");
    assert_eq!(site.rows(), [CLIENT]);
    let found = site.path();
    assert_eq!(site.column("Active"), ["yes"]);
    assert_eq!(site.follow(&site.link(CLIENT)), 200);

    let form = site.change_form();
    assert_eq!(form.value("Email address"), "ann@example.com");
    form.field("Active").click();
    assert_eq!(form.press("Save"), 200, "{}", site.browser.text());
    assert!(
        site.notice().contains("The user ann was changed."),
        "{}",
        site.notice()
    );
    assert_eq!(site.path(), found, "the same list is shown again");
    assert_eq!(site.column("Active"), ["no"]);
    assert_eq!(ann.status("/api/me/"), 401, "at once");
    assert_eq!(site.visit(&found), 200);
    assert!(
        site.browser.try_to_find(".notice").is_none(),
        "the message is shown once"
    );

    // The user is activated again by a bulk action.
    site.tick(CLIENT).click();
    assert_eq!(site.choose_action("Activate"), 200);
    assert!(
        site.browser.text().contains("Activate: 1 user?"),
        "{}",
        site.browser.text()
    );
    assert_eq!(site.follow(&site.button("Activate (1 user)")), 200);
    assert_eq!(site.notice(), "1 user activated.");
    assert_eq!(ann.status("/api/me/"), 401, "tokens from before stay refused");
    assert_eq!(site.api_of(CLIENT).status("/api/me/"), 200);
    site.assert_quiet();
}

#[test]
fn admin_adds_a_car_for_a_user() {
    let site = Site::open();
    site.register("bert");
    site.enter_panel(ROOT);
    site.follow(&site.link("Cars"));
    assert_eq!(site.follow(&site.link("Add a car")), 200);
    let offered = site.offered("nn@ex");
    assert_eq!(offered, [CLIENT]);
    let names = site
        .browser
        .run("return document.querySelector('#owners option').text", &[]);
    assert_eq!(names, "Ann Lee · ann@example.com");
    fill_in_car(&site, CLIENT);
    let form = site.change_form();
    let preview = site.browser.find("canvas.preview");
    assert!(!preview.is_shown());
    form.field("Picture").type_in(&cars::picture("text.jpg"));
    form.field("Picture").type_in(&cars::picture("tiny.png"));
    wait_for("the preview", || preview.is_shown().then_some(()));
    saves_car(&site);
}

#[test]
fn without_scripts_admin_adds_a_car_for_a_user() {
    let site = Site::without_scripts();
    site.register("bert");
    site.enter_panel(ROOT);
    site.follow(&site.link("Cars"));
    assert_eq!(site.follow(&site.link("Add a car")), 200);
    fill_in_car(&site, "nn@ex");
    assert_eq!(site.change_form().press("Find"), 200);
    assert_eq!(site.texts(".found button"), ["ann\nAnn Lee · ann@example.com"]);
    assert_eq!(
        site.change_form().value("Brand"),
        "Škoda",
        "what was typed is still there"
    );
    assert_eq!(site.follow(&site.browser.find("[name=_pick]")), 200);
    assert_eq!(site.change_form().value("Owner"), CLIENT);

    // An unknown username is reported as an error.
    site.change_form().fill("Owner", "ber");
    assert_eq!(site.change_form().press("Save"), 400);
    let error = site.change_form().error("Owner");
    assert!(error.contains("No user has the username “ber”."), "{error}");
    assert_eq!(site.texts(".found button"), ["bert\nAnn Lee · bert@example.com"]);
    site.change_form().fill("Owner", "zzz");
    assert_eq!(site.change_form().press("Find"), 200);
    assert_eq!(site.texts(".found"), ["No user matches “zzz”."]);

    site.change_form().fill("Owner", CLIENT);
    site.change_form()
        .field("Picture")
        .type_in(&cars::picture("tiny.png"));
    saves_car(&site);
}

fn fill_in_car(site: &Site, owner: &str) {
    site.change_form()
        .fill("Owner", owner)
        .fill("Brand", "Škoda")
        .fill("Model", "Fabia")
        .fill("Year", "2020")
        .fill("License", "B-AB 1")
        .fill("Notes", "One\ntwo");
}

/// Saves the completed form and checks the stored car.
fn saves_car(site: &Site) {
    assert_eq!(site.change_form().press("Save"), 200, "{}", site.browser.text());
    assert!(
        site.notice()
            .starts_with("The car Škoda Fabia (B-AB 1) was added."),
        "{}",
        site.notice()
    );
    assert_eq!(site.column("Owner"), [CLIENT]);
    let picture = site.browser.find("img.thumb");
    let width = "const [image, done] = arguments;
        image.decode().then(() => done(image.naturalWidth), () => done(0))";
    assert_ne!(site.browser.run_async(width, &[picture.argument()]), 0);
    let car = site.api_of(CLIENT).get("/api/cars/1/");
    assert_eq!(car["license"], "B-AB 1");
    assert!(car["image"].is_string(), "{car}");

    // The picture is removed again.
    assert_eq!(site.follow(&site.link("B-AB 1")), 200);
    site.change_form().field("Remove the picture").click();
    assert_eq!(site.change_form().press("Save and continue editing"), 200);
    assert!(site.browser.try_to_find("figure").is_none());
    assert!(site.api_of(CLIENT).get("/api/cars/1/")["image"].is_null());
    site.assert_quiet();
}

fn invalid_form_shows_errors_and_keeps_the_input(site: &Site) {
    let ann = site.api_of(CLIENT);
    ann.create("/api/cars/", &cars::car("B-AB 1"));
    ann.create("/api/cars/", &cars::car("B-AB 2"));
    site.enter_panel(ROOT);
    assert_eq!(site.visit("/admin/cars/2/"), 200);
    let typed = [
        ("Brand", "Lada"),
        ("License", "b-ab 1"),
        ("Mileage", "77"),
        ("Notes", "Mine & yours"),
    ];
    for (label, text) in typed {
        site.change_form().fill(label, text);
    }
    assert_eq!(site.change_form().press("Save"), 400);
    let form = site.change_form();
    let error = form.error("License");
    assert!(error.contains("already exists"), "{error}");
    for (label, text) in typed {
        assert_eq!(form.value(label), text, "{label}");
    }
    assert_eq!(form.field("Brand").attribute("aria-invalid"), "");
    assert!(site.problem().contains("License"), "{}", site.problem());
    assert_eq!(ann.get("/api/cars/2/")["brand"], "Toyota", "nothing is saved");

    // The summary links to the field.
    site.browser.find(".problems a").click();
    let focused = site
        .browser
        .run("return document.querySelector(location.hash)?.name", &[]);
    assert_eq!(focused, "license");
    form.fill("License", "B-AB 3");
    assert_eq!(site.change_form().press("Save"), 200, "{}", site.browser.text());
    assert_eq!(ann.get("/api/cars/2/")["notes"], "Mine & yours");

    // An invalid picture is refused before the other fields are saved.
    site.visit("/admin/cars/2/");
    site.change_form().fill("Brand", "Fiat");
    site.change_form()
        .field("Picture")
        .type_in(&cars::picture("text.jpg"));
    assert_eq!(site.change_form().press("Save"), 400);
    assert!(site.change_form().error("Picture").contains("valid image"));
    assert_eq!(site.change_form().value("Brand"), "Fiat");
    assert_eq!(ann.get("/api/cars/2/")["brand"], "Lada");
    site.assert_quiet();
}

fn admin_deletes_many_cars(site: &Site) {
    let ann = site.api_of(CLIENT);
    let mut other = cars::car("KEEP 1");
    other["brand"] = json!("Lada");
    ann.create("/api/cars/", &other);
    for number in 0..150 {
        ann.create("/api/cars/", &cars::car(&format!("B-{number}")));
    }
    site.enter_panel(ROOT);
    site.follow(&site.link("Cars"));
    let brand = site.browser.find("[href*='brand=Toyota']");
    assert_eq!(
        brand.text().split_whitespace().collect::<Vec<_>>(),
        ["Toyota", "150"]
    );
    site.follow(&brand);
    assert_eq!(site.browser.find(".position").text(), "1–50 of 150");
    site.follow(&site.link("Last »"));
    assert_eq!(site.browser.find(".position").text(), "101–150 of 150");

    // A selection on one page is processed at once.
    let some = site.rows();
    for row in &some[..2] {
        site.tick(row).click();
    }
    assert_eq!(site.choose_action("Delete"), 200);
    assert_eq!(site.browser.find("h1").text(), "Delete: 2 cars?");
    assert_eq!(site.texts(".items li").len(), 2);
    site.follow(&site.link("No, go back"));
    assert_eq!(site.browser.find(".position").text(), "101–150 of 150");

    // All rows on all pages.
    let all = site.form_with("Go");
    all.field("All 150 that match, on every page").click();
    assert_eq!(site.choose_action("Delete"), 200);
    assert_eq!(site.browser.find("h1").text(), "Delete: 150 cars?");
    assert_eq!(counts(site), ["Cars 150", "Pictures 0"]);
    assert_eq!(site.texts(".items li").last().unwrap(), "and 130 more");

    // Only the confirmed rows are deleted: if there is one more row, confirmation is required again.
    ann.create("/api/cars/", &cars::car("NEW 1"));
    assert_eq!(site.follow(&site.button("Yes, delete (150 cars)")), 200);
    assert!(
        site.problem().contains("It holds 151 cars now."),
        "{}",
        site.problem()
    );
    assert_eq!(ann.get("/api/cars/?limit=1")["count"], 152, "nothing was done");
    assert_eq!(site.follow(&site.button("Yes, delete (151 cars)")), 200);
    let told = site.browser.run(
        "return [...document.querySelectorAll('.progress')].map((it) => it.textContent.trim())",
        &[],
    );
    assert_eq!(
        told,
        json!(["50 of 151", "100 of 151", "150 of 151", "151 of 151"])
    );
    assert_eq!(site.texts(".working [role=status]"), ["151 cars deleted."]);
    assert!(site.texts(".progress").is_empty(), "the action has ended");
    assert_eq!(site.follow(&site.link("Back to the list")), 200);
    assert!(site.rows().is_empty(), "{:?}", site.rows());
    assert!(site.path().contains("brand=Toyota"), "{}", site.path());
    assert_eq!(ann.get("/api/cars/?limit=9")["count"], 1);
    assert_eq!(site.follow(&site.link("Clear the filters")), 200);
    assert_eq!(site.rows(), ["KEEP 1"]);

    // Each deletion has its own entry.
    site.visit("/admin/history/?action=deleted&object_type=car");
    assert_eq!(site.browser.find(".position").text(), "1–50 of 151");

    // An empty selection, or no action, is reported.
    site.visit("/admin/cars/");
    assert_eq!(site.choose_action("Delete"), 200);
    assert_eq!(site.problem(), "Nothing was done: choose some cars.");
    site.tick("KEEP 1").click();
    assert_eq!(site.form_with("Go").press("Go"), 200);
    assert_eq!(site.problem(), "Nothing was done: choose an action.");
    site.assert_quiet();
}

fn counts(site: &Site) -> Vec<String> {
    let counts = site.texts(".counts > div");
    counts.iter().map(|count| count.replace('\n', " ")).collect()
}

fn admin_reads_the_history(site: &Site) {
    let ann = site.api_of(CLIENT);
    ann.create("/api/cars/", &cars::car("B-AB 1"));
    ann.change("/api/cars/1/", &json!({"mileage": 15_500}));
    site.enter_panel(ROOT);
    site.visit("/admin/cars/1/");
    site.change_form().fill("Mileage", "16000");
    assert_eq!(site.change_form().press("Save and continue editing"), 200);
    assert_eq!(site.follow(&site.tool("History")), 200);
    let script = "return [...document.querySelectorAll('.entry')].map((entry) => {
        const mileage = [...entry.querySelectorAll('.changes li')].find((it) => it.textContent.startsWith('mileage'));
        const of = (selector) => mileage.querySelector(selector)?.textContent ?? null;
        return [entry.querySelector('p').textContent, entry.querySelector('.help').textContent,
            of('.before bdi'), of('.after bdi')];
    })";
    let entries = site.browser.run(script, &[]);
    let entries = entries.as_array().unwrap();
    assert_eq!(entries.len(), 3, "{entries:?}");
    for (entry, (what, way, before, after)) in entries.iter().zip([
        (
            "root changed car",
            "By panel from 127.0.0.1",
            json!("15500"),
            "16000",
        ),
        (
            "ann changed car",
            "By API from 127.0.0.1",
            json!("15000"),
            "15500",
        ),
        ("ann added car", "By API from 127.0.0.1", Value::Null, "15000"),
    ]) {
        assert!(entry[0].as_str().unwrap().contains(what), "{entry}");
        assert!(entry[1].as_str().unwrap().contains(way), "{entry}");
        assert_eq!((&entry[2], &entry[3]), (&before, &json!(after)), "{entry}");
    }

    // The global history also has the entry, and keeps it after the car is deleted.
    site.visit("/admin/cars/1/delete/");
    assert_eq!(counts(site), ["Cars 1", "Pictures 0"]);
    assert_eq!(site.follow(&site.button("Yes, delete it")), 200);
    assert_eq!(site.follow(&site.link("Its history")), 200);
    assert!(site.browser.find("h1").text().ends_with("(deleted)"));
    assert_eq!(site.texts(".entry").len(), 4);
    site.follow(&site.link("History"));
    site.search("b-ab 1");
    assert_eq!(site.column("Actor"), [ROOT, ROOT, CLIENT, CLIENT]);
    assert_eq!(site.column("Action"), ["deleted", "changed", "changed", "added"]);
    let form = site.search_form();
    form.fill("Actor’s ID", "2");
    form.press("Apply");
    assert_eq!(site.column("Actor"), [CLIENT, CLIENT]);
    site.assert_quiet();
}

fn admin_sets_a_users_password(site: &Site) {
    site.enter_panel(ROOT);
    site.visit("/admin/users/2/");
    assert_eq!(site.follow(&site.link("Set a password")), 200);
    let fill = |password: &str, again: &str| {
        let form = site.form_with("Set the password");
        form.fill("Password", password).fill("Password (again)", again);
        form.press("Set the password")
    };
    assert_eq!(fill(FRESH, "other"), 400);
    assert!(
        !site
            .form_with("Set the password")
            .error("Password (again)")
            .is_empty()
    );
    assert_eq!(fill("short-7", "short-7"), 400);
    assert!(!site.form_with("Set the password").error("Password").is_empty());
    assert_eq!(fill("", ""), 400);
    site.api_of(CLIENT);
    assert_eq!(fill(FRESH, FRESH), 200, "{}", site.browser.text());
    assert!(
        site.notice().starts_with("The password of ann was set"),
        "{}",
        site.notice()
    );
    assert_eq!(site.path(), "/admin/users/2/");
    site.leave_panel();
    site.visit("/api-auth/login/");
    site.fill_in_login(CLIENT, PASSWORD);
    assert!(
        site.browser.cookie("sessionid").is_none(),
        "the old password is refused"
    );
    site.fill_in_login(CLIENT, FRESH);
    assert_eq!(site.path(), "/api/");
    assert_eq!(site.browser.find(".username").text(), CLIENT);
    site.assert_quiet();
}

fn own_password_change_keeps_the_login(site: &Site) {
    site.enter_panel(ROOT);
    let key = || site.browser.cookie("sessionid").unwrap()["value"].clone();
    let before = key();
    site.browser.find(".menu > summary").click();
    assert_eq!(site.follow(&site.link("Change my password")), 200);
    let fill = |old: &str, new: &str, again: &str| {
        let form = site.form_with("Set the password");
        form.fill("Old password", old)
            .fill("New password", new)
            .fill("New password (again)", again);
        form.press("Set the password")
    };
    let error = |label: &str| site.form_with("Set the password").error(label);
    assert_eq!(fill("wrong", FRESH, FRESH), 400);
    assert!(!error("Old password").is_empty());
    assert_eq!(fill(PASSWORD, FRESH, "other"), 400);
    assert!(!error("New password (again)").is_empty());
    assert_eq!(fill(PASSWORD, FRESH, FRESH), 200, "{}", site.browser.text());
    assert_eq!(site.path(), "/admin/");
    assert!(
        site.notice().starts_with("Your password was changed"),
        "{}",
        site.notice()
    );
    let with = |key: &Value| {
        let cookie = format!("sessionid={}", key.as_str().unwrap());
        site.api().status_with_cookie("/api/me/", &cookie)
    };
    assert_eq!((with(&before), with(&key())), (401, 200), "the old login is over");
    assert_eq!(
        site.follow(&site.link("Users")),
        200,
        "the admin is still logged in"
    );
    assert_eq!(site.path(), "/admin/users/");
    // The forms of the following pages have the CSRF token of the new login.
    site.visit("/admin/users/2/");
    assert_eq!(site.change_form().press("Save"), 200);
    site.leave_panel();
    site.enter_panel_with(ROOT, FRESH);
    site.assert_quiet();
}

fn edit_conflict_is_shown_and_can_be_resolved(site: &Site) {
    let ann = site.api_of(CLIENT);
    ann.create("/api/cars/", &cars::car("B-AB 1"));
    site.enter_panel(ROOT);
    site.visit("/admin/cars/1/");
    let first = site.browser.tab();
    let second = site.browser.open_tab();
    site.visit("/admin/cars/1/");
    site.change_form().fill("Mileage", "16000").fill("Color", "Red");
    assert_eq!(site.change_form().press("Save"), 200);

    site.browser.look_at(&first);
    site.change_form().fill("Mileage", "17000").fill("Notes", "Mine");
    assert_eq!(site.change_form().press("Save"), 409);
    let told = site.problem();
    assert!(
        told.contains("It was changed meanwhile") && told.contains("root changed this car"),
        "{told}"
    );
    let form = site.change_form();
    assert_eq!(form.error("Mileage"), "The stored value is “16000”.");
    assert_eq!(form.error("Color"), "The stored value is “Red”.");
    assert_eq!(
        (form.value("Mileage"), form.value("Notes")),
        ("17000".into(), "Mine".into())
    );
    let car = ann.get("/api/cars/1/");
    assert_eq!(
        (&car["mileage"], &car["notes"]),
        (&json!(16_000), &cars::car("")["notes"])
    );

    // Another user changes the object again while the conflict is shown.
    ann.change("/api/cars/1/", &json!({"mileage": 18_000}));
    assert_eq!(site.change_form().press("Save"), 409);
    assert!(
        site.problem().contains("ann changed this car"),
        "{}",
        site.problem()
    );
    assert_eq!(
        site.change_form().error("Mileage"),
        "The stored value is “18000”."
    );

    // The admin overwrites the other change.
    assert_eq!(
        site.change_form().press("Save and continue editing"),
        200,
        "{}",
        site.browser.text()
    );
    let car = ann.get("/api/cars/1/");
    assert_eq!(
        (&car["mileage"], &car["color"]),
        (&json!(17_000), &json!("Silver"))
    );

    // The admin starts again from the stored values.
    site.browser.look_at(&second);
    site.visit("/admin/cars/1/");
    ann.change("/api/cars/1/", &json!({"mileage": 19_000}));
    site.change_form().fill("Mileage", "1");
    assert_eq!(site.change_form().press("Save"), 409);
    assert_eq!(site.follow(&site.link("start again from what is there")), 200);
    assert_eq!(site.change_form().value("Mileage"), "19000");
    assert_eq!(site.change_form().press("Save"), 200);

    // The same with users.
    site.visit("/admin/users/2/");
    site.browser.look_at(&first);
    site.visit("/admin/users/2/");
    site.change_form().fill("Last name", "Kay");
    assert_eq!(site.change_form().press("Save"), 200);
    site.browser.look_at(&second);
    site.change_form().fill("Last name", "Ray");
    assert_eq!(site.change_form().press("Save"), 409);
    assert_eq!(
        site.change_form().error("Last name"),
        "The stored value is “Kay”."
    );
    assert_eq!(site.change_form().press("Save"), 200);
    assert_eq!(ann.get("/api/me/")["last_name"], "Ray");
    site.assert_quiet();
}

fn list_keeps_its_filters_and_page(site: &Site) {
    let ann = site.api_of(CLIENT);
    for number in 0..7 {
        let mut car = cars::car(&format!("B-{number}"));
        car["year"] = json!(2010 + number);
        car["brand"] = json!(if number < 6 { "Toyota" } else { "Lada" });
        ann.create("/api/cars/", &car);
    }
    site.enter_panel(ROOT);
    site.visit("/admin/cars/?limit=2");
    site.search("b-");
    site.follow(&site.browser.find("[href*='brand=Toyota']"));
    site.follow(&site.link("Year"));
    assert_eq!(site.rows(), ["B-0", "B-1"]);
    site.follow(&site.browser.find("thead a[href*='ordering=-year']"));
    assert_eq!(site.rows(), ["B-5", "B-4"]);
    assert_eq!(
        site.browser.find("th[aria-sort]").attribute("aria-sort"),
        "descending"
    );
    site.follow(&site.link("Next ›"));
    assert_eq!(site.rows(), ["B-3", "B-2"]);
    let form = site.search_form();
    form.fill("Year from", "2011");
    form.press("Apply");
    assert_eq!(
        site.rows(),
        ["B-5", "B-4"],
        "from the first page on, in the same order"
    );
    site.follow(&site.link("Next ›"));
    let list = site.path();
    for part in [
        "search=b-",
        "brand=Toyota",
        "ordering=-year",
        "limit=2",
        "offset=2",
        "year_min=2011",
    ] {
        assert!(list.contains(part), "{part} is not in {list}");
    }
    let chips = site.texts(".chips li");
    assert_eq!(chips.len(), 4, "{chips:?}");

    let open = |plate: &str| assert_eq!(site.follow(&site.link(plate)), 200);
    open("B-3");
    site.change_form().fill("Mileage", "-1");
    assert_eq!(site.change_form().press("Save"), 400);
    site.change_form().fill("Mileage", "1");
    assert_eq!(site.change_form().press("Save and continue editing"), 200);
    assert!(site.path().starts_with("/admin/cars/4/?back="), "{}", site.path());
    site.change_form().fill("Mileage", "2");
    assert_eq!(site.change_form().press("Save"), 200);
    assert_eq!(site.path(), list);
    assert_eq!(site.rows(), ["B-3", "B-2"]);
    assert_eq!(site.column("Mileage"), ["2", "15000"]);

    // The link back and a deletion return to the same list.
    open("B-2");
    site.follow(&site.browser.find(".crumbs [href^='/admin/cars/']"));
    assert_eq!(site.path(), list);
    open("B-2");
    site.follow(&site.link("Delete"));
    site.follow(&site.link("No, go back"));
    site.follow(&site.link("Delete"));
    assert_eq!(site.follow(&site.button("Yes, delete it")), 200);
    assert_eq!(site.path(), list);
    assert_eq!(site.rows(), ["B-3", "B-1"]);

    // A page after the last one shows the last one.
    site.visit("/admin/cars/?limit=2&offset=100");
    assert_eq!(site.browser.find(".position").text(), "5–6 of 6");
    // An invalid number is reported at its field.
    assert_eq!(site.visit("/admin/cars/?year_min=x"), 400);
    assert!(!site.search_form().error("Year from").is_empty());
    site.assert_quiet();
}

#[test]
fn rows_are_selected_by_page_or_range() {
    let site = Site::open();
    let ann = site.api_of(CLIENT);
    for number in 0..8 {
        ann.create("/api/cars/", &cars::car(&format!("B-{number}")));
    }
    site.enter_panel(ROOT);
    site.visit("/admin/cars/?ordering=license");
    let counter = site.browser.find("[data-count]");
    let ticked = || {
        site.browser.run(
            "return document.querySelectorAll('[data-tick]:checked').length",
            &[],
        )
    };
    assert_eq!(counter.text(), "0 of 8 chosen");
    let head = site.browser.find("[data-tick-all]");
    head.click();
    assert_eq!((counter.text().as_str(), ticked()), ("8 of 8 chosen", json!(8)));
    site.tick("B-3").click();
    assert_eq!(counter.text(), "7 of 8 chosen");
    assert_eq!(head.property("indeterminate"), true);
    head.click();
    head.click();
    assert_eq!(counter.text(), "0 of 8 chosen");

    site.tick("B-1").click();
    site.click_with(SHIFT, &site.tick("B-5"));
    assert_eq!((counter.text().as_str(), ticked()), ("5 of 8 chosen", json!(5)));
    site.click_with(SHIFT, &site.tick("B-4"));
    assert_eq!(counter.text(), "3 of 8 chosen", "a range can be deselected");
    assert_eq!(site.choose_action("Delete"), 200);
    assert_eq!(site.browser.find("h1").text(), "Delete: 3 cars?");
    site.follow(&site.link("No, go back"));
    site.form_with("Go")
        .field("All 8 that match, on every page")
        .click();
    assert_eq!(site.browser.find("[data-count]").text(), "all chosen");
    site.assert_quiet();
}

fn export_holds_the_rows_of_the_list(site: &Site) {
    let ann = site.api_of(CLIENT);
    for number in 0..3 {
        let mut car = cars::car(&format!("B-{number}"));
        car["notes"] = json!("=1+1, \"quoted\"");
        ann.create("/api/cars/", &car);
    }
    let folder = TempDir::new().unwrap();
    let allowed = json!({"behavior": "allow", "downloadPath": folder.path()});
    site.browser.devtools("Browser.setDownloadBehavior", &allowed);
    site.enter_panel(ROOT);
    site.visit("/admin/cars/?ordering=license");
    let export = |action: &str, file: &str| {
        let form = site.form_with("Go");
        form.choose("Action", action);
        form.button("Go").click();
        wait_for("the file", || {
            let text = fs::read_to_string(folder.path().join(file)).ok()?;
            (!text.is_empty()).then_some(text)
        })
    };
    for row in ["B-0", "B-2"] {
        site.tick(row).click();
    }
    let csv = export("Export as CSV", "cars.csv");
    assert!(csv.lines().next().unwrap().contains("license"), "{csv}");
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert!(
        csv.contains("B-0") && csv.contains("B-2") && !csv.contains("B-1"),
        "{csv}"
    );
    assert!(csv.contains(r#""'=1+1, ""quoted""""#), "no formula: {csv}");

    // The page still works after the download.
    site.form_with("Go")
        .field("All 3 that match, on every page")
        .click();
    let exported = export("Export as JSON", "cars.json");
    let exported: Value = serde_json::from_str(&exported).unwrap();
    assert_eq!(exported.as_array().unwrap().len(), 3);
    assert_eq!(exported[0]["owner_username"], CLIENT, "{exported}");
    site.search("b-1");
    assert_eq!(site.rows(), ["B-1"]);
    site.assert_quiet();
}

#[test]
fn leaving_unsaved_input_asks_for_confirmation() {
    let site = Site::open();
    site.enter_panel(ROOT);
    for page in ["/admin/users/2/", "/admin/users/add/", "/admin/cars/add/"] {
        site.visit(page);
        assert!(!site.warns_of_leaving(), "{page}: nothing is typed");
        let label = if page.contains("users") {
            "Last name"
        } else {
            "Brand"
        };
        site.change_form().field(label).type_in("x");
        assert!(site.warns_of_leaving(), "{page}");
    }
    site.visit("/admin/users/2/");
    site.change_form().fill("Last name", "Ray");
    assert_eq!(site.change_form().press("Save and continue editing"), 200);
    assert!(!site.warns_of_leaving(), "it is saved");
    site.assert_quiet();
}
