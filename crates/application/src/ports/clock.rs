//! The time.

use chrono::{DateTime, Utc};

/// The clock.
pub trait Clock: Send + Sync {
    /// Returns the current time in UTC. MUST be in whole microseconds, which both databases store without loss: the
    /// version of a user or a car is the time of its last change, and is compared with the stored one.
    fn now(&self) -> DateTime<Utc>;
}
