//! Actions on many rows, and exports.

use mycars_testkit::http::{
    Request,
    accounts::{PASSWORD, add_car, log_in, login, new_admin, new_client, plates, register},
    panel::{Panel, confirmed, counted, hidden, message, tally},
};
use serde_json::json;

use crate::support::start;

#[test]
fn bulk_action_on_all_pages_streams_progress() {
    let server = start();
    let panel = Panel::of_root(&server);
    let (ann, _) = new_client(&server, "ann");
    for number in 0..150 {
        add_car(&server, &ann.access, &format!("B-MANY {number}"));
    }
    let kept = ["K-EPT 1", "K-EPT 2"];
    for plate in kept {
        add_car(&server, &ann.access, plate);
    }
    let list = panel.page("/admin/cars/?search=many");
    assert!(
        list.contains("All 150 that match, on every page") && list.contains("1–50 of 150"),
        "{list}"
    );

    let path = "/admin/cars/bulk/?search=many";
    let asked = panel.submit(path, &[("action", "delete"), ("all", "1")]).text();
    assert_eq!(tally(&asked), counted(&[("Cars", 150), ("Pictures", 0)]));
    assert!(asked.contains("and 130 more"), "{asked}");
    let digest = hidden(&asked, "digest");
    let answer = panel.submit(path, &confirmed("delete", ("all", "1"), &digest));
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("Content-Length"),
        None,
        "it is sent during the action"
    );
    let html = answer.text();
    for step in [
        "> 50 of 150<",
        "> 100 of 150<",
        "> 150 of 150<",
        "150 cars deleted.",
        "href=\"/admin/cars/?search=many\"",
    ] {
        assert!(html.contains(step), "{step}: {html}");
    }
    assert!(html.trim_end().ends_with("</html>"), "{html}");
    let mut left = plates(&server, &ann.access);
    left.sort();
    assert_eq!(left, kept);
    let deleted = panel.history("action=deleted&limit=1000");
    assert_eq!(deleted["count"], 150);
    let id = json!(answer.header("X-Request-Id"));
    for entry in deleted["results"].as_array().unwrap() {
        assert_eq!((&entry["request_id"], &entry["channel"]), (&id, &json!("panel")));
    }
}

#[test]
fn bulk_action_skips_refused_rows() {
    let server = start();
    for number in 0..60 {
        register(&server, &format!("user{number}"));
    }
    new_admin(&server, "ann");
    let panel = Panel::of(&server, "ann", PASSWORD);
    let answer = panel.bulk("/admin/users/bulk/", "deactivate", ("all", "1"));
    let html = answer.text();
    assert_eq!(answer.status, 200, "{html}");
    assert!(
        html.contains("> 62 of 62<") && html.contains("60 users deactivated."),
        "{html}"
    );
    assert_eq!(
        html.matches("1 refused: ").count(),
        2,
        "the admin and the superuser: {html}"
    );
    assert_eq!(server.send(&login("user7", PASSWORD)).status, 401);
    let changed = panel.history("action=changed&search=user&limit=1000");
    assert_eq!(changed["count"], 60);
    let answer = panel.bulk(
        "/admin/users/bulk/?is_active=false&search=user1",
        "activate",
        ("all", "1"),
    );
    assert!(
        message(&answer).contains("11 users activated"),
        "{}",
        message(&answer)
    );
    log_in(&server, "user17", PASSWORD);
    assert_eq!(server.send(&login("user7", PASSWORD)).status, 401);
}

#[test]
fn bulk_end_of_all_logins_ends_own_last() {
    let server = start();
    for number in 0..60 {
        register(&server, &format!("user{number}"));
    }
    let panel = Panel::of_root(&server);
    // The first user of the list is root: the others would stay logged in if its login ended first.
    let html = panel
        .bulk("/admin/users/bulk/", "end_logins", ("all", "1"))
        .text();
    assert!(html.contains("61 users logged out everywhere."), "{html}");
    assert_eq!(
        panel.browser.get("/admin/").status,
        303,
        "root's own login as well"
    );
    let root = Panel::of_root(&server);
    assert_eq!(root.history("action=revoked&object_type=user")["count"], 61);
}

#[test]
fn bulk_action_on_changed_selection_asks_again() {
    let server = start();
    let panel = Panel::of_root(&server);
    let (ann, _) = new_client(&server, "ann");
    for plate in ["B-AB 1", "B-AB 2"] {
        add_car(&server, &ann.access, plate);
    }
    let path = "/admin/cars/bulk/?search=ann";
    let all = ("all", "1");
    let asked = panel.submit(path, &[("action", "delete"), all]).text();
    let digest = hidden(&asked, "digest");
    add_car(&server, &ann.access, "B-AB 3");
    let again = panel.submit(path, &confirmed("delete", all, &digest));
    assert_eq!(again.status, 200);
    let html = again.text();
    assert!(
        html.contains("has changed meanwhile. It holds 3 cars now."),
        "{html}"
    );
    assert_eq!(plates(&server, &ann.access).len(), 3, "nothing was done yet");
    for made_up in ["", "x"] {
        let answer = panel.submit(path, &confirmed("delete", all, made_up));
        assert!(
            answer.text().contains("has changed meanwhile"),
            "{}",
            answer.text()
        );
    }
    let answer = panel.submit(path, &confirmed("delete", all, &hidden(&html, "digest")));
    assert!(
        message(&answer).contains("3 cars deleted"),
        "{}",
        message(&answer)
    );
    assert!(plates(&server, &ann.access).is_empty());
}

