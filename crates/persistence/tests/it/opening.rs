//! Errors of opening a database.

use std::{
    fs,
    net::TcpListener,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use diesel::{Connection as _, PgConnection, connection::SimpleConnection as _};
use mycars_application::ports::{Installation, StoreError, Table};
use mycars_persistence::{Database, Options, Pooler};
use mycars_testkit::{PgBouncer, PoolMode, PostgresServer, TestDatabase, samples};

const OPTIONS: Options = Options {
    pool_size: 2,
    timeout: Duration::from_secs(1),
    statement_timeout: None,
    accepts_newer: false,
    pooler: Pooler::None,
    slow_statement: None,
};

/// Returns the error of opening a database. It must be the same for `connect` and `migrate`, in one line and without
/// the password.
fn refusal(url: &str) -> String {
    let database = Database::parse(url).unwrap();
    let error = database.connect(&OPTIONS).err().expect("it can't be opened");
    assert_eq!(database.migrate(&OPTIONS), Err(error.clone()));
    let line = error.to_string();
    assert!(!line.contains('\n'), "{line}");
    assert!(!format!("{line} {error:?}").contains("secret"), "{line}");
    line
}

#[test]
fn missing_folder_is_reported() {
    let line = refusal("sqlite:///no/such/folder/mycars.sqlite3");
    assert_eq!(
        line,
        "the folder `/no/such/folder` of the SQLite database does not exist: create it, or correct the database URL"
    );
}

#[test]
fn file_that_is_no_database_is_reported() {
    let database = TestDatabase::empty_sqlite();
    let path = database.url().replace("sqlite://", "");
    fs::write(&path, "This is a letter, not a database. ".repeat(100)).unwrap();
    let line = refusal(&database.url());
    assert!(
        line.contains(&path) && line.contains("file is not a database"),
        "{line}"
    );
}

#[test]
fn stopped_server_is_reported_at_once() {
    let begun = Instant::now();
    let line = refusal("postgres://ann:secret@127.0.0.1:1/mycars");
    assert!(
        line.starts_with("PostgreSQL at 127.0.0.1:1/mycars can't be opened: "),
        "{line}"
    );
    assert!(
        line.contains("Connection refused") && line.contains("check the database URL"),
        "{line}"
    );
    assert!(begun.elapsed() < OPTIONS.timeout, "{:?}", begun.elapsed());
}

#[test]
fn server_without_response_is_reported_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let begun = Instant::now();
    let line = refusal(&format!("postgres://ann:secret@127.0.0.1:{port}/mycars"));
    assert!(line.contains("timeout"), "{line}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn missing_database_is_reported() {
    let database = TestDatabase::empty_postgres();
    let (server, _) = database
        .url()
        .rsplit_once('/')
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    let line = refusal(&format!("{server}/nothing_here"));
    assert!(
        line.contains("database \"nothing_here\" does not exist"),
        "{line}"
    );
}

#[test]
fn zero_connections_and_timeout_are_raised_to_the_minimum() {
    let database = TestDatabase::sqlite();
    let nothing = Options {
        pool_size: 0,
        timeout: Duration::ZERO,
        statement_timeout: None,
        ..Options::default()
    };
    // The pool panics if one of them is zero. With a timeout of a millisecond, opening may fail with an error.
    Database::parse(&database.url())
        .unwrap()
        .connect(&nothing)
        .map(drop)
        .ok();
}

fn refuses(url: &str, parts: &[&str]) {
    let line = refusal(url);
    for part in parts {
        assert!(line.contains(part), "{part:?} is not in {line:?}");
    }
}

fn parsed(database: &TestDatabase) -> Database {
    Database::parse(&database.url()).unwrap()
}

#[test]
fn database_of_a_newer_program_is_refused_and_unchanged() {
    for database in [TestDatabase::sqlite(), TestDatabase::postgres()] {
        let tables = "SELECT 1 FROM users, cars, refresh_tokens, sessions, audit_log";
        database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231000009')");
        refuses(
            &database.url(),
            &[
                "migration 20991231000009 ",
                "run the newer version",
                "restore the backup",
            ],
        );
        database.execute("INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231000010')");
        refuses(&database.url(), &["20991231000009, 20991231000010"]);
        database.execute(tables);
        let accepting = Options {
            accepts_newer: true,
            ..OPTIONS
        };
        assert_eq!(parsed(&database).migrate(&accepting).unwrap(), [""; 0]);
        let store = parsed(&database).connect(&accepting).unwrap();
        store.ping().unwrap();
        let incomplete = store.snapshot(|unit| unit.rows().next_id(Table::Users));
        assert!(
            matches!(incomplete, Err(StoreError::Other(_))),
            "no backup is made"
        );
        database.execute("INSERT INTO contracts VALUES ('2099-12-31-000010_shrink')");
        let refused = parsed(&database).connect(&accepting).err().unwrap().to_string();
        assert!(refused.contains("2099-12-31-000010_shrink removed"), "{refused}");
        database.execute("DELETE FROM contracts");
        database.execute("DELETE FROM __diesel_schema_migrations WHERE version LIKE '2099%'");
        database.store().ping().unwrap();
    }
}

#[test]
fn newer_program_that_left_a_gap_is_refused_before_it_is_filled() {
    for database in [TestDatabase::sqlite(), TestDatabase::postgres()] {
        database
            .execute("UPDATE __diesel_schema_migrations SET version = '2' WHERE version = '20261124000006'");
        refuses(&database.url(), &["migration 2 "]);
    }
}

#[test]
fn postgres_that_is_not_utf8_is_refused() {
    for encoding in ["LATIN1", "SQL_ASCII", "WIN1252", "LATIN9"] {
        let database = TestDatabase::empty_postgres_with(&format!(
            "ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0"
        ));
        refuses(
            &database.url(),
            &[
                encoding,
                "CREATE DATABASE",
                "ENCODING 'UTF8'",
                "TEMPLATE template0",
            ],
        );
    }
}

#[test]
fn client_encoding_of_the_url_does_not_matter() {
    let database = TestDatabase::postgres();
    let url = with_option(&database.url(), "client_encoding=LATIN1");
    Database::parse(&url)
        .unwrap()
        .connect(&OPTIONS)
        .unwrap()
        .ping()
        .unwrap();
}

/// Adds a parameter to a URL.
fn with_option(url: &str, option: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{option}")
}

#[test]
fn read_only_postgres_is_refused() {
    let database = TestDatabase::postgres();
    let url = with_option(&database.url(), "options=-c%20default_transaction_read_only%3Don");
    refuses(&url, &["read-only", "SET default_transaction_read_only = off"]);
}

/// Returns a URL for a role without rights, which exists on every server.
fn as_restricted_role(database: &TestDatabase) -> String {
    database.execute("REVOKE CREATE ON SCHEMA public FROM PUBLIC");
    with_option(&database.url(), "options=-c%20role%3Dpg_monitor")
}

#[test]
fn postgres_role_that_may_not_create_tables_is_refused() {
    let database = TestDatabase::empty_postgres();
    let url = as_restricted_role(&database);
    refuses(
        &url,
        &[
            "pg_monitor may not create",
            "GRANT CREATE ON SCHEMA public TO pg_monitor",
        ],
    );
    database.execute("REVOKE USAGE ON SCHEMA public FROM PUBLIC");
    refuses(&url, &["GRANT USAGE ON SCHEMA public TO pg_monitor"]);
}

#[test]
fn postgres_role_with_rights_on_the_tables_needs_no_more() {
    let database = TestDatabase::postgres();
    let url = as_restricted_role(&database);
    refuses(
        &url,
        &[
            "pg_monitor lacks rights",
            "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES",
        ],
    );
    database.execute("GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO pg_monitor");
    database.execute("REVOKE DELETE ON sessions FROM pg_monitor");
    refuses(&url, &["the table sessions"]);
    database.execute("GRANT DELETE ON sessions TO pg_monitor");
    for right in ["SELECT", "INSERT"] {
        database.execute(&format!("REVOKE {right} ON installation FROM pg_monitor"));
        refuses(&url, &["the table installation"]);
        database.execute(&format!("GRANT {right} ON installation TO pg_monitor"));
    }
    // The least that the log, the identity and the migrations need.
    database.execute("REVOKE UPDATE, DELETE ON audit_log, installation FROM pg_monitor");
    database.execute("REVOKE INSERT, UPDATE, DELETE ON __diesel_schema_migrations FROM pg_monitor");
    let opened = Database::parse(&url).unwrap();
    assert_eq!(opened.migrate(&OPTIONS), Ok(Vec::new()));
    let store = opened.connect(&OPTIONS).unwrap();
    store.ping().unwrap();
    let new = Installation {
        id: "abc".into(),
        created_at: samples::moment(0),
    };
    let kept = store.write(|unit| unit.installation().find_or_insert(&new));
    assert_eq!(kept.unwrap().id, "abc");
}

#[test]
fn sqlite_file_that_is_not_utf8_is_refused() {
    for encoding in ["UTF-16le", "UTF-16be"] {
        let database = TestDatabase::empty_sqlite();
        database.execute(&format!(
            "PRAGMA encoding = '{encoding}'; CREATE TABLE first (id INTEGER)"
        ));
        refuses(&database.url(), &[encoding, "UTF-8", ".dump"]);
    }
}

#[test]
fn pooler_that_shares_sessions_is_refused_at_every_start() {
    let server = PostgresServer::start();
    for (mode, settings) in [
        (PoolMode::Transaction, ""),
        (PoolMode::Transaction, "default_pool_size = 1"),
        (
            PoolMode::Transaction,
            "server_round_robin = 1\ndefault_pool_size = 2\nmin_pool_size = 2",
        ),
        (
            PoolMode::Transaction,
            "server_round_robin = 1\ndefault_pool_size = 3\nmin_pool_size = 3",
        ),
        (PoolMode::Statement, ""),
    ] {
        let pooler = PgBouncer::start(&server, mode, settings);
        for _ in 0..3 {
            refuses(
                &pooler.url(),
                &[
                    "MYCARS__DATABASE__POOLER=transaction",
                    "connect to PostgreSQL itself",
                ],
            );
        }
    }
}

#[test]
fn named_pooler_that_shares_sessions_works_at_every_start() {
    let server = PostgresServer::start();
    let pooler = PgBouncer::start(
        &server,
        PoolMode::Transaction,
        "default_pool_size = 2\nserver_round_robin = 1",
    );
    let database = Database::parse(&pooler.url()).unwrap();
    let options = Options {
        pooler: Pooler::Transaction,
        ..OPTIONS
    };
    for start in 0..3 {
        let applied = database.migrate(&options).unwrap();
        assert_eq!(applied.is_empty(), start > 0);
        database.connect(&options).unwrap().ping().unwrap();
    }
}

#[test]
fn pooler_that_keeps_sessions_works_at_every_start() {
    let server = PostgresServer::start();
    let pooler = PgBouncer::start(&server, PoolMode::Session, "");
    let database = Database::parse(&pooler.url()).unwrap();
    for start in 0..3 {
        let applied = database.migrate(&OPTIONS).unwrap();
        assert_eq!(applied.is_empty(), start > 0);
        database.connect(&OPTIONS).unwrap().ping().unwrap();
    }
}

const ONE_CONNECTION: Options = Options {
    pool_size: 1,
    timeout: Duration::from_secs(2),
    statement_timeout: None,
    accepts_newer: false,
    pooler: Pooler::None,
    slow_statement: None,
};

#[test]
fn session_pooler_with_one_session_works() {
    let server = PostgresServer::start();
    let pooler = PgBouncer::start(&server, PoolMode::Session, "default_pool_size = 1");
    let database = Database::parse(&pooler.url()).unwrap();
    for start in 0..2 {
        let begun = Instant::now();
        let applied = database.migrate(&ONE_CONNECTION).unwrap();
        assert_eq!(applied.is_empty(), start > 0);
        database.connect(&ONE_CONNECTION).unwrap().ping().unwrap();
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    }
}

#[test]
fn role_with_connection_limit_of_one_works() {
    let server = PostgresServer::start();
    let mut admin = PgConnection::establish(&server.url()).unwrap();
    admin
        .batch_execute(
            "CREATE ROLE single LOGIN CONNECTION LIMIT 1;
             GRANT CREATE, USAGE ON SCHEMA public TO single",
        )
        .unwrap();
    let url = server.url().replace("//postgres@", "//single@");
    let database = Database::parse(&url).unwrap();
    database.migrate(&ONE_CONNECTION).unwrap();
    // PostgreSQL ends a session some time after the client closed the connection.
    admin
        .batch_execute(
            "DO $$ BEGIN
                 WHILE EXISTS (SELECT FROM pg_stat_activity WHERE usename = 'single') LOOP
                     PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
                 END LOOP;
             END $$",
        )
        .unwrap();
    database.connect(&ONE_CONNECTION).unwrap().ping().unwrap();
}

#[test]
fn busy_pooler_that_shares_sessions_is_refused() {
    let server = PostgresServer::start();
    let pooler = PgBouncer::start(&server, PoolMode::Transaction, "default_pool_size = 5");
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut conn = PgConnection::establish(&pooler.url()).unwrap();
                while !is_over.load(Ordering::Relaxed) {
                    conn.batch_execute("SELECT pg_sleep(0.0005)").unwrap();
                }
            });
        }
        let refused = (0..20).filter(|_| Database::parse(&pooler.url()).unwrap().migrate(&OPTIONS).is_err());
        let refused = refused.count();
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(refused, 20);
    });
}
