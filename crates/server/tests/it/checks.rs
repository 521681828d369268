//! `mycars check`, `mycars config show` and `mycars healthcheck`.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    thread,
};

use mycars_testkit::TestDatabase;

use crate::support::{
    Installation,
    accounts::{join, new_car},
    certificate::Certificate,
    installation::SECRET_KEY,
};

/// Returns an installation in production, without problems.
fn production(database: TestDatabase) -> Installation {
    without_settings_of_tests(Installation::on(database))
        .with("MYCARS_ENVIRONMENT", "production")
        .with("MYCARS__SERVER__TRUSTED_PROXIES", "127.0.0.1")
}

/// Resets the settings that tests have. An empty variable counts as not set.
fn without_settings_of_tests(installation: Installation) -> Installation {
    [
        "MYCARS__SERVER__BIND",
        "MYCARS__PASSWORDS__BCRYPT_COST",
        "MYCARS__THROTTLE__ENABLED",
    ]
    .into_iter()
    .fold(installation, |installation, name| installation.with(name, ""))
}

/// Runs `mycars check`, and returns the ids of the problems.
fn check(installation: &Installation, arguments: &[&str]) -> Vec<String> {
    let finished = installation.run(&[&["check"], arguments].concat());
    let found = ids(&finished.stdout);
    let has_error = found.iter().any(|id| id.contains(".E"));
    assert_eq!(finished.code, Some(i32::from(has_error)), "{finished:?}");
    found
}

fn ids(output: &str) -> Vec<String> {
    let lines = output.lines().filter(|line| line.starts_with("mycars."));
    lines
        .map(|line| line.split_once(": ").expect(line).0.to_owned())
        .collect()
}

/// Returns an installation with one wrong setting.
fn setting(name: &str, value: &str) -> Installation {
    production(TestDatabase::sqlite()).with(name, value)
}

/// Returns an installation whose database was changed by hand.
fn altered(database: TestDatabase, sql: &str) -> Installation {
    database.execute(sql);
    production(database)
}

/// Makes PostgreSQL use a function of the schema `public` in place of its own.
fn altered_postgres(function: &str) -> Installation {
    let database = TestDatabase::postgres();
    let url = database.url();
    let name = url.rsplit('/').next().unwrap();
    let path = format!("ALTER DATABASE {name} SET search_path = public, pg_catalog");
    altered(database, &format!("{path}; CREATE FUNCTION public.{function}"))
}

/// Returns an installation whose PostgreSQL database refuses writes.
fn read_only_postgres() -> Installation {
    let database = TestDatabase::postgres();
    let url = database.url();
    let name = url.rsplit('/').next().unwrap();
    let sql = format!("ALTER DATABASE {name} SET default_transaction_read_only = on");
    altered(database, &sql)
}

fn debug() -> Installation {
    without_settings_of_tests(Installation::empty()).with("DEBUG", "true")
}

fn with_file(installation: Installation, name: &str, content: &str, mode: u32) -> Installation {
    let path = installation.path(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, content).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
    installation
}

fn with_lost_picture() -> Installation {
    let installation = production(TestDatabase::sqlite());
    let server = installation.start_with("MYCARS__SERVER__BIND", "127.0.0.1:0");
    let ann = join(&server, "ann");
    server.send(&new_car(&ann.access, "B-AB 12")).json(201);
    server.stop();
    installation
        .database()
        .execute("UPDATE cars SET image = 'cars/lost.jpg'");
    installation
}

fn with_readable_database() -> Installation {
    let database = TestDatabase::sqlite();
    let path = database.url().replace("sqlite://", "");
    fs::set_permissions(path, fs::Permissions::from_mode(0o640)).unwrap();
    production(database)
}

/// Returns an installation with a certificate that expires in so many days.
fn with_certificate(days: i64) -> Installation {
    let installation = production(TestDatabase::sqlite());
    Certificate::expiring_in(days).install(&installation);
    let path = |name| installation.path(name).display().to_string();
    let (certificate, key) = (path("certificate.pem"), path("key.pem"));
    installation
        .with("MYCARS__SERVER__TLS__CERTIFICATE_FILE", &certificate)
        .with("MYCARS__SERVER__TLS__KEY_FILE", &key)
}

