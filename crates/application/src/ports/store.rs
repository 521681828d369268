//! The store: transactions, and the repositories inside them.

use chrono::{DateTime, Utc};
use mycars_domain::{
    Car, Field, NewCar, UserId,
    audit::{Entry, NewEntry},
};

use super::{
    ApiKeyRepository, AuditLog, CarRepository, InstallationRepository, LeaseRepository, Outbox,
    PrunedEntries, RateRepository, RefreshTokenRepository, RowRepository, SessionRepository, UserRepository,
};
use crate::{
    lists::{HistoryCount, HistoryQuery},
    security_log,
};

/// The cause of an adapter's failure, for the log and never for clients.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// The errors of the store.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database can't be reached, or no connection became free in time. A later attempt may succeed.
    #[error("the database is not available")]
    Unavailable(#[source] BoxError),
    /// The database can be read but not written: its disk is full or fails, or it is read-only. A later attempt may
    /// succeed.
    #[error("the database cannot be written")]
    NotWritable(#[source] BoxError),
    /// Another row has the value of this unique field.
    #[error("the value of {0:?} is taken")]
    Taken(Field),
    /// The user that the row belongs to does not exist.
    #[error("the owner of the row does not exist")]
    OwnerGone,
    /// Any other failure of the program or the database.
    #[error("the database failed")]
    Other(#[source] BoxError),
}

/// Tells the store that the work failed and must be rolled back. Only the use-case has the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rollback;

/// The mode of a piece of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Single statements without changes: no transaction, which would cost two round trips.
    Read,
    /// Several statements without changes, which all see the committed state of one moment. Writers do not wait for it.
    Snapshot,
    /// One transaction.
    Write,
    /// One transaction, which fails with [`StoreError::Unavailable`] instead of waiting for other writers.
    WriteNow,
}

/// The repositories inside one piece of work. A type that implements all of them implements this trait.
pub trait UnitOfWork {
    /// The users.
    fn users(&mut self) -> &mut dyn UserRepository;
    /// The cars.
    fn cars(&mut self) -> &mut dyn CarRepository;
    /// The refresh tokens.
    fn refresh_tokens(&mut self) -> &mut dyn RefreshTokenRepository;
    /// The sessions of browsers.
    fn sessions(&mut self) -> &mut dyn SessionRepository;
    /// The API keys.
    fn api_keys(&mut self) -> &mut dyn ApiKeyRepository;
    /// The audit log.
    fn audit_log(&mut self) -> &mut dyn AuditLog;
    /// The identity of the database.
    fn installation(&mut self) -> &mut dyn InstallationRepository;
    /// The leases of recurring jobs.
    fn leases(&mut self) -> &mut dyn LeaseRepository;
    /// The counts of requests that all servers share.
    fn rates(&mut self) -> &mut dyn RateRepository;
    /// The mails that have to be sent.
    fn outbox(&mut self) -> &mut dyn Outbox;
    /// The rows of all tables.
    fn rows(&mut self) -> &mut dyn RowRepository;
}

impl<T> UnitOfWork for T
where
    T: UserRepository
        + CarRepository
        + RefreshTokenRepository
        + SessionRepository
        + ApiKeyRepository
        + AuditLog
        + InstallationRepository
        + LeaseRepository
        + RateRepository
        + Outbox
        + RowRepository,
{
    fn users(&mut self) -> &mut dyn UserRepository {
        self
    }

    fn cars(&mut self) -> &mut dyn CarRepository {
        self
    }

    fn refresh_tokens(&mut self) -> &mut dyn RefreshTokenRepository {
        self
    }

    fn sessions(&mut self) -> &mut dyn SessionRepository {
        self
    }

    fn api_keys(&mut self) -> &mut dyn ApiKeyRepository {
        self
    }

    fn audit_log(&mut self) -> &mut dyn AuditLog {
        self
    }

    fn installation(&mut self) -> &mut dyn InstallationRepository {
        self
    }

    fn leases(&mut self) -> &mut dyn LeaseRepository {
        self
    }

    fn rates(&mut self) -> &mut dyn RateRepository {
        self
    }

    fn outbox(&mut self) -> &mut dyn Outbox {
        self
    }

    fn rows(&mut self) -> &mut dyn RowRepository {
        self
    }
}

/// The store.
///
/// If a user is deleted, their cars and sessions MUST be deleted with them, and their refresh tokens stay, without a
/// user. Ids MUST never be used again.
///
/// Use-cases call [`read`](#method.read) and [`write`](#method.write) on `dyn Store`; adapters implement
/// [`run`](Self::run).
pub trait Store: Send + Sync {
    /// Does `work` with one connection.
    ///
    /// With [`Mode::Write`] and [`Mode::WriteNow`], `work` is called at most once, inside a transaction: committed if
    /// it returns `Ok`, rolled back if it returns [`Rollback`], and then this method returns `Ok` all the same. A
    /// failed statement rolls it back as well, whatever `work` returns, and so does a panic. Two writers MUST NOT lose
    /// each other's changes, and readers see committed changes alone. With [`Mode::Read`] there is no transaction, and
    /// `work` is called once more, with a new connection, if it failed because the first connection was broken. With
    /// [`Mode::Snapshot`], `work` is called at most once, and writers MUST NOT wait for it.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if there is no connection; failures of the begin or the commit of the transaction;
    /// [`StoreError::Other`] if `work` returned `Ok` although a statement had failed.
    fn run(
        &self,
        mode: Mode,
        work: &mut dyn FnMut(&mut dyn UnitOfWork) -> Result<(), Rollback>,
    ) -> Result<(), StoreError>;

    /// Checks that the database responds and, as far as possible without writing, can be written. After a write that
    /// failed with [`StoreError::NotWritable`], this returns the same error until a test write has succeeded.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`]; [`StoreError::NotWritable`].
    fn ping(&self) -> Result<(), StoreError>;
}

impl dyn Store + '_ {
    /// Reads: single statements without a transaction. `work` must have no side effects, because it may be
    /// called twice.
    ///
    /// # Errors
    /// Those of `work`; [`StoreError::Unavailable`] if there is no connection.
    ///
    /// ```
    /// use mycars_application::{mocks::{Mocks, samples}, ports::StoreError};
    /// use mycars_domain::{CarId, UserId};
    ///
    /// let mut mocks = Mocks::new();
    /// mocks.unit.users.expect_find().returning(|_| Ok(Some(samples::user())));
    /// mocks.unit.cars.expect_find().returning(|_| Ok(None));
    /// let (app, _) = mocks.into_app();
    ///
    /// let (user, car) = app.store.read(|unit| {
    ///     Ok::<_, StoreError>((unit.users().find(UserId(1))?, unit.cars().find(CarId(10))?))
    /// })?;
    /// assert_eq!((user, car), (Some(samples::user()), None));
    /// # Ok::<(), StoreError>(())
    /// ```
    pub fn read<T, E: From<StoreError>>(
        &self,
        mut work: impl FnMut(&mut dyn UnitOfWork) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut outcome = None;
        self.run(Mode::Read, &mut |unit| keep(&mut outcome, work(unit)))?;
        outcome.unwrap_or_else(|| Err(not_called()))
    }

    /// Reads the committed state of one moment. `work` may take long, and is called at most once.
    ///
    /// # Errors
    /// Those of `work`; [`StoreError::Unavailable`] if there is no connection.
    pub fn snapshot<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&mut dyn UnitOfWork) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut outcome = None;
        let mut work = Some(work);
        self.run(Mode::Snapshot, &mut |unit| match work.take() {
            Some(work) => keep(&mut outcome, work(unit)),
            None => Err(Rollback),
        })?;
        outcome.unwrap_or_else(|| Err(not_called()))
    }

    /// Writes: one transaction, committed if `work` returns `Ok` and rolled back if it returns `Err`. After the commit,
    /// security events among the new entries of the audit log are [logged](security_log).
    ///
    /// # Errors
    /// Those of `work`; those of the transaction itself.
    ///
    /// ```
    /// use mycars_application::{mocks::Mocks, ports::StoreError};
    /// use mycars_domain::CarId;
    ///
    /// let mut mocks = Mocks::new();
    /// mocks.unit.cars.expect_delete().returning(|_| Ok(()));
    /// let (app, store) = mocks.into_app();
    ///
    /// let undone = app.store.write(|unit| {
    ///     unit.cars().delete(CarId(10))?;
    ///     Err::<(), StoreError>(StoreError::OwnerGone)
    /// });
    /// assert!(matches!(undone, Err(StoreError::OwnerGone)));
    /// assert_eq!((store.commits(), store.rollbacks()), (0, 1));
    /// ```
    pub fn write<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&mut dyn UnitOfWork) -> Result<T, E>,
    ) -> Result<T, E> {
        self.write_in(Mode::Write, work)
    }

    /// Writes like [`write`](#method.write), but does not wait for other writers. For changes that can be repeated
    /// later.
    ///
    /// # Errors
    /// Those of `work`; those of the transaction itself; [`StoreError::Unavailable`] if there are other writers.
    pub fn write_now<T, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&mut dyn UnitOfWork) -> Result<T, E>,
    ) -> Result<T, E> {
        self.write_in(Mode::WriteNow, work)
    }

    fn write_in<T, E: From<StoreError>>(
        &self,
        mode: Mode,
        work: impl FnOnce(&mut dyn UnitOfWork) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut outcome = None;
        let mut work = Some(work);
        let mut appended = Vec::new();
        self.run(mode, &mut |unit| match work.take() {
            Some(work) => {
                let appended = &mut appended;
                keep(&mut outcome, work(&mut Recorder { unit, appended }))
            }
            None => Err(Rollback),
        })?;
        if matches!(outcome, Some(Ok(_))) {
            security_log::log_entries(&appended);
        }
        outcome.unwrap_or_else(|| Err(not_called()))
    }
}

