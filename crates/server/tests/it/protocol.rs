//! HTTP itself: slashes, sizes, pieces, hosts, ids of requests, and how the server stops.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    Answer, Installation, Request, Server,
    accounts::{PASSWORD, SUPERUSER_PASSWORD, join, log_in, login, new_car, register, registration},
    on_sqlite,
    raw::{self, Connection, KeepAlive},
};

on_sqlite!(
    route_without_slash_returns_the_same,
    too_large_body_is_refused_with_response,
    response_has_request_id,
    host_that_is_not_allowed_is_refused,
    head_response_has_no_body,
    unknown_id_error_names_the_resource,
    pagination_links_keep_the_trailing_slash,
    upgrade_request_is_answered_at_once,
    post_that_offers_http2_has_its_body_read,
    headers_with_odd_bytes_are_ignored,
    refused_origin_is_logged_once_with_its_setting,
    refused_origins_beyond_the_limit_are_announced_once,
    login_in_flight_is_answered_before_shutdown,
);

/// Two mebibytes: twice the maximum size of a body without an image.
const TOO_LARGE: usize = 2 << 20;

fn route_without_slash_returns_the_same(installation: &Installation) {
    installation.create_superuser("root");
    let server = installation.start();
    let access = log_in(&server, "root", SUPERUSER_PASSWORD).access;
    let car = &server.send(&new_car(&access, "B-AB 12")).json(201);
    let (id, owner) = (&car["id"], &car["owner"]);
    let mut paths = routes(&server);
    paths.extend([
        format!("/api/cars/{id}/"),
        format!("/api/cars/{id}/upload-image/"),
        format!("/api/cars/{id}/history/"),
        format!("/api/admin/users/{owner}/"),
        format!("/api/admin/users/{owner}/cars/"),
        format!("/api/admin/users/{owner}/cars/{id}/"),
        format!("/api/admin/users/{owner}/cars/{id}/upload-image/"),
        format!("/api/admin/users/{owner}/cars/{id}/history/"),
    ]);
    for path in paths {
        for method in ["GET", "OPTIONS", "POST", "PATCH"] {
            let ask = |path: &str| {
                let request = Request::new(method, path).bearer(&access).json(&json!({}));
                server.send(&request)
            };
            let (with, without) = (ask(&path), ask(path.trim_end_matches('/')));
            assert_ne!(with.status, 404, "{method} {path}");
            assert_eq!(with.status, without.status, "{method} {path}");
            assert_eq!(shape(&with), shape(&without), "{method} {path}");
        }
    }
}

/// The paths in the API's root that return JSON, and the root itself.
fn routes(server: &Server) -> Vec<String> {
    let root = server.send(&Request::get("/api/")).json(200);
    let links = root.as_object().unwrap().values();
    let base = format!("http://{}", server.address());
    let path_of = |link: &serde_json::Value| link.as_str().unwrap().strip_prefix(&base).unwrap().to_owned();
    let is_json = |path: &String| path != "/api/docs/" && path != "/api/me/export/";
    let mut paths: Vec<String> = links.map(path_of).filter(is_json).collect();
    assert!(paths.contains(&"/api/cars/".to_owned()), "{paths:?}");
    paths.push("/api/".to_owned());
    paths
}

/// Returns the parts of a response that are equal for equal requests: all except the times of writes.
fn shape(answer: &Answer) -> String {
    let body = answer.json(answer.status).to_string();
    let is_moment = |part: &&str| part.starts_with("\"updated_at\":");
    body.split(',')
        .filter(|part| !is_moment(part))
        .collect::<Vec<_>>()
        .join(",")
}

fn too_large_body_is_refused_with_response(installation: &Installation) {
    let server = installation.start();
    let access = join(&server, "ann").access;
    let notes = "n".repeat(TOO_LARGE);
    let body =
        json!({"brand": "Toyota", "model": "Camry", "year": 2023, "license": "B-AB 12", "notes": notes});
    let announced = Request::post("/api/cars/", &body).bearer(&access);
    let answer = server.send(&announced).json(413);
    assert!(answer["detail"].as_str().is_some_and(|detail| !detail.is_empty()));

    let head = chunked_head("/api/cars/", &access);
    let mut connection = Connection::to(server.address());
    connection.send(head);
    connection.send(raw::chunked(body.to_string().as_bytes(), 65536));
    let answer = connection.read_to_end();
    assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    let (_, body) = raw::split(&answer);
    assert!(body.contains("\"detail\""), "{answer}");
}

/// Returns the head of a request with a chunked body. The server closes the connection after its response.
fn chunked_head(path: &str, access: &str) -> String {
    format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {access}\r\n\
         Content-Type: application/json\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
}

