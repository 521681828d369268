//! The store: a pool of connections, the transaction of a write, and the unit of work that the repositories are
//! reached through. Compiled once for each database.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use diesel::{
    QueryResult,
    connection::{AnsiTransactionManager, SimpleConnection as _, TransactionManager as _},
    r2d2::{
        ConnectionManager, CustomizeConnection, Error as ConnectError, HandleError, Pool, PooledConnection,
    },
};
use mycars_application::ports::{Mode, Rollback, Store, StoreError, UnitOfWork};
use mycars_domain::fold;

use super::{
    BEGIN, Conn, WRITE_CHECK, WriteLock, begin_now, check, check_before_migrations, establish, is_read_only,
    migrations, prepare,
};
use crate::{
    database::{Failure, Options},
    error::store_error,
};

type Manager = ConnectionManager<Conn>;
type Work<'a> = dyn FnMut(&mut dyn UnitOfWork) -> Result<(), Rollback> + 'a;

/// Fills a pool of connections and makes a store of it.
pub(crate) fn connect(address: &str, options: Options) -> Result<Arc<dyn Store>, Failure> {
    // The pool would try again until its time is over; this one says at once what is wrong.
    open(address, options.timeout)?;
    let pool = Pool::builder()
        .max_size(options.pool_size)
        .connection_timeout(options.timeout)
        // A round trip before each piece of work would cost a quarter of the speed. Instead, work whose
        // connection turns out to be dead is done again with another one.
        .test_on_check_out(false)
        .connection_customizer(Box::new(Prepare {
            patience: options.timeout,
        }))
        .error_handler(Box::new(LogErrors))
        .build(Manager::new(address))
        .map_err(|error| Failure::Opening(error.into()))?;
    Ok(Arc::new(DieselStore {
        pool,
        patience: options.timeout,
        writers: WriteLock::new(options.timeout),
        writability: Writability::default(),
    }))
}

/// Opens a connection, and checks what the program needs of the database.
pub(super) fn open(address: &str, patience: Duration) -> Result<Conn, Failure> {
    let mut conn = establish(address)?;
    prepare(&mut conn, patience)?;
    check(&mut conn)?;
    if !migrations::is_current(&mut conn)? {
        check_before_migrations(&mut conn)?;
    }
    Ok(conn)
}

/// Sets up each new connection of the pool.
#[derive(Debug)]
struct Prepare {
    patience: Duration,
}

impl CustomizeConnection<Conn, ConnectError> for Prepare {
    fn on_acquire(&self, conn: &mut Conn) -> Result<(), ConnectError> {
        Ok(prepare(conn, self.patience)?)
    }
}

/// Logs why the pool could not open a connection; whoever waits for one is only told that there is none.
#[derive(Debug)]
struct LogErrors;

impl HandleError<ConnectError> for LogErrors {
    fn handle_error(&self, error: ConnectError) {
        tracing::warn!(%error, "no connection to the database");
    }
}

/// How long a write waits for other writers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wait {
    /// As long as the store's time limit.
    UntilTimeout,
    /// It fails instead.
    Never,
}

