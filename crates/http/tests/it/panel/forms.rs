//! The forms of a user and of a car, and what pages show of what was typed.

use mycars_testkit::http::{
    Request, TINY_JPEG,
    accounts::{PASSWORD, add_car, new_admin, new_client, patch_user, plates},
    browser::{Browser, cookie, escape, form},
    panel::{Panel, hidden, text, with},
};
use serde_json::json;

use crate::support::start;

#[test]
fn form_with_old_version_returns_conflict() {
    let server = start();
    let (bob, bob_id) = new_client(&server, "bob");
    let car = add_car(&server, &bob.access, "B-AB 1");
    let ann_id = new_admin(&server, "ann");
    let (root, ann) = (Panel::of_root(&server), Panel::of(&server, "ann", PASSWORD));

    let path = format!("/admin/cars/{car}/");
    let seen = ann.car_form(bob_id, car);
    root.save(&path, &with(&root.car_form(bob_id, car), &[("mileage", "900")]));
    let before = root.entries();
    let refused = ann.submit(&path, &with(&seen, &[("mileage", "5"), ("color", "Red")]));
    assert_eq!(refused.status, 409, "{}", refused.text());
    let html = refused.text();
    assert!(html.contains("<bdi>root</bdi> changed this car"), "{html}");
    assert!(
        html.contains("The stored value is “900”.") && html.contains("value=\"5\""),
        "{html}"
    );
    assert!(
        html.contains("The stored value is empty."),
        "of the colour: {html}"
    );
    assert_eq!(root.entries(), before);
    let again = hidden(&html, "version");
    ann.save(
        &path,
        &with(&seen, &[("mileage", "5"), ("color", "Red"), ("version", &again)]),
    );
    assert_eq!(ann.car_form(bob_id, car)["mileage"], "5");
    let nonsense = ann.submit(&path, &with(&seen, &[("version", "nonsense")]));
    assert_eq!(nonsense.status, 409, "an unknown version");

    let path = format!("/admin/users/{bob_id}/");
    let seen = root.user_form(bob_id);
    ann.save(&path, &with(&ann.user_form(bob_id), &[("phone", "555-1")]));
    let refused = root.submit(&path, &with(&seen, &[("phone", "555-2")]));
    assert_eq!(refused.status, 409);
    let html = refused.text();
    assert!(
        html.contains("<bdi>ann</bdi> changed this user") && html.contains("The stored value is “555-1”."),
        "{html}"
    );
    root.save(
        &path,
        &with(
            &seen,
            &[("phone", "555-2"), ("version", &hidden(&html, "version"))],
        ),
    );
    assert_eq!(root.user(bob_id)["phone"], "555-2");
    // A change by the API conflicts as well.
    let seen = root.user_form(ann_id);
    patch_user(&server, ann_id, &json!({"phone": "555-3"}));
    assert_eq!(
        root.submit(&format!("/admin/users/{ann_id}/"), &with(&seen, &[]))
            .status,
        409
    );
}

#[test]
fn upload_of_too_large_picture_returns_413() {
    let server = start();
    let panel = Panel::of_root(&server);
    let (ann, _) = new_client(&server, "ann");
    let car = add_car(&server, &ann.access, "B-AB 1");
    let token = ("csrfmiddlewaretoken", panel.browser.token.as_str());
    let before = panel.entries();
    for (path, browser) in [
        (format!("/admin/cars/{car}/"), &panel.browser),
        (
            format!("/api/cars/{car}/upload-image/"),
            &Browser::of(&server, "ann"),
        ),
    ] {
        let request =
            Request::multipart(&path, &[token], &vec![0; 9 * 1024 * 1024]).header("Accept", "text/html");
        let answer = browser.send(request);
        assert_eq!(answer.status, 413, "{path}: {}", answer.text());
        assert!(!answer.text().contains("CSRF Failed"), "{}", answer.text());
    }
    assert_eq!(panel.entries(), before);
}

