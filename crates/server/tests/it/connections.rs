//! Clients that hang up, and clients that hold connections: without an account, and without progress.

use mycars_testkit::TestDatabase;
use serde_json::json;

use crate::support::{
    Installation, Request,
    accounts::{PASSWORD, join, login, register},
    raw::Connection,
};

/// An installation whose connections end after one or two seconds without progress.
fn installation() -> Installation {
    Installation::on(TestDatabase::sqlite()).with("MYCARS__SERVER__STALL_SECONDS", "1")
}

#[test]
fn logins_of_closed_connections_are_not_hashed() {
    let installation = installation().with("MYCARS__LOG__LEVEL", "debug");
    let server = installation.start_with("MYCARS__PASSWORDS__BCRYPT_COST", "13");
    register(&server, "ann");
    let body = login("ann", PASSWORD).body;
    let log_in = || {
        let mut connection = Connection::to(server.address());
        connection.send(format!(
            "POST /api/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n",
            body.len()
        ));
        connection.send(&body);
        connection
    };
    let skipped = || {
        let log = server.log();
        log.matches("skipped the work of a closed connection").count()
    };
    loop {
        let before = skipped();
        let mut hashing = log_in();
        let mut closed: Vec<_> = (0..8).map(|_| log_in()).collect();
        closed.iter_mut().for_each(Connection::finish);
        for connection in &mut closed {
            assert_eq!(connection.read_to_end(), "");
        }
        // On a busy machine the hash may end before the connections are closed. That attempt says nothing.
        let is_hashing = !hashing.has_bytes();
        log_in().read_until("HTTP/1.1 200 ");
        if is_hashing {
            // The first hash may be that of a closed connection, because two workers read the requests.
            let skipped = skipped() - before;
            assert!(skipped >= 7, "{skipped}: {}", server.log());
            break;
        }
    }
}

#[test]
fn body_without_end_is_answered_and_closed_on_each_route() {
    let server = installation().start();
    let routes = [
        "GET /health/live",
        "GET /nothing",
        "GET /api/me/",
        "GET /static/ui.css",
    ];
    let framings = [
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nConnection: close",
        "Content-Length: 1000",
        "Content-Length: 1000\r\nConnection: close",
    ];
    let mut open = Vec::new();
    for route in routes {
        for framing in framings {
            let mut connection = Connection::to(server.address());
            connection.send(format!(
                "{route} HTTP/1.1\r\nHost: localhost\r\n{framing}\r\n\r\n"
            ));
            open.push((route, framing, connection));
        }
    }
    for (route, framing, connection) in &mut open {
        let answer = connection.read_to_end();
        assert!(answer.starts_with("HTTP/1.1 "), "{route} {framing}: {answer}");
    }
}

#[test]
fn body_without_end_is_received_up_to_a_limit() {
    let server = installation().start();
    let mut connection = Connection::to(server.address());
    connection.send("POST /nothing HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
    let chunk = format!("10000\r\n{}\r\n", "a".repeat(0x10000));
    let sent = connection.send_until_closed(chunk.as_bytes());
    assert!(sent < 100 << 20, "{sent} bytes");
}

#[test]
fn head_of_a_later_request_that_does_not_end_is_closed() {
    let server = installation().start();
    let mut connection = Connection::to(server.address());
    connection.send("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    connection.read_until("\"}");
    connection.send("GET /health/live HTTP/1.1\r\n");
    assert_eq!(connection.read_to_end(), "");
}

#[test]
fn pipelined_requests_are_all_answered() {
    let server = installation().start();
    let mut connection = Connection::to(server.address());
    let request = "GET /health/live HTTP/1.1\r\nHost: localhost\r\n";
    connection.send(format!("{request}\r\n").repeat(4000) + request + "Connection: close\r\n\r\n");
    assert_eq!(connection.read_to_end().matches("HTTP/1.1 200 ").count(), 4001);
}

#[test]
fn response_that_is_not_read_ends_with_its_connection() {
    let server = installation().start();
    let mut connection = Connection::to(server.address());
    connection.send_until_closed(b"GET /api/schema/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
}

#[test]
fn long_list_in_pieces_is_the_same_as_page_and_indented() {
    let server = installation().start();
    let access = join(&server, "ann").access;
    for number in 0..70 {
        let car = json!({
            "brand": "Toyota", "model": "Camry", "year": 2023, "license": format!("B-{number}"),
            "notes": "ü".repeat(10_000),
        });
        let car = Request::post("/api/cars/", &car).bearer(&access);
        server.send(&car).json(201);
    }
    let get = |path: &str, accept: &str| {
        let request = Request::get(path).bearer(&access).header("Accept", accept);
        server.send(&request)
    };
    let pieces = get("/api/cars/", "application/json");
    assert_eq!(pieces.header("Content-Length"), None);
    let pieces = pieces.json(200);
    let cars = pieces.as_array().unwrap().iter();
    let plates: Vec<_> = cars
        .map(|car| car["license"].as_str().unwrap().to_owned())
        .collect();
    let expected: Vec<_> = (0..70).rev().map(|number| format!("B-{number}")).collect();
    assert_eq!(plates, expected);
    let indented = get("/api/cars/", "application/json; indent=2");
    assert_eq!(indented.header("Content-Length"), None);
    assert_eq!(indented.json(200), pieces);
    let page = get("/api/cars/?limit=70", "application/json").json(200);
    assert_eq!((&page["count"], &page["results"]), (&json!(70), &pieces));
    let cut = get("/api/cars/?limit=70", "text/html").text();
    assert!(cut.contains("The page shows only its beginning."));
    assert!(cut.contains("B-69") && !cut.contains("B-10"));
    let short = get("/api/cars/?limit=1", "application/json");
    assert!(short.header("Content-Length").is_some());
}

#[test]
fn connection_beyond_the_maximum_waits_for_another_to_close() {
    let installation = installation().with("MYCARS__SERVER__WORKERS", "1");
    let server = installation.start_with("MYCARS__SERVER__MAX_CONNECTIONS", "1");
    let ask = || {
        let mut connection = Connection::to(server.address());
        connection.send("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
        connection
    };
    let mut first = ask();
    first.read_until("\"}");
    let mut second = ask();
    assert!(!second.has_bytes());
    drop(first);
    second.read_until("\"}");
}
