//! The parts of the store that differ for PostgreSQL; `shared/` has the rest.

use std::time::Duration;

use chrono::{DateTime, Utc};
use diesel::{
    AppearsOnTable, Expression, ExpressionMethods as _, QueryResult, RunQueryDsl,
    connection::{
        AnsiTransactionManager, CacheSize, Connection as _, SimpleConnection as _, TransactionManager as _,
    },
    dsl::sql,
    insert_into,
    pg::Pg as DB,
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    r2d2::PooledConnection,
    select,
    sql_types::{Bool, Text, Timestamptz},
};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use mycars_application::ports::{Rollback, StoreError};
use mycars_domain::{Car, NewCar, audit::NewEntry};

use crate::{
    error::store_error,
    options::{Options, Pooler},
};

/// The type of connection in the shared files.
type Conn = diesel::PgConnection;

/// The name of the database in traces, which OpenTelemetry defines.
const SYSTEM: &str = "postgresql";

/// Begins the transaction of a snapshot, which the first read takes.
const BEGIN_SNAPSHOT: &str =
    "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = 0";

/// The migrations, embedded in the binary.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

/// Returns whether the table of applied migrations exists.
const HAS_MIGRATIONS: &str = "SELECT to_regclass('__diesel_schema_migrations') IS NOT NULL AS found";

/// Writes a new file and drops it. A role that may not create temporary tables writes a large object instead.
const WRITE_CHECK: &str = "DO $$ BEGIN
        IF has_database_privilege(current_database(), 'TEMPORARY') THEN
            CREATE TEMPORARY TABLE mycars_write_check ON COMMIT DROP AS SELECT 1 AS filler;
        ELSE
            PERFORM lo_unlink(lo_from_bytea(0, decode(repeat('00', 65536), 'hex')));
        END IF;
    END $$";

/// The time of the database in microseconds since 1970, in SQL.
const NOW_MICROSECONDS: &str = "(extract(epoch FROM clock_timestamp()) * 1000000)::bigint";

/// The functions that return the greatest and the least of their arguments.
const GREATEST: &str = "greatest";
const LEAST: &str = "least";

/// Leaves out the rows of a subquery that other transactions have locked.
const SKIP_LOCKED: &str = "FOR UPDATE SKIP LOCKED";

mod schema {
    schema!(Timestamptz);
}

/// Locks the rows that a query finds, until the transaction ends.
macro_rules! for_update {
    ($query:expr) => {
        $query.for_update()
    };
}

