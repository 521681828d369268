//! Races in the admin panel. Its other tests are those of the crate `http`.

use std::collections::BTreeMap;

use serde_json::json;

use crate::support::{
    Installation, Request, Server,
    accounts::{add_car, new_car, new_client},
    at_once, on_both_databases,
    panel::{Panel, as_fields, seen},
};

on_both_databases!(concurrent_delete_and_change_do_not_both_succeed,);

fn start(installation: &Installation) -> Server {
    installation.create_superuser("root");
    installation.start()
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