/// A unit of work that also collects those entries that are appended to the audit log and are security events.
struct Recorder<'a> {
    unit: &'a mut dyn UnitOfWork,
    appended: &'a mut Vec<NewEntry>,
}

impl UnitOfWork for Recorder<'_> {
    fn users(&mut self) -> &mut dyn UserRepository {
        self.unit.users()
    }

    fn cars(&mut self) -> &mut dyn CarRepository {
        self.unit.cars()
    }

    fn refresh_tokens(&mut self) -> &mut dyn RefreshTokenRepository {
        self.unit.refresh_tokens()
    }

    fn sessions(&mut self) -> &mut dyn SessionRepository {
        self.unit.sessions()
    }

    fn api_keys(&mut self) -> &mut dyn ApiKeyRepository {
        self.unit.api_keys()
    }

    fn audit_log(&mut self) -> &mut dyn AuditLog {
        self
    }

    fn installation(&mut self) -> &mut dyn InstallationRepository {
        self.unit.installation()
    }

    fn leases(&mut self) -> &mut dyn LeaseRepository {
        self.unit.leases()
    }

    fn rates(&mut self) -> &mut dyn RateRepository {
        self.unit.rates()
    }

    fn outbox(&mut self) -> &mut dyn Outbox {
        self.unit.outbox()
    }

    fn rows(&mut self) -> &mut dyn RowRepository {
        self.unit.rows()
    }
}