#[test]
fn car_form_saves_picture_and_owner() {
    let server = start();
    let panel = Panel::of_root(&server);
    let (ann, ann_id) = new_client(&server, "ann");
    let (bob, bob_id) = new_client(&server, "bob");
    let send = |path: &str, fields: &[(&str, &str)], file: &[u8]| {
        let token = ("csrfmiddlewaretoken", panel.browser.token.as_str());
        panel
            .browser
            .send(Request::multipart(path, &[fields, &[token]].concat(), file))
    };
    let new = [
        ("owner", "ann"),
        ("brand", "Toyota"),
        ("model", "Camry"),
        ("year", "2023"),
        ("license", "B-AB 1"),
        ("mileage", ""),
        ("color", ""),
        ("vin", ""),
        ("notes", ""),
    ];
    let add = "/admin/cars/add/";
    let refused = send(add, &new, b"no picture");
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains("Upload a valid image."),
        "{}",
        refused.text()
    );
    let mut without_owner = new;
    without_owner[0] = ("owner", "nobody");
    let refused = send(add, &without_owner, b"");
    assert_eq!(refused.status, 400);
    assert!(
        refused.text().contains("No user has the username “nobody”."),
        "{}",
        refused.text()
    );
    assert!(plates(&server, &ann.access).is_empty());

    let saved = send(add, &new, TINY_JPEG);
    assert_eq!(
        (saved.status, saved.header("Location").as_deref()),
        (303, Some("/admin/cars/"))
    );
    let cars = server
        .send(&Request::get("/api/cars/").bearer(&ann.access))
        .json(200);
    let car = cars[0]["id"].as_i64().unwrap();
    let picture = text(&cars[0]["image"]);
    assert_eq!(server.send(&Request::get(&picture)).status, 200);
    let entries = panel.history(&format!("object_type=car&object_id={car}"));
    assert_eq!(entries["count"], 2, "the car and its picture");
    assert_eq!(entries["results"][1]["channel"], "panel");

    let path = format!("/admin/cars/{car}/");
    let fields = panel.car_form(ann_id, car);
    panel.save(&path, &with(&fields, &[("owner", "bob")]));
    assert!(plates(&server, &ann.access).is_empty());
    assert_eq!(plates(&server, &bob.access), ["B-AB 1"]);
    let entry = &panel.history("limit=1")["results"][0];
    assert_eq!(
        entry["changes"],
        json!([{"field": "owner", "before": ann_id, "after": bob_id}])
    );
    let history =
        |access: &str| server.send(&Request::get(&format!("/api/cars/{car}/history/")).bearer(access));
    assert_eq!(history(&ann.access).status, 404);
    let of_bob = history(&bob.access).json(200);
    assert_eq!(
        of_bob["count"], 1,
        "earlier entries are hidden from the new owner"
    );
    assert_eq!(
        of_bob["results"][0]["changes"],
        json!([{"field": "owner", "before": "********", "after": bob_id}]),
        "and so is the former owner"
    );

    let fields = panel.car_form(bob_id, car);
    panel.save(&path, &with(&fields, &[("image-clear", "1")]));
    assert_eq!(server.send(&Request::get(&picture)).status, 404);
    let fields = panel.car_form(bob_id, car);
    let found = panel.submit(&path, &with(&fields, &[("owner", "an"), ("_find", "1")]));
    assert!(
        found.text().contains("name=\"_pick\" value=\"ann\""),
        "{}",
        found.text()
    );
    let found = panel.browser.get("/admin/users/find/?q=an").json(200);
    assert!(
        found
            .as_array()
            .unwrap()
            .iter()
            .any(|user| user["username"] == "ann"),
        "{found}"
    );
}

