//! Concurrent requests of many clients.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{
    Answer, Installation, Request,
    accounts::{PASSWORD, join, log_in, me, new_car, plates, registration},
    at_once,
    installation::SUPERUSER_PASSWORD,
    on_both_databases,
};

on_both_databases!(
    fifty_concurrent_creates_get_one_plate_once,
    fifty_concurrent_creates_get_fifty_plates,
    twenty_concurrent_registrations_get_one_username_once,
    rotated_refresh_token_is_used_once,
    last_superuser_stays_after_concurrent_changes,
    concurrent_deletes_of_account_succeed_once,
);

/// Returns the number of responses by status.
fn statuses(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status).or_default() += 1;
    }
    counts
}

/// Returns the bodies of the refusals.
fn refusals(answers: &[Answer]) -> Vec<Value> {
    let refused = answers.iter().filter(|answer| answer.status == 400);
    refused.map(|answer| answer.json(400)).collect()
}

fn fifty_concurrent_creates_get_one_plate_once(installation: &Installation) {
    let server = installation.start();
    let access = join(&server, "ann").access;
    let answers = at_once(50, |_| server.send(&new_car(&access, "B-AB 12")));
    assert_eq!(statuses(&answers), [(201, 1), (400, 49)].into());
    let taken = json!({"license": ["car with this license already exists."]});
    assert!(refusals(&answers).iter().all(|refusal| *refusal == taken));
    assert_eq!(plates(&server, &access), ["B-AB 12"]);
}

fn fifty_concurrent_creates_get_fifty_plates(installation: &Installation) {
    let server = installation.start();
    let access = join(&server, "ann").access;
    let answers = at_once(50, |number| {
        server.send(&new_car(&access, &format!("B-AB {number}")))
    });
    assert_eq!(statuses(&answers), [(201, 50)].into());
    assert_eq!(plates(&server, &access).len(), 50);
}

fn twenty_concurrent_registrations_get_one_username_once(installation: &Installation) {
    let server = installation.start();
    let answers = at_once(20, |number| {
        server.send(&registration("ann", &format!("ann{number}@example.com")))
    });
    assert_eq!(statuses(&answers), [(201, 1), (400, 19)].into());
    let taken = json!({"username": ["A user with that username already exists."]});
    assert!(refusals(&answers).iter().all(|refusal| *refusal == taken));
}

fn rotated_refresh_token_is_used_once(installation: &Installation) {
    let server = installation.start_with("MYCARS__TOKENS__ROTATE_REFRESH", "true");
    let used = join(&server, "ann").refresh;
    // Two threads rarely meet at the right moment, so they are given several.
    for _ in 0..10 {
        let token = log_in(&server, "ann", PASSWORD).refresh;
        let refresh = Request::post("/api/token/refresh/", &json!({"refresh": token}));
        let answers = at_once(2, |_| server.send(&refresh));
        assert_eq!(statuses(&answers), [(200, 1), (401, 1)].into());
        let won = answers
            .iter()
            .find(|answer| answer.status == 200)
            .unwrap()
            .json(200);
        assert_ne!(won["refresh"], json!(token));
        let lost = answers
            .iter()
            .find(|answer| answer.status == 401)
            .unwrap()
            .json(401);
        assert_eq!(lost["detail"], "Token is blacklisted");
    }
    // The messages for other logins do not appear here.
    let refresh = Request::post("/api/token/refresh/", &json!({"refresh": used}));
    server.send(&refresh).json(200);
}

/// Each of two superusers is deleted or deactivated, by themselves or by the other.
fn last_superuser_stays_after_concurrent_changes(installation: &Installation) {
    type Attack = fn(own: i64, other: i64) -> Request;
    let leave: Attack = |_, _| Request::new("DELETE", "/api/delete-account/");
    let delete: Attack = |_, other| Request::new("DELETE", &format!("/api/admin/users/{other}/"));
    let deactivate: Attack = |_, other| {
        Request::new("PATCH", &format!("/api/admin/users/{other}/")).json(&json!({"is_active": false}))
    };
    let stay: Attack = |_, _| Request::get("/api/me/");
    installation.create_superuser("root");
    let server = installation.start();
    let mut survivor = "root".to_owned();
    let pairs = [
        [leave, leave],
        [leave, delete],
        [leave, deactivate],
        [delete, delete],
        [deactivate, deactivate],
        [delete, deactivate],
        [leave, stay],
        [stay, leave],
    ];
    for (round, attacks) in pairs.into_iter().cycle().take(3 * pairs.len()).enumerate() {
        let name = format!("root{round}");
        installation.create_superuser(&name);
        let names = [survivor.clone(), name];
        let users = names.clone().map(|name| {
            let access = log_in(&server, &name, SUPERUSER_PASSWORD).access;
            let id = me(&server, &access).json(200)["id"].as_i64().unwrap();
            (access, id)
        });
        let answers = at_once(2, |number| {
            let ((access, own), (_, other)) = (&users[number], &users[1 - number]);
            server.send(&attacks[number](*own, *other).bearer(access))
        });
        let statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
        assert!(
            statuses
                .iter()
                .all(|status| matches!(status, 200 | 204 | 401 | 403 | 404)),
            "round {round}: {statuses:?}"
        );
        let active: Vec<&String> = names
            .iter()
            .zip(&users)
            .filter(|(_, (access, _))| me(&server, access).status == 200)
            .map(|(name, _)| name)
            .collect();
        assert_eq!(active.len(), 1, "round {round}: {statuses:?}");
        survivor.clone_from(active[0]);
    }
}

fn concurrent_deletes_of_account_succeed_once(installation: &Installation) {
    let server = installation.start();
    for round in 0..10 {
        let access = join(&server, &format!("ann{round}")).access;
        server.send(&new_car(&access, &format!("B-AB {round}"))).json(201);
        let delete = Request::new("DELETE", "/api/delete-account/").bearer(&access);
        let answers = at_once(4, |_| server.send(&delete));
        let counts = statuses(&answers);
        assert_eq!(counts.get(&204), Some(&1), "{counts:?}");
        assert!(
            counts.keys().all(|status| matches!(status, 204 | 401 | 404)),
            "{counts:?}"
        );
    }
}
