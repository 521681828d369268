//! The database statements of the current thread: a store records them, and the adapter that runs use-cases takes the
//! sum for its log.

use std::{cell::Cell, time::Duration};

/// Number of statements, and their time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct StatementUsage {
    /// Number of statements, including those that begin and end transactions.
    pub count: u32,
    /// Time until their results arrived.
    pub time: Duration,
}

impl StatementUsage {
    /// Returns the sum of both.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use mycars_application::ports::StatementUsage;
    ///
    /// let one = StatementUsage { count: 1, time: Duration::from_millis(3) };
    /// assert_eq!(one.plus(one), StatementUsage { count: 2, time: Duration::from_millis(6) });
    /// ```
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            count: self.count.saturating_add(other.count),
            time: self.time.saturating_add(other.time),
        }
    }
}

/// Target of the spans of traces: requests, use-cases and statements. They are not part of the log.
pub const TRACE_TARGET: &str = "mycars::trace";

thread_local! {
    static USAGE: Cell<StatementUsage> = const { Cell::new(StatementUsage { count: 0, time: Duration::ZERO }) };
}

/// Records a statement of this thread that took this time.
pub fn record_statement(time: Duration) {
    USAGE.set(USAGE.get().plus(StatementUsage { count: 1, time }));
}

/// Returns the statements of this thread since the last call.
#[must_use]
pub fn take_statements() -> StatementUsage {
    USAGE.take()
}
