//! Traces for OpenTelemetry, as a collector receives them.

use std::{collections::BTreeSet, net::TcpListener};

use mycars_testkit::{ReceivedSpan, TraceSink};
use serde_json::json;

use crate::support::{
    Installation, Request,
    accounts::{join, plates},
    on_both_databases,
    raw::Connection,
    wait_for,
};

on_both_databases!(trace_of_client_has_request_use_cases_and_statements);

const ENDPOINT: &str = "MYCARS__TELEMETRY__OTLP_ENDPOINT";

/// Trusts the tests as a proxy.
const TRUSTED: (&str, &str) = ("MYCARS__SERVER__TRUSTED_PROXIES", "127.0.0.1");

/// The trace and the span of the client.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CLIENT: &str = "00f067aa0ba902b7";

/// A value that no span may hold.
const SECRET: &str = "under the left seat";

fn trace_of_client_has_request_use_cases_and_statements(installation: &Installation) {
    let sink = TraceSink::start();
    let server = installation.start_with_all(&[(ENDPOINT, &sink.url()), TRUSTED]);
    let ann = join(&server, "ann");
    let car = json!({
        "brand": "Toyota", "model": "Camry", "year": 2023, "license": "B-AB 12", "notes": SECRET,
    });
    let request = Request::post("/api/cars/", &car)
        .bearer(&ann.access)
        .header("traceparent", &format!("00-{TRACE}-{CLIENT}-01"));
    let answer = server.send(&request);
    assert_eq!(answer.status, 201);
    let id = answer.header("x-request-id").unwrap();
    plates(&server, &ann.access);
    let log = server.stop().stderr;
    let all = sink.spans();
    for text in [format!("{all:?}"), log.clone()] {
        assert!(!text.contains(SECRET), "{text}");
    }
    assert!(!log.contains("db.query.text"), "{log}");
    assert!(log.contains(&format!("request{{id={id}}}: ")), "{log}");
    let ours: Vec<&ReceivedSpan> = all.iter().filter(|span| span.trace_id == TRACE).collect();
    let children = |parent: &str| -> Vec<&ReceivedSpan> {
        ours.iter()
            .copied()
            .filter(|span| span.parent_id == parent)
            .collect()
    };
    let [request] = children(CLIENT)[..] else {
        panic!("{ours:?}")
    };
    assert_eq!(request.name, "POST /api/cars/");
    for (attribute, value) in [
        ("http.request.method", "POST"),
        ("http.route", "/api/cars/"),
        ("http.response.status_code", "201"),
        ("mycars.request_id", &*id),
    ] {
        assert_eq!(
            request.attributes.get(attribute).map(String::as_str),
            Some(value),
            "{request:?}"
        );
    }
    let use_cases = children(&request.id);
    assert!(!use_cases.is_empty(), "{ours:?}");
    let statements: Vec<_> = use_cases
        .iter()
        .flat_map(|use_case| children(&use_case.id))
        .collect();
    assert_eq!(ours.len(), 1 + use_cases.len() + statements.len(), "{ours:?}");
    let insert = statements.iter().find(|span| {
        let text = &span.attributes["db.query.text"];
        text.contains("INSERT INTO") && text.contains("license_key")
    });
    let kind = &insert.expect("the car is stored").attributes["db.system.name"];
    assert!(["postgresql", "sqlite"].contains(&&**kind), "{kind}");
    let other_traces: BTreeSet<&str> = all.iter().map(|span| &*span.trace_id).collect();
    assert!(
        other_traces.len() > 2,
        "requests without the header have traces of their own: {all:?}"
    );
}

#[test]
fn client_that_is_no_trusted_proxy_names_no_trace() {
    let sink = TraceSink::start();
    let server = Installation::empty().start_with(ENDPOINT, &sink.url());
    let named = |sampled| {
        let traceparent = format!("00-{TRACE}-{CLIENT}-{sampled}");
        server
            .send(&Request::get("/api/").header("traceparent", &traceparent))
            .json(200);
    };
    named("00");
    named("01");
    server.stop();
    let requests: Vec<_> = sink
        .spans()
        .into_iter()
        .filter(|span| span.name == "GET /api/")
        .collect();
    assert_eq!(requests.len(), 2, "{requests:?}");
    assert!(requests.iter().all(|span| span.trace_id != TRACE), "{requests:?}");
}

#[test]
fn spans_of_unknown_methods_and_long_paths_are_bounded() {
    let sink = TraceSink::start();
    let server = Installation::empty().start_with(ENDPOINT, &sink.url());
    let (method, path) = ("M".repeat(1000), "p".repeat(1000));
    let mut connection = Connection::to(server.address());
    connection.send(format!(
        "{method} /{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    ));
    connection.read_to_end();
    server.stop();
    let spans = sink.spans();
    let span = spans
        .iter()
        .find(|span| span.name == "HTTP")
        .expect("the request");
    assert_eq!(span.attributes["http.request.method"], "_OTHER");
    assert_eq!(span.attributes["url.path"].len(), 256);
}

/// Makes the server send spans every 50 milliseconds.
const OFTEN: (&str, &str) = ("OTEL_BSP_SCHEDULE_DELAY", "50");

#[test]
fn collector_that_is_away_is_logged_once() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let installation = Installation::empty();
    let server = installation.start_with_all(&[(ENDPOINT, &format!("http://{free}")), OFTEN]);
    let failures = || server.log().matches("could not send traces").count();
    wait_for("a failure", || {
        server.send(&Request::get("/api/")).json(200);
        (failures() > 0).then_some(())
    });
    for _ in 0..20 {
        server.send(&Request::get("/api/")).json(200);
    }
    let finished = server.stop();
    assert_eq!(finished.code, Some(0));
    assert_eq!(finished.stderr.matches("could not send traces").count(), 1);
}

#[test]
fn collector_that_does_not_respond_stops_no_request() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let server = Installation::empty().start_with_all(&[(ENDPOINT, &url), OFTEN]);
    let _exported = wait_for("the collector's client", || {
        server.send(&Request::get("/api/")).json(200);
        silent.set_nonblocking(true).unwrap();
        silent.accept().ok()
    });
    for _ in 0..100 {
        server.send(&Request::get("/api/")).json(200);
    }
    assert_eq!(server.stop().code, Some(0));
}