/// Returns an installation whose key of TLS has this mode.
fn with_key_of_mode(mode: u32) -> Installation {
    let installation = with_certificate(60);
    fs::set_permissions(installation.path("key.pem"), fs::Permissions::from_mode(mode)).unwrap();
    installation
}

/// Faults, each with the problems that are found.
fn faults() -> Vec<(Vec<&'static str>, Installation)> {
    let sqlite = TestDatabase::sqlite;
    let file = |installation| with_file(installation, "file", "", 0o600);
    let daily = |installation: Installation| installation.with("MYCARS__BACKUP__EVERY_HOURS", "24");
    let older = "DELETE FROM __diesel_schema_migrations
        WHERE version = (SELECT max(version) FROM __diesel_schema_migrations)";
    let clock = "clock_timestamp() RETURNS timestamptz LANGUAGE sql AS
        'SELECT pg_catalog.now() + interval ''1 hour'''";
    vec![
        (vec!["E001"], setting("MYCARS__SERVER__BNID", "127.0.0.1:80")),
        (vec!["E002"], setting("MYCARS__SERVER__BIND", "localhost")),
        (vec!["E003"], setting("MYCARS_ENVIRONMENT", "staging")),
        (vec!["E004"], setting("SECRET_KEY", "")),
        (vec!["E005"], setting("SECRET_KEY", "changeme")),
        (vec!["E006"], setting("ALLOWED_HOSTS", "")),
        (vec!["E007"], setting("DEBUG", "true")),
        (vec!["E008"], debug().with("MYCARS__SERVER__BIND", "0.0.0.0:8000")),
        (vec!["E009"], setting("MYCARS__MAIL__URL", "smtp://localhost:25")),
        (
            vec!["E010"],
            setting("DATABASE_URL", "sqlite:///nowhere/cars.sqlite3"),
        ),
        (
            vec!["E011"],
            setting("DATABASE_URL", "postgres://ann:hunter2@127.0.0.1:1/mycars"),
        ),
        (vec!["E012"], read_only_postgres()),
        (
            vec!["E013"],
            file(setting("MYCARS__DATA_DIR", "file/data").with("MYCARS__MEDIA__ROOT", "media")),
        ),
        (vec!["E014", "E018"], file(setting("MYCARS__MEDIA__ROOT", "file"))),
        (
            vec!["E015"],
            setting("MYCARS__STORAGE__MIN_FREE_BYTES", &i64::MAX.to_string()),
        ),
        (
            vec!["E016", "W005"],
            file(daily(setting("MYCARS__BACKUP__DIRECTORY", "file"))),
        ),
        (
            vec!["E017", "W005"],
            daily(setting("MYCARS__JOBS__ENABLED", "false")),
        ),
        (
            vec!["E018"],
            with_file(production(sqlite()), "data/media/cars", "not a folder", 0o600),
        ),
        (
            vec!["E018"],
            setting("MYCARS__MEDIA__ROOT", "s3://pictures")
                .with("MYCARS__MEDIA__S3__ENDPOINT", "http://127.0.0.1:1")
                .with("MYCARS__MEDIA__S3__REGION", "eu-west-1")
                .with("MYCARS__MEDIA__S3__ACCESS_KEY", "id")
                .with("MYCARS__MEDIA__S3__SECRET_KEY", "s3cr3t"),
        ),
        (
            vec!["E021"],
            setting("MYCARS__ACCOUNTS__REQUIRE_VERIFIED_EMAIL", "true"),
        ),
        (vec!["W001"], altered(sqlite(), older)),
        (vec!["W002"], altered_postgres(clock)),
        (vec!["W003"], with_lost_picture()),
        (
            vec!["W004"],
            with_file(
                production(sqlite()),
                "data/media/.mycars-database",
                "another",
                0o600,
            ),
        ),
        (vec!["W005"], daily(production(sqlite()))),
        (
            vec!["W006"],
            with_file(debug(), "data/secret_key", SECRET_KEY, 0o644),
        ),
        (vec!["W007"], with_readable_database()),
        (vec!["W008"], with_file(production(sqlite()), ".env", "", 0o600)),
        (vec!["W009"], debug().with("SECRET_KEY", "short")),
        (
            vec!["W010"],
            production(TestDatabase::postgres()).with("MYCARS__DATABASE__POOL_SIZE", "1000"),
        ),
        (
            vec!["E019"],
            setting("MYCARS__SERVER__TLS__CERTIFICATE_FILE", "missing.pem")
                .with("MYCARS__SERVER__TLS__KEY_FILE", "missing.pem"),
        ),
        (vec!["E020"], with_certificate(-1)),
        (vec!["W012"], with_certificate(13)),
        (vec!["W014"], with_key_of_mode(0o644)),
        (vec!["W014"], with_key_of_mode(0o660)),
        (vec![], with_key_of_mode(0o640)),
        (vec!["W011"], setting("SECRET_KEY_FALLBACKS", SECRET_KEY)),
        (
            vec!["W013"],
            setting("MYCARS__THROTTLE__SHARED", "redis://:hunter2@127.0.0.1:1"),
        ),
    ]
}