#[test]
fn export_has_every_row_and_escapes_formulas() {
    let server = start();
    let panel = Panel::of_root(&server);
    let (ann, _) = new_client(&server, "ann");
    let notes = ["=1+1", "+49 30", "-1", "@SUM(A1)", "\"quoted\", and\nmore"];
    for number in 0..60 {
        let car = json!({
            "brand": "Toyota", "model": "Camry", "year": 2023, "license": format!("B-AB {number}"),
            "notes": notes[number % notes.len()],
        });
        server
            .send(&Request::post("/api/cars/", &car).bearer(&ann.access))
            .json(201);
    }
    let export = |resource: &str, format: &str| {
        let path = format!("/admin/{resource}/bulk/");
        let answer = panel.submit(&path, &[("action", format), ("all", "1")]);
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer
    };
    let csv = export("cars", "export_csv");
    assert_eq!(
        csv.header("Content-Type").as_deref(),
        Some("text/csv; charset=utf-8")
    );
    assert_eq!(
        csv.header("Content-Disposition").as_deref(),
        Some("attachment; filename=\"cars.csv\"")
    );
    let csv = csv.text();
    // The byte order mark tells spreadsheets that the file is UTF-8.
    assert!(csv.starts_with("\u{feff}id,brand,model,year,"), "{csv}");
    assert_eq!(csv.matches(",Toyota,Camry,").count(), 60);
    for cell in [
        ",'=1+1,",
        ",'+49 30,",
        ",'-1,",
        ",'@SUM(A1),",
        ",\"\"\"quoted\"\", and\nmore\",",
    ] {
        assert_eq!(csv.matches(cell).count(), 12, "{cell}: {csv}");
    }
    let list = export("cars", "export_json");
    assert_eq!(
        list.header("Content-Disposition").as_deref(),
        Some("attachment; filename=\"cars.json\"")
    );
    let list = list.json(200);
    assert_eq!(list.as_array().unwrap().len(), 60);
    assert_eq!(
        list[59]["notes"], "=1+1",
        "JSON is exact, and in the list's order"
    );
    assert_eq!(list[0]["owner_username"], "ann");

    let users = export("users", "export_json").json(200);
    assert_eq!(users.as_array().unwrap().len(), 2);
    let tokens = export("tokens", "export_json").json(200);
    assert_eq!(tokens[0]["username"], "ann");
    let entries = panel.entries().as_u64().unwrap();
    let history = export("history", "export_json").json(200);
    assert_eq!(history.as_array().unwrap().len() as u64, entries);
    assert!(export("history", "export_csv").text().lines().count() as u64 > entries);
    for secret in ["bcrypt", PASSWORD, &ann.refresh] {
        assert!(!users.to_string().contains(secret) && !tokens.to_string().contains(secret));
    }
    let (first, second) = (list[0]["id"].to_string(), list[1]["id"].to_string());
    let both = format!("{second},{first}");
    let some = [
        ("action", "export_json"),
        ("selected", &*first),
        ("selected", &both),
    ];
    let some = panel.submit("/admin/cars/bulk/", &some).json(200);
    assert_eq!(some.as_array().unwrap().len(), 2);
    assert_eq!(panel.entries(), entries, "reading changes nothing");
}

#[test]
fn empty_export_is_header_line_or_empty_array() {
    let server = start();
    let panel = Panel::of_root(&server);
    let (ann, _) = new_client(&server, "ann");
    let car = json!({"brand": "Toyota", "model": "Camry", "year": 2023, "license": "B-AB 1"});
    server
        .send(&Request::post("/api/cars/", &car).bearer(&ann.access))
        .json(201);
    let export = |resource: &str, query: &str, format: &str| {
        let path = format!("/admin/{resource}/bulk/{query}");
        let answer = panel.submit(&path, &[("action", format), ("all", "1")]);
        assert_eq!(answer.status, 200, "{resource}: {}", answer.text());
        answer
    };
    for (resource, name) in [
        ("cars", "cars"),
        ("users", "users"),
        ("tokens", "refresh-tokens"),
        ("history", "entries"),
    ] {
        let empty = export(resource, "?search=nothing-is-called-so", "export_csv");
        assert_eq!(
            empty.header("Content-Disposition").as_deref(),
            Some(format!("attachment; filename=\"{name}.csv\"").as_str())
        );
        let all = export(resource, "", "export_csv").text();
        assert_eq!(empty.text().lines().count(), 1, "{resource}");
        assert_eq!(empty.text().lines().next(), all.lines().next(), "{resource}");

        let empty = export(resource, "?search=nothing-is-called-so", "export_json");
        assert_eq!(
            empty.header("Content-Disposition").as_deref(),
            Some(format!("attachment; filename=\"{name}.json\"").as_str())
        );
        assert_eq!(empty.json(200), json!([]));
    }
    // An export without a selection is refused.
    let forgotten = panel.submit("/admin/cars/bulk/", &[("action", "export_csv")]);
    assert_eq!(forgotten.status, 303);
}
