//! The start of the server: without settings, again, after a crash, and with wrong settings.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    thread,
};

use mycars_testkit::{PgBouncer, PoolMode, PostgresServer, TestDatabase};

use crate::support::{
    Installation, Request,
    accounts::{self, join, log_in, new_car, plates},
    on_both_databases, wait_for,
};

on_both_databases!(
    restart_keeps_tokens_and_data,
    server_stops_at_once_after_banner,
    commands_on_newer_schema_are_refused,
    server_on_expanded_schema_serves_until_it_contracts,
);

/// The URL of a PostgreSQL server that does not exist, with a password that no message may show.
const UNREACHABLE: &str = "postgres://ann:hunter2@127.0.0.1:1/mycars";

fn restart_keeps_tokens_and_data(installation: &Installation) {
    let server = installation.start();
    let tokens = join(&server, "ann");
    server.send(&new_car(&tokens.access, "B-AB 12")).json(201);
    assert_eq!(server.stop().code, Some(0));

    let server = installation.start();
    assert_eq!(plates(&server, &tokens.access), ["B-AB 12"]);
    log_in(&server, "ann", accounts::PASSWORD);
}

fn server_stops_at_once_after_banner(installation: &Installation) {
    let server = installation.start();
    let finished = server.stop();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert!(!finished.stderr.contains("ERROR"), "{}", finished.stderr);
}

fn commands_on_newer_schema_are_refused(installation: &Installation) {
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231000001')";
    installation.database().execute(newer);
    for arguments in [
        &["migrate"][..],
        &[
            "createsuperuser",
            "--noinput",
            "--username",
            "root",
            "--email",
            "root@example.com",
        ],
        &["changepassword", "root"],
        &["clearsessions"],
        &["flushexpiredtokens"],
        &["sweepmedia"],
    ] {
        let refusal = installation.run(arguments).refusal();
        for part in ["20991231000001", "run the newer version", "restore the backup"] {
            assert!(refusal.contains(part), "{arguments:?}: {refusal}");
        }
    }
}

fn server_on_expanded_schema_serves_until_it_contracts(installation: &Installation) {
    let newer = "INSERT INTO __diesel_schema_migrations (version) VALUES ('20991231000001')";
    installation.database().execute(newer);
    let server = installation.start();
    join(&server, "ann");
    server.stop();
    installation
        .database()
        .execute("INSERT INTO contracts (migration) VALUES ('2099-12-31-000001_shrink')");
    let refusal = installation.run(&[]).refusal();
    assert!(refusal.contains("2099-12-31-000001_shrink removed"), "{refusal}");
}

#[test]
fn pending_migrations_are_listed_and_can_be_left_to_the_command() {
    for database in [TestDatabase::empty_sqlite(), TestDatabase::empty_postgres()] {
        let installation = Installation::on(database).with("MYCARS__DATABASE__MIGRATE", "never");
        for _ in 0..2 {
            let plan = installation.run(&["migrate", "--plan"]).success();
            assert!(plan.starts_with("Pending: 2026-11-23-000001_users\n"), "{plan}");
            for arguments in [&[][..], &["clearsessions"]] {
                let refusal = installation.run(arguments).refusal();
                assert!(
                    refusal.contains("2026-11-23-000001_users: run `mycars migrate`"),
                    "{refusal}"
                );
            }
        }
        installation.run(&["migrate"]).success();
        let plan = installation.run(&["migrate", "--plan"]).success();
        assert!(plan.contains("No migrations to apply"), "{plan}");
        installation.start();
    }
}

/// Returns the status of a GET request; `None` if nothing listens.
fn status_at(address: SocketAddr, path: &str) -> Option<String> {
    let mut stream = TcpStream::connect(address).ok()?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    answer.split(' ').nth(1).map(str::to_owned)
}