impl AuditLog for Recorder<'_> {
    fn append(&mut self, entries: &[NewEntry]) -> Result<(), StoreError> {
        let events = entries.iter().filter(|entry| security_log::is_event(entry));
        self.appended.extend(events.cloned());
        self.unit.audit_log().append(entries)
    }

    fn append_with_car(&mut self, entry: &NewEntry, car: &NewCar) -> Result<Car, StoreError> {
        let car = self.unit.audit_log().append_with_car(entry, car)?;
        let mut entry = entry.clone();
        entry.object.id = car.id.to_string();
        self.appended.push(entry);
        Ok(car)
    }

    fn list(&mut self, query: &HistoryQuery) -> Result<Vec<Entry>, StoreError> {
        self.unit.audit_log().list(query)
    }

    fn count(&mut self, query: &HistoryQuery) -> Result<u64, StoreError> {
        self.unit.audit_log().count(query)
    }

    fn ids(&mut self, query: &HistoryQuery) -> Result<Vec<i64>, StoreError> {
        self.unit.audit_log().ids(query)
    }

    fn find_all(&mut self, ids: &[i64]) -> Result<Vec<Entry>, StoreError> {
        self.unit.audit_log().find_all(ids)
    }

    fn list_of_user(&mut self, user: UserId, after: i64, at_most: u32) -> Result<Vec<Entry>, StoreError> {
        self.unit.audit_log().list_of_user(user, after, at_most)
    }

    fn counts(&mut self, query: &HistoryQuery) -> Result<Vec<HistoryCount>, StoreError> {
        self.unit.audit_log().counts(query)
    }

    fn delete_oldest(
        &mut self,
        before: DateTime<Utc>,
        at_most: u32,
    ) -> Result<Option<PrunedEntries>, StoreError> {
        self.unit.audit_log().delete_oldest(before, at_most)
    }

    fn forget_user(&mut self, user: UserId) -> Result<u64, StoreError> {
        self.unit.audit_log().forget_user(user)
    }

    fn forget_addresses(&mut self, before: DateTime<Utc>, at_most: u32) -> Result<u64, StoreError> {
        self.unit.audit_log().forget_addresses(before, at_most)
    }
}

fn keep<T, E>(outcome: &mut Option<Result<T, E>>, result: Result<T, E>) -> Result<(), Rollback> {
    let verdict = if result.is_ok() { Ok(()) } else { Err(Rollback) };
    *outcome = Some(result);
    verdict
}

fn not_called<E: From<StoreError>>() -> E {
    StoreError::Other("the store answered without doing the work".into()).into()
}