/// Faults that only `--deploy` finds.
fn faults_of_production() -> Vec<(Vec<&'static str>, Installation)> {
    let address = "inet_server_addr() RETURNS inet LANGUAGE sql AS 'SELECT inet ''192.0.2.1'''";
    vec![
        (
            vec!["W020"],
            debug().with("MYCARS__SERVER__TRUSTED_PROXIES", "127.0.0.1"),
        ),
        (vec!["W021"], setting("ALLOWED_HOSTS", "*")),
        (vec!["W022"], setting("MYCARS__SERVER__TRUSTED_PROXIES", "")),
        (vec!["W022"], setting("MYCARS__SERVER__BIND", "unix:mycars.sock")),
        (
            vec!["W023"],
            setting("MYCARS__SERVER__TRUSTED_PROXIES", "0.0.0.0/0"),
        ),
        (vec!["W024"], setting("MYCARS__SERVER__HSTS_SECONDS", "0")),
        (vec!["W025"], setting("MYCARS__CORS__ALLOWED_ORIGINS", "*")),
        (
            vec!["W026"],
            setting("MYCARS__CORS__ALLOWED_ORIGINS", "http://app.example.org"),
        ),
        (vec!["W027"], setting("MYCARS__THROTTLE__ENABLED", "false")),
        (vec!["W028"], setting("MYCARS__METRICS__ALLOWED_NETWORKS", "::/0")),
        (vec!["W029"], setting("MYCARS__PASSWORDS__BCRYPT_COST", "10")),
        (vec!["W030"], setting("MYCARS__LOG__LEVEL", "error")),
        (vec!["W031"], altered_postgres(address)),
        (
            vec!["W013", "W032"],
            setting("MYCARS__THROTTLE__SHARED", "redis://:hunter2@192.0.2.1:6379"),
        ),
    ]
}

#[test]
fn each_planted_fault_is_found_by_its_id() {
    let mut planted = BTreeSet::new();
    for (faults, arguments) in [(faults(), &[][..]), (faults_of_production(), &["--deploy"])] {
        for (expected, installation) in faults {
            let expected: Vec<String> = expected.iter().map(|id| format!("mycars.{id}")).collect();
            assert_eq!(check(&installation, arguments), expected);
            planted.extend(expected);
        }
    }
    let document = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/checks.md")).unwrap();
    let rows = document.lines().filter_map(|line| line.strip_prefix("| `"));
    let documented: BTreeSet<String> = rows
        .map(|row| row.split('`').next().unwrap().to_owned())
        .collect();
    assert_eq!(planted, documented, "each check has a planted fault");
}

#[test]
fn production_example_of_readme_has_no_problems() {
    let readme = include_str!("../../../../README.md");
    let (_, rest) = readme.split_once("### Production").unwrap();
    let variables = rest.lines().filter_map(|line| line.strip_prefix("export "));
    let variables = variables.map(|line| line.split(' ').next().unwrap().split_once('=').unwrap());
    let mut installation = without_settings_of_tests(Installation::empty());
    for (name, value) in variables.take(4) {
        let value = if name == "SECRET_KEY" { SECRET_KEY } else { value };
        installation = installation.with(name, value);
    }
    let none = Vec::<String>::new();
    assert_eq!(check(&installation, &["--deploy"]), none);
    assert!(!installation.path("data").exists(), "the check creates nothing");
    installation.run(&["migrate"]).success();
    assert_eq!(check(&installation, &["--deploy"]), none);
    let marker = installation.path("data/media/.mycars-database");
    assert!(!marker.exists(), "the check claims no pictures");
}

