//! The store: the connections of a pool, the transaction of a write, and the unit of work that gives access to the
//! repositories. Compiled once for each database.

use std::sync::atomic::{AtomicBool, Ordering};

use diesel::{
    QueryResult,
    connection::{AnsiTransactionManager, SimpleConnection as _, TransactionManager as _},
    r2d2::{ConnectionManager, Pool, PooledConnection},
};
use mycars_application::ports::{Mode, Rollback, Store, StoreError, UnitOfWork};
use mycars_domain::fold;

use super::{
    BEGIN_SNAPSHOT, Conn, Transactions, WRITE_CHECK, begin, begin_now, is_read_only, start_statement,
};
use crate::{error::store_error, options::Options};

pub(super) type Manager = ConnectionManager<Conn>;
/// The part of PostgreSQL's messages that says that a server, and not its disk, refuses writes.
const READ_ONLY: &str = "in a read-only transaction";

type Work<'a> = dyn FnMut(&mut dyn UnitOfWork) -> Result<(), Rollback> + 'a;

/// The behaviour of a write while other writers hold the lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// Waits for the store's time limit.
    UntilTimeout,
    /// Fails at once.
    Never,
}

pub(super) struct DieselStore {
    pool: Pool<Manager>,
    options: Options,
    transactions: Transactions,
    writability: Writability,
}

/// Whether a write found that the database can't be written, and no check has succeeded since. Logs each change once.
#[derive(Default)]
struct Writability {
    has_failed: AtomicBool,
}

impl Writability {
    fn note_failure(&self, cause: &str) {
        if !self.has_failed.swap(true, Ordering::Relaxed) {
            tracing::error!(
                %cause,
                "the database is not writable, so requests that write get status 503: free space on its disk, or make \
                 it writable again"
            );
        }
    }

    fn note_success(&self) {
        if self.has_failed.swap(false, Ordering::Relaxed) {
            tracing::info!("the database can be written again");
        }
    }

    fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }
}

impl Store for DieselStore {
    fn run(&self, mode: Mode, work: &mut Work<'_>) -> Result<(), StoreError> {
        match mode {
            Mode::Read => self.read(work),
            Mode::Snapshot => self.snapshot(work),
            Mode::Write => self.write(Wait::UntilTimeout, work),
            Mode::WriteNow => self.write(Wait::Never, work),
        }
    }

    fn ping(&self) -> Result<(), StoreError> {
        let mut conn = self.live_connection()?;
        if is_read_only(&mut conn).map_err(store_error)? {
            discard(&mut conn);
            let error = "the database is read-only".into();
            return self.noted(Err(StoreError::NotWritable(error)));
        }
        if !self.writability.has_failed() {
            return Ok(());
        }
        drop(conn);
        match self.check_write() {
            Ok(()) => {
                self.writability.note_success();
                Ok(())
            }
            Err(error @ (StoreError::NotWritable(_) | StoreError::Unavailable(_))) => Err(error),
            Err(error) => {
                tracing::warn!(%error, "could not check whether the database can be written again");
                Err(StoreError::NotWritable(error.into()))
            }
        }
    }
}

impl DieselStore {
    pub(super) fn new(pool: Pool<Manager>, options: Options) -> Self {
        Self {
            pool,
            options,
            transactions: Transactions::new(options.timeout),
            writability: Writability::default(),
        }
    }

    fn read(&self, work: &mut Work<'_>) -> Result<(), StoreError> {
        let mut conn = self.connection()?;
        let mut unit = Unit::on(&mut conn);
        let outcome = work(&mut unit);
        if unit.failed && !responds(&mut conn) && outcome.is_err() {
            drop(conn);
            let mut conn = self.live_connection()?;
            // The work keeps its own result.
            work(&mut Unit::on(&mut conn)).ok();
        }
        Ok(())
    }

    fn snapshot(&self, work: &mut Work<'_>) -> Result<(), StoreError> {
        let mut conn = self.live_connection()?;
        AnsiTransactionManager::begin_transaction_sql(&mut *conn, BEGIN_SNAPSHOT).map_err(store_error)?;
        // The work keeps its own result.
        work(&mut Unit::on(&mut conn)).ok();
        roll_back(&mut conn);
        Ok(())
    }

    fn write(&self, wait: Wait, work: &mut Work<'_>) -> Result<(), StoreError> {
        let mut finished = Ok(());
        let transaction = self.transactions.run(
            wait,
            || self.begin(wait),
            |conn| {
                let mut unit = Unit::on(conn);
                let outcome = work(&mut unit);
                let not_writable = unit.not_writable.take();
                if let Some(cause) = &not_writable {
                    self.writability.note_failure(cause);
                }
                let has_failed = unit.failed;
                if not_writable.is_some_and(|cause| cause.contains(READ_ONLY)) {
                    discard(conn);
                }
                if outcome.is_ok() && has_failed {
                    finished = Err(StoreError::Other(
                        "the work continued after a failed statement".into(),
                    ));
                    return Err(Rollback);
                }
                outcome
            },
        );
        self.noted(transaction).and(finished)
    }

    /// Records that the database is not writable if the outcome of a write shows it, and returns the outcome. A success
    /// proves nothing: the write may have changed no row, or only a page with free space.
    fn noted(&self, outcome: Result<(), StoreError>) -> Result<(), StoreError> {
        if let Err(StoreError::NotWritable(cause)) = &outcome {
            self.writability.note_failure(&cause.to_string());
        }
        outcome
    }

