//! The usage of a store, counted at most once in a while.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use mycars_application::ports::{ImageStoreError, ImageUsage};

/// The last usage and its time. Counting takes long if there are many pictures.
#[derive(Debug)]
pub(crate) struct CountedUsage {
    holds: Duration,
    last: Mutex<Option<(Instant, ImageUsage)>>,
}

impl CountedUsage {
    /// Returns the same usage again for this time.
    pub(crate) fn new(holds: Duration) -> Self {
        Self {
            holds,
            last: Mutex::new(None),
        }
    }

    /// Returns the last usage, or counts. Concurrent callers wait for one count instead of counting themselves.
    pub(crate) fn get(
        &self,
        count: impl FnOnce() -> Result<ImageUsage, ImageStoreError>,
    ) -> Result<ImageUsage, ImageStoreError> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, usage)) = *last
            && at.elapsed() < self.holds
        {
            return Ok(usage);
        }
        let usage = count()?;
        *last = Some((Instant::now(), usage));
        Ok(usage)
    }
}
