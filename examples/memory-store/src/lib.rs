//! A store in memory: everything that My Cars keeps, without a database. It is the least that an adapter of the
//! port [`Store`] can be, and keeps the same contract as SQLite and PostgreSQL.
//!
//! Here are its transactions; what is kept and found is in `repositories.rs`.
#![warn(missing_docs)]

mod repositories;

use std::{sync::Arc, time::Duration};

use mycars_application::ports::{Mode, Rollback, Store, StoreError, UnitOfWork};
use parking_lot::{RwLock, RwLockUpgradableReadGuard};

use crate::repositories::State;

type Result<T> = std::result::Result<T, StoreError>;
type Work<'a> = dyn FnMut(&mut dyn UnitOfWork) -> std::result::Result<(), Rollback> + 'a;

/// A store in memory. What it keeps is gone when it is dropped.
pub struct MemoryStore {
    /// What everybody sees. A commit puts another state in its place, and never changes the one that is there.
    ///
    /// Whoever writes holds the lock so that others can read meanwhile, but not write.
    committed: RwLock<Arc<State>>,
    /// How long a write waits for its turn.
    patience: Duration,
}

impl MemoryStore {
    /// An empty store, in which a write waits so long for those before it.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self {
            committed: RwLock::default(),
            patience,
        }
    }

    /// Does work whose changes are committed or forgotten together. If it panics, nothing needs to be undone: its
    /// unit is dropped, and with it what was changed.
    fn write(&self, patience: Duration, work: &mut Work<'_>) -> Result<()> {
        let turn = self.committed.try_upgradable_read_for(patience);
        let turn = turn.ok_or_else(|| StoreError::Unavailable("others wrote all the time".into()))?;
        let mut unit = Unit::on(&turn);
        match (work(&mut unit), unit.failed) {
            (Ok(()), false) => *RwLockUpgradableReadGuard::upgrade(turn) = unit.state,
            (Ok(()), true) => return Err(StoreError::Other("the work went on after a failure".into())),
            (Err(Rollback), _) => {}
        }
        Ok(())
    }
}

impl Store for MemoryStore {
    fn run(&self, mode: Mode, work: &mut Work<'_>) -> Result<()> {
        match mode {
            Mode::Read => {
                let mut unit = Unit::on(&self.committed.read());
                // How it went is known to the work itself, and what it changed, if it did, to nobody.
                work(&mut unit).ok();
                Ok(())
            }
            Mode::Write => self.write(self.patience, work),
            Mode::WriteNow => self.write(Duration::ZERO, work),
        }
    }

    fn ping(&self) -> Result<()> {
        Ok(())
    }
}

/// The state as one piece of work sees it. All repositories are implemented for it, which makes it a [`UnitOfWork`].
struct Unit {
    state: Arc<State>,
    failed: bool,
}

impl Unit {
    fn on(committed: &Arc<State>) -> Self {
        Self {
            state: Arc::clone(committed),
            failed: false,
        }
    }

    /// Changes the state. The first change makes a copy of it, because what is committed is others' as well.
    fn change<T>(&mut self, statement: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let outcome = statement(Arc::make_mut(&mut self.state));
        self.failed |= outcome.is_err();
        outcome
    }
}
