//! The commands other than `runserver`.

use mycars_testkit::TestDatabase;

use crate::support::{
    Installation, Request,
    accounts::{self, SUPERUSER_PASSWORD, join, log_in, me},
    on_both_databases,
};

on_both_databases!(
    created_superuser_logs_in_as_admin,
    createsuperuser_with_taken_username_is_refused,
    superuser_without_password_cannot_log_in,
    createsuperuser_without_terminal_is_skipped,
    flushexpiredtokens_deletes_expired_tokens_alone,
    changepassword_of_unknown_user_is_refused,
);

fn created_superuser_logs_in_as_admin(installation: &Installation) {
    installation.create_superuser("root");
    let server = installation.start();
    let tokens = log_in(&server, "root", SUPERUSER_PASSWORD);
    let me = me(&server, &tokens.access).json(200);
    assert_eq!(me["role"], "admin");
    assert_eq!(me["is_superuser"], true);
    assert_eq!(me["is_active"], true);
    assert_eq!(me["email"], "root@example.com");
}

fn createsuperuser_with_taken_username_is_refused(installation: &Installation) {
    installation.create_superuser("root");
    let arguments = [
        "createsuperuser",
        "--noinput",
        "--username",
        "Root",
        "--email",
        "other@example.com",
    ];
    assert_eq!(
        installation.run(&arguments).refusal(),
        "username: A user with that username already exists."
    );
}

fn superuser_without_password_cannot_log_in(installation: &Installation) {
    let arguments = [
        "createsuperuser",
        "--noinput",
        "--username",
        "root",
        "--email",
        "root@example.com",
    ];
    let finished = installation.run(&arguments);
    assert!(finished.stderr.contains("changepassword root"), "{finished:?}");
    finished.success();
    let server = installation.start();
    for password in ["", "!", "root"] {
        let status = server.send(&accounts::login("root", password)).status;
        assert!(
            matches!(status, 400 | 401),
            "{password:?} is answered with {status}"
        );
    }
}

fn createsuperuser_without_terminal_is_skipped(installation: &Installation) {
    let said = installation.run(&["createsuperuser"]).success();
    assert!(
        said.starts_with("Superuser creation skipped due to not running in a TTY."),
        "{said}"
    );
    // The name is still free.
    installation.create_superuser("root");
}

fn flushexpiredtokens_deletes_expired_tokens_alone(installation: &Installation) {
    let server = installation.start();
    join(&server, "ann");
    let expire = "UPDATE refresh_tokens SET expires_at = '2001-02-03 04:05:06+00:00'";
    installation.database().execute(expire);
    let live = log_in(&server, "ann", accounts::PASSWORD);

    let flush = || installation.run(&["flushexpiredtokens"]).success();
    assert_eq!(flush(), "Deleted 1 expired refresh tokens.\n");
    assert_eq!(flush(), "Deleted 0 expired refresh tokens.\n");
    let refresh = Request::post(
        "/api/token/refresh/",
        &serde_json::json!({"refresh": live.refresh}),
    );
    server.send(&refresh).json(200);
}

fn changepassword_of_unknown_user_is_refused(installation: &Installation) {
    assert_eq!(
        installation.run(&["changepassword", "nobody"]).refusal(),
        "user 'nobody' does not exist"
    );
}

#[test]
fn createsuperuser_takes_password_from_django_variable() {
    let installation = Installation::empty().with("DJANGO_SUPERUSER_PASSWORD", "Harbour-lamp-9");
    let arguments = [
        "createsuperuser",
        "--noinput",
        "--username",
        "root",
        "--email",
        "root@example.com",
    ];
    assert_eq!(
        installation.run(&arguments).success(),
        "Superuser created successfully.\n"
    );
    log_in(&installation.start(), "root", "Harbour-lamp-9");
}

#[test]
fn createsuperuser_names_missing_option() {
    let installation = Installation::on(TestDatabase::sqlite());
    for (arguments, missing) in [
        (&["createsuperuser", "--noinput"][..], "--username"),
        (&["createsuperuser", "--noinput", "--username", "root"], "--email"),
    ] {
        let refusal = installation.run(arguments).refusal();
        assert!(refusal.contains(missing), "{refusal}");
    }
}

/// Migrates an empty database twice.
fn migrates_once(database: TestDatabase) {
    let installation = Installation::on(database);
    let first = installation.run(&["migrate"]).success();
    assert!(!first.is_empty(), "nothing was applied");
    assert!(first.lines().all(|line| line.starts_with("Applied ")), "{first}");
    let second = installation.run(&["migrate"]).success();
    assert!(second.starts_with("No migrations to apply to "), "{second}");
    assert_eq!(second.lines().count(), 1, "{second}");
    installation.create_superuser("root");
}

#[test]
fn sqlite_is_migrated_once() {
    migrates_once(TestDatabase::empty_sqlite());
}

#[test]
fn postgres_is_migrated_once() {
    migrates_once(TestDatabase::empty_postgres());
}

#[test]
fn help_names_every_command() {
    let installation = Installation::empty();
    let help = installation.run(&["--help"]).success();
    for command in [
        "runserver",
        "migrate",
        "createsuperuser",
        "changepassword",
        "flushexpiredtokens",
        "clearsessions",
        "pruneaudit",
        "sweepmedia",
        "prunemedia",
        "adoptmedia",
    ] {
        assert!(help.contains(command), "{command}: {help}");
        installation.run(&[command, "--help"]).success();
    }
}

#[test]
fn version_is_that_of_the_package() {
    let version = Installation::empty().run(&["--version"]).success();
    assert_eq!(version, concat!("mycars ", env!("CARGO_PKG_VERSION"), "\n"));
}

#[test]
fn help_and_version_need_no_settings() {
    let installation = Installation::empty().with("MYCARS__SERVER__BNID", "x");
    installation.run(&["--version"]).success();
    installation.run(&["--help"]).success();
    assert!(!installation.path("data").exists());
}

#[test]
fn unknown_command_is_refused() {
    let finished = Installation::empty().run(&["migrte"]);
    assert_ne!(finished.code, Some(0));
    assert!(finished.stderr.contains("'migrate'"), "{}", finished.stderr);
}
