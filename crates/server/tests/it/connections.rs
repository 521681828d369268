//! Clients that hang up, and clients that hold connections: without an account, and without progress.

use mycars_testkit::TestDatabase;

use crate::support::{
    Installation,
    accounts::{PASSWORD, login, register},
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
    let _hashing = log_in();
    let mut closed: Vec<_> = (0..8).map(|_| log_in()).collect();
    closed.iter_mut().for_each(Connection::finish);
    for connection in &mut closed {
        assert_eq!(connection.read_to_end(), "");
    }
    log_in().read_until("HTTP/1.1 200 ");
    let log = server.log();
    assert_eq!(
        log.matches("skipped the work of a closed connection").count(),
        8,
        "{log}"
    );
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
    let chunk = [b"10000\r\n", &[b'a'; 0x10000][..], b"\r\n"].concat();
    let sent = connection.send_until_closed(&chunk);
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
fn response_that_is_not_read_ends_with_its_connection() {
    let server = installation().start();
    let mut connection = Connection::to(server.address());
    connection.send_until_closed(b"GET /api/schema/ HTTP/1.1\r\nHost: localhost\r\n\r\n");
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