#[test]
fn server_is_live_while_migrations_are_applied() {
    let postgres = PostgresServer::start();
    let other_server = postgres.begin("SELECT pg_advisory_xact_lock(7266292631)");
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let installation = Installation::at(&postgres.url()).with("MYCARS__SERVER__BIND", &free.to_string());
    thread::scope(|scope| {
        let started = scope.spawn(|| installation.start());
        wait_for("a response", || {
            status_at(free, "/health/live").filter(|status| status == "200")
        });
        assert_eq!(status_at(free, "/health/ready").as_deref(), Some("503"));
        assert_eq!(status_at(free, "/api/cars/").as_deref(), Some("503"));
        drop(other_server);
        let server = started.join().unwrap();
        assert_eq!(status_at(free, "/health/ready").as_deref(), Some("200"));
        join(&server, "ann");
    });
}

#[test]
fn server_without_settings_serves() {
    let installation = Installation::empty();
    let server = installation.start();
    server.send(&Request::get("/health/ready")).json(200);
    let tokens = join(&server, "ann");
    server.send(&new_car(&tokens.access, "B-AB 12")).json(201);
}

#[test]
fn banner_names_url_data_folder_and_next_command() {
    let installation = Installation::empty();
    let server = installation.start();
    for line in [
        format!("http://{}/api/", server.address()),
        installation.folder().join("data").display().to_string(),
        "mycars createsuperuser".to_owned(),
    ] {
        assert!(server.banner.contains(&line), "{line:?}: {}", server.banner);
    }
}

#[test]
fn banner_comes_first() {
    let text = Installation::empty().start_on_terminal().stop().stdout;
    assert!(text.starts_with("My Cars "), "{text}");
    let (_, log) = text.split_once("\nStop with Ctrl-C.\n").expect(&text);
    let lines: Vec<&str> = log.lines().take(2).collect();
    for (line, event) in lines.iter().zip(["applied ", "listening on 127.0.0.1:"]) {
        assert!(line.contains(" INFO ") && line.contains(event), "{text}");
    }
    assert_eq!(log.matches("applied ").count(), 1, "{text}");
}

#[test]
fn warning_at_start_is_visible() {
    let installation = Installation::empty()
        .with("DEBUG", "true")
        .with("SECRET_KEY", "short");
    let log = installation.start().stop().stderr;
    assert!(
        log.contains(" WARN ") && log.contains("SECRET_KEY holds a weak key"),
        "{log}"
    );
}

