//! A PostgreSQL server for one test, which can stop and start it.

use diesel::{Connection as _, PgConnection, connection::SimpleConnection as _};

use super::{
    cluster::{Cluster, Commits, Shutdown},
    until,
};

/// SQL condition: a session waits for a lock of another session.
const BLOCKED_SESSION: &str = "EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')";

/// A PostgreSQL server for one test, removed on drop. It needs the server's binaries even with `TEST_DATABASE_URL`,
/// because tests must not stop that server.
pub struct PostgresServer(Cluster);

impl PostgresServer {
    /// Starts a server with an empty database.
    #[must_use]
    pub fn start() -> Self {
        Self(Cluster::start(Commits::OutliveTheServer).unwrap_or_else(|error| panic!("{error}")))
    }

    /// Starts a server with an empty database, which can have a standby.
    #[must_use]
    pub fn start_primary() -> Self {
        Self(Cluster::start(Commits::Replicated).unwrap_or_else(|error| panic!("{error}")))
    }

    /// Starts a standby of this primary. From now on, each commit waits for it.
    #[must_use]
    pub fn start_synchronous_standby(&self) -> Self {
        let standby = self.0.start_standby().unwrap_or_else(|error| panic!("{error}"));
        for sql in [
            "ALTER SYSTEM SET synchronous_standby_names = '*'",
            "SELECT pg_reload_conf()",
            &until("EXISTS (SELECT FROM pg_stat_replication WHERE sync_state = 'sync')"),
        ] {
            let done = self.connection().batch_execute(sql);
            done.unwrap_or_else(|error| panic!("{sql}: {error}"));
        }
        Self(standby)
    }

    /// Makes a standby the primary, and waits until it is.
    pub fn promote(&self) {
        let done = self.connection().batch_execute("SELECT pg_promote()");
        done.unwrap_or_else(|error| panic!("{error}"));
    }

    /// Returns the URL of the database on this server or another one, with options.
    #[must_use]
    pub fn url_with(&self, other: &Self, options: &str) -> String {
        let (host, other) = (self.0.host(), other.0.host());
        format!("postgres://postgres@{host},{other}/postgres?{options}")
    }

    /// Returns the URL of its database, which stays the same after a restart.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Executes SQL in a transaction that stays open and keeps its locks.
    #[must_use]
    pub fn begin(&self, sql: &str) -> Session {
        let mut conn = self.connection();
        conn.batch_execute(&format!("BEGIN; {sql}"))
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        Session { _conn: conn }
    }

    /// Waits until a session waits for a lock of another session.
    pub fn wait_until_session_is_blocked(&self) {
        let waited = self.connection().batch_execute(&until(BLOCKED_SESSION));
        waited.unwrap_or_else(|error| panic!("{error}"));
    }

    fn connection(&self) -> PgConnection {
        PgConnection::establish(&self.url()).expect("PostgreSQL answers")
    }

    /// Stops the server, and waits until it has ended.
    pub fn stop(&self, how: Shutdown) {
        assert!(self.0.stop(how), "PostgreSQL does not end");
    }

    /// Starts the server with the same data, and waits until it accepts connections.
    pub fn start_again(&self) {
        self.0.start_again().unwrap_or_else(|error| panic!("{error}"));
    }
}

/// An open transaction, rolled back on drop.
pub struct Session {
    _conn: PgConnection,
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.0.remove();
    }
}
