//! A store in memory: everything that My Cars keeps, without a database. It is the least that an adapter of the
//! port [`Store`] can be, and keeps the same contract as SQLite and PostgreSQL.
#![warn(missing_docs)]

mod audit_log;
mod cars;
mod query;
mod refresh_tokens;
mod sessions;
mod users;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use mycars_application::ports::{
    AuditLog, CarRepository, ListedToken, Mode, RefreshTokenRepository, Rollback, Session, SessionRepository,
    Store, StoreError, UnitOfWork, UserRepository,
};
use mycars_domain::{Car, CarId, User, UserId, audit::Entry};
use parking_lot::Mutex;

type Result<T> = std::result::Result<T, StoreError>;
type Work<'a> = dyn FnMut(&mut dyn UnitOfWork) -> std::result::Result<(), Rollback> + 'a;

/// A store in memory. What it keeps is gone when it is dropped.
pub struct MemoryStore {
    /// What everybody sees. A commit puts another state in its place, and never changes the one that is there.
    committed: Mutex<Arc<State>>,
    /// Held by the one that writes.
    turn: Mutex<()>,
    /// How long the others wait for their turn.
    patience: Duration,
}

impl MemoryStore {
    /// An empty store, in which a write waits so long for those before it.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self {
            committed: Mutex::default(),
            turn: Mutex::default(),
            patience,
        }
    }

    /// A unit of work on what is committed now, whatever others commit meanwhile.
    fn unit(&self) -> Unit {
        Unit {
            state: Arc::clone(&self.committed.lock()),
            failed: false,
        }
    }

    /// Does work whose changes are committed or forgotten together. If it panics, nothing needs to be undone: its
    /// unit is dropped, and with it what was changed.
    fn write(&self, work: &mut Work<'_>) -> Result<()> {
        let turn = self.turn.try_lock_for(self.patience);
        let _turn = turn.ok_or_else(|| StoreError::Unavailable("others wrote all the time".into()))?;
        let mut unit = self.unit();
        match (work(&mut unit), unit.failed) {
            (Ok(()), false) => *self.committed.lock() = unit.state,
            (Ok(()), true) => return Err(StoreError::Other("the work went on after a failure".into())),
            (Err(Rollback), _) => {}
        }
        Ok(())
    }
}

impl Store for MemoryStore {
    fn run(&self, mode: Mode, work: &mut Work<'_>) -> Result<()> {
        match mode {
            Mode::Write => self.write(work),
            Mode::Read => {
                // How it went is known to the work itself, and what it changed, if it did, to nobody.
                work(&mut self.unit()).ok();
                Ok(())
            }
        }
    }

    fn ping(&self) -> Result<()> {
        Ok(())
    }
}

/// Everything that is kept.
#[derive(Clone, Default)]
struct State {
    last_ids: LastIds,
    users: BTreeMap<UserId, User>,
    cars: BTreeMap<CarId, Car>,
    /// Without the names of their owners, which are looked up when they are listed.
    refresh_tokens: BTreeMap<i64, ListedToken>,
    sessions: BTreeMap<String, Session>,
    audit_log: BTreeMap<i64, Entry>,
}

/// The numbers that were given last. They only grow, so that none is used again.
#[derive(Clone, Default)]
struct LastIds {
    users: i64,
    cars: i64,
    refresh_tokens: i64,
    audit_log: i64,
}

/// The number after the last one.
fn next(last_id: &mut i64) -> i64 {
    *last_id += 1;
    *last_id
}

impl State {
    /// That whatever belongs to a user belongs to one who is there.
    fn check_owner(&self, owner: UserId) -> Result<()> {
        self.users.get(&owner).map(drop).ok_or(StoreError::OwnerGone)
    }
}

/// The state as one piece of work sees it. The repositories are implemented for it, each in its own file.
struct Unit {
    state: Arc<State>,
    failed: bool,
}

impl Unit {
    /// Changes the state. The first change makes a copy of it, because what is committed is others' as well.
    fn change<T>(&mut self, statement: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let outcome = statement(Arc::make_mut(&mut self.state));
        self.failed |= outcome.is_err();
        outcome
    }
}

impl UnitOfWork for Unit {
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

    fn audit_log(&mut self) -> &mut dyn AuditLog {
        self
    }
}
