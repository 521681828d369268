//! A database that cannot be written, or not be read as a whole: requests that write get 503, reads 200, and the
//! readiness check and the panel report it.

#[cfg(target_os = "linux")]
use std::{fs, path::Path};

use mycars_application::ports::StoreError;
use mycars_testkit::TestDatabase;
use serde_json::json;

use crate::support::{
    Installation, Request, Server,
    accounts::{PASSWORD, SUPERUSER_PASSWORD, Tokens, join, login, new_car, registration},
    browser::Browser,
    http::TINY_JPEG,
    on_both_databases, wait_for,
};

on_both_databases!(
    panel_with_unreadable_table_is_shown,
    panel_reports_healthy_database,
);

/// The body of all responses to requests that could not write.
const NOT_WRITABLE: &str =
    r#"{"detail":"The service cannot save changes right now. Please try again later."}"#;

/// The line with the remedy, which is logged once.
const LOGGED: &str = "free space on its disk";

/// Ann's tokens and the path of her car, and a session of the superuser.
struct People<'s> {
    tokens: Tokens,
    car: String,
    root: Browser<'s>,
}

impl<'s> People<'s> {
    fn on(server: &'s Server) -> Self {
        let tokens = join(server, "ann");
        let car = server.send(&new_car(&tokens.access, "B-AB 1")).json(201);
        let mut root = Browser::new(server);
        let answer = root.log_in("root", SUPERUSER_PASSWORD, "/admin/");
        assert_eq!(answer.status, 302, "{}", answer.text());
        Self {
            tokens,
            car: format!("/api/cars/{}/", car["id"]),
            root,
        }
    }

    fn writes(&self) -> Vec<Request> {
        let access = &self.tokens.access;
        vec![
            login("ann", PASSWORD),
            registration("eve", "eve@example.com"),
            Request::post("/api/logout/", &json!({"refresh": self.tokens.refresh})).bearer(access),
            new_car(access, "B-AB 2"),
            Request::new("PATCH", &self.car)
                .json(&json!({"mileage": 1}))
                .bearer(access),
            Request::new("PATCH", "/api/me/")
                .json(&json!({"phone": "1"}))
                .bearer(access),
            Request::upload(&format!("{}upload-image/", self.car), TINY_JPEG).bearer(access),
            Request::new("PUT", "/api/change-password/")
                .json(&json!({"old_password": PASSWORD, "new_password": "Velvet-harbor-42"}))
                .bearer(access),
            Request::new("DELETE", &self.car).bearer(access),
        ]
    }

    fn reads(&self) -> Vec<Request> {
        let access = &self.tokens.access;
        vec![
            Request::get("/health/live"),
            Request::get("/api/me/").bearer(access),
            Request::get("/api/cars/?search=toyota").bearer(access),
            Request::get(&self.car).bearer(access),
            Request::post("/api/token/verify/", &json!({"token": self.tokens.refresh})),
        ]
    }

    /// Returns the first page of the panel.
    fn panel(&self) -> String {
        let answer = self.root.get("/admin/");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.text()
    }
}

/// Moves the last use of all sessions into the past, so that a read records it again.
fn age_sessions(installation: &Installation) {
    let minutes_ago = if installation.database().url().starts_with("sqlite") {
        "strftime('%Y-%m-%d %H:%M:%f000+00:00', 'now', '-5 minutes')"
    } else {
        "now() - interval '5 minutes'"
    };
    let sql = format!("UPDATE sessions SET created_at = {minutes_ago}, last_seen_at = {minutes_ago}");
    installation.database().execute(&sql);
}

fn assert_not_writable(server: &Server, request: &Request) {
    let answer = server.send(request);
    let case = format!("{} {}", request.method, request.path);
    assert_eq!((answer.status, &*answer.text()), (503, NOT_WRITABLE), "{case}");
    assert_eq!(answer.header("Retry-After").as_deref(), Some("2"), "{case}");
}

/// Checks every response while the database is read-only. The write of the session comes first.
fn assert_reads_only(server: &Server, people: &People<'_>) {
    let panel = people.root.get("/admin/");
    assert_eq!(panel.status, 200, "{}", panel.text());
    for request in people.writes() {
        assert_not_writable(server, &request);
    }
    for request in people.reads() {
        let answer = server.send(&request);
        assert_eq!(answer.status, 200, "{}: {}", request.path, answer.text());
    }
    // The result of a check is used for a second.
    let ready = Request::get("/health/ready");
    wait_for("the check to notice", || {
        (server.send(&ready).status != 200).then_some(())
    });
    for _ in 0..3 {
        assert_not_writable(server, &ready);
    }
    let panel = people.root.get("/admin/").text();
    assert!(panel.contains("can be read, but not written"), "{panel}");
}