#[test]
fn ambiguous_numbers_are_refused_at_their_fields() {
    let server = start();
    let (bob, bob_id) = new_client(&server, "bob");
    let car = add_car(&server, &bob.access, "B-AB 1");
    let root = Panel::of_root(&server);
    let path = format!("/admin/cars/{car}/");
    let message = "Enter a whole number without decimal or thousands separators, such as 125000.";
    for typed in ["125.000", "12,5", "12.0", "1,250,000"] {
        let refused = root.submit(&path, &with(&root.car_form(bob_id, car), &[("mileage", typed)]));
        let html = refused.text();
        assert_eq!(refused.status, 400, "{typed}: {html}");
        assert!(
            html.contains(message) && html.contains(&format!("value=\"{typed}\"")),
            "{typed}: {html}"
        );
    }
    for (typed, mileage) in [("125 000", "125000"), ("126’000", "126000"), ("١٢٧", "127")] {
        root.save(&path, &with(&root.car_form(bob_id, car), &[("mileage", typed)]));
        assert_eq!(root.car_form(bob_id, car)["mileage"], mileage, "{typed}");
    }
    let filtered = root.browser.get("/admin/cars/?mileage_min=125.000");
    assert_eq!(filtered.status, 400);
    assert!(filtered.text().contains(message), "{}", filtered.text());

    // The same holds for pages of the API, but not for forms of programs.
    let api = format!("/api/cars/{}/", car_of_root(&root));
    let refused = root.submit(&api, &[("_method", "PATCH"), ("mileage", "125.000")]);
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains(message), "{}", refused.text());
    let program = Request {
        method: "PATCH".to_owned(),
        ..form(&format!("/api/cars/{car}/"), &[("mileage", "125.000")]).bearer(&bob.access)
    };
    assert_eq!(server.send(&program).json(200)["mileage"], 125);
}

/// Adds a car of the superuser, and returns its id.
fn car_of_root(root: &Panel<'_>) -> i64 {
    let (fields, plate) = (
        [("brand", "VW"), ("model", "Golf"), ("year", "2001")],
        ("license", "B-R 1"),
    );
    root.submit("/api/cars/", &[fields.as_slice(), &[plate]].concat());
    root.browser.get("/api/cars/").json(200)[0]["id"]
        .as_i64()
        .unwrap()
}

#[test]
fn names_with_bidi_controls_are_isolated() {
    let server = start();
    let (bob, bob_id) = new_client(&server, "bob");
    let car = add_car(&server, &bob.access, "B-AB 1");
    let root = Panel::of_root(&server);
    let path = format!("/admin/cars/{car}/");
    let brand = "a\u{2069}\u{202e}bc";
    root.save(&path, &with(&root.car_form(bob_id, car), &[("brand", brand)]));
    let label = "\u{2068}a\u{202e}bc\u{2069} ";
    for page in [
        path.clone(),
        format!("{path}delete/"),
        format!("/admin/users/{bob_id}/delete/"),
    ] {
        let html = root.page(&page);
        assert!(html.contains(label), "{page}: {html}");
        assert!(!html.contains("\u{202e}bc "), "{page}: {html}");
    }
    for page in ["/admin/cars/", "/admin/history/"] {
        let html = root.page(page);
        for (place, _) in html.match_indices(brand) {
            let before = &html[..place];
            assert!(before.rfind("<bdi>") > before.rfind("</bdi>"), "{page}: {html}");
        }
    }
}

