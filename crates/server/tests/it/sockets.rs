//! A server on a Unix socket, for a proxy on the same machine.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{
        fs::PermissionsExt as _,
        net::{UnixDatagram, UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

use mycars_testkit::TestDatabase;

use crate::{
    cluster::Nginx,
    support::{Installation, PATIENCE, Request, accounts::join},
};

/// An installation whose server listens on a Unix socket, and its path.
fn installation() -> (Installation, PathBuf) {
    let installation = Installation::on(TestDatabase::sqlite());
    let path = installation.path("mycars.sock");
    let address = format!("unix:{}", path.display());
    (installation.with("MYCARS__SERVER__BIND", &address), path)
}

fn connect(path: &Path) -> UnixStream {
    let stream = UnixStream::connect(path).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// Sends a GET request with further headers, and returns the response.
fn ask(path: &Path, target: &str, headers: &str) -> String {
    let mut stream = connect(path);
    write!(
        stream,
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn unix_socket_is_for_its_group_and_ends_with_the_server() {
    let (installation, path) = installation();
    let server = installation.start();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    assert!(ask(&path, "/health/ready", "").starts_with("HTTP/1.1 200 "));
    installation.run(&["healthcheck"]).success();
    assert_eq!(server.stop().code, Some(0));
    assert!(!path.exists());
    let refusal = installation.run(&["healthcheck"]).refusal();
    assert!(refusal.contains("mycars.sock is not healthy"), "{refusal}");
}

#[test]
fn socket_of_killed_server_is_replaced_and_that_of_another_is_not() {
    let (installation, path) = installation();
    installation.start().kill();
    assert!(path.exists());
    let server = installation.start();
    let refusal = installation.run(&[]).refusal();
    assert!(refusal.contains("another server listens there"), "{refusal}");
    assert!(ask(&path, "/health/live", "").starts_with("HTTP/1.1 200 "));
    server.stop();
    fs::write(&path, "notes").unwrap();
    let refusal = installation.run(&[]).refusal();
    assert!(refusal.contains("is not a socket"), "{refusal}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "notes");
    let missing = installation.run_with(&[], "MYCARS__SERVER__BIND", "unix:/nowhere/mycars.sock");
    assert!(missing.refusal().contains("its folder does not exist"));
}

#[test]
fn forwarded_address_counts_if_unix_is_a_trusted_proxy() {
    let (installation, path) = installation();
    for (proxies, address, scheme) in [
        ("unix", "203.0.113.7", "https"),
        ("127.0.0.1", "127.0.0.1", "http"),
    ] {
        let server = installation.start_with("MYCARS__SERVER__TRUSTED_PROXIES", proxies);
        let headers = "X-Forwarded-For: 203.0.113.7\r\nX-Forwarded-Proto: https\r\n";
        let answer = ask(&path, "/api/", headers);
        assert!(
            answer.contains(&format!("\"{scheme}://localhost/api/")),
            "{answer}"
        );
        let log = server.stop().stderr;
        assert!(log.contains(&format!("address={address} ")), "{log}");
    }
}

#[test]
fn connections_of_unix_socket_are_not_limited_by_address() {
    let (installation, path) = installation();
    let _server = installation.start_with("MYCARS__SERVER__MAX_CONNECTIONS_PER_ADDRESS", "1");
    let _open: Vec<UnixStream> = (0..10).map(|_| connect(&path)).collect();
    assert!(ask(&path, "/health/live", "").starts_with("HTTP/1.1 200 "));
}

#[test]
fn nginx_forwards_to_unix_socket() {
    let (installation, _) = installation();
    let server = installation.start_with("MYCARS__SERVER__TRUSTED_PROXIES", "unix");
    let nginx = Nginx::in_front_of(std::slice::from_ref(&server));
    let client = nginx.client();
    let tokens = join(&client, "ann");
    let me = client.send(&Request::get("/api/me/").bearer(&tokens.access));
    assert_eq!(me.json(200)["username"], "ann");
}

#[test]
fn socket_of_systemd_may_be_a_unix_socket() {
    let installation = Installation::on(TestDatabase::sqlite());
    let (path, notify) = (installation.path("passed-on"), installation.path("notify"));
    let listener = UnixListener::bind(&path).unwrap();
    let _states = UnixDatagram::bind(&notify).unwrap();
    let server = installation.start_as_service(listener.try_clone().unwrap().into(), &notify);
    assert!(ask(&path, "/health/ready", "").starts_with("HTTP/1.1 200 "));
    server.stop();
    assert!(path.exists(), "the file belongs to systemd");
}
