//! Confirmation pages of deletions.

use mycars_testkit::http::{
    Request,
    accounts::{PASSWORD, add_car, add_picture, log_in, me, new_admin, new_car, new_client, plates},
    browser::Browser,
    panel::{Panel, as_fields, confirmed, counted, hidden, message, seen, tally},
};
use serde_json::{Value, json};

use super::user_with_cars;
use crate::support::start;

#[test]
fn delete_with_old_version_returns_conflict() {
    let server = start();
    let (ann, ann_id) = new_client(&server, "ann");
    let car = add_car(&server, &ann.access, "B-AB 1");
    let panel = Panel::of_root(&server);

    let path = format!("/admin/cars/{car}/delete/");
    let before = seen(&panel.page(&path), &["version"]);
    let change = Request::new("PATCH", &format!("/api/cars/{car}/")).json(&json!({"license": "B-AB 2"}));
    server.send(&change.bearer(&ann.access)).json(200);
    let entries = panel.entries();
    let refused = panel.submit(&path, &as_fields(&before));
    assert_eq!(refused.status, 409);
    let html = refused.text();
    assert!(
        html.contains("It was changed meanwhile, and nothing was deleted.")
            && html.contains("Delete the car Toyota Camry (B-AB 2)?")
            && html.contains("<bdi>ann</bdi></a> changed car")
            && html.contains("<bdi>B-AB 1</bdi>"),
        "{html}"
    );
    assert_eq!(panel.entries(), entries);
    add_picture(&server, &ann.access, car);
    assert_eq!(
        panel.submit(&path, &as_fields(&seen(&html, &["version"]))).status,
        409
    );
    let nonsense = panel.submit(&path, &[("version", "nonsense")]);
    assert_eq!(nonsense.status, 409);
    panel.save(&path, &as_fields(&seen(&nonsense.text(), &["version"])));

    let path = format!("/admin/users/{ann_id}/delete/");
    let names = ["version", "cars"];
    let change_me = |body: Value| Request::new("PATCH", "/api/me/").json(&body).bearer(&ann.access);
    let own = |method: &str, id: i64| Request::new(method, &format!("/api/cars/{id}/")).bearer(&ann.access);
    let [edited, swapped] = ["B-AB 3", "B-AB 4"].map(|plate| add_car(&server, &ann.access, plate));
    let mut page = panel.page(&path);
    for changes in [
        vec![change_me(json!({"phone": "555-1"}))],
        vec![new_car(&ann.access, "B-AB 5")],
        vec![own("PATCH", edited).json(&json!({"mileage": 7}))],
        vec![own("DELETE", swapped), new_car(&ann.access, "B-AB 4")],
        vec![change_me(json!({"phone": null}))],
    ] {
        let before = seen(&page, &names);
        for change in changes {
            assert!(matches!(server.send(&change).status, 200 | 201 | 204));
        }
        let refused = panel.submit(&path, &as_fields(&before));
        assert_eq!(refused.status, 409);
        page = refused.text();
        assert!(page.contains("<bdi>ann</bdi></a>"), "{page}");
    }
    assert_eq!(plates(&server, &ann.access).len(), 3);
    let malformed = panel.submit(&path, &[("version", &hidden(&page, "version")), ("cars", "3")]);
    assert_eq!(malformed.status, 409);
    // A login does not change the version.
    log_in(&server, "ann", PASSWORD);
    panel.save(&path, &as_fields(&seen(&page, &names)));
    assert_eq!(me(&server, &ann.access).status, 401);
    let gone = panel.submit(&path, &as_fields(&seen(&page, &names)));
    assert_eq!(gone.status, 404);
}

