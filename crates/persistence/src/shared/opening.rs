//! Opens a database: to apply its migrations, or with a connection pool as a store. Compiled once for each database.

use std::{sync::Arc, time::Duration};

use diesel::{
    Connection as _,
    r2d2::{CustomizeConnection, Error as ConnectError, HandleError, Pool},
};
use mycars_application::ports::Store;

use super::{
    Conn, SYSTEM, check, check_before_migrations, establish, facts,
    migrations::{apply_pending, pending_names},
    prepare,
    store::{DieselStore, Manager},
};
use crate::{error::Failure, inspection::Inspection, instrumentation::Statements, options::Options};

/// Maximum time that an instance waits while another one applies migrations.
const MIGRATION_PATIENCE: Duration = Duration::from_mins(10);

/// Returns the names of the pending migrations.
pub(crate) fn pending(address: &str, options: Options) -> Result<Vec<String>, Failure> {
    let mut conn = establish(address, options.pooler)?;
    prepare(&mut conn, options)?;
    check(&mut conn, options.pooler)?;
    pending_names(&mut conn, options)
}

/// Applies the migrations that are pending, all or none, and returns their names. Calls `before` with their names before,
/// if there are any.
pub(crate) fn migrate(
    address: &str,
    options: Options,
    before: &mut dyn FnMut(&[String]),
) -> Result<Vec<String>, Failure> {
    let options = Options {
        timeout: MIGRATION_PATIENCE,
        statement_timeout: None,
        ..options
    };
    let mut conn = open(address, options)?;
    // Diesel's own check needs the right to create tables, even if there is nothing to do.
    let pending = pending_names(&mut conn, options)?;
    if pending.is_empty() {
        return Ok(pending);
    }
    before(&pending);
    apply_pending(&mut conn, options).map_err(Failure::Migrating)
}

/// Creates a store with a filled connection pool.
pub(crate) fn connect(address: &str, options: Options) -> Result<Arc<dyn Store>, Failure> {
    // The pool would retry until its timeout; this connection reports the error at once.
    open(address, options)?;
    let pool = Pool::builder()
        .max_size(options.pool_size)
        .connection_timeout(options.timeout)
        // A test of each connection costs a round trip, about a quarter of the throughput. Instead, work on a broken
        // connection is repeated on another one.
        .test_on_check_out(false)
        .connection_customizer(Box::new(Prepare(options)))
        .error_handler(Box::new(LogErrors))
        .build(Manager::new(address))
        .map_err(|error| Failure::Opening(error.into()))?;
    Ok(Arc::new(DieselStore::new(pool, options)))
}

/// Opens a connection like [`connect`], and returns the state of the database. Changes nothing.
pub(crate) fn inspect(address: &str, options: Options) -> Result<Inspection, Failure> {
    let mut conn = open(address, options)?;
    Ok(Inspection {
        pending: pending_names(&mut conn, options)?,
        ..facts(&mut conn)?
    })
}

/// Opens a connection, and checks the requirements on the database.
fn open(address: &str, options: Options) -> Result<Conn, Failure> {
    let mut conn = establish(address, options.pooler)?;
    prepare(&mut conn, options)?;
    check(&mut conn, options.pooler)?;
    if !pending_names(&mut conn, options)?.is_empty() {
        check_before_migrations(&mut conn)?;
    }
    Ok(conn)
}

/// Sets up each new connection of the pool.
#[derive(Debug)]
struct Prepare(Options);

impl CustomizeConnection<Conn, ConnectError> for Prepare {
    fn on_acquire(&self, conn: &mut Conn) -> Result<(), ConnectError> {
        prepare(conn, self.0)?;
        if let Some(slow) = self.0.slow_statement {
            conn.set_instrumentation(Statements::new(SYSTEM, slow));
        }
        Ok(())
    }
}

/// Logs the reason why the pool could not open a connection. Callers that wait for a connection only get a timeout.
#[derive(Debug)]
struct LogErrors;

impl HandleError<ConnectError> for LogErrors {
    fn handle_error(&self, error: ConnectError) {
        tracing::warn!(%error, "could not open a connection to the database");
    }
}
