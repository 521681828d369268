//! The databases that are measured. They are filled with SQL, which is faster than the application, but with every
//! column as the application writes it.

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    process::Command,
};

use diesel::{Connection as _, PgConnection, SqliteConnection, connection::SimpleConnection as _};

use crate::{Outcome, load::output, postgres::Cluster, request::PASSWORD};

/// The key that signs the tokens of My Cars and of the reference server.
const SECRET_KEY: &str = "a key for the benchmark, which protects nothing at all";

/// The name of the superuser.
pub(crate) const ADMIN: &str = "admin";

/// The ids of the users that send requests. Their names follow from the ids.
pub(crate) const OWNER_OF_20: u64 = 2;
pub(crate) const OWNER_OF_1000: u64 = 3;
/// Adds cars, so that the other users keep theirs.
pub(crate) const BUYER: u64 = 4;

/// Number of cars per INSERT.
const BATCH: usize = 100_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Postgres,
    Sqlite,
}

pub(crate) const KINDS: [Kind; 2] = [Kind::Postgres, Kind::Sqlite];

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
        })
    }
}

/// A database, and the folder with the other files of My Cars.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pub(crate) kind: Kind,
    pub(crate) users: u64,
    pub(crate) cars: u64,
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) folder: PathBuf,
}

/// Returns the name of the user with this id.
pub(crate) fn username(id: u64) -> String {
    format!("user{id:05}")
}

impl Database {
    pub(crate) fn new(kind: Kind, cluster: &Cluster, folder: &Path, users: u64, cars: u64) -> Self {
        let name = format!("cars_{cars}");
        let folder = folder.join(format!("{kind}-{name}").to_lowercase());
        let url = match kind {
            Kind::Postgres => cluster.url(&name),
            Kind::Sqlite => format!("sqlite://{}", folder.join("cars.sqlite3").display()),
        };
        Self {
            kind,
            users,
            cars,
            name,
            url,
            folder,
        }
    }

    /// Returns the paths of the 20 cars of [`OWNER_OF_20`], which are far from each other in the table.
    pub(crate) fn cars_of_20(&self) -> Vec<String> {
        let step = self.cars / 20;
        (1..=20)
            .map(|number| format!("/api/cars/{}/", number * step))
            .collect()
    }

    /// Returns a command of My Cars or the reference server with the settings of production, except that requests are
    /// not throttled, and that tokens are valid for the whole run.
    pub(crate) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(&self.folder)
            .env_clear()
            .env("SECRET_KEY", SECRET_KEY)
            .env("DATABASE_URL", &self.url)
            .env("MYCARS_ENVIRONMENT", "production")
            .env("ALLOWED_HOSTS", "127.0.0.1")
            .env("MYCARS__DATA_DIR", self.folder.join("data"))
            .env("MYCARS__THROTTLE__ENABLED", "false")
            // One user adds more cars than users may have.
            .env("MYCARS__QUOTAS__CARS_PER_USER", "0")
            .env("MYCARS__TOKENS__ACCESS_MINUTES", "1440");
        command
    }

    /// Creates and fills the database, unless `reuse` is set and it has the right size.
    pub(crate) fn create(&self, mycars: &Path, cluster: &Cluster, reuse: bool) -> Outcome<()> {
        let stamp = self.folder.join("filled");
        let content = format!("{} users, {} cars", self.users, self.cars);
        if reuse && fs::read_to_string(&stamp).is_ok_and(|stamp| stamp == content) {
            return Ok(());
        }
        eprintln!("{}: adding {content}", self.kind);
        fs::remove_dir_all(&self.folder).ok();
        fs::create_dir_all(&self.folder)?;
        if self.kind == Kind::Postgres {
            let mut server = PgConnection::establish(&cluster.url("postgres"))?;
            server.batch_execute(&format!("DROP DATABASE IF EXISTS {}", self.name))?;
            server.batch_execute(&format!("CREATE DATABASE {}", self.name))?;
        }
        output(self.command(mycars).arg("migrate"))?;
        let mut superuser = self.command(mycars);
        superuser.args(["createsuperuser", "--noinput", "--username", ADMIN]);
        superuser.args(["--email", "admin@example.com"]);
        output(superuser.env("MYCARS_SUPERUSER_PASSWORD", PASSWORD))?;
        self.fill()?;
        Ok(fs::write(stamp, content)?)
    }

    fn fill(&self) -> Outcome<()> {
        self.execute(&self.insert_users(2, self.users))?;
        for from in (1..=self.cars).step_by(BATCH) {
            let to = self.cars.min(from + BATCH as u64 - 1);
            self.execute(&self.insert_cars(from, to))?;
        }
        match self.kind {
            Kind::Postgres => {
                for table in ["users", "cars"] {
                    self.execute(&format!(
                        "SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) FROM {table}))"
                    ))?;
                }
                // Otherwise autovacuum and a checkpoint would run during a measurement.
                self.execute("VACUUM (ANALYZE)")?;
                self.execute("CHECKPOINT")
            }
            // No ANALYZE, because SQLite does not run it by itself.
            Kind::Sqlite => self.execute("PRAGMA wal_checkpoint(TRUNCATE)"),
        }
    }

    /// Executes SQL on a new connection.
    pub(crate) fn execute(&self, sql: &str) -> Outcome<()> {
        match self.kind {
            Kind::Postgres => PgConnection::establish(&self.url)?.batch_execute(sql)?,
            Kind::Sqlite => SqliteConnection::establish(self.url.trim_start_matches("sqlite://"))?
                .batch_execute(&format!("PRAGMA synchronous = OFF; {sql}"))?,
        }
        Ok(())
    }

    /// Returns SQL that adds users with these ids and the superuser's password.
    fn insert_users(&self, from: u64, to: u64) -> String {
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

    /// Returns SQL that adds cars with these ids, spread over all users.
    fn insert_cars(&self, from: u64, to: u64) -> String {
        let (moment, step_of_20, step_of_1000) = (self.moment(), self.cars / 20, (self.cars / 1000).max(2));
        let others = self.users - BUYER;
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

    /// Returns an SQL expression for the time of row `i`: one second after the row before.
    fn moment(&self) -> &'static str {
        match self.kind {
            Kind::Postgres => "to_timestamp(1700000000 + i) + interval '123457 microseconds'",
            Kind::Sqlite => "strftime('%Y-%m-%d %H:%M:%S', 1700000000 + i, 'unixepoch') || '.123457+00:00'",
        }
    }
}
