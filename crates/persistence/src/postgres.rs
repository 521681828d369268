//! What only PostgreSQL does its own way; everything else is in `shared/`.

use std::time::Duration;

use diesel::{QueryResult, connection::SimpleConnection as _, pg::Pg as DB};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use mycars_application::ports::StoreError;

/// The connection that the shared files use.
type Conn = diesel::PgConnection;

/// Begins the transaction of a write.
const BEGIN: &str = "BEGIN";

/// The migrations that are part of the binary.
const MIGRATIONS: EmbeddedMigrations = embed_migrations!("../../migrations/postgres");

mod schema {
    schema!(Timestamptz);
}

/// Locks the rows that a query finds, until the transaction ends.
macro_rules! for_update {
    ($query:expr) => {
        $query.for_update()
    };
}

#[path = "shared/cars.rs"]
mod cars;
#[path = "shared/refresh_tokens.rs"]
mod refresh_tokens;
#[path = "shared/sessions.rs"]
mod sessions;
#[path = "shared/store.rs"]
mod store;
#[path = "shared/users.rs"]
mod users;

use store::begin;
pub(crate) use store::{connect, migrate};

/// Sets up a new connection: a statement that waits for a row longer than `patience` fails.
fn prepare(conn: &mut Conn, patience: Duration) -> QueryResult<()> {
    conn.batch_execute(&format!("SET lock_timeout = {}", patience.as_millis()))
}

/// Begins the transaction that migrations are applied in, one instance of the program at a time.
fn begin_migrations(conn: &mut Conn) -> QueryResult<()> {
    // The number is our own, and means "the migrations of My Cars" to whoever else uses the database.
    begin(conn)?;
    conn.batch_execute("SELECT pg_advisory_xact_lock(7266292631)")
}

/// Where writers wait for their turn: nowhere, because rows are locked one by one.
struct Writers;

impl Writers {
    fn new(_patience: Duration) -> Self {
        Self
    }

    #[expect(
        clippy::unused_self,
        clippy::unnecessary_wraps,
        reason = "SQLite's twin needs both"
    )]
    fn turn(&self) -> Result<Turn, StoreError> {
        Ok(Turn)
    }
}

/// The right to write.
struct Turn;
