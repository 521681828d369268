//! Requests that are made to be expensive: the server bounds their time, and serves others meanwhile.

use std::thread;

use mycars_application::ports::StoreError;
use mycars_domain::CarId;
use mycars_testkit::TestDatabase;
use serde_json::json;

use crate::support::{
    Installation, Request, Server,
    accounts::{join, me},
    browser::Browser,
    installation::SUPERUSER_PASSWORD,
    on_both_databases,
    raw::Connection,
    wait_for,
};

on_both_databases!(
    hostile_search_of_hostile_notes_is_answered,
    search_over_100_characters_is_refused_everywhere,
    readiness_does_not_wait_for_database_threads,
);

/// Creates a car whose notes are one letter 10,000 times, and returns its id.
fn hostile_car(server: &Server, access: &str, number: usize) -> i64 {
    let body = json!({
        "brand": "Toyota",
        "model": "Camry",
        "year": 2023,
        "license": format!("B-AB {number}"),
        "notes": "a".repeat(10_000),
    });
    let made = server.send(&Request::post("/api/cars/", &body).bearer(access));
    made.json(201)["id"].as_i64().unwrap()
}

fn hostile_search_of_hostile_notes_is_answered(installation: &Installation) {
    let server = installation.start();
    let ann = join(&server, "ann");
    let eve = join(&server, "eve");
    for number in 0..20 {
        hostile_car(&server, &eve.access, number);
    }
    let letters = "a".repeat(99);
    for (word, count) in [
        (format!("{letters}a"), 20),
        (format!("{letters}b"), 0),
        (format!("b{letters}"), 0),
    ] {
        let path = format!("/api/cars/?limit=1&search={word}");
        let found = server.send(&Request::get(&path).bearer(&eve.access)).json(200);
        assert_eq!(found["count"], count, "{word}");
    }
    // Clients that hang up leave their searches behind.
    for _ in 0..24 {
        let mut connection = Connection::to(server.address());
        connection.send(format!(
            "GET /api/cars/?limit=1&search={letters}b HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
            eve.access
        ));
    }
    assert_eq!(me(&server, &ann.access).status, 200);
}

fn search_over_100_characters_is_refused_everywhere(installation: &Installation) {
    installation.create_superuser("root");
    let server = installation.start();
    let ann = join(&server, "ann");
    let mut root = Browser::new(&server);
    root.log_in("root", SUPERUSER_PASSWORD, "/admin/");
    let query = |length: usize| format!("?search={}", "a".repeat(length));
    let message = "Ensure this value has at most 100 characters.";
    let refused = server.send(&Request::get(&format!("/api/cars/{}", query(101))).bearer(&ann.access));
    assert_eq!(refused.json(400), json!({"search": [message]}));
    for list in [
        "/api/admin/users/",
        "/api/admin/history/",
        "/admin/users/",
        "/admin/cars/",
        "/admin/history/",
        "/admin/tokens/",
    ] {
        let longest = root.get(&format!("{list}{}", query(100)));
        assert_eq!(longest.status, 200, "{list}: {}", longest.text());
        let refused = root.get(&format!("{list}{}", query(101)));
        assert_eq!(refused.status, 400, "{list}");
        assert!(refused.text().contains(message), "{list}: {}", refused.text());
    }
}

/// Returns whether a request waits for a thread that uses the database.
fn has_queue(server: &Server) -> bool {
    let metrics = server.send(&Request::get("/metrics")).text();
    let waiting = metrics
        .lines()
        .find_map(|line| line.strip_prefix("mycars_lane_waiting{lane=\"database\"} "));
    waiting.expect("the metric exists") != "0"
}

fn readiness_does_not_wait_for_database_threads(installation: &Installation) {
    let server = installation.start_with("MYCARS__DATABASE__POOL_SIZE", "4");
    let ann = join(&server, "ann");
    let car = hostile_car(&server, &ann.access, 1);
    let drive = Request::new("PATCH", &format!("/api/cars/{car}/"));
    let drive = &drive.json(&json!({"mileage": 1})).bearer(&ann.access);
    let store = installation.database().store();
    thread::scope(|scope| {
        let waiting = store.write(|unit| {
            unit.cars().find_for_update(CarId(car))?;
            let waiting: Vec<_> = (0..3).map(|_| scope.spawn(|| server.send(drive))).collect();
            wait_for("all threads to be busy", || has_queue(&server).then_some(()));
            server.send(&Request::get("/health/ready")).json(200);
            assert!(has_queue(&server), "the threads are still busy");
            Ok::<_, StoreError>(waiting)
        });
        for answer in waiting.unwrap() {
            answer.join().unwrap().json(200);
        }
    });
}

#[test]
fn statement_over_its_timeout_returns_503_and_is_logged_once() {
    let installation = Installation::on(TestDatabase::postgres());
    let server = installation.start();
    let ann = join(&server, "ann");
    let car = hostile_car(&server, &ann.access, 1);
    server.stop();
    let server = installation.start_with("MYCARS__DATABASE__STATEMENT_TIMEOUT_SECONDS", "1");
    let drive = Request::new("PATCH", &format!("/api/cars/{car}/"));
    let drive = drive.json(&json!({"mileage": 1})).bearer(&ann.access);
    let cancelled = installation.database().store().write(|unit| {
        unit.cars().find_for_update(CarId(car))?;
        Ok::<_, StoreError>(server.send(&drive))
    });
    let cancelled = cancelled.unwrap();
    let detail = "The service is not available right now. Please try again later.";
    assert_eq!(cancelled.json(503), json!({"detail": detail}));
    assert_eq!(cancelled.header("Retry-After").as_deref(), Some("2"));
    server.send(&drive).json(200);
    let metrics = server.send(&Request::get("/metrics")).text();
    let counted = "http_route=\"/api/cars/{car_id}/\",http_response_status_code=\"503\"";
    assert!(metrics.contains(counted), "{metrics}");
    let log = server.stop().stderr;
    assert_eq!(log.matches("statement timeout").count(), 1, "{log}");
}
