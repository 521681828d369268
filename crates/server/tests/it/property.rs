//! Generated requests to every route never cause a server error, and every response is a documented one.

mod bodies;
mod judge;
mod panel;
mod requests;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use crate::support::{
    Installation, Request, Server,
    accounts::{join, log_in, me, new_car},
    at_once,
    browser::Browser,
    http::TINY_JPEG,
    installation::SUPERUSER_PASSWORD,
    on_both_databases,
    random::{Random, how_to_repeat, seed},
    raw::KeepAlive,
};
use requests::Scene;

on_both_databases!(
    generated_requests_cause_no_server_error,
    generated_panel_requests_cause_no_server_error,
    search_for_many_words_is_answered,
);

const THREADS: usize = 2;

/// Number of requests per thread, and the number after which it uses new users and cars: requests delete them
/// sooner or later.
const REQUESTS: usize = 1500;
const SCENE: usize = 50;

/// The statuses that a run must reach.
const REACHED: [u16; 10] = [200, 201, 204, 400, 401, 403, 404, 405, 406, 415];

fn generated_requests_cause_no_server_error(installation: &Installation) {
    installation.create_superuser("root");
    let server = installation.start();
    let seed = seed();
    let ran = at_once(THREADS, |thread| throw(&server, seed, thread));
    let faults: Vec<_> = ran
        .iter()
        .flat_map(|(_, faults)| faults)
        .take(10)
        .cloned()
        .collect();
    let (faults, errors) = (faults.join("\n\n"), errors(&server));
    assert!(
        faults.is_empty() && errors.is_empty(),
        "{faults}\n{errors}\n{}",
        how_to_repeat(seed)
    );
    assert_eq!(server.stop().code, Some(0));
    report(ran.into_iter().map(|(statuses, _)| statuses), seed);
}

/// Number of requests to the panel.
const REQUESTS_TO_THE_PANEL: usize = 1000;

fn generated_panel_requests_cause_no_server_error(installation: &Installation) {
    installation.create_superuser("root");
    let server = installation.start();
    let seed = seed();
    let mut random = Random::new(seed, 0);
    let mut statuses: BTreeMap<u16, usize> = BTreeMap::new();
    let mut faults = Vec::new();
    for number in 0..REQUESTS_TO_THE_PANEL / SCENE {
        let made = scene(&server, 0, number);
        let scene = panel::Scene {
            screens: mycars_http::screens(),
            user: made.user,
            car: made.car,
            username: made.username,
        };
        let admin = self::scene(&server, 1, number);
        let path = format!("/api/admin/users/{}/", admin.user);
        let promote = Request::new("PATCH", &path).json(&serde_json::json!({"role": "admin"}));
        server.send(&promote.bearer(&admin.tokens[0])).json(200);
        let browser = Browser::of(&server, &admin.username);
        for _ in 0..SCENE {
            let request = panel::request(&mut random, &scene).header("X-CSRFToken", &browser.token);
            let answer = browser.send(request.clone());
            let found = panel::faults(&answer);
            if !found.is_empty() {
                let body = request.body.escape_ascii().to_string();
                faults.push(format!(
                    "{}\n  {} {} {body}",
                    found.join("; "),
                    request.method,
                    request.path
                ));
            }
            *statuses.entry(answer.status).or_default() += 1;
        }
    }
    let errors = errors(&server);
    assert!(
        faults.is_empty() && errors.is_empty(),
        "{}\n{errors}\n{}",
        faults[..faults.len().min(10)].join("\n\n"),
        how_to_repeat(seed)
    );
    let missing: Vec<u16> = [200, 303, 400, 404, 409]
        .into_iter()
        .filter(|status| !statuses.contains_key(status))
        .collect();
    assert!(
        missing.is_empty(),
        "no request was answered with {missing:?} but {statuses:?}: {}",
        how_to_repeat(seed)
    );
}