#[test]
fn data_folder_is_private() {
    let installation = Installation::empty();
    let server = installation.start();
    join(&server, "ann");
    let data = installation.path("data");
    assert_eq!(mode(&data), 0o700);
    for name in ["mycars.sqlite3", "secret_key"] {
        assert!(data.join(name).is_file(), "{name}");
    }
    let open_to_others: Vec<_> = fs::read_dir(&data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        // The media folder may be served by another program; the data folder keeps other users out.
        .filter(|path| !path.ends_with("media") && mode(path) & 0o077 != 0)
        .collect();
    assert!(open_to_others.is_empty(), "{open_to_others:?}");
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn server_writes_to_data_folder_alone() {
    let installation = Installation::empty();
    let server = installation.start();
    join(&server, "ann");
    server.stop();
    let names: Vec<_> = fs::read_dir(installation.folder())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(names, ["data"]);
}

/// Returns an installation with production settings, on a database that does not exist yet.
fn in_production() -> Installation {
    Installation::on(TestDatabase::empty_sqlite())
}

/// Runs the server with wrong settings. It must exit with one line that contains all these parts.
#[track_caller]
fn refuses(installation: &Installation, expected: &[&str]) {
    let refusal = installation.run(&[]).refusal();
    for part in expected {
        assert!(refusal.contains(part), "{part:?} is not in {refusal:?}");
    }
    assert!(!refusal.contains("hunter2"), "it shows a password: {refusal:?}");
}

/// The tests of the settings are unit tests: this is how the program reports an error.
#[test]
fn wrong_settings_are_refused_in_one_line() {
    for (name, value, expected) in [
        (
            "DATABASE_URL",
            "mysql://ann:hunter2@localhost/mycars",
            ["sqlite://", "postgres://"],
        ),
        ("SECRET_KEY", "hunter2", ["SECRET_KEY", "openssl rand -hex 32"]),
        (
            "SECRET_KEY",
            "changemechangemechangemechangeme",
            ["SECRET_KEY", "well-known words"],
        ),
        ("ALLOWED_HOSTS", "", ["ALLOWED_HOSTS", "host names"]),
        ("DEBUG", "true", ["DEBUG=false", "0.0.0.0:0"]),
        (
            "MYCARS__SERVR__PORT",
            "1",
            ["MYCARS__SERVR__PORT", "Did you mean `MYCARS__SERVER__BIND`?"],
        ),
    ] {
        let installation = in_production().with("MYCARS__SERVER__BIND", "0.0.0.0:0");
        refuses(&installation.with(name, value), &expected);
    }
}

#[test]
fn sqlite_url_with_options_is_refused_and_makes_no_file() {
    let installation = in_production();
    for url in [
        "sqlite://cars.db?mode=rwc",
        "sqlite://cars.db#x",
        "sqlite://cars%20x.db",
        "sqlite://file:cars.db",
        "sqlite://data/",
    ] {
        let refusal = installation.run_with(&[], "DATABASE_URL", url).refusal();
        assert!(refusal.contains("sqlite://data/mycars.sqlite3"), "{refusal}");
    }
    let is_database = |name: &str| name.contains("cars");
    for folder in [installation.folder(), installation.path("data")] {
        let names = fs::read_dir(folder).unwrap();
        let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert!(!names.any(|name| is_database(&name)));
    }
}

#[test]
fn unreachable_postgres_is_named_without_password() {
    let installation = in_production().with("DATABASE_URL", UNREACHABLE);
    refuses(&installation, &["127.0.0.1:1/mycars", "check"]);
    let refusal = installation.run(&["migrate"]).refusal();
    assert!(
        refusal.contains("127.0.0.1:1/mycars") && !refusal.contains("hunter2"),
        "{refusal}"
    );
}

#[test]
fn postgres_database_that_is_not_utf8_is_refused() {
    let database =
        TestDatabase::empty_postgres_with("ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
    let installation = Installation::on(database);
    refuses(
        &installation,
        &["LATIN1", "ENCODING 'UTF8' ", "TEMPLATE template0"],
    );
}

#[test]
fn pgbouncer_in_transaction_mode_must_be_named() {
    let postgres = PostgresServer::start();
    let pooler = PgBouncer::start(&postgres, PoolMode::Transaction, "");
    for _ in 0..2 {
        refuses(
            &Installation::at(&pooler.url()),
            &["PgBouncer", "MYCARS__DATABASE__POOLER=transaction"],
        );
    }
    drop(pooler);
    let pooler = PgBouncer::start(&postgres, PoolMode::Session, "");
    for start in 0..3 {
        let server = Installation::at(&pooler.url()).start();
        let tokens = join(&server, &format!("ann{start}"));
        server
            .send(&new_car(&tokens.access, &format!("B-AB {start}")))
            .json(201);
        assert_eq!(server.stop().code, Some(0));
    }
}

#[test]
fn port_in_use_is_refused() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let installation = in_production().with("MYCARS__SERVER__BIND", &address);
    refuses(&installation, &[&address, "another port"]);
}

#[test]
fn port_on_command_line_overrides_setting() {
    let holder = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = holder.local_addr().unwrap().to_string();
    let refusal = in_production().run(&["runserver", &address]).refusal();
    assert!(refusal.contains(&address), "{refusal}");
}

#[test]
fn unwritable_data_folder_is_refused() {
    for installation in [Installation::empty(), in_production()] {
        let installation = installation.with("MYCARS__DATA_DIR", "taken");
        fs::write(installation.path("taken"), "").unwrap();
        refuses(&installation, &["taken", "MYCARS__DATA_DIR"]);
    }
}
