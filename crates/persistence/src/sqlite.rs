//! The parts of the store that differ for SQLite; `shared/` has the rest.

use std::{
    cell::Cell,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use diesel::{
    QueryResult, RunQueryDsl as _,
    connection::{AnsiTransactionManager, SimpleConnection as _},
    dsl::sql,
    select,
    serialize::{self, IsNull, Output, ToSql},
    sql_types::{Bool, Text, TimestamptzSqlite},
    sqlite::Sqlite as DB,
};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use mycars_application::ports::{StoreError, UnitOfWork as _};
use mycars_domain::{Car, NewCar, audit::NewEntry};

use crate::options::Options;

/// The type of connection in the shared files.
type Conn = diesel::SqliteConnection;

/// The name of the database in traces, which OpenTelemetry defines.
const SYSTEM: &str = "sqlite";

/// Begins the transaction of a snapshot, which the first read takes. In WAL mode, writers do not wait for it.
const BEGIN_SNAPSHOT: &str = "BEGIN";

/// The migrations, embedded in the binary.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// Returns whether the table of applied migrations exists.
const HAS_MIGRATIONS: &str = "SELECT count(*) > 0 AS found FROM sqlite_master
    WHERE type = 'table' AND name = '__diesel_schema_migrations'";

/// Allocates pages and frees them.
const WRITE_CHECK: &str = "CREATE TABLE __mycars_write_check AS SELECT zeroblob(65536) AS filler;
    DROP TABLE __mycars_write_check;";

/// The time of the database in microseconds since 1970, in SQL.
const NOW_MICROSECONDS: &str = "CAST(unixepoch('now', 'subsec') * 1000000 AS INTEGER)";

/// The functions that return the greatest and the least of their arguments.
const GREATEST: &str = "max";
const LEAST: &str = "min";

/// Nothing: there is one writer at a time.
const SKIP_LOCKED: &str = "";

mod schema {
    schema!(TimestamptzSqlite);
}

/// Leaves a query unchanged: a transaction that began with `BEGIN IMMEDIATE` is the only writer.
macro_rules! for_update {
    ($query:expr) => {
        $query
    };
}

/// The condition that a text contains a word.
macro_rules! contains {
    ($text:expr, $word:expr) => {
        super::contains($text, $word)
    };
}

#[path = "shared/api_keys.rs"]
mod api_keys;
#[path = "shared/audit_log.rs"]
mod audit_log;
#[path = "shared/cars.rs"]
mod cars;
#[path = "shared/installation.rs"]
mod installation;
#[path = "shared/keys.rs"]
mod keys;
#[path = "shared/leases.rs"]
mod leases;
#[path = "shared/migrations.rs"]
mod migrations;
#[path = "shared/opening.rs"]
mod opening;
#[path = "shared/outbox.rs"]
mod outbox;
#[path = "shared/rates.rs"]
mod rates;
#[path = "shared/refresh_tokens.rs"]
mod refresh_tokens;
#[path = "shared/rows.rs"]
mod rows;
#[path = "shared/sessions.rs"]
mod sessions;
#[path = "shared/store.rs"]
mod store;
mod transactions;
#[path = "shared/users.rs"]
mod users;

use crate::{
    inspection::sqlite::facts,
    requirements::sqlite::{check, check_before_migrations, establish},
};
pub(crate) use migrations::known_migrations;
pub(crate) use opening::{connect, inspect, migrate, pending};
use store::Unit;
use transactions::Transactions;

/// Stores a car, and the entry about it with the car's id. SQLite has no INSERT inside another statement, and no round
/// trip to save.
fn append_with_car(unit: &mut Unit<'_>, entry: &NewEntry, car: &NewCar) -> Result<Car, StoreError> {
    let car = unit.cars().insert(car)?;
    let mut entry = entry.clone();
    entry.object.id = car.id.to_string();
    unit.audit_log().append(&[entry])?;
    Ok(car)
}

thread_local! {
    /// The start of this thread's last statement. SQLite calls functions on the thread that runs the statement.
    static STARTED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// Starts measuring the time of a statement.
fn start_statement() {
    STARTED.set(Some(Instant::now()));
}

/// SQLite has no statement timeout: its progress handler is not available in safe code. So searches, the only
/// statements whose clients choose both the text and the work for each of its characters, check the time for each row.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("canceling statement due to statement timeout")]
struct TimedOut;

/// The result of the function `contains`.
#[derive(Debug)]
struct Contains(Result<bool, TimedOut>);

impl ToSql<Bool, DB> for Contains {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, DB>) -> serialize::Result {
        out.set_value(i32::from(self.0?));
        Ok(IsNull::No)
    }
}

diesel::define_sql_function! {
    /// Returns whether a text contains a word. In contrast to `LIKE`, its time is linear in the length of the text,
    /// whatever the word, and wildcards need no escape.
    fn contains(text: Text, word: Text) -> Bool;
}

/// Registers the function `contains`.
fn register_contains(conn: &mut Conn, statement_timeout: Option<Duration>) -> QueryResult<()> {
    contains_utils::register_impl(conn, move |text: String, word: String| {
        let timed_out = statement_timeout
            .is_some_and(|limit| STARTED.get().is_some_and(|start| start.elapsed() >= limit));
        Contains(if timed_out {
            Err(TimedOut)
        } else {
            Ok(text.contains(&word))
        })
    })
}

/// Sets up a new connection. The time limit is set first, because the other settings may have to wait.
///
/// In WAL mode, readers and the writer do not block each other. With `synchronous = FULL`, an acknowledged write
/// survives a power failure, as in PostgreSQL.
fn prepare(conn: &mut Conn, options: Options) -> QueryResult<()> {
    register_contains(conn, options.statement_timeout)?;
    conn.batch_execute(&format!(
        "PRAGMA busy_timeout = {};
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;",
        options.timeout.as_millis()
    ))
}

/// Begins the transaction of a write. A plain `BEGIN` takes the write lock with the first change, and fails at once
/// if another connection has written since the first read.
fn begin(conn: &mut Conn, _options: Options) -> QueryResult<()> {
    AnsiTransactionManager::begin_transaction_sql(conn, "BEGIN IMMEDIATE")
}

/// Begins the transaction of a write that fails instead of waiting for another process. Once it has begun, it waits for
/// nothing.
fn begin_now(conn: &mut Conn, options: Options) -> QueryResult<()> {
    conn.batch_execute("PRAGMA busy_timeout = 0")?;
    let begun = begin(conn, options);
    conn.batch_execute(&format!("PRAGMA busy_timeout = {}", options.timeout.as_millis()))?;
    begun
}

/// Begins the transaction for migrations, which only one instance at a time can hold.
///
/// Foreign keys are off meanwhile: SQLite changes a table by copying and dropping it, and dropping a table deletes
/// the rows that refer to it.
fn begin_migrations(conn: &mut Conn, options: Options) -> QueryResult<()> {
    conn.batch_execute("PRAGMA foreign_keys = OFF")?;
    begin(conn, options)
}

#[derive(diesel::QueryableByName)]
struct Trigger {
    #[diesel(sql_type = Text)]
    sql: String,
}

/// Runs `work` without the trigger that protects audit log entries from changes.
fn unguarded(conn: &mut Conn, work: impl FnOnce(&mut Conn) -> QueryResult<()>) -> QueryResult<()> {
    let trigger: Trigger = diesel::sql_query(
        "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = 'audit_log_stays_as_it_is'",
    )
    .get_result(conn)?;
    conn.batch_execute("DROP TRIGGER audit_log_stays_as_it_is")?;
    work(conn)?;
    conn.batch_execute(&trigger.sql)
}

/// Runs `work`, which inserts entries of the audit log with ids.
fn with_given_ids(conn: &mut Conn, work: impl FnOnce(&mut Conn) -> QueryResult<()>) -> QueryResult<()> {
    work(conn)
}

/// Returns the query for the next id of a table with AUTOINCREMENT. A table that never had a row is missing.
fn next_id_query(table: &str) -> String {
    format!("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = '{table}'), 0) + 1 AS next_id")
}

/// Sets the next id of a table with AUTOINCREMENT.
fn set_next_id(conn: &mut Conn, table: &str, id: i64) -> QueryResult<()> {
    let last = id.saturating_sub(1);
    conn.batch_execute(&format!(
        "DELETE FROM sqlite_sequence WHERE name = '{table}';
         INSERT INTO sqlite_sequence (name, seq) VALUES ('{table}', {last})"
    ))
}

/// Lets the ids of new entries of the audit log follow the last one, as they do without AUTOINCREMENT.
#[expect(
    clippy::unnecessary_wraps,
    reason = "PostgreSQL's function of the same name asks the server"
)]
fn follow_last_entry(_conn: &mut Conn) -> QueryResult<()> {
    Ok(())
}

/// Returns the time of this machine, which all processes that use the file share.
fn database_time(conn: &mut Conn) -> QueryResult<DateTime<Utc>> {
    select(sql::<TimestamptzSqlite>(
        "strftime('%Y-%m-%d %H:%M:%f+00:00', 'now')",
    ))
    .get_result(conn)
}

/// Returns whether the database is read-only. SQLite only detects that in a write, so this is always `false`.
#[expect(
    clippy::unnecessary_wraps,
    reason = "PostgreSQL's function of the same name asks the server"
)]
fn is_read_only(_conn: &mut Conn) -> QueryResult<bool> {
    Ok(false)
}