/// The condition that a text contains a word.
macro_rules! contains {
    ($text:expr, $word:expr) => {
        super::strpos($text, $word).gt(0)
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
#[path = "shared/users.rs"]
mod users;

use crate::{
    inspection::postgres::facts,
    requirements::postgres::{check, check_before_migrations, establish},
};
pub(crate) use opening::{connect, inspect, migrate, pending};
use store::{Manager, Unit, Wait, roll_back};

diesel::define_sql_function! {
    /// Returns the position of a word in a text, or 0. In contrast to `LIKE`, its time for a text of one repeated letter
    /// is a third, and wildcards need no escape.
    fn strpos(text: Text, word: Text) -> Integer;
}

/// Sets up a new connection. A statement fails if it waits longer than the timeout for a lock, or runs longer than the
/// statement timeout.
///
/// Messages are set to English if the role may do so, because `error.rs` recognises some errors by their messages.
///
/// With a pooler that shares sessions, nothing is set: the session of the next statement may be another one. Statements
/// are sent without a name, in one message with their parameters.
fn prepare(conn: &mut Conn, options: Options) -> QueryResult<()> {
    if options.pooler == Pooler::Transaction {
        conn.set_prepared_statement_cache_size(CacheSize::Disabled);
        return Ok(());
    }
    conn.batch_execute(&format!(
        "{}; DO $$ BEGIN SET lc_messages = 'C'; EXCEPTION WHEN insufficient_privilege THEN NULL; END $$",
        time_limits("SET", options),
    ))
}

/// Returns the statements that set the time limits of a session or a transaction.
fn time_limits(set: &str, options: Options) -> String {
    format!(
        "{set} lock_timeout = {}; {set} statement_timeout = {}",
        milliseconds(options.timeout),
        options.statement_timeout.map_or(0, milliseconds)
    )
}

/// Returns the statements that begin the transaction of a write.
fn begin_sql(options: Options) -> String {
    match options.pooler {
        Pooler::None => "BEGIN".to_owned(),
        Pooler::Transaction => format!("BEGIN; {}", time_limits("SET LOCAL", options)),
    }
}

/// Begins the transaction of a write.
fn begin(conn: &mut Conn, options: Options) -> QueryResult<()> {
    AnsiTransactionManager::begin_transaction_sql(conn, &begin_sql(options))
}

/// Does nothing, because the server measures the time of each statement.
fn start_statement() {}

/// Converts a time limit to PostgreSQL's unit. Zero would be no limit.
fn milliseconds(limit: Duration) -> i32 {
    i32::try_from(limit.as_millis()).unwrap_or(i32::MAX).max(1)
}

/// Begins the transaction of a write that fails instead of waiting for a row. A limit of zero would be none.
fn begin_now(conn: &mut Conn, options: Options) -> QueryResult<()> {
    let sql = format!("{}; SET LOCAL lock_timeout = 1", begin_sql(options));
    AnsiTransactionManager::begin_transaction_sql(conn, &sql)
}

/// Begins the transaction for migrations, which only one instance at a time can hold.
fn begin_migrations(conn: &mut Conn, options: Options) -> QueryResult<()> {
    begin(conn, options)?;
    // The number is arbitrary. It identifies the migrations of My Cars among the advisory locks of the database.
    conn.batch_execute("SELECT pg_advisory_xact_lock(7266292631)")?;
    // Writers that change a user wait for this lock, instead of a table that migrations hold already. Those that only lock the
    // row of a user do not, so they and migrations may wait for each other: then PostgreSQL ends one of the two. A stronger
    // lock would be worse: checks of foreign keys would wait for it, such as that of the insertion of a car, which holds
    // `cars` meanwhile, and migrations may need `cars` next.
    conn.batch_execute(
        "DO $$ BEGIN
             LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE;
         EXCEPTION WHEN undefined_table THEN NULL;
         END $$",
    )
}

/// Runs `work` without the triggers that protect audit log entries from changes.
fn unguarded(conn: &mut Conn, work: impl FnOnce(&mut Conn) -> QueryResult<()>) -> QueryResult<()> {
    conn.batch_execute("ALTER TABLE audit_log DISABLE TRIGGER USER")?;
    work(conn)?;
    conn.batch_execute("ALTER TABLE audit_log ENABLE TRIGGER USER")
}

/// Runs `work`, which inserts entries of the audit log with ids. The server refuses given ids otherwise.
fn with_given_ids(conn: &mut Conn, work: impl FnOnce(&mut Conn) -> QueryResult<()>) -> QueryResult<()> {
    conn.batch_execute("ALTER TABLE audit_log ALTER COLUMN id SET GENERATED BY DEFAULT")?;
    work(conn)?;
    conn.batch_execute("ALTER TABLE audit_log ALTER COLUMN id SET GENERATED ALWAYS")
}

/// Returns the query for the next id of a table.
fn next_id_query(table: &str) -> String {
    format!(
        "SELECT greatest(
             last_value + CASE WHEN is_called THEN 1 ELSE 0 END,
             (SELECT coalesce(max(id), 0) + 1 FROM {table})
         ) AS next_id FROM {table}_id_seq"
    )
}

/// Sets the next id of a table.
fn set_next_id(conn: &mut Conn, table: &str, id: i64) -> QueryResult<()> {
    conn.batch_execute(&format!("SELECT setval('{table}_id_seq', {id}, false)"))
}

/// Lets the ids of new entries of the audit log follow the last one.
fn follow_last_entry(conn: &mut Conn) -> QueryResult<()> {
    conn.batch_execute(
        "SELECT setval('audit_log_id_seq', coalesce((SELECT max(id) FROM audit_log), 0) + 1, false)",
    )
}

/// Stores a car, and the entry about it with the car's id, in one statement, which saves a round trip.
fn append_with_car(unit: &mut Unit<'_>, entry: &NewEntry, car: &NewCar) -> Result<Car, StoreError> {
    let entry = (
        audit_log::Values::from(entry),
        schema::audit_log::object_id.eq(IdOfCar),
    );
    let statement = WithEntry {
        car: cars::insertion(car),
        entry: insert_into(schema::audit_log::table).values(entry),
    };
    let row = unit.query(|conn| statement.get_result::<cars::Row>(conn))?;
    Ok(row.into())
}

/// The INSERT of a car, with that of the entry about it.
#[derive(QueryId)]
struct WithEntry<C, E> {
    car: C,
    entry: E,
}

impl<C: QueryFragment<DB>, E: QueryFragment<DB>> QueryFragment<DB> for WithEntry<C, E> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("WITH car AS (");
        self.car.walk_ast(out.reborrow())?;
        out.push_sql("), entry AS (");
        self.entry.walk_ast(out.reborrow())?;
        out.push_sql(") SELECT * FROM car");
        Ok(())
    }
}