#[test]
fn redirects_and_links_stay_on_this_site() {
    let server = start();
    let panel = Panel::of_root(&server);
    let (_, id) = new_client(&server, "ann");
    for url in [
        "https://evil.example/",
        "//evil.example/",
        "javascript:evil()",
        "/\\evil.example",
        "/admin/\"><evil",
    ] {
        let escaped = escape(url);
        let cookies = format!(
            "csrftoken={}; sessionid={}; messages=text=Look&label=here&url={escaped}",
            panel.browser.token,
            panel.browser.session.as_ref().unwrap(),
        );
        let answer = server.send(&Request::get("/admin/").header("Cookie", &cookies));
        let html = answer.text();
        assert!(
            html.contains("Look") && !html.contains("=\"https://evil"),
            "{html}"
        );
        for wrong in ["href=\"//evil", "href=\"javascript:", "href=\"/\\", "\"><evil"] {
            assert!(!html.contains(wrong), "{wrong}: {html}");
        }
        let path = format!("/admin/users/{id}/?back={escaped}");
        let page = panel.page(&path);
        let links = page
            .split("href=\"")
            .skip(1)
            .chain(page.split("action=\"").skip(1));
        for link in links.map(|rest| rest.split('"').next().unwrap()) {
            let is_ours = link.starts_with('/') && !link.starts_with("//") || link.starts_with('#');
            assert!(is_ours && !link.starts_with("/\\"), "{link}");
        }
        for then in ["_save", "_continue", "_addanother"] {
            let location = panel.save(&path, &with(&panel.user_form(id), &[(then, "1")]));
            assert!(location.starts_with("/admin/users/"), "{location}");
        }
    }
    let text = escape("<script>alert(1)</script>");
    let session = panel.browser.session.as_ref().unwrap();
    let cookies = format!("sessionid={session}; messages=text={text}");
    let html = server
        .send(&Request::get("/admin/").header("Cookie", &cookies))
        .text();
    assert!(!html.contains("<script>alert"), "{html}");
    for back in ["x%0D%0ASet-Cookie:%20a=b", "%00", "%C3%A4%F0%9F%9A%97", "a%0Ab"] {
        let path = format!("/admin/users/{id}/?back={back}");
        let answer = panel.submit(&path, &with(&panel.user_form(id), &[("phone", "1")]));
        assert_eq!(answer.status, 303, "{back}: {}", answer.text());
        assert!(
            answer.header("Location").unwrap().starts_with("/admin/users/"),
            "{back}"
        );
        assert_eq!(cookie(&answer, "a"), None);
    }
}

#[test]
fn errors_are_shown_as_pages() {
    let server = start();
    let panel = Panel::of_root(&server);
    for path in [
        "/admin/nonsense/",
        "/admin/users/999999/",
        "/admin/users/x/",
        "/admin/users/999999/delete/",
        "/admin/users/999999/history/",
        "/admin/cars/99999999999999999999999/",
        "/admin/cars/0/history/",
    ] {
        let answer = panel.browser.get(path);
        assert_eq!(answer.status, 404, "{path}");
        assert!(
            answer.text().contains("To the panel"),
            "{path}: {}",
            answer.text()
        );
    }
    for (method, path) in [
        ("GET", "/admin/users/bulk/"),
        ("POST", "/admin/users/"),
        ("DELETE", "/admin/users/1/"),
    ] {
        let token = panel.browser.token.clone();
        let request = Request::new(method, path).header("X-CSRFToken", &token);
        assert_eq!(panel.browser.send(request).status, 405, "{method} {path}");
    }
    for (path, said) in [
        ("/admin/cars/?year_min=x", "Enter a number."),
        ("/admin/history/?at_min=x", "Enter a valid date/time."),
        ("/admin/users/?role=boss", "Select a valid choice."),
        ("/admin/tokens/?state=x", "Select a valid choice"),
    ] {
        let answer = panel.browser.get(path);
        assert_eq!(answer.status, 400, "{path}");
        assert!(answer.text().contains(said), "{path}: {}", answer.text());
        let (list, query) = path.split_once('?').unwrap();
        let bulk = format!("{list}bulk/?{query}");
        let answer = panel.submit(&bulk, &[("action", "delete"), ("all", "1")]);
        assert_eq!(answer.status, 400, "{bulk}: {}", answer.text());
    }
    let beyond = panel.browser.get("/admin/users/?offset=1000&search=root");
    assert_eq!(
        beyond.header("Location").as_deref(),
        Some("/admin/users/?search=root")
    );
    let head = panel.browser.send(Request::new("HEAD", "/admin/users/"));
    assert_eq!((head.status, head.body.len()), (200, 0));
}
