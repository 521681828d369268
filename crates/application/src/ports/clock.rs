//! The time.

use chrono::{DateTime, Utc};

/// Says what time it is.
pub trait Clock: Send + Sync {
    /// Now, in UTC. MUST be in whole microseconds, which is what both databases keep without loss: a version of a user
    /// or a car is the time of its last change, and is compared with what was kept.
    fn now(&self) -> DateTime<Utc>;
}