impl<C: Query, E> Query for WithEntry<C, E> {
    type SqlType = C::SqlType;
}

impl<C, E> RunQueryDsl<Conn> for WithEntry<C, E> {}

/// The id of the car of [`WithEntry`], as a text.
#[derive(QueryId)]
struct IdOfCar;

impl Expression for IdOfCar {
    type SqlType = Text;
}

impl<T> AppearsOnTable<T> for IdOfCar {}

impl QueryFragment<DB> for IdOfCar {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql("(SELECT id::text FROM car)");
        Ok(())
    }
}

/// Returns the time of the database server, also inside a transaction.
fn database_time(conn: &mut Conn) -> QueryResult<DateTime<Utc>> {
    select(sql::<Timestamptz>("clock_timestamp()")).get_result(conn)
}

/// Returns whether the server is read-only: after a failover it may have become a standby.
fn is_read_only(conn: &mut Conn) -> QueryResult<bool> {
    select(sql::<Bool>("current_setting('transaction_read_only')::bool")).get_result(conn)
}

/// The transactions of writes. Each write has one, because PostgreSQL locks single rows, and its commits share the wait
/// for the disk by themselves.
struct Transactions;

impl Transactions {
    fn new(_patience: Duration) -> Self {
        Self
    }

    /// Does `work` in the transaction that `begin` begins.
    #[expect(clippy::unused_self, reason = "SQLite's function of the same name needs it")]
    fn run(
        &self,
        _wait: Wait,
        begin: impl FnOnce() -> Result<PooledConnection<Manager>, StoreError>,
        work: impl FnOnce(&mut Conn) -> Result<(), Rollback>,
    ) -> Result<(), StoreError> {
        let mut conn = begin()?;
        if work(&mut conn).is_ok() {
            return AnsiTransactionManager::commit_transaction(&mut *conn).map_err(store_error);
        }
        roll_back(&mut conn);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use diesel::Connection as _;
    use mycars_testkit::TestDatabase;

    use super::*;

    fn setting(conn: &mut Conn, name: &str) -> String {
        let setting = sql::<Text>(&format!("current_setting('{name}')"));
        select(setting).get_result(conn).unwrap()
    }

    #[test]
    fn messages_are_english_for_any_database_setting() {
        let database = TestDatabase::empty_postgres();
        let name = database.url().rsplit_once('/').unwrap().1.to_owned();
        database.execute(&format!("ALTER DATABASE {name} SET lc_messages = 'POSIX'"));
        let mut conn = Conn::establish(&database.url()).unwrap();
        assert_eq!(setting(&mut conn, "lc_messages"), "POSIX");
        prepare(&mut conn, Options::default()).unwrap();
        assert_eq!(setting(&mut conn, "lc_messages"), "C");
    }

    #[test]
    fn role_without_the_right_keeps_its_language() {
        let database = TestDatabase::empty_postgres();
        let mut conn = Conn::establish(&database.url()).unwrap();
        conn.batch_execute("SET lc_messages = 'POSIX'; SET ROLE pg_monitor")
            .unwrap();
        prepare(&mut conn, Options::default()).unwrap();
        assert_eq!(setting(&mut conn, "lc_messages"), "POSIX");
        assert_eq!(setting(&mut conn, "lock_timeout"), "2s");
    }

    #[test]
    fn statements_have_the_timeout_of_the_options() {
        let database = TestDatabase::empty_postgres();
        let mut conn = Conn::establish(&database.url()).unwrap();
        // Not set here, because the next statement may take longer.
        let least = Options {
            statement_timeout: Some(Duration::ZERO),
            ..Options::default()
        };
        assert!(time_limits("SET", least).ends_with("SET statement_timeout = 1"));
        for (statement_timeout, expected) in [
            (Some(Duration::from_secs(5)), "5s"),
            (Some(Duration::MAX), "2147483647ms"),
            (None, "0"),
        ] {
            let options = Options {
                statement_timeout,
                ..Options::default()
            };
            prepare(&mut conn, options).unwrap();
            assert_eq!(setting(&mut conn, "statement_timeout"), expected);
        }
    }
}
