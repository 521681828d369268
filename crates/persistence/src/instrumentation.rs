//! Observes the statements of a connection: counts them, and logs slow ones.

use std::time::{Duration, Instant};

use diesel::connection::{Instrumentation, InstrumentationEvent};
use mycars_application::ports::record_statement;

/// Minimum time between two log lines of a connection: an overload makes many statements slow.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Counts the statements of one connection, and logs those that take at least `slow`.
pub(crate) struct Statements {
    slow: Duration,
    started: Option<Instant>,
    logged: Option<Instant>,
}

impl Statements {
    pub(crate) fn new(slow: Duration) -> Self {
        Self {
            slow,
            started: None,
            logged: None,
        }
    }
}

impl Instrumentation for Statements {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartQuery { .. } => self.started = Some(Instant::now()),
            InstrumentationEvent::FinishQuery { query, .. } => {
                let Some(time) = self.started.take().map(|started| started.elapsed()) else {
                    return;
                };
                record_statement(time);
                let is_due = self.logged.is_none_or(|logged| logged.elapsed() >= LOG_INTERVAL);
                if is_due && time >= self.slow {
                    self.logged = Some(Instant::now());
                    let milliseconds = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
                    let statement = without_values(&query.to_string());
                    tracing::warn!(milliseconds, statement, "slow statement");
                }
            }
            _ => {}
        }
    }
}

/// Returns the text of a statement in one line, without the values that Diesel lists behind it. No statement of this
/// crate has values in its text.
fn without_values(query: &str) -> String {
    let statement = query.split("-- binds:").next().unwrap_or_default();
    statement.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_cut_off() {
        for (query, statement) in [
            ("SELECT 1", "SELECT 1"),
            (
                "SELECT a\n    FROM b WHERE c = $1 -- binds: [\"secret -- binds: []\"]",
                "SELECT a FROM b WHERE c = $1",
            ),
        ] {
            assert_eq!(without_values(query), statement);
        }
    }
}
