//! The commands other than `runserver`.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use mycars_testkit::TestDatabase;
use serde_json::json;

use crate::support::{
    Installation, Request,
    accounts::{self, SUPERUSER_PASSWORD, join, log_in, me, register},
    on_both_databases,
    panel::Panel,
};

on_both_databases!(
    created_superuser_logs_in_as_admin,
    createsuperuser_with_taken_username_is_refused,
    superuser_without_password_cannot_log_in,
    createsuperuser_without_terminal_is_skipped,
    flushexpiredtokens_deletes_expired_tokens_alone,
    changepassword_of_unknown_user_is_refused,
    changes_by_commands_are_recorded,
);

/// The arguments that create a superuser without a password.
const CREATE_ROOT: [&str; 6] = [
    "createsuperuser",
    "--noinput",
    "--username",
    "root",
    "--email",
    "root@example.com",
];

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
    let finished = installation.run(&CREATE_ROOT);
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
    let refresh = Request::post("/api/token/refresh/", &json!({"refresh": live.refresh}));
    server.send(&refresh).json(200);
}

fn changepassword_of_unknown_user_is_refused(installation: &Installation) {
    assert_eq!(
        installation.run(&["changepassword", "nobody"]).refusal(),
        "user 'nobody' does not exist"
    );
}

fn changes_by_commands_are_recorded(installation: &Installation) {
    installation.create_superuser("root");
    let server = installation.start();
    register(&server, "ann");
    let panel = Panel::of_root(&server);
    let before = panel.entries();
    at_a_terminal(
        installation,
        &["changepassword", "ann"],
        "Meadow-x-55\nMeadow-x-55\n",
    );
    log_in(&server, "ann", "Meadow-x-55");
    for command in ["flushexpiredtokens", "clearsessions", "sweepmedia"] {
        installation.run(&[command]).success();
    }
    let history = panel.history("ordering=at");
    assert_eq!(
        history["count"].as_u64(),
        before.as_u64().map(|count| count + 1),
        "{history}"
    );
    let entries = history["results"].as_array().unwrap();
    for (entry, expected) in [
        (&entries[0], json!(["created", "root"])),
        (entries.last().unwrap(), json!(["changed", "ann"])),
    ] {
        assert_eq!(json!([entry["action"], entry["object"]]), expected);
        let keys = ["channel", "actor", "actor_name", "request_id", "address"];
        let author = keys.map(|key| entry[key].clone());
        assert_eq!(json!(author), json!(["command_line", null, "system", null, null]));
    }
    let change = json!([{"field": "password", "before": "********", "after": "********"}]);
    assert_eq!(entries.last().unwrap()["changes"], change);
}

/// Runs `mycars` at a terminal with typed input. `script`, which every system has, provides the terminal.
fn at_a_terminal(installation: &Installation, arguments: &[&str], typed: &str) {
    let program = env!("CARGO_BIN_EXE_mycars");
    let mut command = Command::new("script");
    if cfg!(target_os = "macos") {
        command.args(["-q", "/dev/null", program]).args(arguments);
    } else {
        let line = [&[program], arguments].concat().join(" ");
        command.args(["-qec", &line, "/dev/null"]);
    }
    let mut child = installation
        .prepare(&mut command)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("`script` can be run (Debian: bsdutils)");
    // The input stays open until the end: closing the terminal would end the command.
    let mut terminal = child.stdin.take().unwrap();
    terminal.write_all(typed.as_bytes()).unwrap();
    let finished = child.wait_with_output().unwrap();
    drop(terminal);
    assert!(finished.status.success(), "{finished:?}");
}

#[test]
fn createsuperuser_takes_password_from_django_variable() {
    let installation = Installation::empty().with("DJANGO_SUPERUSER_PASSWORD", "Harbour-lamp-9");
    assert_eq!(
        installation.run(&CREATE_ROOT).success(),
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
fn help_describes_every_command() {
    let help = Installation::empty().run(&["--help"]).success();
    insta::assert_snapshot!(help);
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