/// Each word is a nested condition of the query. Beyond some depth the database refuses it, or the stack of
/// the program would overflow.
fn search_for_many_words_is_answered(installation: &Installation) {
    let server = installation.start();
    let access = join(&server, "ann").access;
    for words in [10, 100, 1_100, 30_000] {
        let path = format!("/api/cars/?search={}", "a+".repeat(words));
        let answer = server.client().send(&Request::get(&path).bearer(&access));
        let status = answer.map(|answer| answer.status);
        assert!(
            matches!(status, Ok(200 | 400)),
            "{words} words: {status:?}\n{}",
            errors(&server)
        );
    }
    server.send(&Request::get("/health/live")).json(200);
}

/// Returns the unexpected lines of the server's log. Refused requests are security events.
fn errors(server: &Server) -> String {
    let log = server.log();
    let is_bad = |line: &&str| {
        ["ERROR", "WARN", "panicked", "overflowed"]
            .iter()
            .any(|word| line.contains(word))
    };
    let is_event = |line: &&str| line.contains(": mycars::security: ");
    let lines = log.lines().filter(|line| !is_event(line));
    lines.filter(is_bad).take(20).collect::<Vec<_>>().join("\n")
}

/// Sends requests one after the other, and returns the number of responses by status, and the faults.
fn throw(server: &Server, seed: u64, thread: usize) -> (BTreeMap<u16, usize>, Vec<String>) {
    let mut random = Random::new(seed, thread);
    let mut connection = KeepAlive::to(server.address());
    let (mut statuses, mut faults) = (BTreeMap::new(), Vec::new());
    let mut scene = scene(server, thread, 0);
    for number in 0..REQUESTS {
        if number % SCENE == SCENE - 1 {
            scene = self::scene(server, thread, number);
        }
        let request = requests::request(&mut random, &scene);
        let answer = connection.ask(&request);
        let found = match &answer {
            Ok(answer) => judge::faults(&request, answer),
            Err(error) => vec![error.clone()],
        };
        if !found.is_empty() {
            faults.push(format!("{}\n  {}", found.join("; "), judge::shown(&request)));
        }
        // Without a response, the server has stopped.
        let Ok(answer) = answer else { break };
        *statuses.entry(answer.status).or_insert(0) += 1;
    }
    (statuses, faults)
}

/// Creates users and a car with a picture.
fn scene(server: &Server, thread: usize, number: usize) -> Scene {
    let root = log_in(server, "root", SUPERUSER_PASSWORD);
    let name = format!("ann{thread}x{number}");
    let tokens = join(server, &name);
    let car = server
        .send(&new_car(&tokens.access, &format!("P{thread} {number}")))
        .json(201);
    let upload = Request::upload(&format!("/api/cars/{}/upload-image/", car["id"]), TINY_JPEG);
    let image = server.send(&upload.bearer(&tokens.access)).json(200)["image"].clone();
    Scene {
        user: me(server, &tokens.access).json(200)["id"].to_string(),
        car: car["id"].to_string(),
        image: image.as_str().unwrap().to_owned(),
        username: name,
        refresh: tokens.refresh,
        tokens: [root.access, tokens.access],
        host: server.address().to_owned(),
        routes: mycars_http::routes(),
    }
}

/// Prints the result for `--nocapture`, and checks that requests of all kinds succeeded.
#[expect(clippy::print_stderr, reason = "shown only with --nocapture")]
fn report(ran: impl Iterator<Item = BTreeMap<u16, usize>>, seed: u64) {
    let mut all: BTreeMap<u16, usize> = BTreeMap::new();
    for (status, count) in ran.flatten() {
        *all.entry(status).or_default() += count;
    }
    eprintln!("seed {seed}: {all:?}");
    let missing: BTreeSet<_> = REACHED
        .iter()
        .filter(|status| !all.contains_key(status))
        .collect();
    assert!(
        missing.is_empty(),
        "no request was answered with {missing:?}: {}",
        how_to_repeat(seed)
    );
}
