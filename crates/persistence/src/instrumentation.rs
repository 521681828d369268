//! Observes the statements of a connection: counts them, logs slow ones, and makes spans of traces.

use std::time::{Duration, Instant};

use diesel::connection::{Instrumentation, InstrumentationEvent};
use mycars_application::ports::{TRACE_TARGET, record_statement};
use tracing::{Level, Span};

/// Minimum time between two log lines of a connection: an overload makes many statements slow.
const LOG_INTERVAL: Duration = Duration::from_secs(1);

/// Counts the statements of one connection, and logs those that take at least `slow`.
pub(crate) struct Statements {
    /// The name of the database in OpenTelemetry.
    system: &'static str,
    slow: Duration,
    started: Option<Instant>,
    span: Span,
    logged: Option<Instant>,
}

impl Statements {
    pub(crate) fn new(system: &'static str, slow: Duration) -> Self {
        Self {
            system,
            slow,
            span: Span::none(),
            started: None,
            logged: None,
        }
    }
}

impl Instrumentation for Statements {
    fn on_connection_event(&mut self, event: InstrumentationEvent<'_>) {
        match event {
            InstrumentationEvent::StartQuery { query, .. } => {
                self.span = span(self.system, || query.to_string());
                self.started = Some(Instant::now());
            }
            InstrumentationEvent::FinishQuery { query, .. } => {
                self.span = Span::none();
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

/// Returns a span of the current trace; a disabled one if there is no trace.
fn span(system: &'static str, query: impl FnOnce() -> String) -> Span {
    let is_traced = tracing::enabled!(target: TRACE_TARGET, Level::INFO)
        && Span::current()
            .metadata()
            .is_some_and(|metadata| metadata.target() == TRACE_TARGET);
    if !is_traced {
        return Span::none();
    }
    let statement = without_values(&query());
    let operation = statement.split(' ').next();
    tracing::info_span!(
        target: TRACE_TARGET,
        "statement",
        otel.name = operation,
        otel.kind = "client",
        db.system.name = system,
        db.query.text = statement,
    )
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