fn response_has_request_id(installation: &Installation) {
    let server = installation.start();
    let requests = [
        Request::get("/api/"),
        Request::get("/api/me/"),
        Request::get("/api/nothing/"),
        Request::get("/health/live"),
        Request::new("DELETE", "/api/token/"),
        Request::get("/api/").header("Host", "evil.example"),
        Request::new("POST", "/api/register/").json(&json!({})),
        registration("ann", "ann@example.com"),
    ];
    let ids: BTreeSet<String> = requests
        .iter()
        .chain(&requests)
        .map(|request| server.send(request).header("X-Request-Id").expect("it has an id"))
        .collect();
    assert_eq!(ids.len(), 2 * requests.len(), "{ids:?}");
    let log = server.stop().stderr;
    for id in ids {
        assert!(log.contains(&id), "{id} is not in the log:\n{log}");
    }
}

fn host_that_is_not_allowed_is_refused(installation: &Installation) {
    let server = installation.start();
    let ask = |path: &str, host: &str| server.send(&Request::get(path).header("Host", host));
    for host in [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example:80",
    ] {
        let refusal = ask("/api/", host).json(400);
        assert!(refusal["detail"].is_string(), "{refusal}");
    }
    for host in ["localhost", "LOCALHOST:1234", "127.0.0.1"] {
        ask("/api/", host).json(200);
    }
    // Health checks send the address as host.
    ask("/health/live", "10.1.2.3").json(200);
}

fn head_response_has_no_body(installation: &Installation) {
    let server = installation.start();
    let access = join(&server, "ann").access;
    for path in ["/api/", "/api/cars/", "/api/me/", "/api/nothing/"] {
        let ask = |method: &str| {
            let mut connection = Connection::to(server.address());
            connection.send(format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {access}\r\n\
                 Connection: close\r\n\r\n"
            ));
            connection.read_to_end()
        };
        let (get, head) = (ask("GET"), ask("HEAD"));
        let (get_head, get_body) = raw::split(&get);
        let (head_head, head_body) = raw::split(&head);
        assert_eq!(get_head.lines().next(), head_head.lines().next(), "{path}");
        assert_ne!(get_body, "", "{path}");
        assert_eq!(head_body, "", "{path}");
    }
}

fn unknown_id_error_names_the_resource(installation: &Installation) {
    installation.create_superuser("root");
    let server = installation.start();
    let access = log_in(&server, "root", SUPERUSER_PASSWORD).access;
    let owner = &server.send(&new_car(&access, "B-AB 12")).json(201)["owner"];
    let car = json!({"detail": "No Car matches the given query."});
    let user = json!({"detail": "No User matches the given query."});
    let no_route = json!({"detail": "Not found."});
    let numbers = [
        "0",
        "-0",
        "-1",
        "-9223372036854775808",
        "-99999999999999999999",
        "9223372036854775807",
        "99999999999999999999",
    ];
    let others = [
        "abc", "+1", "1.0", "--1", "-", "1-1", "0x1", "-a", "%2B1", "\u{661}",
    ];
    for method in ["GET", "PUT", "PATCH", "DELETE"] {
        let ask = |path: &str| server.send(&Request::new(method, path).bearer(&access).json(&json!({})));
        for id in numbers {
            for (path, expected) in [
                (format!("/api/cars/{id}/"), &car),
                (format!("/api/cars/{id}"), &car),
                (format!("/api/admin/users/{id}/"), &user),
                (format!("/api/admin/users/{owner}/cars/{id}/"), &car),
            ] {
                assert_eq!(&ask(&path).json(404), expected, "{method} {path}");
                let anonymous = Request::new(method, &path).json(&json!({}));
                assert_eq!(server.send(&anonymous).status, 401, "{method} {path}");
            }
        }
        for id in others {
            let id = if id.is_ascii() {
                id.to_owned()
            } else {
                crate::support::browser::escape(id)
            };
            for path in [
                format!("/api/cars/{id}/"),
                format!("/api/admin/users/{id}/"),
                format!("/api/admin/users/{owner}/cars/{id}/"),
            ] {
                assert_eq!(ask(&path).json(404), no_route, "{method} {path}");
            }
        }
    }
    let under_missing_user = Request::get("/api/admin/users/-1/cars/").bearer(&access);
    assert_eq!(server.send(&under_missing_user).json(404), user);
    let upload = Request::upload("/api/cars/-1/upload-image/", b"x").bearer(&access);
    assert_eq!(server.send(&upload).json(404), car);
}

fn pagination_links_keep_the_trailing_slash(installation: &Installation) {
    installation.create_superuser("root");
    let server = installation.start();
    let access = log_in(&server, "root", SUPERUSER_PASSWORD).access;
    for plate in ["B-AB 1", "B-AB 2", "B-AB 3"] {
        server.send(&new_car(&access, plate)).json(201);
    }
    for path in ["/api/cars/", "/api/cars"] {
        let page = Request::get(&format!("{path}?limit=1&offset=1")).bearer(&access);
        let page = server.send(&page).json(200);
        let url = format!("http://{}/api/cars/", server.address());
        assert_eq!(page["next"], json!(format!("{url}?limit=1&offset=2")), "{path}");
        assert_eq!(page["previous"], json!(format!("{url}?limit=1")), "{path}");
    }
}

