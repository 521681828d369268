//! The usage of a store, counted at most once in a while.

use std::{
    sync::{Mutex, MutexGuard, PoisonError, TryLockError},
    time::{Duration, Instant},
};

use mycars_application::ports::{ImageStoreError, ImageUsage};

/// The last usage and its time. Counting takes long if there are many pictures.
#[derive(Debug)]
pub(crate) struct CountedUsage {
    holds: Duration,
    last: Mutex<Option<(Instant, ImageUsage)>>,
    /// Held by the caller that counts.
    counting: Mutex<()>,
}

impl CountedUsage {
    /// Returns the same usage again for this time.
    pub(crate) fn new(holds: Duration) -> Self {
        Self {
            holds,
            last: Mutex::default(),
            counting: Mutex::default(),
        }
    }

    /// Returns the last usage, or counts. While one caller counts, the others get an older usage; they wait only if there
    /// is none.
    pub(crate) fn get(
        &self,
        count: impl FnOnce() -> Result<ImageUsage, ImageStoreError>,
    ) -> Result<ImageUsage, ImageStoreError> {
        if let Some(usage) = self.last(self.holds) {
            return Ok(usage);
        }
        let _turn = match (self.counting.try_lock(), self.last(Duration::MAX)) {
            (Ok(turn), _) => turn,
            (Err(TryLockError::Poisoned(turn)), _) => turn.into_inner(),
            (Err(TryLockError::WouldBlock), Some(older)) => return Ok(older),
            (Err(TryLockError::WouldBlock), None) => lock(&self.counting),
        };
        if let Some(usage) = self.last(self.holds) {
            return Ok(usage);
        }
        let usage = count()?;
        *lock(&self.last) = Some((Instant::now(), usage));
        Ok(usage)
    }

    /// Returns the last usage if it is younger than this.
    fn last(&self, age: Duration) -> Option<ImageUsage> {
        let (at, usage) = (*lock(&self.last))?;
        (at.elapsed() < age).then_some(usage)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
