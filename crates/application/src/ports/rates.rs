//! Counts of requests that all servers share.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::{Store, StoreError};

/// A rate limit: a bucket of requests that refills one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// The number of requests in a whole bucket; at least one.
    pub burst: u32,
    /// The time after which one request is given back.
    pub interval: TimeDelta,
}

impl RateLimit {
    /// Returns the time by which a bucket may be behind when a request is taken from it.
    #[must_use]
    pub fn tolerance(&self) -> TimeDelta {
        self.interval * i32::try_from(self.burst - 1).unwrap_or(i32::MAX)
    }
}

/// The buckets of clients, by a key that contains the rate and the client. All times are those of one clock that the
/// servers share.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait RateRepository {
    /// Takes a request from a bucket. Of concurrent callers, only as many as the bucket has requests MUST succeed. Returns
    /// the time at which the bucket is whole again, or else the time to wait.
    ///
    /// # Errors
    /// Those of the database.
    fn take(&mut self, key: &str, limit: RateLimit) -> Result<Result<DateTime<Utc>, TimeDelta>, StoreError>;

    /// Gives a request back that was taken until `whole_at`, as far as time has not given it back.
    ///
    /// # Errors
    /// Those of the database.
    fn give_back(&mut self, key: &str, limit: RateLimit, whole_at: DateTime<Utc>) -> Result<(), StoreError>;

    /// Deletes at most `at_most` of the buckets that are whole, unless they delete themselves, and returns their number.
    ///
    /// # Errors
    /// Those of the database.
    fn delete_whole(&mut self, at_most: u32) -> Result<usize, StoreError>;
}

/// The place of the buckets.
pub trait SharedRates: Send + Sync {
    /// Calls `work` with the buckets, at most once. Its changes are kept or dropped together, as far as the place can do
    /// that.
    ///
    /// # Errors
    /// Those of `work`; those of the place, if it can't be reached: [`StoreError::Unavailable`] if requests need it for
    /// their own work as well, and otherwise [`StoreError::Other`].
    fn run(
        &self,
        work: &mut dyn FnMut(&mut dyn RateRepository) -> Result<(), StoreError>,
    ) -> Result<(), StoreError>;
}

/// Buckets in the store.
pub struct StoredRates(pub Arc<dyn Store>);

impl SharedRates for StoredRates {
    fn run(
        &self,
        work: &mut dyn FnMut(&mut dyn RateRepository) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.0.write(|unit| work(unit.rates()))
    }
}