#[test]
fn bulk_delete_with_old_versions_asks_again() {
    let server = start();
    let panel = Panel::of_root(&server);
    let (ann, ann_id) = new_client(&server, "ann");
    let (_, bob_id) = new_client(&server, "bob");
    let cars = ["B-AB 1", "B-AB 2"].map(|plate| add_car(&server, &ann.access, plate).to_string());
    let kept = add_car(&server, &ann.access, "B-AB 0");
    let patch = |path: &str, body: Value| Request::new("PATCH", path).json(&body).bearer(&ann.access);
    for (list, chosen, changes) in [
        (
            "/admin/cars/bulk/",
            cars.join(","),
            vec![vec![patch(
                &format!("/api/cars/{}/", cars[1]),
                json!({"mileage": 7}),
            )]],
        ),
        (
            "/admin/users/bulk/",
            format!("{ann_id},{bob_id}"),
            vec![
                vec![patch("/api/me/", json!({"phone": "555-1"}))],
                vec![new_car(&ann.access, "B-AB 3")],
                vec![patch(&format!("/api/cars/{kept}/"), json!({"mileage": 7}))],
                vec![
                    Request::new("DELETE", &format!("/api/cars/{kept}/")).bearer(&ann.access),
                    new_car(&ann.access, "B-AB 4"),
                ],
            ],
        ),
    ] {
        let chosen = ("selected", chosen.as_str());
        let mut page = panel.submit(list, &[("action", "delete"), chosen]).text();
        for changes in changes {
            for change in changes {
                assert!(matches!(server.send(&change).status, 200 | 201 | 204));
            }
            let entries = panel.entries();
            let again = panel.submit(list, &confirmed("delete", chosen, &hidden(&page, "digest")));
            page = again.text();
            assert!(page.contains("the selection has changed meanwhile."), "{page}");
            assert_eq!(panel.entries(), entries);
        }
        // A login does not change the digest.
        log_in(&server, "ann", PASSWORD);
        let answer = panel.submit(list, &confirmed("delete", chosen, &hidden(&page, "digest")));
        assert!(message(&answer).contains("deleted."), "{}", message(&answer));
    }
    assert_eq!(me(&server, &ann.access).status, 401);
}

#[test]
fn delete_removes_objects_counted_on_page() {
    let server = start();
    let panel = Panel::of_root(&server);
    let (id, pictures, browser) = user_with_cars(&server, "ann", 3, 2);
    Browser::of(&server, "ann");
    let path = format!("/admin/users/{id}/delete/");
    let page = panel.page(&path);
    let counts = [
        ("Users", 1),
        ("Cars", 3),
        ("Pictures", 2),
        ("Logins of browsers", 2),
    ];
    assert_eq!(tally(&page), counted(&counts));
    for number in 0..3 {
        assert!(page.contains(&format!("Toyota Camry (ann {number})")), "{page}");
    }
    assert_eq!(panel.user(id)["username"], "ann", "asking deletes nothing");

    assert_eq!(panel.save(&path, &[]), "/admin/users/");
    let deleted = panel.history("action=deleted");
    assert_eq!(deleted["count"], 4);
    for entry in deleted["results"].as_array().unwrap() {
        assert_eq!(
            (&entry["channel"], &entry["actor_name"]),
            (&json!("panel"), &json!("root"))
        );
    }
    for picture in &pictures {
        assert_eq!(server.send(&Request::get(picture)).status, 404);
    }
    assert_eq!(browser.get("/api/me/").status, 401);
    let history = panel.page(&format!("/admin/users/{id}/history/"));
    assert!(history.contains("History of ann (deleted)"), "{history}");

    let (tokens, _) = new_client(&server, "bob");
    let car = add_car(&server, &tokens.access, "B-AB 1");
    let picture = add_picture(&server, &tokens.access, car);
    let path = format!("/admin/cars/{car}/delete/");
    assert_eq!(
        tally(&panel.page(&path)),
        counted(&[("Cars", 1), ("Pictures", 1)])
    );
    assert_eq!(panel.save(&path, &[]), "/admin/cars/");
    assert!(plates(&server, &tokens.access).is_empty());
    assert_eq!(server.send(&Request::get(&picture)).status, 404);
    assert_eq!(
        panel.browser.get(&path).status,
        404,
        "a second delete is not found"
    );
}

