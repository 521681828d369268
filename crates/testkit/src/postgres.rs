//! PostgreSQL for tests: one server for each test process, one database for each test.
//!
//! The server is a temporary one of this process ([`cluster`]), or that of `TEST_DATABASE_URL`.

mod cluster;
mod embedded;
mod pgbouncer;

use std::sync::{
    OnceLock,
    atomic::{AtomicU32, Ordering},
};

use diesel::{
    Connection as _, PgConnection, RunQueryDsl as _, connection::SimpleConnection as _, sql_types::Integer,
};
use mycars_persistence::{Database, Options};

use cluster::{Cluster, Commits};

pub use cluster::Shutdown;
pub use embedded::{PostgresServer, Session};
pub use pgbouncer::{PgBouncer, PoolMode};

static SERVER: OnceLock<Result<Server, String>> = OnceLock::new();
static POOLER: OnceLock<PgBouncer> = OnceLock::new();

/// The PostgreSQL server that the tests of this process use.
struct Server {
    /// URL of one of its databases. The URLs of the others differ only in the name of the database.
    url: String,
    /// The temporary server; `None` with `TEST_DATABASE_URL`.
    cluster: Option<Cluster>,
    /// Options of CREATE DATABASE for the fastest way to copy a template.
    copying: &'static str,
    next: AtomicU32,
}

/// PgBouncer in front of the server of this process, in transaction mode with two server connections for each database.
pub(crate) fn shared_pooler() -> &'static PgBouncer {
    POOLER.get_or_init(|| {
        let settings = "default_pool_size = 2\nmax_client_conn = 1000\nserver_round_robin = 1";
        PgBouncer::at(&server().url, PoolMode::Transaction, settings)
    })
}

/// A database for one test, deleted on drop.
pub(crate) struct PostgresDatabase {
    name: String,
}

impl PostgresDatabase {
    /// Creates a database with the tables of My Cars.
    pub(crate) fn migrated() -> Self {
        let server = server();
        Self::create(server, &format!("TEMPLATE {} {}", template(), server.copying))
    }

    /// Creates a database without tables. `options` are those of CREATE DATABASE.
    pub(crate) fn empty(options: &str) -> Self {
        Self::create(server(), options)
    }

    fn create(server: &Server, how: &str) -> Self {
        let number = server.next.fetch_add(1, Ordering::Relaxed);
        let name = format!("mycars_test_{}_{number}", std::process::id());
        server.execute(&format!("CREATE DATABASE {name} {how}"));
        Self { name }
    }

    pub(crate) fn url(&self) -> String {
        server().url_of(&self.name)
    }

    /// Returns the URL of the database at another address, such as that of a pooler.
    pub(crate) fn url_at(&self, address: &str) -> String {
        with_database(address, &self.name)
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        // A store that is dropped later may still hold connections.
        server().execute(&format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name));
    }
}

/// SQL condition: no other session uses the database.
pub(crate) const NO_OTHER_SESSION: &str = "NOT EXISTS (
    SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
)";

/// Returns SQL that waits until a condition holds, and fails after a minute.
pub(crate) fn until(condition: &str) -> String {
    format!(
        "DO $$
        BEGIN
            FOR step IN 1..6000 LOOP
                PERFORM pg_stat_clear_snapshot();
                IF {condition} THEN
                    RETURN;
                END IF;
                PERFORM pg_sleep(0.01);
            END LOOP;
            RAISE 'the condition did not hold within a minute';
        END
        $$"
    )
}

fn server() -> &'static Server {
    SERVER
        .get_or_init(Server::start)
        .as_ref()
        .unwrap_or_else(|error| panic!("{error}"))
}

impl Server {
    fn start() -> Result<Self, String> {
        let (url, cluster) = match std::env::var("TEST_DATABASE_URL") {
            Ok(url) => (url, None),
            Err(_) => Cluster::start(Commits::MayBeLost).map(|cluster| (cluster.url(), Some(cluster)))?,
        };
        let mut conn = PgConnection::establish(&url)
            .map_err(|error| format!("the tests' PostgreSQL can't be reached: {error}"))?;
        let version = diesel::select(diesel::dsl::sql::<Integer>(
            "current_setting('server_version_num')::int",
        ))
        .get_result::<i32>(&mut conn)
        .map_err(|error| error.to_string())?;
        // SAFETY: the function is plain, takes nothing and does not unwind.
        unsafe { libc::atexit(stop) };
        Ok(Self {
            url,
            cluster,
            // Older servers have only this method.
            copying: if version >= 150_000 {
                "STRATEGY file_copy"
            } else {
                ""
            },
            next: AtomicU32::new(0),
        })
    }

    fn url_of(&self, database: &str) -> String {
        with_database(&self.url, database)
    }

    fn execute(&self, sql: &str) {
        PgConnection::establish(&self.url)
            .expect("the tests' PostgreSQL answers")
            .batch_execute(sql)
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
}

/// Returns the name of the database that the others are copied from. No session is connected to it.
fn template() -> &'static str {
    static TEMPLATE: OnceLock<String> = OnceLock::new();
    TEMPLATE.get_or_init(|| {
        let name = template_name();
        server().execute(&format!("CREATE DATABASE {name}"));
        Database::parse(&server().url_of(&name))
            .and_then(|database| database.migrate(&Options::default()))
            .expect("the migrations can be applied");
        name
    })
}

fn template_name() -> String {
    format!("mycars_test_{}_template", std::process::id())
}

/// Stops the server or deletes the template when the process ends: a `static` is never dropped.
extern "C" fn stop() {
    if let Some(pooler) = POOLER.get() {
        pooler.remove();
    }
    let Some(Ok(server)) = SERVER.get() else { return };
    match &server.cluster {
        Some(cluster) => cluster.remove(),
        None => drop_template(server),
    }
}

/// Deletes the template on a server that keeps running. Must not panic, because no caller could catch it.
fn drop_template(server: &Server) {
    if let Ok(mut conn) = PgConnection::establish(&server.url) {
        conn.batch_execute(&format!("DROP DATABASE IF EXISTS {}", template_name()))
            .ok();
    }
}

/// Returns the URL with another database.
fn with_database(url: &str, database: &str) -> String {
    let (address, options) = url
        .split_once('?')
        .map_or((url, None), |(address, options)| (address, Some(options)));
    let (scheme, rest) = address
        .split_once("://")
        .expect("TEST_DATABASE_URL begins with postgres://");
    let authority = rest.split('/').next().unwrap_or_default();
    let options = options.map(|options| format!("?{options}")).unwrap_or_default();
    format!("{scheme}://{authority}/{database}{options}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_database_of_url_is_replaced() {
        for (url, expected) in [
            ("postgres://ann:x@db:5432/old", "postgres://ann:x@db:5432/new"),
            ("postgres://db", "postgres://db/new"),
            ("postgresql:///old?host=/tmp", "postgresql:///new?host=/tmp"),
        ] {
            assert_eq!(with_database(url, "new"), expected);
        }
    }
}
