//! What is said when a database can't be opened.

use std::{
    fs,
    net::TcpListener,
    time::{Duration, Instant},
};

use mycars_persistence::{Database, Options};
use mycars_testkit::TestDatabase;

const OPTIONS: Options = Options {
    pool_size: 2,
    timeout: Duration::from_secs(1),
};

/// What both ways to open a database say, which must be the same, in one line and without the password.
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
fn a_missing_folder_is_named() {
    let line = refusal("sqlite:///no/such/folder/mycars.sqlite3");
    assert_eq!(
        line,
        "the folder `/no/such/folder` of the SQLite database does not exist: make it, or correct the database URL"
    );
}

#[test]
fn a_file_that_is_no_database_is_named() {
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
fn a_server_that_does_not_run_is_named_at_once() {
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
fn a_server_that_never_answers_is_given_up() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = silent.local_addr().unwrap().port();
    let begun = Instant::now();
    let line = refusal(&format!("postgres://ann:secret@127.0.0.1:{port}/mycars"));
    assert!(line.contains("timeout"), "{line}");
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn a_database_that_the_server_does_not_have_is_named() {
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
fn no_connections_and_no_time_count_as_the_least_there_can_be() {
    let database = TestDatabase::sqlite();
    let nothing = Options {
        pool_size: 0,
        timeout: Duration::ZERO,
    };
    // A pool panics about both. One that has a millisecond to fill may fail, and says so.
    Database::parse(&database.url())
        .unwrap()
        .connect(&nothing)
        .map(drop)
        .ok();
}