/// Returns whether a folder has no file: a picture that could not be written leaves none.
#[cfg(target_os = "linux")]
fn is_empty(folder: &Path) -> bool {
    fs::read_dir(folder).unwrap().next().is_none()
}

fn assert_writes_again(server: &Server) {
    wait_for("the server to be ready", || {
        (server.send(&Request::get("/health/ready")).status == 200).then_some(())
    });
    assert_eq!(server.send(&login("ann", PASSWORD)).status, 200);
}

/// Checks that the log has one line for each of the two times without writes.
fn assert_logged(log: &str) {
    assert_eq!(log.matches(LOGGED).count(), 2, "{log}");
    assert_eq!(log.matches("can be written again").count(), 2, "{log}");
    assert!(!log.contains("internal error"), "{log}");
}

#[test]
#[cfg(target_os = "linux")]
fn full_disk_returns_503_for_writes_and_recovers() {
    let installation = Installation::on(TestDatabase::sqlite());
    installation.create_superuser("root");
    let server = installation.start_on_small_disk();
    let people = People::on(&server);
    for _ in 0..2 {
        age_sessions(&installation);
        server.fill_disk(true);
        assert_reads_only(&server, &people);
        assert!(is_empty(&installation.path("data/media/cars")));
        server.fill_disk(false);
        assert_writes_again(&server);
    }
    assert_logged(&server.log());
}

#[test]
fn read_only_postgres_returns_503_for_writes_and_recovers() {
    let installation = Installation::on(TestDatabase::postgres());
    installation.create_superuser("root");
    let server = installation.start();
    let people = People::on(&server);
    for _ in 0..2 {
        age_sessions(&installation);
        set_read_only(&installation, "on");
        assert_reads_only(&server, &people);
        set_read_only(&installation, "off");
        assert_writes_again(&server);
    }
    assert_logged(&server.log());
}

/// Makes new transactions read-only or not, and closes the server's connections, as a failover does.
fn set_read_only(installation: &Installation, value: &str) {
    installation.database().execute(&format!(
        "BEGIN READ WRITE;
         DO $$ BEGIN
             EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = {value}', current_database());
         END $$;
         COMMIT;
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid();"
    ));
}

#[test]
fn session_read_succeeds_while_writer_holds_lock() {
    let installation =
        Installation::on(TestDatabase::sqlite()).with("MYCARS__DATABASE__TIMEOUT_SECONDS", "1");
    installation.create_superuser("root");
    let server = installation.start();
    let people = People::on(&server);
    age_sessions(&installation);
    let store = installation.database().store();
    store
        .write(|_| {
            for path in [
                "/admin/",
                "/admin/cars/",
                "/admin/users/",
                "/api/cars/",
                "/api/me/",
            ] {
                let answer = people.root.get(path);
                assert_eq!(answer.status, 200, "{path}: {}", answer.text());
            }
            assert_eq!(
                server.send(&login("ann", PASSWORD)).status,
                503,
                "a login is a write"
            );
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

fn panel_reports_healthy_database(installation: &Installation) {
    installation.create_superuser("root");
    let server = installation.start();
    let people = People::on(&server);
    let panel = people.panel();
    assert!(panel.contains("answers in"), "{panel}");
}

fn panel_with_unreadable_table_is_shown(installation: &Installation) {
    installation.create_superuser("root");
    let server = installation.start();
    let people = People::on(&server);
    for table in ["cars", "audit_log"] {
        let database = installation.database();
        database.execute(&format!("ALTER TABLE {table} RENAME TO hidden"));
        let panel = people.panel();
        assert!(
            panel.contains("<dt>Database</dt>") && panel.contains("can’t be read: see the log"),
            "{panel}"
        );
        assert!(!panel.contains("answers in"), "{panel}");
        let history = people.root.get("/admin/cars/1/history/");
        assert_eq!(history.status, 500, "{}", history.text());
        assert!(!history.text().contains("(deleted)"), "{}", history.text());
        database.execute(&format!("ALTER TABLE hidden RENAME TO {table}"));
    }
    assert!(people.panel().contains("answers in"));
}