/// Maximum time of a request that does not wait.
const AT_ONCE: Duration = Duration::from_secs(15);

/// Sends the bytes of a request on a connection of its own and returns the response, which must not take long.
fn ask_at_once(server: &Server, request: &str) -> Answer {
    let start = Instant::now();
    let answer = KeepAlive::to(server.address()).ask(request.as_bytes()).unwrap();
    assert!(start.elapsed() < AT_ONCE, "{request} took {:?}", start.elapsed());
    answer
}

fn upgrade_request_is_answered_at_once(installation: &Installation) {
    let server = installation.start();
    let upgrades = [
        "Upgrade: websocket",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        "Connection: Upgrade\r\nUpgrade: WebSocket\r\nContent-Length: 0",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
        "Connection: Upgrade\r\nUpgrade: TLS/1.0, HTTP/1.1",
        "Connection: upgrade",
        "Upgrade: h2c",
        "Upgrade: \u{fc}",
    ];
    for (target, status) in [
        ("GET /api/", 200),
        ("GET /api/cars/", 401),
        ("HEAD /api/", 200),
        ("OPTIONS /api/register/", 200),
        ("DELETE /api/cars/1/", 401),
        ("POST /api/token/", 400),
        ("POST /api/register/", 400),
        ("POST /api/cars/1/upload-image/", 401),
        ("GET /admin/", 303),
        ("POST /admin/cars/add/", 303),
        ("GET /api-auth/login/", 200),
        ("POST /api-auth/login/", 403),
        ("POST /nothing", 404),
        ("GET /health/live", 200),
        ("GET /api/docs/", 200),
    ] {
        for upgrade in upgrades {
            let request = format!("{target} HTTP/1.1\r\nHost: localhost\r\n{upgrade}\r\n\r\n");
            let answer = ask_at_once(&server, &request);
            assert_eq!(answer.status, status, "{request}");
            let connection = answer.header("Connection").unwrap_or_default();
            assert!(!connection.contains("pgrade"), "{request}: {connection}");
        }
    }
    for (target, status) in [
        ("/api/", 405),
        ("/api/cars/", 401),
        ("/admin/", 303),
        ("/nothing", 404),
        ("localhost:443", 404),
    ] {
        for more in ["", "Content-Length: 0\r\n", "Upgrade: websocket\r\n"] {
            let request = format!("CONNECT {target} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n");
            assert_eq!(ask_at_once(&server, &request).status, status, "{request}");
        }
    }
}

fn post_that_offers_http2_has_its_body_read(installation: &Installation) {
    let server = installation.start();
    let access = join(&server, "ann").access;
    for (number, upgrade) in [
        // `curl --http2` sends these headers.
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__",
        "Upgrade: h2c",
        "Upgrade: websocket",
        "Connection: Upgrade\r\nUpgrade: websocket",
        "Connection: keep-alive, Upgrade\r\nUpgrade: websocket, h2c",
    ]
    .into_iter()
    .enumerate()
    {
        let car = |plate: &str| new_car(&access, &format!("{plate} {number}")).body;
        let head = format!(
            "POST /api/cars/ HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {access}\r\n\
             Content-Type: application/json\r\n{upgrade}\r\n"
        );
        let whole = String::from_utf8(car("A")).unwrap();
        let request = format!("{head}Content-Length: {}\r\n\r\n{whole}", whole.len());
        assert_eq!(ask_at_once(&server, &request).status, 201, "{request}");
        let more = String::from_utf8(car("B")).unwrap();
        let request = format!("{head}Content-Length: {}\r\n\r\n{more}trailing", more.len());
        assert_eq!(ask_at_once(&server, &request).status, 201, "{request}");
        let pieces = String::from_utf8(raw::chunked(&car("C"), 7)).unwrap();
        let request = format!("{head}Transfer-Encoding: chunked\r\n\r\n{pieces}");
        assert_eq!(ask_at_once(&server, &request).status, 201, "{request}");

        let mut connection = KeepAlive::to(server.address());
        for plate in ["D", "E"] {
            let body = String::from_utf8(car(plate)).unwrap();
            let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
            let answer = connection.ask(request.as_bytes()).unwrap();
            assert_eq!(answer.status, 201, "{request}");
        }
    }
}

