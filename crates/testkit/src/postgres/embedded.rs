//! A PostgreSQL server for one test, which can stop and start it.

use std::path::Path;

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

    /// Returns the URL of its database, which stays the same after a restart.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// Returns the folder of its socket.
    pub(super) fn socket_folder(&self) -> &Path {
        self.0.socket_folder()
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