#[test]
fn bulk_delete_removes_objects_counted_on_page() {
    let server = start();
    let panel = Panel::of_root(&server);
    let (ann, of_ann, _) = user_with_cars(&server, "ann", 3, 1);
    let (bob, of_bob, _) = user_with_cars(&server, "bob", 2, 2);
    let (eve, of_eve, browser) = user_with_cars(&server, "eve", 1, 1);
    let chosen = format!("{ann},{bob}");
    let asked = panel.submit(
        "/admin/users/bulk/",
        &[("action", "delete"), ("selected", &chosen)],
    );
    let counts = [
        ("Users", 2),
        ("Cars", 5),
        ("Pictures", 3),
        ("Logins of browsers", 2),
    ];
    assert_eq!(tally(&asked.text()), counted(&counts));
    assert_eq!(
        panel.history("action=deleted")["count"],
        0,
        "asking deletes nothing"
    );
    let answer = panel.bulk("/admin/users/bulk/", "delete", ("selected", &chosen));
    assert_eq!(answer.status, 303);
    assert!(
        message(&answer).contains("2 users deleted"),
        "{}",
        message(&answer)
    );
    assert_eq!(panel.history("action=deleted&object_type=user")["count"], 2);
    assert_eq!(panel.history("action=deleted&object_type=car")["count"], 5);
    for picture in of_ann.iter().chain(&of_bob) {
        assert_eq!(server.send(&Request::get(picture)).status, 404);
    }
    assert_eq!(server.send(&Request::get(&of_eve[0])).status, 200);
    assert_eq!(browser.get("/api/me/").json(200)["id"], eve);

    let cars = panel.submit(
        "/admin/cars/bulk/?search=eve",
        &[("action", "delete"), ("all", "1")],
    );
    assert_eq!(tally(&cars.text()), counted(&[("Cars", 1), ("Pictures", 1)]));
    let nothing = panel.submit("/admin/cars/bulk/", &[("action", "delete")]);
    assert!(
        message(&nothing).contains("Nothing was done"),
        "{}",
        message(&nothing)
    );
    let nothing = panel.submit("/admin/cars/bulk/", &[("action", "burn"), ("all", "1")]);
    assert!(
        message(&nothing).contains("Nothing was done"),
        "{}",
        message(&nothing)
    );
    assert_eq!(panel.history("action=deleted")["count"], 7);
}

#[test]
fn bulk_delete_does_not_count_undeletable_users() {
    let server = start();
    let ann = new_admin(&server, "ann");
    let access = log_in(&server, "ann", PASSWORD).access;
    add_car(&server, &access, "B-AB 1");
    let (bob, _, _) = user_with_cars(&server, "bob", 2, 0);
    let panel = Panel::of(&server, "ann", PASSWORD);
    let counts = |chosen: (&str, &str)| {
        let page = panel.submit("/admin/users/bulk/", &[("action", "delete"), chosen]);
        tally(&page.text())
    };
    let expected = [
        ("Users", 1),
        ("Cars", 2),
        ("Pictures", 0),
        ("Logins of browsers", 1),
        ("Users who are kept", 2),
    ];
    assert_eq!(
        counts(("all", "1")),
        counted(&expected),
        "the admin and the superuser stay"
    );
    let expected = [
        ("Users", 1),
        ("Cars", 2),
        ("Pictures", 0),
        ("Logins of browsers", 1),
        ("Users who are kept", 1),
    ];
    assert_eq!(
        counts(("selected", &format!("{bob},999999"))),
        counted(&expected),
        "and a missing user"
    );
    let answer = panel.bulk("/admin/users/bulk/", "delete", ("all", "1"));
    assert!(
        message(&answer).contains("1 user deleted"),
        "{}",
        message(&answer)
    );
    assert_eq!(panel.history("action=deleted")["count"], 3);
    assert_eq!(panel.user(ann)["cars"][0]["license"], "B-AB 1");
}
