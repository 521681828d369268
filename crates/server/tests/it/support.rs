//! Runs the binary, and sends requests to it.

pub(crate) mod certificate;
pub(crate) mod document;
pub(crate) mod installation;
pub(crate) mod output;
pub(crate) mod process;
pub(crate) mod raw;

pub(crate) use installation::{Installation, Server};
pub(crate) use mycars_testkit::{
    http::{self, Answer, Client, PATIENCE, Request, accounts, browser, panel},
    random,
};

use std::{
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

/// Makes a test of each function, which is given an [`Installation`] of its own with an empty, migrated SQLite database.
macro_rules! on_sqlite {
    ($($test:ident),+ $(,)?) => {
        crate::support::on_database!(on_sqlite_alone, sqlite, $($test),+);
    };
}
pub(crate) use on_sqlite;

/// Makes two tests of each function: one on SQLite, one on PostgreSQL.
macro_rules! on_both_databases {
    ($($test:ident),+ $(,)?) => {
        crate::support::on_database!(on_sqlite, sqlite, $($test),+);
        crate::support::on_database!(on_postgres, postgres, $($test),+);
    };
}
pub(crate) use on_both_databases;

macro_rules! on_database {
    ($module:ident, $database:ident, $($test:ident),+) => {
        mod $module {
            $(
                #[test]
                fn $test() {
                    super::$test(&crate::support::Installation::on(mycars_testkit::TestDatabase::$database()));
                }
            )+
        }
    };
}
pub(crate) use on_database;

/// Polls until there is a value, and panics after [`PATIENCE`].
pub(crate) fn wait_for<T>(what: &str, mut poll: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(answer) = poll() {
            return answer;
        }
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Runs `work` on many threads at the same moment, and returns the results. Each thread gets its number.
pub(crate) fn at_once<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let start = Barrier::new(threads);
    let (start, work) = (&start, &work);
    thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|number| {
                scope.spawn(move || {
                    start.wait();
                    work(number)
                })
            })
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics"))
            .collect()
    })
}
