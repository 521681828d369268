//! The databases that are measured: filled with SQL, because a million cars would take the application an hour, but
//! with every column as the application writes it.

use std::{fmt, fs, path::PathBuf};

use diesel::{
    Connection as _, PgConnection, QueryableByName, RunQueryDsl as _, SqliteConnection,
    connection::SimpleConnection as _, sql_query, sql_types::Text,
};

use crate::{Outcome, load::output, postgres::Cluster, process::Programs};

/// The password of everybody.
pub(crate) const PASSWORD: &str = "benchmark-8412";

/// Whoever may do everything.
pub(crate) const ADMIN: &str = "admin";

/// The people of whom more is asked than the others. Their ids are fixed, their names follow from them.
pub(crate) const OWNER_OF_20: u64 = 2;
pub(crate) const OWNER_OF_1000: u64 = 3;
/// Adds cars, so that the others keep as many as they have.
pub(crate) const BUYER: u64 = 4;

/// How many cars are written at once.
const BATCH: u64 = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    Sqlite,
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
        })
    }
}

/// How much is in a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Size {
    pub(crate) users: u64,
    pub(crate) cars: u64,
}

/// A database, and the folder in which My Cars keeps what is not in it.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) kind: Kind,
    pub(crate) url: String,
    pub(crate) folder: PathBuf,
    pub(crate) size: Size,
}

/// The name of the user with this id.
pub(crate) fn username(id: u64) -> String {
    format!("user{id:05}")
}

impl Database {
    /// The ids of the 20 cars of [`OWNER_OF_20`], who has every so many-th.
    pub(crate) fn cars_of_20(&self) -> impl Iterator<Item = u64> + use<> {
        let step = self.size.cars / 20;
        (1..=20).map(move |number| number * step)
    }

