//! What only SQLite does its own way; everything else is in `shared/`.

use std::time::Duration;

use diesel::{QueryResult, RunQueryDsl as _, connection::SimpleConnection as _, sqlite::Sqlite as DB};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use mycars_application::ports::StoreError;
use parking_lot::{Mutex, MutexGuard};

/// The connection that the shared files use.
type Conn = diesel::SqliteConnection;

/// Begins the transaction of a write. A plain `BEGIN` would take the write lock with the first change, and
/// fail at once if somebody else had written since the first read.
const BEGIN: &str = "BEGIN IMMEDIATE";

/// The migrations that are part of the binary.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/sqlite");

/// Asks whether there is a table of applied migrations.
const HAS_MIGRATIONS: &str = "SELECT count(*) > 0 AS found FROM sqlite_master
    WHERE type = 'table' AND name = '__diesel_schema_migrations'";

/// Takes pages and gives them back.
const WRITE_CHECK: &str = "CREATE TABLE __mycars_write_check AS SELECT zeroblob(65536) AS filler;
    DROP TABLE __mycars_write_check;";

mod schema {
    schema!(TimestamptzSqlite);
}

/// Leaves a query as it is: inside a transaction that began immediately, nobody else can write anyway.
macro_rules! for_update {
    ($query:expr) => {
        $query
    };
}

#[path = "shared/audit_log.rs"]
mod audit_log;
#[path = "shared/cars.rs"]
mod cars;
#[path = "shared/installation.rs"]
mod installation;
#[path = "shared/keys.rs"]
mod keys;
#[path = "shared/migrations.rs"]
mod migrations;
#[path = "shared/refresh_tokens.rs"]
mod refresh_tokens;
#[path = "shared/sessions.rs"]
mod sessions;
#[path = "shared/store.rs"]
mod store;
#[path = "shared/users.rs"]
mod users;

use crate::requirements::sqlite::{check, check_before_migrations, establish};
pub(crate) use migrations::migrate;
pub(crate) use store::connect;
use store::{Wait, begin};

/// Sets up a new connection. The time limit comes first, because the other settings may have to wait.
///
/// In WAL mode readers and the writer don't wait for each other; `synchronous = FULL` keeps a write that was
/// answered even if the power fails, as PostgreSQL does.
fn prepare(conn: &mut Conn, patience: Duration) -> QueryResult<()> {
    conn.batch_execute(&format!(
        "PRAGMA busy_timeout = {};
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;",
        patience.as_millis()
    ))
}

/// Begins the transaction of a write that fails instead of waiting for another process. Once it has begun, it waits for
/// nothing.
fn begin_now(conn: &mut Conn, patience: Duration) -> QueryResult<()> {
    conn.batch_execute("PRAGMA busy_timeout = 0")?;
    let begun = begin(conn);
    conn.batch_execute(&format!("PRAGMA busy_timeout = {}", patience.as_millis()))?;
    begun
}

/// Begins the transaction that migrations are applied in, one instance of the program at a time.
///
/// Foreign keys are off meanwhile: SQLite changes a table by copying and dropping it, and dropping a table
/// deletes what refers to its rows.
fn begin_migrations(conn: &mut Conn) -> QueryResult<()> {
    conn.batch_execute("PRAGMA foreign_keys = OFF")?;
    begin(conn)
}

#[derive(diesel::QueryableByName)]
struct Trigger {
    #[diesel(sql_type = diesel::sql_types::Text)]
    sql: String,
}

/// Runs `work` without the trigger that lets no entry of the audit log be changed.
fn unguarded(conn: &mut Conn, work: impl FnOnce(&mut Conn) -> QueryResult<()>) -> QueryResult<()> {
    let trigger: Trigger = diesel::sql_query(
        "SELECT sql FROM sqlite_master WHERE type = 'trigger' AND name = 'audit_log_stays_as_it_is'",
    )
    .get_result(conn)?;
    conn.batch_execute("DROP TRIGGER audit_log_stays_as_it_is")?;
    work(conn)?;
    conn.batch_execute(&trigger.sql)
}

/// Whether the file takes no writes, which SQLite only knows after it has tried.
#[expect(clippy::unnecessary_wraps, reason = "PostgreSQL's twin asks the server")]
fn is_read_only(_conn: &mut Conn) -> QueryResult<bool> {
    Ok(false)
}

/// Where the writers of this process wait for their turn. SQLite has one writer at a time and lets the others
/// look again and again, so that some wait for ever; this lock wakes them in the order in which they came.
struct WriteLock {
    turn: Mutex<()>,
    patience: Duration,
}

impl WriteLock {
    fn new(patience: Duration) -> Self {
        Self {
            turn: Mutex::new(()),
            patience,
        }
    }

    fn acquire(&self, wait: Wait) -> Result<MutexGuard<'_, ()>, StoreError> {
        let turn = match wait {
            Wait::UntilTimeout => self.turn.try_lock_for(self.patience),
            Wait::Never => self.turn.try_lock(),
        };
        turn.ok_or_else(|| StoreError::Unavailable("others wrote all the time".into()))
    }
}
