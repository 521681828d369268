//! The time.

use chrono::{DateTime, Utc};

/// Says what time it is.
pub trait Clock: Send + Sync {
    /// Now, in UTC, in whole microseconds: what both databases keep without loss.
    fn now(&self) -> DateTime<Utc>;
}