    /// Makes the database and fills it, unless it is there and to be used again.
    pub(crate) fn make(&self, programs: &Programs, cluster: &Cluster, reuse: bool) -> Outcome<()> {
        let stamp = self.folder.join("filled");
        let Size { users, cars } = self.size;
        let filled_with = format!("{users} users, {cars} cars");
        if reuse && fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == filled_with) {
            println!("{}: has {filled_with} already", self.kind);
            return Ok(());
        }
        fs::remove_dir_all(&self.folder).ok();
        fs::create_dir_all(&self.folder)?;
        if self.kind == Kind::Postgres {
            let name = self.url.rsplit('/').next().unwrap_or_default();
            let mut server = PgConnection::establish(&cluster.url("postgres"))?;
            server.batch_execute(&format!("DROP DATABASE IF EXISTS {name}"))?;
            server.batch_execute(&format!("CREATE DATABASE {name}"))?;
        }
        output(programs.mycars(self).arg("migrate"))?;
        let mut superuser = programs.mycars(self);
        superuser.args(["createsuperuser", "--noinput", "--username", ADMIN]);
        superuser.args(["--email", "admin@example.com"]);
        output(superuser.env("MYCARS_SUPERUSER_PASSWORD", PASSWORD))?;
        self.fill()?;
        Ok(fs::write(stamp, filled_with)?)
    }

    fn fill(&self) -> Outcome<()> {
        let Size { users, cars } = self.size;
        let mut connection = self.connect()?;
        if self.kind == Kind::Sqlite {
            connection.execute("PRAGMA synchronous = OFF")?;
        }
        println!("{}: {users} users", self.kind);
        connection.execute(&self.users(2, users))?;
        let mut from = 1;
        while from <= cars {
            let to = cars.min(from + BATCH - 1);
            connection.execute(&self.cars(from, to))?;
            println!("{}: {to} of {cars} cars", self.kind);
            from = to + 1;
        }
        connection.execute(match self.kind {
            // What autovacuum would do sooner or later, and then in the middle of a measurement.
            Kind::Postgres => {
                "SELECT setval(pg_get_serial_sequence('users', 'id'), (SELECT max(id) FROM users));
                 SELECT setval(pg_get_serial_sequence('cars', 'id'), (SELECT max(id) FROM cars))"
            }
            // There is no ANALYZE here, because nobody runs it: SQLite does not by itself.
            Kind::Sqlite => "PRAGMA wal_checkpoint(TRUNCATE)",
        })?;
        if self.kind == Kind::Postgres {
            connection.execute("VACUUM (ANALYZE)")?;
            connection.execute("CHECKPOINT")?;
        }
        Ok(())
    }

    /// Users with these ids. All have the superuser's password.
    fn users(&self, from: u64, to: u64) -> String {
        let moment = self.moment();
        format!(
            "INSERT INTO users (id, username, username_key, email, email_key, first_name, last_name, role,
                is_active, is_superuser, password, search_key, date_joined, created_at, updated_at)
            WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to}),
            person AS (
                SELECT i, 'user' || substr(CAST(100000 + i AS TEXT), 2) AS username, 'Alexandra' AS first,
                    'Example-' || CAST(i AS TEXT) AS last
                FROM n
            )
            SELECT i, username, username, username || '@example.com', username || '@example.com', first, last,
                'client', TRUE, FALSE, (SELECT password FROM users WHERE id = 1),
                lower(username || '\n' || username || '@example.com' || '\n' || first || '\n' || last || '\n'),
                {moment}, {moment}, {moment}
            FROM person ORDER BY i"
        )
    }

    /// Cars with these ids, spread over all users.
    fn cars(&self, from: u64, to: u64) -> String {
        let Size { users, cars } = self.size;
        let (moment, step_of_20, step_of_1000) = (self.moment(), cars / 20, (cars / 1000).max(2));
        let others = users - BUYER;
        format!(
            "INSERT INTO cars (id, owner_id, brand, model, year, color, license, license_key, vin, mileage, notes,
                search_key, created_at, updated_at)
            WITH RECURSIVE n (i) AS (SELECT {from} UNION ALL SELECT i + 1 FROM n WHERE i < {to}),
            make (number, brand, model, color) AS (VALUES
                (0, 'Toyota', 'Corolla', 'Silver'), (1, 'Volkswagen', 'Golf', 'Black'), (2, 'Ford', 'Focus', 'Blue'),
                (3, 'Renault', 'Clio', 'Red'), (4, 'Fiat', 'Panda', 'White'), (5, 'BMW', '320d Touring', NULL),
                (6, 'Honda', 'Civic', 'Grey')),
            car AS (
                SELECT i, brand, model, color, 1990 + i % 35 AS year,
                    CASE WHEN i % {step_of_20} = 0 THEN {OWNER_OF_20}
                        WHEN i % {step_of_1000} = 1 THEN {OWNER_OF_1000}
                        ELSE {BUYER} + 1 + i % {others} END AS owner,
                    'B-XY ' || substr(CAST(100000000 + i AS TEXT), 2) AS license,
                    'WVWZZZ1J' || substr(CAST(1000000000 + i AS TEXT), 2) AS vin,
                    (i * 37) % 300000 AS mileage,
                    CASE WHEN i % 3 = 0 THEN 'Winter tyres are in the cellar.' END AS notes
                FROM n JOIN make ON make.number = i % 7
            )
            SELECT i, owner, brand, model, year, color, license, lower(license), vin, mileage, notes,
                lower(brand || '\n' || model || '\n' || license || '\n' || vin || '\n' || coalesce(notes, '')),
                {moment}, {moment}
            FROM car ORDER BY i"
        )
    }

    /// When row number `i` was written: a second after the one before.
    fn moment(&self) -> &'static str {
        match self.kind {
            Kind::Postgres => "to_timestamp(1700000000 + i) + interval '123457 microseconds'",
            Kind::Sqlite => "strftime('%Y-%m-%d %H:%M:%S', 1700000000 + i, 'unixepoch') || '.123457+00:00'",
        }
    }

    pub(crate) fn connect(&self) -> Outcome<Connection> {
        Ok(match self.kind {
            Kind::Postgres => Connection::Postgres(PgConnection::establish(&self.url)?),
            Kind::Sqlite => {
                let path = self.url.trim_start_matches("sqlite://");
                Connection::Sqlite(SqliteConnection::establish(path)?)
            }
        })
    }
}

/// A connection of one's own, for what is not measured.
pub(crate) enum Connection {
    Postgres(PgConnection),
    Sqlite(SqliteConnection),
}

#[derive(QueryableByName)]
struct PostgresLine {
    #[diesel(sql_type = Text, column_name = "QUERY PLAN")]
    line: String,
}

#[derive(QueryableByName)]
struct SqliteLine {
    #[diesel(sql_type = Text)]
    detail: String,
}

impl Connection {
    pub(crate) fn execute(&mut self, sql: &str) -> Outcome<()> {
        match self {
            Self::Postgres(connection) => connection.batch_execute(sql)?,
            Self::Sqlite(connection) => connection.batch_execute(sql)?,
        }
        Ok(())
    }

    /// How the database runs a query, as it says itself: PostgreSQL runs it for that, SQLite does not.
    pub(crate) fn explain(&mut self, query: &str) -> Outcome<Vec<String>> {
        Ok(match self {
            Self::Postgres(connection) => {
                let lines = sql_query(format!("EXPLAIN (ANALYZE, BUFFERS) {query}"));
                let lines: Vec<PostgresLine> = lines.load(connection)?;
                lines.into_iter().map(|line| line.line).collect()
            }
            Self::Sqlite(connection) => {
                let lines = sql_query(format!("EXPLAIN QUERY PLAN {query}"));
                let lines: Vec<SqliteLine> = lines.load(connection)?;
                lines.into_iter().map(|line| line.detail).collect()
            }
        })
    }
}
