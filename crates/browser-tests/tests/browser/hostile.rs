//! User input is shown as text on every page.

use serde_json::json;

use crate::support::{CLIENT, PASSWORD, ROOT, Site};

/// Input that would run a script if it were interpreted as HTML.
const HOSTILE: [&str; 6] = [
    "<script>window.hacked=1</script>",
    r#""><img src=x onerror=window.hacked=1>"#,
    "'><svg onload=window.hacked=1>",
    "</textarea></pre><script>window.hacked=1</script>",
    "</script><script>window.hacked=1</script><!--",
    "javascript:window.hacked=1",
];

/// The same, short enough for a licence plate.
const HOSTILE_PLATE: &str = "<b onclick=hacked=1>";

#[test]
fn html_in_a_car_is_shown_as_text() {
    let site = Site::open();
    let api = site.api_of(CLIENT);
    site.log_in(CLIENT);
    for hostile in HOSTILE {
        let text: String = hostile.chars().take(50).collect();
        let plate = format!("P{}", api.get("/api/cars/").as_array().unwrap().len());
        site.visit("/api/cars/");
        let form = site.form("POST");
        form.fill("Brand", &text)
            .fill("Model", &text)
            .fill("Color", &text)
            .fill("Notes", &text);
        form.fill("Year", "2020").fill("License", &plate);
        assert_eq!(form.press("POST"), 201, "{}", site.browser.text());
        assert_harmless(&site, &text);

        site.follow(&site.link("Open it"));
        assert_harmless(&site, &text);
        let form = site.form("PUT or PATCH");
        for label in ["Brand", "Model", "Color", "Notes"] {
            assert_eq!(form.value(label), text, "{label}");
        }
        form.fill("Year", "1");
        assert_eq!(form.press("PUT"), 400);
        assert_harmless(&site, "Year");
        assert_eq!(site.form("PUT or PATCH").value("Notes"), text);
        // Then the user's own input contains it as well.
        let form = site.raw_form("PUT or PATCH");
        form.fill("Content", &text);
        assert_eq!(form.press("PUT"), 400);
        assert_harmless(&site, "JSON parse error");
        assert_eq!(site.raw_form("PUT or PATCH").value("Content"), text);
    }
    site.visit("/api/cars/");
    let form = site.form("POST");
    form.fill("Brand", "Fiat")
        .fill("Model", "Panda")
        .fill("Year", "2020");
    form.fill("License", HOSTILE_PLATE).fill("VIN", "<i onload=hack>");
    assert_eq!(form.press("POST"), 400);
    assert_harmless(&site, "VIN");
    let form = site.form("POST");
    assert_eq!(form.value("License"), HOSTILE_PLATE);
    assert_eq!(form.value("VIN"), "<i onload=hack>");
    form.fill("VIN", "");
    assert_eq!(form.press("POST"), 201);
    assert_harmless(&site, HOSTILE_PLATE);
    site.visit("/api/cars/");
    assert_harmless(&site, HOSTILE[0]);
    site.visit("/api/cars/?limit=2");
    assert_harmless(&site, HOSTILE[5]);
    site.assert_quiet();
}

#[test]
fn html_in_a_url_is_shown_as_text() {
    let site = Site::open();
    site.log_in(ROOT);
    for hostile in HOSTILE {
        for page in [
            "/api/cars/",
            "/api/admin/users/",
            "/api/cars/1/",
            "/api-auth/login/",
        ] {
            let names = [
                "search", "brand", "year", "ordering", "limit", "offset", "next", "format_", hostile,
            ];
            let values = names.map(|name| json!([name, hostile]));
            let script = "return new URLSearchParams(arguments[0]).toString()";
            let query = site.browser.run(script, &[json!(values)]);
            site.visit(&format!("{page}?{}", query.as_str().unwrap()));
            assert_harmless(&site, "");
        }
        let encoded = site
            .browser
            .run("return encodeURIComponent(arguments[0])", &[json!(hostile)]);
        for page in ["/api/", "/api/cars/", "/"] {
            site.visit(&format!("{page}{}/", encoded.as_str().unwrap()));
            assert_harmless(&site, "");
        }
    }
    let complaints = site.complaints();
    // A path without a page gets a JSON response.
    let serious: Vec<_> = complaints
        .iter()
        .filter(|it| !it.contains("status of 404"))
        .collect();
    assert!(serious.is_empty(), "{serious:?}");
}

#[test]
fn html_in_a_user_is_shown_as_text() {
    let site = Site::open();
    site.log_in(ROOT);
    for (number, hostile) in HOSTILE.into_iter().enumerate() {
        site.visit("/api/admin/users/");
        let form = site.form("POST");
        form.fill("Username", hostile)
            .fill("Email address", hostile)
            .fill("First name", hostile);
        form.fill("Last name", hostile)
            .fill("Phone", &hostile.chars().take(20).collect::<String>());
        form.fill("Address", hostile).fill("Password", hostile);
        assert_eq!(form.press("POST"), 400, "{}", site.browser.text());
        assert_harmless(&site, "Username");
        let form = site.form("POST");
        assert_eq!(form.value("Username"), hostile);
        form.fill("Username", &format!("user{number}"))
            .fill("Email address", &format!("user{number}@example.com"));
        form.fill("Phone", "").fill("Password", PASSWORD);
        assert_eq!(form.press("POST"), 201, "{}", site.browser.text());
        assert_harmless(&site, hostile);
        site.follow(&site.link("Open it"));
        assert_harmless(&site, hostile);
        assert_eq!(site.form("PUT or PATCH").value("Address"), hostile);
    }
    site.visit("/api/admin/users/");
    assert_harmless(&site, HOSTILE[0]);
    for hostile in HOSTILE {
        site.follow(&site.button("Log out"));
        site.visit("/api-auth/login/");
        site.fill_in_login(hostile, "wrong");
        assert_harmless(&site, "Please enter a correct username");
        assert_eq!(site.form_with("Log in").value("Username"), hostile);
        site.fill_in_login(ROOT, PASSWORD);
    }
    site.assert_quiet();
}

/// Asserts that no script ran, that no link leads to a script, and that the text is visible.
#[track_caller]
fn assert_harmless(site: &Site, text: &str) {
    let script = "return {
        hacked: window.hacked !== undefined,
        links: [...document.querySelectorAll('[href], [action], [src]')]
            .map((it) => it.getAttribute('href') || it.getAttribute('action') || it.getAttribute('src'))
            .filter((it) => it && !/^[/#]/.test(it)),
        handlers: [...document.querySelectorAll('*')]
            .filter((it) => it.getAttributeNames().some((name) => name.startsWith('on') || name === 'style'))
            .map((it) => it.outerHTML),
        foreign: [...document.querySelectorAll('svg, script:not([src]), img[src=x]')].map((it) => it.outerHTML),
    }";
    let found = site.browser.run(script, &[]);
    let nothing = json!({"hacked": false, "links": [], "handlers": [], "foreign": []});
    assert_eq!(found, nothing, "{}", site.browser.url());
    // JSON escapes quotation marks differently.
    let shown = site.browser.text().replace("\\\"", "\"");
    assert!(shown.contains(text), "{text} is not in {shown}");
}
