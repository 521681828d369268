//! A PostgreSQL server of its own for one test, which is away for as long as the test likes.

use super::cluster::{Cluster, Commits, Shutdown};

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

    /// Stops it, and waits until it has ended.
    pub fn stop(&self, how: Shutdown) {
        assert!(self.0.stop(how), "PostgreSQL does not end");
    }

    /// Starts it on the same data, and waits until it answers.
    pub fn start_again(&self) {
        self.0.start_again().unwrap_or_else(|error| panic!("{error}"));
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        self.0.remove();
    }
}
