//! Configuration of a store.

use std::time::Duration;

/// Configuration of the connections of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Number of connections: about as many as threads that use the database. At least one.
    pub pool_size: u32,
    /// Maximum time that work waits for a free connection, a new connection or a lock. After that, the database is
    /// reported as unavailable.
    pub timeout: Duration,
    /// Maximum time of a statement. After that, it is cancelled, and the database is reported as unavailable. On SQLite,
    /// only searches have this limit.
    pub statement_timeout: Option<Duration>,
    /// Whether the database may have migrations of a newer version that only add something. Set during a rolling update by
    /// servers, and not by commands, which would leave out what they do not know.
    pub accepts_newer: bool,
    /// The connection pooler in front of PostgreSQL.
    pub pooler: Pooler,
    /// Time from which a statement is logged as slow, without its values. If it is `None`, statements are not counted
    /// either.
    pub slow_statement: Option<Duration>,
}

/// A connection pooler in front of PostgreSQL, such as PgBouncer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Pooler {
    /// None, or one that gives each client a session of its own.
    #[default]
    None,
    /// One that gives each transaction another session. The store then uses no prepared statements and no settings of
    /// sessions: writes set their time limits themselves, and those of reads are settings of the role.
    Transaction,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            pool_size: 8,
            timeout: Duration::from_secs(2),
            statement_timeout: None,
            accepts_newer: false,
            pooler: Pooler::None,
            slow_statement: None,
        }
    }
}

impl Options {
    /// Returns these options with the minimum values, because the pool panics if one of them is zero.
    pub(crate) fn at_least_one(self) -> Self {
        Self {
            pool_size: self.pool_size.max(1),
            timeout: self.timeout.max(Duration::from_millis(1)),
            ..self
        }
    }
}