fn headers_with_odd_bytes_are_ignored(installation: &Installation) {
    let server = installation.start();
    let access = join(&server, "ann").access;
    let ask = |line: &str, headers: &[&[u8]], body: &[u8]| {
        let mut request = format!(
            "{line} HTTP/1.1\r\nAuthorization: Bearer {access}\r\nContent-Length: {}\r\n",
            body.len()
        )
        .into_bytes();
        for header in headers {
            request.extend(*header);
            request.extend(b"\r\n");
        }
        request.extend(b"\r\n");
        request.extend(body);
        KeepAlive::to(server.address()).ask(&request).unwrap()
    };
    let host: &[u8] = b"Host: localhost";
    let odd: [&[u8]; 5] = [b"\xfc", b"\xff\xfe", "gr\u{fc}n".as_bytes(), b"\x80", b"\t"];
    for name in [
        "Accept",
        "Accept-Language",
        "Access-Control-Request-Method",
        "Cookie",
        "Forwarded",
        "If-Match",
        "If-Modified-Since",
        "If-None-Match",
        "If-Range",
        "Origin",
        "Range",
        "Referer",
        "Sec-Fetch-Site",
        "Upgrade",
        "X-CSRFToken",
        "X-Forwarded-For",
        "X-Forwarded-Host",
        "X-Forwarded-Proto",
    ] {
        for value in odd {
            let header = [name.as_bytes(), b": ", value].concat();
            let answer = ask("GET /api/me/", &[host, &header], b"");
            let expected = if name == "Accept" { 406 } else { 200 };
            assert_eq!(answer.status, expected, "{name}: {value:?} {}", answer.text());
        }
    }
    for value in odd {
        let json = [b"Content-Type: application/json; charset=", value].concat();
        let answer = ask("PATCH /api/me/", &[host, &json], br#"{"first_name": "Ann"}"#);
        assert_eq!(answer.status, 200, "{value:?} {}", answer.text());
        let accept = [b"Accept: text/x", value, b", application/json;x=", value].concat();
        assert_eq!(
            ask("GET /api/me/", &[host, &accept], b"").status,
            200,
            "{value:?}"
        );
        let multipart = [b"Content-Type: multipart/form-data; boundary=", value].concat();
        assert_eq!(
            ask("PATCH /api/me/", &[host, &multipart], b"x").status,
            400,
            "{value:?}"
        );
        let bearer = [b"Authorization: Bearer ", value].concat();
        let refused = ask("GET /api/me/", &[host, &bearer], b"");
        assert!(matches!(refused.status, 200 | 401), "the first header counts");
        assert_eq!(
            ask("GET /api/me/", &[&[b"Host: a", value].concat()], b"").status,
            400,
            "{value:?}"
        );
    }
    let typed = ask("PATCH /api/me/", &[host, b"Content-Type: te\xfct/plain"], b"x");
    let detail = "Unsupported media type \"te\u{fc}t/plain\" in request.";
    assert_eq!(typed.json(415), json!({"detail": detail}));
}

fn refused_origin_is_logged_once_with_its_setting(installation: &Installation) {
    let server = installation.start();
    for _ in 0..3 {
        server
            .send(&Request::get("/api/").header("Origin", "https://evil.example"))
            .json(200);
    }
    let own = format!("http://{}", server.address());
    server
        .send(&Request::get("/api/").header("Origin", &own))
        .json(200);
    let log = server.stop().stderr;
    let lines = log
        .lines()
        .filter(|line| line.contains("MYCARS__CORS__ALLOWED_ORIGINS"));
    let lines: Vec<&str> = lines.collect();
    assert!(
        lines.len() == 1 && lines[0].contains("https://evil.example"),
        "{log}"
    );
}

fn refused_origins_beyond_the_limit_are_announced_once(installation: &Installation) {
    let server = installation.start();
    for number in 0..110 {
        let origin = format!("https://{number}.example");
        server
            .send(&Request::get("/api/").header("Origin", &origin))
            .json(200);
    }
    let log = server.stop().stderr;
    assert_eq!(log.matches("MYCARS__CORS__ALLOWED_ORIGINS").count(), 100, "{log}");
    assert_eq!(
        log.matches("100 refused origins have been logged").count(),
        1,
        "{log}"
    );
}

fn login_in_flight_is_answered_before_shutdown(installation: &Installation) {
    let server = installation.start_with("MYCARS__PASSWORDS__BCRYPT_COST", "12");
    register(&server, "ann");
    let body = login("ann", PASSWORD).body;
    let mut connection = Connection::to(server.address());
    connection.send(format!(
        "POST /api/token/ HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Content-Length: {}\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n",
        body.len()
    ));
    // `100 Continue` shows that the server handles the request.
    let go_on = connection.read_until("\r\n\r\n");
    assert!(go_on.starts_with("HTTP/1.1 100 "), "{go_on}");
    connection.send(&body);
    server.terminate();

    let answer = connection.read_to_end();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("\"access\":\""), "{answer}");
    let finished = server.wait();
    assert_eq!(finished.code, Some(0), "{finished:?}");
}
