//! TLS in the server itself.

use std::{
    fs,
    io::{self, Read, Write},
    net::TcpListener,
};

use mycars_testkit::{PostgresServer, TestDatabase};

use crate::support::{Installation, Server, certificate::Certificate, raw::Connection, wait_for};

/// Returns an installation with a certificate.
fn installation(certificate: &Certificate) -> Installation {
    with_tls(Installation::on(TestDatabase::sqlite()), certificate)
}

fn with_tls(installation: Installation, certificate: &Certificate) -> Installation {
    certificate.install(&installation);
    installation
        .with("MYCARS__SERVER__TLS__CERTIFICATE_FILE", "certificate.pem")
        .with("MYCARS__SERVER__TLS__KEY_FILE", "key.pem")
        .with("MYCARS__SERVER__STALL_SECONDS", "1")
}

/// Sends a GET request with further headers, and returns the response.
fn ask(stream: &mut (impl Read + Write), path: &str, headers: &str) -> io::Result<String> {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n")?;
    let mut answer = String::new();
    match stream.read_to_string(&mut answer) {
        // The server may close the connection without the end of TLS.
        Err(error) if error.kind() != io::ErrorKind::UnexpectedEof => Err(error),
        _ => Ok(answer),
    }
}

/// Sends a request whose response says `ok`, and leaves the connection open.
fn ask_for_health(stream: &mut (impl Read + Write)) -> io::Result<()> {
    write!(stream, "GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    let mut answer = Vec::new();
    while !answer.ends_with(b"\"ok\"}") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        answer.extend(byte);
    }
    Ok(())
}

const CLOSE: &str = "Connection: close\r\n";

#[test]
fn https_has_secure_cookies_hsts_and_https_links() {
    let certificate = Certificate::new();
    let installation = installation(&certificate);
    let server = installation.start();
    assert!(server.banner.contains("https://127.0.0.1:"), "{}", server.banner);
    let mut stream = certificate.connect(server.address());
    let page = ask(
        &mut stream,
        "/api-auth/login/",
        &format!("{CLOSE}Accept: text/html\r\n"),
    )
    .unwrap()
    .to_ascii_lowercase();
    assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
    let cookie = page
        .lines()
        .find(|line| line.starts_with("set-cookie: "))
        .expect(&page);
    assert!(cookie.contains("; secure"), "{cookie}");
    assert!(page.contains("strict-transport-security: max-age="), "{page}");
    let mut stream = certificate.connect(server.address());
    let root = ask(&mut stream, "/api/", CLOSE).unwrap();
    assert!(root.contains("\"https://localhost/api/register/\""), "{root}");
    installation
        .run_with(&["healthcheck"], "MYCARS__SERVER__BIND", server.address())
        .success();
    assert_eq!(server.stop().code, Some(0));
}

#[test]
fn header_of_untrusted_client_does_not_hide_https() {
    let certificate = Certificate::new();
    let server = installation(&certificate).start();
    let mut stream = certificate.connect(server.address());
    let root = ask(
        &mut stream,
        "/api/",
        &format!("{CLOSE}X-Forwarded-Proto: http\r\n"),
    )
    .unwrap();
    assert!(root.contains("\"https://localhost/api/register/\""), "{root}");
}

#[test]
fn new_certificate_is_served_after_hangup_and_connections_stay() {
    let first = Certificate::new();
    let installation = installation(&first);
    let server = installation.start();
    let mut open = first.connect(server.address());
    ask_for_health(&mut open).unwrap();
    let second = Certificate::new();
    second.install(&installation);
    server.hang_up();
    wait_for("the second certificate", || {
        ask_for_health(&mut second.connect(server.address())).ok()
    });
    assert!(ask_for_health(&mut first.connect(server.address())).is_err());
    ask_for_health(&mut open).unwrap();
    fs::write(installation.path("certificate.pem"), "no certificate").unwrap();
    server.hang_up();
    let refusal = || {
        server
            .log()
            .lines()
            .filter(|line| line.contains("the new one is refused"))
            .count()
    };
    wait_for("the refusal", || (refusal() == 1).then_some(()));
    ask_for_health(&mut second.connect(server.address())).unwrap();
    ask_for_health(&mut open).unwrap();
}

#[test]
fn handshake_without_end_is_closed() {
    let certificate = Certificate::new();
    let server = installation(&certificate).start();
    for begun in [&b""[..], b"\x16\x03\x01\x02\x00\x01\x00"] {
        let mut connection = Connection::to(server.address());
        connection.send(begun);
        assert_eq!(connection.read_to_end(), "");
    }
}

#[test]
fn http_without_tls_is_closed() {
    let certificate = Certificate::new();
    let server = installation(&certificate).start();
    let mut connection = Connection::to(server.address());
    connection.send("GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(!connection.read_to_end().contains("200"));
    ask_for_health(&mut certificate.connect(server.address())).unwrap();
}

#[test]
fn response_that_is_not_read_over_tls_ends_with_its_connection() {
    let certificate = Certificate::new();
    let server = installation(&certificate).start();
    let mut stream = certificate.connect(server.address());
    ask_for_health(&mut stream).unwrap();
    let closed = loop {
        if let Err(error) = write!(stream, "GET /api/schema/ HTTP/1.1\r\nHost: localhost\r\n\r\n") {
            break error.kind();
        }
    };
    assert!(
        [io::ErrorKind::BrokenPipe, io::ErrorKind::ConnectionReset].contains(&closed),
        "{closed}"
    );
}

#[test]
fn unusable_files_stop_the_start() {
    let certificate = Certificate::new();
    let installation = installation(&certificate);
    let refusal = |name, value| installation.run_with(&[], name, value).refusal();
    let missing = refusal("MYCARS__SERVER__TLS__KEY_FILE", "missing.pem");
    assert!(missing.contains("`missing.pem` can't be read"), "{missing}");
    let half = refusal("MYCARS__SERVER__TLS__KEY_FILE", "");
    assert!(
        half.contains("MYCARS__SERVER__TLS__KEY_FILE is not set"),
        "{half}"
    );
    let unix = refusal("MYCARS__SERVER__BIND", "unix:mycars.sock");
    assert!(unix.contains("its proxy has TLS"), "{unix}");
    fs::rename(installation.path("key.pem"), installation.path("old.pem")).unwrap();
    Certificate::new().install(&installation);
    let other = refusal("MYCARS__SERVER__TLS__KEY_FILE", "old.pem");
    assert!(other.contains("issued together"), "{other}");
}

#[test]
fn server_with_tls_is_live_and_takes_hangup_while_migrations_are_applied() {
    let postgres = PostgresServer::start();
    let other_server = postgres.begin("SELECT pg_advisory_xact_lock(7266292631)");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let installation = with_tls(Installation::at(&postgres.url()), &Certificate::new())
        .with("MYCARS__SERVER__BIND", &free.to_string());
    let starting = installation.spawn(&[]);
    let live = format!("https://{free}/health/live");
    wait_for("a response", || {
        let finished = installation.run(&["healthcheck", "--url", &live]);
        (finished.code == Some(0)).then_some(())
    });
    installation.run(&["healthcheck"]).refusal();
    let renewed = Certificate::new();
    renewed.install(&installation);
    starting.hang_up();
    drop(other_server);
    let server = Server::of(starting);
    installation.run(&["healthcheck"]).success();
    wait_for("the renewed certificate", || {
        ask_for_health(&mut renewed.connect(server.address())).ok()
    });
}
