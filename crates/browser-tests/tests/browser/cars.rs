//! Cars in the browsable API: create, change, find and delete.

use serde_json::{Value, json};

use crate::support::{CLIENT, Site, cars, with_and_without_scripts};

with_and_without_scripts!(
    user_creates_changes_and_deletes_a_car,
    invalid_form_shows_errors_and_keeps_the_input,
    invalid_body_shows_errors_and_keeps_the_text,
    cars_are_found_by_filters_search_order_and_pages,
);

fn user_creates_changes_and_deletes_a_car(site: &Site) {
    site.log_in(CLIENT);
    let api = site.api_of(CLIENT);
    assert_eq!(site.visit("/api/cars/"), 200);

    let form = site.form("POST");
    form.fill("Brand", "Škoda")
        .fill("Model", "Fabia")
        .fill("Year", "2020")
        .fill("License", "B-AB 1");
    assert_eq!(form.press("POST"), 201, "{}", site.browser.text());
    let made = site.json();
    assert_eq!(made["brand"], "Škoda");
    assert_eq!(made["color"], Value::Null, "empty fields are null");
    let page = format!("/api/cars/{}/", made["id"]);
    assert_eq!(site.follow(&site.link("Open it")), 200);
    assert_eq!(site.path(), page);

    let form = site.form("PUT or PATCH");
    assert_eq!(form.value("Brand"), "Škoda");
    assert_eq!(form.value("Year"), "2020");
    form.fill("Year", "2021")
        .fill("Color", "Red")
        .fill("Notes", "One\ntwo");
    assert_eq!(form.press("PUT"), 200, "{}", site.browser.text());
    let changed = api.get(&page);
    assert_eq!(changed["year"], 2021);
    assert_eq!(changed["color"], "Red");
    assert_eq!(
        changed["notes"].as_str().unwrap().replace("\r\n", "\n"),
        "One\ntwo"
    );

    let form = site.form("PUT or PATCH");
    assert_eq!(form.value("Color"), "Red", "the form shows the stored value");
    form.fill("Mileage", "77");
    assert_eq!(form.press("PATCH"), 200, "{}", site.browser.text());
    assert_eq!(api.get(&page)["mileage"], 77);
    let form = site.raw_form("PUT or PATCH");
    form.fill("Content", r#"{"color": "Blue"}"#);
    assert_eq!(form.press("PATCH"), 200, "{}", site.browser.text());
    let changed = api.get(&page);
    assert_eq!(
        (&changed["color"], &changed["mileage"]),
        (&json!("Blue"), &json!(77))
    );

    uploads(site, &page);

    site.visit(&page);
    assert_eq!(site.delete(), 200);
    let text = site.browser.text();
    assert!(text.contains("Deleted.") && text.contains("204"), "{text}");
    assert_eq!(api.status(&page), 404);
    assert_eq!(site.follow(&site.link("Cars")), 200, "the page links to the list");
    assert_eq!(site.json(), json!([]));
    site.assert_quiet();
}

fn uploads(site: &Site, page: &str) {
    site.visit(page);
    assert_eq!(site.follow(&site.link("Upload image")), 405);
    let form = site.form("POST");
    assert!(form.field("Image").attribute("accept").contains("image/jpeg"));
    form.field("Image").type_in(&cars::picture("text.jpg"));
    assert_eq!(form.press("POST"), 400);
    let error = site.form("POST").error("Image");
    assert!(error.contains("valid image"), "{error}");
    site.form("POST")
        .field("Image")
        .type_in(&cars::picture("tiny.jpg"));
    assert!(
        matches!(site.form("POST").press("POST"), 200 | 201),
        "{}",
        site.browser.text()
    );

    site.visit(page);
    let image = site.browser.find("figure img");
    assert!(image.is_shown());
    assert!(!image.attribute("alt").is_empty());
    let path = site.json()["image"].clone();
    assert_eq!(json!(image.attribute("src")), path);
    let width =
        "const [image, done] = arguments; image.decode().then(() => done(image.naturalWidth), () => done(0))";
    assert_ne!(
        site.browser.run_async(width, &[image.argument()]),
        0,
        "the picture is shown"
    );
}

fn invalid_form_shows_errors_and_keeps_the_input(site: &Site) {
    site.log_in(CLIENT);
    let car = site.api_of(CLIENT).create("/api/cars/", &cars::car("B-AB 1"));
    site.visit("/api/cars/");
    let form = site.form("POST");
    form.fill("Brand", "Fiat")
        .fill("Year", "1700")
        .fill("License", "b-ab 1")
        .fill("VIN", "TOO-SHORT");
    assert_eq!(form.press("POST"), 400);
    let form = site.form("POST");
    for label in ["Model", "Year", "License", "VIN"] {
        assert!(!form.error(label).is_empty(), "{label} has no error");
    }
    for (label, value) in [
        ("Brand", "Fiat"),
        ("Year", "1700"),
        ("License", "b-ab 1"),
        ("VIN", "TOO-SHORT"),
    ] {
        assert_eq!(form.value(label), value, "{label}");
    }
    assert_eq!(
        form.field("Brand").attribute("aria-invalid"),
        "",
        "nothing is wrong with it"
    );
    // Each line of the summary links to its field.
    let links = site.browser.run(
        "return [...document.querySelectorAll('.problems a')].map((it) => [it.innerText, !!document.querySelector(it.hash)])",
        &[],
    );
    let links = links.as_array().unwrap();
    assert_eq!(links.len(), 4, "{links:?}");
    assert!(links.iter().all(|link| link[1] == true), "{links:?}");

    site.visit(&format!("/api/cars/{car}/"));
    let form = site.form("PUT or PATCH");
    form.fill("Brand", "")
        .fill("Mileage", "-1")
        .fill("Model", "Corolla");
    assert_eq!(form.press("PUT"), 400);
    let form = site.form("PUT or PATCH");
    assert!(!form.error("Brand").is_empty());
    assert!(!form.error("Mileage").is_empty());
    assert_eq!(form.value("Model"), "Corolla");
    site.assert_quiet();
}

fn invalid_body_shows_errors_and_keeps_the_text(site: &Site) {
    site.log_in(CLIENT);
    site.api_of(CLIENT).create("/api/cars/", &cars::car("B-AB 1"));
    for page in ["/api/cars/", "/api/cars/1/"] {
        let (title, button) = if page == "/api/cars/" {
            ("POST", "POST")
        } else {
            ("PUT or PATCH", "PATCH")
        };
        for (text, message) in [
            ("{\"brand\": \"Fiat\",\n  oh", "JSON parse error"),
            ("{\"year\": 1700, \"brand\": \"<Fiat>\"}", "Year"),
        ] {
            site.visit(page);
            site.raw_form(title).fill("Content", text);
            assert_eq!(site.raw_form(title).press(button), 400);
            let content = site.browser.find("[id$=-raw-content][aria-invalid]");
            assert!(content.is_shown(), "the tab is open");
            assert_eq!(content.value(), text);
            let error = site.raw_form(title).error("Content");
            assert!(error.contains(message), "{error}");
        }
    }
    site.assert_quiet();
}

fn cars_are_found_by_filters_search_order_and_pages(site: &Site) {
    let api = site.api_of(CLIENT);
    for (number, brand) in ["Audi", "BMW", "BMW", "Fiat", "Fiat"].into_iter().enumerate() {
        let mut car = cars::car(&format!("B-{number}"));
        car["brand"] = json!(brand);
        car["year"] = json!(2010 + number);
        api.create("/api/cars/", &car);
    }
    site.log_in(CLIENT);
    site.visit("/api/cars/");

    let form = site.filters();
    form.fill("Per page", "2").choose("Order", "year, ascending");
    assert_eq!(form.press("Apply"), 200);
    assert_eq!(site.plates(), ["B-0", "B-1"]);
    assert_eq!(site.browser.find(".position").text(), "1–2 of 5");
    site.follow(&site.link("Next ›"));
    assert_eq!(site.plates(), ["B-2", "B-3"]);
    site.follow(&site.link("Next ›"));
    assert_eq!(site.plates(), ["B-4"]);
    site.follow(&site.link("‹ Previous"));
    assert_eq!(site.plates(), ["B-2", "B-3"]);

    let form = site.filters();
    form.fill("Brand", "BMW");
    assert_eq!(form.press("Apply"), 200);
    assert_eq!(
        site.plates(),
        ["B-1", "B-2"],
        "from the first page on, in the same order"
    );
    let form = site.filters();
    assert_eq!(form.value("Brand"), "BMW");
    assert_eq!(form.value("Per page"), "2");
    form.fill("Search", "B-2");
    form.press("Apply");
    assert_eq!(site.plates(), ["B-2"]);
    site.follow(&site.link("Clear all"));
    assert_eq!(site.plates(), ["B-0", "B-1"], "the order and the pages stay");

    let form = site.filters();
    form.fill("Year", "x");
    assert_eq!(form.press("Apply"), 400);
    assert_eq!(site.filters().error("Year"), "Enter a number.");
    assert_eq!(site.filters().value("Year"), "x");
    site.assert_quiet();
}

#[test]
fn empty_filters_are_not_in_the_url() {
    let site = Site::open();
    site.log_in(CLIENT);
    site.visit("/api/cars/");
    let form = site.filters();
    form.fill("Brand", "Fiat & Co");
    form.press("Apply");
    assert_eq!(site.path(), "/api/cars/?brand=Fiat+%26+Co");
}
