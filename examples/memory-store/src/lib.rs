//! A store in memory, without a database: a minimal adapter of the port [`Store`], which keeps the same contract as
//! SQLite and PostgreSQL; and one of pictures.
//!
//! This file has the transactions; `repositories.rs` has the rows and the queries, and `images.rs` the pictures.
#![warn(missing_docs)]

mod images;
mod repositories;

pub use images::MemoryImageStore;

use std::{sync::Arc, time::Duration};

use mycars_application::ports::{Mode, Rollback, Store, StoreError, UnitOfWork};
use parking_lot::{RwLock, RwLockUpgradableReadGuard};

use crate::repositories::State;

type Result<T> = std::result::Result<T, StoreError>;
type Work<'a> = dyn FnMut(&mut dyn UnitOfWork) -> std::result::Result<(), Rollback> + 'a;

/// A store in memory. Its data are lost on drop.
pub struct MemoryStore {
    /// The committed state. A commit replaces it by another state, and never changes it in place.
    ///
    /// A writer holds the upgradable lock, which allows readers but no other writers.
    committed: RwLock<Arc<State>>,
    /// Maximum time that a write waits for other writers.
    patience: Duration,
}

impl MemoryStore {
    /// Creates an empty store, in which a write waits at most for `patience`.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self {
            committed: RwLock::default(),
            patience,
        }
    }

    /// Runs work whose changes are committed or dropped together. A panic needs no clean-up: its unit is dropped with
    /// its changes.
    fn write(&self, patience: Duration, work: &mut Work<'_>) -> Result<()> {
        let turn = self.committed.try_upgradable_read_for(patience);
        let turn = turn.ok_or_else(|| StoreError::Unavailable("waited too long for writers".into()))?;
        let mut unit = Unit::on(&turn);
        match (work(&mut unit), unit.failed) {
            (Ok(()), false) => *RwLockUpgradableReadGuard::upgrade(turn) = unit.state,
            (Ok(()), true) => return Err(StoreError::Other("a statement failed before".into())),
            (Err(Rollback), _) => {}
        }
        Ok(())
    }
}

impl Store for MemoryStore {
    fn run(&self, mode: Mode, work: &mut Work<'_>) -> Result<()> {
        match mode {
            Mode::Read | Mode::Snapshot => {
                let mut unit = Unit::on(&self.committed.read());
                // The work keeps its own result, and its changes are dropped.
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

/// A copy of the state for one piece of work. It implements all repositories, so it is a [`UnitOfWork`].
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

    /// Changes the state. The first change copies it, because the committed state is shared.
    fn change<T>(&mut self, statement: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        let outcome = statement(Arc::make_mut(&mut self.state));
        self.failed |= outcome.is_err();
        outcome
    }
}
