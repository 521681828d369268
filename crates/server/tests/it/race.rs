//! What many clients do at the same moment.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::support::{
    Answer, Installation, Request,
    accounts::{PASSWORD, join, log_in, new_car, plates, registration},
    at_once, on_both_databases,
};

on_both_databases!(
    fifty_at_once_get_one_plate_once,
    fifty_at_once_get_fifty_plates,
    twenty_at_once_get_one_username_once,
    a_refresh_token_that_is_replaced_is_used_once,
);

/// How many answers have which status.
fn statuses(answers: &[Answer]) -> BTreeMap<u16, usize> {
    let mut counts = BTreeMap::new();
    for answer in answers {
        *counts.entry(answer.status).or_default() += 1;
    }
    counts
}

/// The bodies of the answers that refuse.
fn refusals(answers: &[Answer]) -> Vec<Value> {
    let refused = answers.iter().filter(|answer| answer.status == 400);
    refused.map(|answer| answer.json(400)).collect()
}

fn fifty_at_once_get_one_plate_once(installation: &Installation) {
    let server = installation.start();
    let access = join(&server, "ann").access;
    let answers = at_once(50, |_| server.send(&new_car(&access, "B-AB 12")));
    assert_eq!(statuses(&answers), [(201, 1), (400, 49)].into());
    let taken = json!({"license": ["car with this license already exists."]});
    assert!(refusals(&answers).iter().all(|refusal| *refusal == taken));
    assert_eq!(plates(&server, &access), ["B-AB 12"]);
}

fn fifty_at_once_get_fifty_plates(installation: &Installation) {
    let server = installation.start();
    let access = join(&server, "ann").access;
    let answers = at_once(50, |number| {
        server.send(&new_car(&access, &format!("B-AB {number}")))
    });
    assert_eq!(statuses(&answers), [(201, 50)].into());
    assert_eq!(plates(&server, &access).len(), 50);
}

fn twenty_at_once_get_one_username_once(installation: &Installation) {
    let server = installation.start();
    let answers = at_once(20, |number| {
        server.send(&registration("ann", &format!("ann{number}@example.com")))
    });
    assert_eq!(statuses(&answers), [(201, 1), (400, 19)].into());
    let taken = json!({"username": ["A user with that username already exists."]});
    assert!(refusals(&answers).iter().all(|refusal| *refusal == taken));
}

fn a_refresh_token_that_is_replaced_is_used_once(installation: &Installation) {
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
    // Those of other logins are none of its business.
    let refresh = Request::post("/api/token/refresh/", &json!({"refresh": used}));
    server.send(&refresh).json(200);
}
