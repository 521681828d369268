//! Observation of a running server: slow statements in the log, and the contract with systemd.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixDatagram,
    path::Path,
    process::Command,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
};

use mycars_testkit::TestDatabase;
use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    Installation, PATIENCE, Request,
    accounts::{join, new_car},
    on_both_databases, wait_for,
};

on_both_databases!(request_line_counts_statements);

const CONTRIB: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../contrib");

/// Returns the lines of a log in JSON with this message.
fn lines(log: &str, message: &str) -> Vec<Value> {
    let lines = log.lines().map(|line| serde_json::from_str(line).unwrap());
    lines.filter(|line: &Value| line["message"] == message).collect()
}

fn request_line_counts_statements(installation: &Installation) {
    let server = installation.start_with("MYCARS__LOG__FORMAT", "json");
    let ann = join(&server, "ann");
    server
        .send(&Request::get("/api/cars/").bearer(&ann.access))
        .json(200);
    server.send(&Request::get("/health/live")).json(200);
    let log = server.stop().stderr;
    let requests = lines(&log, "request completed");
    let of = |path: &str| requests.iter().find(|line| line["path"] == path).unwrap();
    assert_eq!(of("/health/live")["queries"], 0, "{log}");
    assert_eq!(of("/health/live")["db_ms"], 0.0, "{log}");
    // The user, and the cars.
    let list = of("/api/cars/");
    assert!((1..=3).contains(&list["queries"].as_u64().unwrap()), "{list}");
    let (total, database) = (list["milliseconds"].as_f64(), list["db_ms"].as_f64());
    assert!(database <= total && database >= Some(0.0), "{list}");
}

#[test]
fn slow_statement_is_logged_once_without_values() {
    const SECRET: &str = "hunter2hunter2";
    let database = TestDatabase::postgres();
    let url = database.url();
    let name = url.rsplit('/').next().unwrap();
    database.execute(&format!(
        "ALTER DATABASE {name} SET search_path = public, pg_catalog;
         CREATE FUNCTION public.strpos(text, text) RETURNS integer LANGUAGE plpgsql
             AS 'BEGIN PERFORM pg_sleep(0.3); RETURN 1; END'"
    ));
    let installation = Installation::on(database)
        .with("MYCARS__LOG__FORMAT", "json")
        .with("MYCARS__DATABASE__SLOW_MS", "250");
    let server = installation.start();
    let ann = join(&server, "ann");
    server.send(&new_car(&ann.access, "B-AB 12")).json(201);
    let search = Request::get(&format!("/api/cars/?search={SECRET}")).bearer(&ann.access);
    let answer = server.send(&search);
    let id = answer.header("x-request-id").unwrap();
    let log = server.stop().stderr;
    assert!(!log.contains(SECRET), "{log}");
    let slow = lines(&log, "slow statement");
    let [slow] = &slow[..] else { panic!("{log}") };
    assert_eq!(slow["level"], "WARN", "{slow}");
    assert_eq!(slow["span"]["id"], id.as_str(), "{slow}");
    assert!(slow["milliseconds"].as_u64() >= Some(300), "{slow}");
    assert!(slow["statement"].as_str().unwrap().contains("strpos("), "{slow}");
    let requests = lines(&log, "request completed");
    let search = requests
        .iter()
        .find(|line| line["span"]["id"] == slow["span"]["id"])
        .unwrap();
    assert!(search["db_ms"].as_f64() >= Some(300.0), "{search}");
}

/// Number of connections during the restarts, and of restarts.
const CONNECTIONS: usize = 500;
const RESTARTS: usize = 5;

#[test]
fn restarts_under_systemd_refuse_no_connection() {
    let installation = Installation::on(TestDatabase::sqlite());
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("notify");
    let states = UnixDatagram::bind(&path).unwrap();
    states.set_read_timeout(Some(PATIENCE)).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answered = AtomicUsize::new(0);
    thread::scope(|scope| {
        let client = scope.spawn(|| {
            for _ in 0..CONNECTIONS {
                let answer = ask(address);
                assert!(answer.starts_with("HTTP/1.1 200 "), "{answer:?}");
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
        for restart in 1..=RESTARTS {
            let server = installation.start_as_service(listener.try_clone().unwrap().into(), &path);
            assert_eq!(state(&states), "READY=1");
            let is_served = CONNECTIONS / RESTARTS * restart;
            wait_for("the client", || {
                (client.is_finished() || answered.load(Ordering::Relaxed) >= is_served).then_some(())
            });
            server.terminate();
            assert_eq!(state(&states), "STOPPING=1");
            assert_eq!(server.wait().code, Some(0));
        }
        client.join().unwrap();
    });
}

/// Returns the next state that the server reports.
fn state(states: &UnixDatagram) -> String {
    let mut buffer = [0; 128];
    let length = states.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..length]).trim_end().to_owned()
}

/// Sends a request on a new connection until there is a response: a server that stops may close a connection before it has
/// read the request. No connection is refused.
fn ask(address: SocketAddr) -> String {
    loop {
        let mut stream = TcpStream::connect(address).unwrap();
        let request = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
        let mut answer = String::new();
        let answered = stream
            .write_all(request)
            .and_then(|()| stream.read_to_string(&mut answer));
        if answered.is_ok_and(|length| length > 0) {
            return answer;
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn units_of_systemd_are_valid() {
    verify_units(str::to_owned);
    // With all of their optional lines, such as `# RuntimeDirectory=mycars`.
    verify_units(|unit| {
        let lines = unit.lines().map(|line| match line.strip_prefix("# ") {
            Some(setting)
                if setting
                    .split_once('=')
                    .is_some_and(|(name, _)| !name.contains(' ')) =>
            {
                setting
            }
            _ => line,
        });
        lines.collect::<Vec<_>>().join("\n") + "\n"
    });
}

#[cfg(target_os = "linux")]
fn verify_units(edit: impl Fn(&str) -> String) {
    let folder = TempDir::new().unwrap();
    for name in ["mycars.service", "mycars.socket"] {
        let unit = fs::read_to_string(Path::new(CONTRIB).join(name)).unwrap();
        // The program has to exist.
        let unit = edit(&unit).replace("/usr/local/bin/mycars", env!("CARGO_BIN_EXE_mycars"));
        fs::write(folder.path().join(name), unit).unwrap();
    }
    let verified = Command::new("systemd-analyze")
        .arg("verify")
        .args(["mycars.service", "mycars.socket"].map(|name| folder.path().join(name)))
        .output()
        .expect("systemd-analyze is installed (Debian: apt-get install systemd)");
    let complaints = String::from_utf8_lossy(&verified.stderr);
    let about_ours: Vec<&str> = complaints
        .lines()
        .filter(|line| line.contains("mycars"))
        .collect();
    assert!(about_ours.is_empty() && verified.status.success(), "{complaints}");
}