    /// Writes data that needs disk space and removes it. Only done after a failed write, because it costs as much as
    /// a write.
    fn check_write(&self) -> Result<(), StoreError> {
        let wait = Wait::UntilTimeout;
        let mut written = Ok(());
        self.transactions.run(
            wait,
            || self.begin(wait),
            |conn| {
                written = conn.batch_execute(WRITE_CHECK);
                written.as_ref().copied().map_err(|_| Rollback)
            },
        )?;
        written.map_err(store_error)
    }

    /// Returns a connection with an open transaction. A broken connection is replaced, because nothing was done yet.
    fn begin(&self, wait: Wait) -> Result<PooledConnection<Manager>, StoreError> {
        let start = |conn: &mut Conn| match wait {
            Wait::UntilTimeout => begin(conn, self.options),
            Wait::Never => begin_now(conn, self.options),
        };
        let mut conn = self.connection()?;
        let begun = start(&mut conn);
        if begun.is_err() && !responds(&mut conn) {
            drop(conn);
            conn = self.live_connection()?;
            start(&mut conn).map_err(store_error)?;
        } else {
            begun.map_err(store_error)?;
        }
        Ok(conn)
    }

    fn connection(&self) -> Result<PooledConnection<Manager>, StoreError> {
        self.pool
            .get()
            .map_err(|error| StoreError::Unavailable(error.into()))
    }

    /// Returns a connection that responds. After a restart of the database, all connections in the pool are broken;
    /// the pool replaces each one that is detected.
    fn live_connection(&self) -> Result<PooledConnection<Manager>, StoreError> {
        for _ in 0..=self.pool.max_size() {
            let mut conn = self.connection()?;
            if responds(&mut conn) {
                return Ok(conn);
            }
            tracing::warn!("a connection to the database is broken and is replaced");
        }
        Err(StoreError::Unavailable(
            "all connections of the pool are broken".into(),
        ))
    }
}

/// Returns whether a connection responds. If it does not, Diesel marks it as broken, and the pool drops it on return.
/// A statement that could not be prepared does not mark it.
fn responds(conn: &mut Conn) -> bool {
    conn.batch_execute("SELECT 1").is_ok()
}

/// Lets the pool replace a connection: its server has become read-only, as after a failover, and a new connection may
/// lead to another one.
fn discard(conn: &mut Conn) {
    AnsiTransactionManager::transaction_manager_status_mut(conn).set_in_error();
}

/// Rolls a transaction back. If that fails, the connection is closed, and the database rolls back itself.
pub(super) fn roll_back(conn: &mut Conn) {
    match AnsiTransactionManager::rollback_transaction(conn) {
        // SQLite rolls back by itself when its disk is full.
        // The pool closes a connection that is discarded.
        Ok(())
        | Err(diesel::result::Error::NotInTransaction | diesel::result::Error::BrokenTransactionManager) => {}
        Err(error) => tracing::warn!(%error, "could not roll back a transaction"),
    }
}

/// A connection in use by one piece of work. The repositories are implemented for it, each in its own file, so it is
/// their [`UnitOfWork`].
pub(super) struct Unit<'a> {
    conn: &'a mut Conn,
    /// Whether a statement failed. PostgreSQL would then silently turn the commit into a rollback, and SQLite would
    /// keep the other changes.
    failed: bool,
    /// The reason why the database is not writable, if a statement failed for that reason.
    not_writable: Option<String>,
}

impl<'a> Unit<'a> {
    fn on(conn: &'a mut Conn) -> Self {
        Self {
            conn,
            failed: false,
            not_writable: None,
        }
    }

    /// Runs a query and converts its error to the port's error.
    pub(super) fn query<T>(
        &mut self,
        query: impl FnOnce(&mut Conn) -> QueryResult<T>,
    ) -> Result<T, StoreError> {
        start_statement();
        query(self.conn).map_err(|error| {
            self.failed = true;
            let error = store_error(error);
            if let StoreError::NotWritable(cause) = &error {
                self.not_writable = Some(cause.to_string());
            }
            error
        })
    }
}

/// Returns the folded search key of a row. The fields are separated by line breaks, so that no word matches across
/// two fields.
pub(super) fn search_key(fields: &[&str]) -> String {
    fold(&fields.join("\n"))
}

/// The condition that a key belongs to a text. Rows that collided when the rule for keys changed have their exact
/// text as key: see `keys.rs`.
macro_rules! same {
    ($key:expr, $text:expr) => {
        $key.eq(fold($text)).or($key.eq($text))
    };
}
pub(super) use same;

/// Sets the key of a unique text in an update. If the text is unchanged, the key is kept, because it is not the fold
/// of the text if another row has that key.
macro_rules! kept_key {
    ($text:expr, $key:expr, $value:expr) => {
        $key.eq(case_when($text.eq($value.as_str()), $key).otherwise($value.key()))
    };
}
pub(super) use kept_key;

/// Returns whether a text contains U+0000, which no row can contain. Such a text must not be sent: PostgreSQL refuses
/// it as malformed.
pub(super) fn contains_nul(text: &str) -> bool {
    text.contains('\0')
}

/// Maximum number of ids per query, because databases limit the number of parameters of a statement.
pub(super) const IDS_AT_ONCE: usize = 1000;

/// Limits a query to a page, if there is one.
macro_rules! paged {
    ($query:expr, $page:expr) => {
        match $page {
            Some(LimitOffset { limit, offset }) => $query
                .limit(limit.into())
                .offset(i64::try_from(offset).unwrap_or(i64::MAX)),
            None => $query,
        }
    };
}
pub(super) use paged;

/// Filters a query by all of some conditions.
macro_rules! where_all {
    ($query:expr, $conditions:expr) => {
        $conditions
            .into_iter()
            .fold($query.into_boxed(), |query, condition| query.filter(condition))
    };
}
pub(super) use where_all;

/// Converts a count to the port's type.
pub(super) fn count_of(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
