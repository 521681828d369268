//! A database of its own for one test.

use std::{fs, sync::Arc, time::Duration};

use diesel::{
    Connection as _, PgConnection, RunQueryDsl as _, SqliteConnection, connection::SimpleConnection as _,
    dsl::sql, sql_types::Text,
};
use mycars_application::ports::Store;
use mycars_persistence::{Database, Options, Pooler};
use tempfile::TempDir;

use crate::{
    postgres::{NO_OTHER_SESSION, PostgresDatabase, shared_pooler, until},
    scratch,
    store_contract::Fixture,
};

/// A database for one test, deleted on drop. Other processes can connect to it by its [`url`](Self::url).
pub struct TestDatabase {
    kept: Kept,
    pooler: Pooler,
}

enum Kept {
    Sqlite(TempDir),
    Postgres(PostgresDatabase),
}

impl TestDatabase {
    /// Creates a SQLite database with the tables of My Cars.
    #[must_use]
    pub fn sqlite() -> Self {
        let database = Self::empty_sqlite();
        database
            .parsed()
            .migrate(&Options::default())
            .expect("the migrations can be applied");
        database
    }

    /// Creates a PostgreSQL database with the tables of My Cars.
    #[must_use]
    pub fn postgres() -> Self {
        Self {
            kept: Kept::Postgres(PostgresDatabase::migrated()),
            pooler: Pooler::None,
        }
    }

    /// Creates a PostgreSQL database with the tables of My Cars, whose URL and store go through PgBouncer in transaction
    /// mode with two server connections.
    #[must_use]
    pub fn postgres_behind_pgbouncer() -> Self {
        Self {
            pooler: Pooler::Transaction,
            ..Self::postgres()
        }
    }

    /// Creates a SQLite database without tables.
    #[must_use]
    pub fn empty_sqlite() -> Self {
        Self {
            kept: Kept::Sqlite(scratch::folder()),
            pooler: Pooler::None,
        }
    }

    /// Creates a PostgreSQL database without tables.
    #[must_use]
    pub fn empty_postgres() -> Self {
        Self::empty_postgres_with("")
    }

    /// Creates a PostgreSQL database without tables, with these options of CREATE DATABASE.
    #[must_use]
    pub fn empty_postgres_with(options: &str) -> Self {
        Self {
            kept: Kept::Postgres(PostgresDatabase::empty(options)),
            pooler: Pooler::None,
        }
    }

    /// Returns the URL of the database.
    #[must_use]
    pub fn url(&self) -> String {
        match &self.kept {
            Kept::Sqlite(folder) => format!("sqlite://{}/mycars.sqlite3", folder.path().display()),
            Kept::Postgres(database) if self.pooler == Pooler::Transaction => {
                database.url_at(&shared_pooler().url())
            }
            Kept::Postgres(database) => database.url(),
        }
    }

    /// Opens the database as a store with a long timeout, so that a slow machine does not change the results.
    #[must_use]
    pub fn store(&self) -> Arc<dyn Store> {
        self.store_with(&Options {
            timeout: Duration::from_mins(1),
            pooler: self.pooler,
            ..Options::default()
        })
    }

    /// Opens the database as a store with these options.
    #[must_use]
    pub fn store_with(&self, options: &Options) -> Arc<dyn Store> {
        self.parsed()
            .connect(options)
            .expect("the database can be opened")
    }

    /// Executes SQL, for changes that no port offers.
    pub fn execute(&self, sql: &str) {
        let done = match &self.kept {
            Kept::Sqlite(folder) => {
                let path = folder.path().join("mycars.sqlite3");
                let mut conn = SqliteConnection::establish(&path.to_string_lossy()).expect("SQLite opens");
                let settings = "PRAGMA busy_timeout = 60000; PRAGMA foreign_keys = ON;";
                conn.batch_execute(settings)
                    .and_then(|()| conn.batch_execute(sql))
            }
            Kept::Postgres(database) => {
                let mut conn = PgConnection::establish(&database.url()).expect("PostgreSQL answers");
                conn.batch_execute(sql)
            }
        };
        done.unwrap_or_else(|error| panic!("{sql}: {error}"));
    }

    /// Returns the texts of all tables, with those of computed columns.
    #[must_use]
    pub fn dump(&self) -> String {
        match &self.kept {
            Kept::Sqlite(folder) => {
                // A copy has no free pages, which hold deleted rows.
                let copy = folder.path().join("dump.sqlite3");
                self.execute(&format!("VACUUM INTO '{}'", copy.display()));
                let bytes = fs::read(&copy).expect("the copy can be read");
                fs::remove_file(&copy).expect("the copy can be removed");
                String::from_utf8_lossy(&bytes).into_owned()
            }
            Kept::Postgres(database) => {
                let mut conn = PgConnection::establish(&database.url()).expect("PostgreSQL answers");
                diesel::select(sql::<Text>("database_to_xml(true, false, '')::text"))
                    .get_result(&mut conn)
                    .expect("the tables can be read")
            }
        }
    }

    /// Waits until no other session is connected: PostgreSQL finishes the current statement of a client that was
    /// killed. On SQLite, returns at once.
    pub fn wait_until_unused(&self) {
        if matches!(self.kept, Kept::Postgres(_)) {
            self.execute(&until(NO_OTHER_SESSION));
        }
    }

    /// Waits until a condition in SQL holds, at most a minute. PostgreSQL only.
    pub fn wait_until(&self, condition: &str) {
        self.execute(&until(condition));
    }

    /// Panics with the first row that a query finds. PostgreSQL only.
    pub fn assert_none(&self, query: &str) {
        self.execute(&format!(
            "DO $$ DECLARE found RECORD; BEGIN
                FOR found IN {query} LOOP RAISE 'found %', found; END LOOP;
            END $$"
        ));
    }

    fn parsed(&self) -> Database {
        Database::parse(&self.url()).expect("the URL is valid")
    }
}

impl Fixture for TestDatabase {
    fn store(&self) -> Arc<dyn Store> {
        self.store()
    }
}
