//! The admin panel where it matters which database there is: races, and what a deletion takes along. The other tests
//! are those of the crate `http`.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::{
    Installation, Request, Server,
    accounts::{add_car, add_picture, new_car, new_client, plates},
    at_once,
    browser::Browser,
    on_both_databases,
    panel::{Panel, as_fields, counted, seen, tally},
};

on_both_databases!(
    delete_removes_objects_counted_on_page,
    concurrent_delete_and_change_do_not_both_succeed,
);

fn start(installation: &Installation) -> Server {
    installation.create_superuser("root");
    installation.start()
}

/// Creates a user with this number of cars, some of them with pictures, and a session.
fn user_with_cars<'s>(
    server: &'s Server,
    name: &str,
    cars: usize,
    pictures: usize,
) -> (i64, Vec<String>, Browser<'s>) {
    let (tokens, id) = new_client(server, name);
    let mut paths = Vec::new();
    for number in 0..cars {
        let car = add_car(server, &tokens.access, &format!("{name} {number}"));
        if number < pictures {
            paths.push(add_picture(server, &tokens.access, car));
        }
    }
    (id, paths, Browser::of(server, name))
}

fn delete_removes_objects_counted_on_page(installation: &Installation) {
    let server = start(installation);
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

/// Of a concurrent change and deletion, one succeeds.
fn concurrent_delete_and_change_do_not_both_succeed(installation: &Installation) {
    let server = start(installation);
    let panel = Panel::of_root(&server);
    let mut outcomes: BTreeMap<[u16; 2], usize> = BTreeMap::new();
    for round in 0..20 {
        let (ann, id) = new_client(&server, &format!("ann{round}"));
        let car = add_car(&server, &ann.access, &format!("B-AB {round}"));
        let of_car = format!("/admin/cars/{car}/delete/");
        let of_user = format!("/admin/users/{id}/delete/");
        let change_car = Request::new("PATCH", &format!("/api/cars/{car}/")).json(&json!({"mileage": 5}));
        let change_user = Request::new("PATCH", "/api/me/").json(&json!({"phone": "555-1"}));
        for (path, names, change) in [
            (&of_car, &["version"][..], change_car),
            (&of_user, &["version", "cars"], change_user),
            (
                &of_user,
                &["version", "cars"],
                new_car(&ann.access, &format!("B-CD {round}")),
            ),
        ] {
            let page = panel.browser.get(path);
            if page.status != 200 {
                continue;
            }
            let (fields, change) = (seen(&page.text(), names), change.bearer(&ann.access));
            let statuses = at_once(2, |number| match number {
                0 => panel.submit(path, &as_fields(&fields)).status,
                _ => server.send(&change).status,
            });
            let statuses = [statuses[0], statuses[1]];
            *outcomes.entry(statuses).or_default() += 1;
            assert!(
                matches!(statuses, [303, 401 | 404] | [409, 200 | 201]),
                "{path}: {statuses:?}"
            );
        }
    }
    assert!(outcomes.values().sum::<usize>() >= 40, "{outcomes:?}");
}
