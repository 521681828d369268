//! A PostgreSQL server of its own for one test, which is away for as long as the test likes.

use std::path::Path;

use diesel::{Connection as _, PgConnection, connection::SimpleConnection as _};

use super::{
    cluster::{Cluster, Commits, Shutdown},
    until,
};

/// Holds when some session wants what another one has locked.
const SOMEBODY_LOCKED_OUT: &str = "EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')";

/// A PostgreSQL server of its own for one test, gone when it is dropped. It needs the server's binaries, also
/// where `TEST_DATABASE_URL` names a server for all other tests: that one is not ours to stop.
pub struct PostgresServer(Cluster);

impl PostgresServer {
    /// A server with an empty database.
    #[must_use]
    pub fn start() -> Self {
        Self(Cluster::start(Commits::OutliveTheServer).unwrap_or_else(|error| panic!("{error}")))
    }

    /// The URL of its database, the same whenever it runs.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// The folder of its socket.
    pub(super) fn socket_folder(&self) -> &Path {
        self.0.socket_folder()
    }

    /// Does this in a transaction that stays open: what it locks stays locked.
    #[must_use]
    pub fn begin(&self, sql: &str) -> Session {
        let mut conn = self.connection();
        conn.batch_execute(&format!("BEGIN; {sql}"))
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
        Session { _conn: conn }
    }

    /// Waits until somebody waits for what a session has locked.
    pub fn wait_until_somebody_is_locked_out(&self) {
        let waited = self.connection().batch_execute(&until(SOMEBODY_LOCKED_OUT));
        waited.unwrap_or_else(|error| panic!("{error}"));
    }

    fn connection(&self) -> PgConnection {
        PgConnection::establish(&self.url()).expect("PostgreSQL answers")
    }

    /// Stops it, and waits until it has ended.
    pub fn stop(&self, how: Shutdown) {
        assert!(self.0.stop(how), "PostgreSQL does not end");
    }

    /// Starts it on the same data, and waits until it answers.
    pub fn start_again(&self) {
        self.0.start_again().unwrap_or_else(|error| panic!("{error}"));
    }
}

/// An open transaction, undone when this is dropped.
pub struct Session {
    _conn: PgConnection,
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.0.remove();
    }
}