#[test]
fn server_with_tls_needs_no_proxy() {
    let installation = with_certificate(60).with("MYCARS__SERVER__TRUSTED_PROXIES", "");
    assert_eq!(check(&installation, &["--deploy"]), Vec::<String>::new());
}

#[test]
fn warnings_fail_from_their_level_on() {
    let installation = setting("MYCARS__THROTTLE__ENABLED", "false");
    let found = installation.run(&["check", "--deploy"]).success();
    for part in ["mycars.W027: ", "    Why: ", "    Fix: ", "0 errors, 1 warnings"] {
        assert!(found.contains(part), "{found}");
    }
    let failed = installation.run(&["check", "--deploy", "--fail-level", "warning"]);
    assert_eq!(
        (failed.code, ids(&failed.stdout)),
        (Some(1), vec!["mycars.W027".into()])
    );
}

#[test]
fn shown_settings_have_values_and_sources_without_secrets() {
    let installation = Installation::empty()
        .with("MYCARS_ENVIRONMENT", "production")
        .with("SECRET_KEY", SECRET_KEY)
        .with("SECRET_KEY_FALLBACKS", "an-older-key,another")
        .with("DATABASE_URL", "postgres://ann:hunter2@db.example.org/mycars")
        .with("MYCARS__SERVER__WORKERS", "3");
    let installation = with_file(
        installation,
        "config/default.toml",
        "[lists]\npage_size = 7\n",
        0o600,
    );
    let shown = installation.run(&["config", "show", "--sources"]).success();
    for line in [
        "secret_key = \"(hidden)\"  # SECRET_KEY",
        "database_url = \"(hidden)\"  # DATABASE_URL",
        "debug = false  # default of the environment production",
        "workers = \"3\"  # MYCARS__SERVER__WORKERS",
        "page_size = 7  # config/default.toml",
        "max_page_size = 1000  # default",
    ] {
        assert!(shown.lines().any(|found| found == line), "{line}: {shown}");
    }
    for secret in [SECRET_KEY, "an-older-key", "another", "hunter2", "ann"] {
        assert!(!shown.contains(secret), "{secret}: {shown}");
    }
    let without_sources = installation.run(&["config", "show"]).success();
    assert!(without_sources.contains("\n[server]\n"), "{without_sources}");
    assert!(!without_sources.contains('#'), "{without_sources}");
}

#[test]
fn healthcheck_succeeds_while_the_server_is_ready() {
    let installation = Installation::on(TestDatabase::sqlite());
    let server = installation.start();
    let address = server.address().to_owned();
    let ready = format!("http://{address}/health/ready");
    installation.run(&["healthcheck", "--url", &ready]).success();
    let by_settings = installation.run_with(&["healthcheck"], "MYCARS__SERVER__BIND", &address);
    by_settings.success();
    let missing = installation.run(&["healthcheck", "--url", &format!("http://{address}/health/no")]);
    assert!(missing.refusal().ends_with("it responded with status 404"));
    server.stop();
    installation.run(&["healthcheck", "--url", &ready]).refusal();
    installation
        .run(&["healthcheck", "--url", "https://localhost/"])
        .refusal();
}

#[test]
fn healthcheck_fails_for_503_and_for_other_programs() {
    for (answer, problem) in [
        (
            "HTTP/1.1 503 Service Unavailable\r\n\r\n",
            "it responded with status 503",
        ),
        ("SSH-2.0-OpenSSH_9.2\r\n", "its response is not HTTP"),
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/health/ready", listener.local_addr().unwrap());
        let answering = thread::spawn(move || {
            let mut client = listener.accept().unwrap().0;
            let mut request = [0; 1024];
            let length = client.read(&mut request).unwrap();
            assert!(request[..length].starts_with(b"GET /health/ready HTTP/1.1\r\n"));
            client.write_all(answer.as_bytes()).unwrap();
        });
        let refusal = Installation::empty()
            .run(&["healthcheck", "--url", &url])
            .refusal();
        assert!(refusal.ends_with(problem), "{refusal}");
        answering.join().unwrap();
    }
}