struct DieselStore {
    pool: Pool<Manager>,
    patience: Duration,
    writers: WriteLock,
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
                "the database cannot be written, so that requests that write are answered with 503: free space on its \
                 disk, or make it writable again"
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
            Mode::Write => self.write(Wait::UntilTimeout, work),
            Mode::WriteNow => self.write(Wait::Never, work),
        }
    }

    fn ping(&self) -> Result<(), StoreError> {
        let mut conn = self.live_connection()?;
        if is_read_only(&mut conn).map_err(store_error)? {
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
    fn read(&self, work: &mut Work<'_>) -> Result<(), StoreError> {
        let mut conn = self.connection()?;
        let mut unit = Unit::on(&mut conn);
        let outcome = work(&mut unit);
        if unit.failed && !answers(&mut conn) && outcome.is_err() {
            drop(conn);
            let mut conn = self.live_connection()?;
            // How it went is known to the work itself.
            work(&mut Unit::on(&mut conn)).ok();
        }
        Ok(())
    }

    fn write(&self, wait: Wait, work: &mut Work<'_>) -> Result<(), StoreError> {
        // Whoever waits for a turn must not hold a connection meanwhile that a reader could use.
        let _turn = self.writers.acquire(wait)?;
        let mut conn = match self.begin(wait) {
            Ok(conn) => conn,
            Err(error) => return self.noted(Err(error)),
        };
        let mut unit = Unit::on(&mut conn);
        let outcome = work(&mut unit);
        if let Some(cause) = &unit.not_writable {
            self.writability.note_failure(cause);
        }
        match (outcome, unit.failed) {
            (Ok(()), false) => {
                self.noted(AnsiTransactionManager::commit_transaction(&mut *conn).map_err(store_error))
            }
            (Ok(()), true) => {
                roll_back(&mut conn);
                Err(StoreError::Other(
                    "the work went on after a statement had failed".into(),
                ))
            }
            (Err(Rollback), _) => {
                roll_back(&mut conn);
                Ok(())
            }
        }
    }

    /// Returns the outcome of a write, after noting that the database can't be written. A success proves nothing: it may
    /// have changed no row, or only a page that had room.
    fn noted(&self, outcome: Result<(), StoreError>) -> Result<(), StoreError> {
        if let Err(StoreError::NotWritable(cause)) = &outcome {
            self.writability.note_failure(&cause.to_string());
        }
        outcome
    }

    /// Writes something that needs space and leaves nothing behind. Only done after a write has failed, because it
    /// costs as much as one.
    fn check_write(&self) -> Result<(), StoreError> {
        let _turn = self.writers.acquire(Wait::UntilTimeout)?;
        let mut conn = self.begin(Wait::UntilTimeout)?;
        if let Err(error) = conn.batch_execute(WRITE_CHECK) {
            roll_back(&mut conn);
            return Err(store_error(error));
        }
        AnsiTransactionManager::commit_transaction(&mut *conn).map_err(store_error)
    }

    /// A connection inside a transaction. Nothing was done yet, so a connection that turns out to be dead is
    /// replaced.
    fn begin(&self, wait: Wait) -> Result<PooledConnection<Manager>, StoreError> {
        let start = |conn: &mut Conn| match wait {
            Wait::UntilTimeout => begin(conn),
            Wait::Never => begin_now(conn, self.patience),
        };
        let mut conn = self.connection()?;
        let begun = start(&mut conn);
        if begun.is_err() && !answers(&mut conn) {
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

    /// A connection that answers. When the database was started again, all connections in the pool are dead;
    /// each one found to be so is replaced by the pool.
    fn live_connection(&self) -> Result<PooledConnection<Manager>, StoreError> {
        for _ in 0..=self.pool.max_size() {
            let mut conn = self.connection()?;
            if answers(&mut conn) {
                return Ok(conn);
            }
            tracing::warn!("a connection to the database was dead");
        }
        Err(StoreError::Unavailable(
            "one connection after the other was dead".into(),
        ))
    }
}

pub(super) fn begin(conn: &mut Conn) -> QueryResult<()> {
    AnsiTransactionManager::begin_transaction_sql(conn, BEGIN)
}

/// Whether a connection still answers. If it does not, the pool throws it away when it is given back: this
/// makes Diesel note that it is dead, which a statement that could not be prepared does not.
fn answers(conn: &mut Conn) -> bool {
    conn.batch_execute("SELECT 1").is_ok()
}

/// Undoes a transaction. If that fails, the connection is closed and the database undoes it by itself.
fn roll_back(conn: &mut Conn) {
    match AnsiTransactionManager::rollback_transaction(conn) {
        // SQLite rolls back by itself where its disk is full.
        Ok(()) | Err(diesel::result::Error::NotInTransaction) => {}
        Err(error) => tracing::warn!(%error, "a transaction could not be rolled back"),
    }
}

/// One connection while work uses it. The repositories are implemented for it, each in its own file, which makes it
/// their [`UnitOfWork`].
pub(super) struct Unit<'a> {
    conn: &'a mut Conn,
    /// Whether a statement failed. PostgreSQL would then turn the commit into a rollback without saying so,
    /// SQLite would keep the rest.
    failed: bool,
    /// Why the database can't be written, if a statement failed for that.
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

    /// Asks the database, and says in the port's words what went wrong.
    pub(super) fn query<T>(
        &mut self,
        query: impl FnOnce(&mut Conn) -> QueryResult<T>,
    ) -> Result<T, StoreError> {
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

/// What is searched of a row, folded. Between the fields stands a line break, so that no word is found across two
/// of them.
pub(super) fn search_key(fields: &[&str]) -> String {
    fold(&fields.join("\n"))
}

/// The condition that a key is that of a text. Rows that were the same as others before the rule made them so are kept
/// under their exact text: see `keys.rs`.
macro_rules! same {
    ($key:expr, $text:expr) => {
        $key.eq(fold($text)).or($key.eq($text))
    };
}
pub(super) use same;

/// Sets the key of a unique text in an update. If the text stays, so does the key: it need not be the fold of the text,
/// where another row has that.
macro_rules! kept_key {
    ($text:expr, $key:expr, $value:expr) => {
        $key.eq(case_when($text.eq($value.as_str()), $key).otherwise($value.key()))
    };
}
pub(super) use kept_key;

/// The pattern of `LIKE` for texts that contain a word; what is a wildcard there stands for itself.
pub(super) fn containing(word: &str) -> String {
    let escaped = word.replace('\\', "\\\\").replace('%', "\\%").replace('_', "\\_");
    format!("%{escaped}%")
}

/// Whether a text is in no row, because of a character that none can hold. It must not be asked for: PostgreSQL refuses
/// it as malformed, and SQLite takes it for the end of a pattern, which then matches everything.
pub(super) fn contains_nul(text: &str) -> bool {
    text.contains('\0')
}

/// So many ids are asked for in one query: databases take only so many parameters.
pub(super) const IDS_AT_ONCE: usize = 1000;

/// A page of a query, or all of it.
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

/// A query for what fulfils all of some conditions.
macro_rules! where_all {
    ($query:expr, $conditions:expr) => {
        $conditions
            .into_iter()
            .fold($query.into_boxed(), |query, condition| query.filter(condition))
    };
}
pub(super) use where_all;

/// A count as the port answers it.
pub(super) fn count_of(count: i64) -> u64 {
    u64::try_from(count).unwrap_or(0)
}
