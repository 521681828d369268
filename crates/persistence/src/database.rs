//! Database URLs, and the errors of opening a database.

use std::{fmt, path::Path, sync::Arc, time::Duration};

use mycars_application::ports::{BoxError, DjangoSource, Store};

use crate::{django, error::Failure, inspection::Inspection, options::Options, postgres, sqlite};

/// The reason why a database cannot be opened: one line with advice, which never contains the password of the URL.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No adapter supports the scheme of the URL.
    #[error(
        "the database URL must begin with `sqlite://`, `postgres://` or `postgresql://`, \
         as `sqlite://data/mycars.sqlite3` does"
    )]
    UnknownScheme,
    /// The URL does not name a file.
    #[error(
        "the database URL must name a file after `sqlite://`, as `sqlite://data/mycars.sqlite3` does; \
         a database in memory would be lost"
    )]
    NoFile,
    /// The URL of a SQLite database contains more than a path, which would become part of the name of a new file.
    #[error(
        "the database URL must be `sqlite://` and the path of a file, as `sqlite://data/mycars.sqlite3` is: {0}"
    )]
    NotOnlyAPath(&'static str),
    /// The path of the SQLite file is a folder.
    #[error("`{0}` is a folder: the database URL must name a file, as `sqlite://{0}/mycars.sqlite3` does")]
    Folder(String),
    /// The URL is not a valid PostgreSQL URL.
    #[error("the database URL is malformed: {0}")]
    Malformed(&'static str),
    /// The folder of the SQLite file is missing.
    #[error("the folder `{0}` of the SQLite database does not exist: create it, or correct the database URL")]
    NoFolder(String),
    /// The database does not respond or refuses access.
    #[error("{database} can't be opened: {reason} ({advice})")]
    Closed {
        /// The database.
        database: Database,
        /// The error of the database or the operating system.
        reason: String,
        /// Advice for the operator.
        advice: &'static str,
    },
    /// The database does not meet the requirements.
    #[error("{database} can't be used: {problem}")]
    Unsuitable {
        /// The database.
        database: Database,
        /// The unmet requirement and the remedy.
        problem: String,
    },
    /// A migration failed, and all of them were rolled back.
    #[error("the migrations of {database} failed, and nothing was changed: {reason}")]
    Migration {
        /// The database.
        database: Database,
        /// The error of the database.
        reason: String,
    },
}

/// A database by its URL, not opened yet. `Display` and `Debug` show no password.
#[derive(Clone, PartialEq, Eq)]
pub struct Database(Kind);

#[derive(Clone, PartialEq, Eq)]
enum Kind {
    Sqlite { path: String },
    Postgres { url: String, place: String },
}

impl Database {
    /// Parses a database URL: `sqlite://PATH`, with three slashes for an absolute path, or `postgres://…` in the
    /// format of PostgreSQL's own clients.
    ///
    /// # Errors
    /// [`OpenError::UnknownScheme`], [`OpenError::NoFile`], [`OpenError::NotOnlyAPath`], [`OpenError::Malformed`].
    ///
    /// ```
    /// use mycars_persistence::Database;
    ///
    /// let database = Database::parse("postgres://ann:secret@db.example:5432/mycars")?;
    /// assert_eq!(database.to_string(), "PostgreSQL at db.example:5432/mycars");
    /// assert!(Database::parse("mysql://localhost/mycars").is_err());
    /// # Ok::<(), mycars_persistence::OpenError>(())
    /// ```
    pub fn parse(url: &str) -> Result<Self, OpenError> {
        if let Some(path) = url.strip_prefix("sqlite://") {
            return sqlite_path(path).map(|path| Self(Kind::Sqlite { path }));
        }
        let rest = ["postgres://", "postgresql://"]
            .iter()
            .find_map(|scheme| url.strip_prefix(scheme))
            .ok_or(OpenError::UnknownScheme)?;
        let place = postgres_place(rest).map_err(OpenError::Malformed)?;
        let url = url.to_owned();
        Ok(Self(Kind::Postgres { url, place }))
    }

    /// Returns whether writers of one store share commits. If so, more of them than connections can wait for a commit.
    #[must_use]
    pub fn shares_commits(&self) -> bool {
        matches!(self.0, Kind::Sqlite { .. })
    }

    /// Returns whether the database is a server, which programs on several machines can use.
    #[must_use]
    pub fn is_server(&self) -> bool {
        matches!(self.0, Kind::Postgres { .. })
    }

    /// Returns the name of the database system.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self.0 {
            Kind::Sqlite { .. } => "SQLite",
            Kind::Postgres { .. } => "PostgreSQL",
        }
    }

    /// Returns the names of all migrations that this program knows, which are the same for all databases.
    #[must_use]
    pub fn migrations() -> Vec<String> {
        sqlite::known_migrations()
    }

    /// Returns the names of the pending migrations, in their order.
    ///
    /// # Errors
    /// [`OpenError::NoFolder`], [`OpenError::Folder`], [`OpenError::Closed`], [`OpenError::Unsuitable`].
    pub fn pending_migrations(&self, options: &Options) -> Result<Vec<String>, OpenError> {
        let options = options.at_least_one();
        let address = self.address(options)?;
        match self.0 {
            Kind::Sqlite { .. } => sqlite::pending(&address, options),
            Kind::Postgres { .. } => postgres::pending(&address, options),
        }
        .map_err(|failure| self.error(&failure))
    }

    /// Applies the pending migrations, all or none, and returns their names. If several instances do this at once,
    /// one migrates and the others wait.
    ///
    /// # Errors
    /// Those of [`migrate_after`](Self::migrate_after).
    pub fn migrate(&self, options: &Options) -> Result<Vec<String>, OpenError> {
        self.migrate_after(options, &mut |_| ())
    }

    /// Applies migrations like [`migrate`](Self::migrate), and calls `before` with their names before, if there are any.
    ///
    /// # Errors
    /// [`OpenError::NoFolder`], [`OpenError::Folder`], [`OpenError::Closed`], [`OpenError::Unsuitable`],
    /// [`OpenError::Migration`].
    pub fn migrate_after(
        &self,
        options: &Options,
        before: &mut dyn FnMut(&[String]),
    ) -> Result<Vec<String>, OpenError> {
        let options = options.at_least_one();
        let address = self.address(options)?;
        match self.0 {
            Kind::Sqlite { .. } => sqlite::migrate(&address, options, before),
            Kind::Postgres { .. } => postgres::migrate(&address, options, before),
        }
        .map_err(|failure| self.error(&failure))
    }

    /// Opens the database. The migrations must have been applied before.
    ///
    /// # Errors
    /// [`OpenError::NoFolder`], [`OpenError::Folder`], [`OpenError::Closed`], [`OpenError::Unsuitable`].
    pub fn connect(&self, options: &Options) -> Result<Arc<dyn Store>, OpenError> {
        let options = options.at_least_one();
        let address = self.address(options)?;
        match self.0 {
            Kind::Sqlite { .. } => sqlite::connect(&address, options),
            Kind::Postgres { .. } => postgres::connect(&address, options),
        }
        .map_err(|failure| self.error(&failure))
    }

    /// Returns the state of the database, and changes nothing: an SQLite file that does not exist is not created.
    ///
    /// # Errors
    /// Those of [`connect`](Self::connect).
    pub fn inspect(&self, options: &Options) -> Result<Inspection, OpenError> {
        let options = options.at_least_one();
        let is_new = self.file().is_some_and(|file| !file.exists());
        if is_new && self.file().and_then(Path::parent).is_some_and(Path::is_dir) {
            return Ok(Inspection::of_new_file(Self::migrations()));
        }
        let address = self.address(options)?;
        let found = match self.0 {
            Kind::Sqlite { .. } => sqlite::inspect(&address, options),
            Kind::Postgres { .. } => postgres::inspect(&address, options),
        }
        .map_err(|failure| self.error(&failure))?;
        Ok(Inspection {
            is_new: found.pending.len() == Self::migrations().len(),
            ..found
        })
    }

    /// Returns the path of the file of an SQLite database.
    #[must_use]
    pub fn file(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Sqlite { path } => Some(Path::new(path)),
            Kind::Postgres { .. } => None,
        }
    }

    /// Opens the database of a Django system to read it, in the state of this moment. Its tables are those of the app with
    /// this label, or else of the only app with cars.
    ///
    /// # Errors
    /// [`OpenError::Closed`]; [`OpenError::Unsuitable`] if there are no such tables.
    pub fn open_django(
        &self,
        app: Option<&str>,
        timeout: Duration,
    ) -> Result<Box<dyn DjangoSource>, OpenError> {
        let opened = match &self.0 {
            Kind::Sqlite { path } => django::open_sqlite(path, app),
            Kind::Postgres { url, .. } => django::open_postgres(&with_time_limits(url, timeout), app),
        };
        match opened {
            Ok(source) => Ok(Box::new(source)),
            Err(failure) => Err(match self.error(&failure) {
                OpenError::Closed { database, reason, .. } if matches!(self.0, Kind::Sqlite { .. }) => {
                    OpenError::Closed {
                        database,
                        reason,
                        advice: "check that it is a SQLite file, and that this user may read it",
                    }
                }
                error => error,
            }),
        }
    }

    /// Returns the address for the database's client library.
    fn address(&self, options: Options) -> Result<String, OpenError> {
        match &self.0 {
            Kind::Sqlite { path } => match Path::new(path).parent() {
                Some(folder) if !folder.is_dir() => Err(OpenError::NoFolder(folder.display().to_string())),
                _ if Path::new(path).is_dir() => Err(OpenError::Folder(path.clone())),
                _ => {
                    make_private(path);
                    Ok(path.clone())
                }
            },
            Kind::Postgres { url, .. } => Ok(with_time_limits(url, options.timeout)),
        }
    }

    fn error(&self, failure: &Failure) -> OpenError {
        let database = self.clone();
        match failure {
            Failure::Opening(error) => OpenError::Closed {
                database,
                reason: self.without_secrets(one_line(error)),
                advice: self.advice(),
            },
            Failure::Unsuitable(problem) => OpenError::Unsuitable {
                database,
                problem: problem.clone(),
            },
            Failure::Migrating(error) => OpenError::Migration {
                database,
                reason: one_line(error),
            },
        }
    }

    /// Returns the reason, unless it quotes an unknown option, which may be a part of a password.
    fn without_secrets(&self, reason: String) -> String {
        match &self.0 {
            Kind::Postgres { url, .. }
                if reason.starts_with("invalid URI query parameter")
                    && ["password", "sslpassword"]
                        .iter()
                        .any(|name| has_parameter(url, name)) =>
            {
                "an option is unknown; write `&` and `=` in a password as `%26` and `%3D`".to_owned()
            }
            _ => reason,
        }
    }

    fn advice(&self) -> &'static str {
        match self.0 {
            Kind::Sqlite { .. } => {
                "check that it is a SQLite file, and that this user may write the file and its folder"
            }
            Kind::Postgres { .. } => "check the database URL, and that the server runs and accepts this user",
        }
    }
}

impl fmt::Display for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Sqlite { path } => write!(formatter, "the SQLite database `{path}`"),
            Kind::Postgres { place, .. } => write!(formatter, "PostgreSQL at {place}"),
        }
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Database({self})")
    }
}

/// Creates the file of a SQLite database with access for its owner only, if it does not exist. SQLite would create it
/// readable by everyone, and gives its other files the mode of this one. Errors are ignored, because SQLite reports
/// them more clearly when it opens the file.
fn make_private(path: &str) {
    let mut options = std::fs::OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    drop(options.open(path));
}

/// Returns the path of a SQLite database in a form without special meaning for SQLite: neither `:memory:` nor a URI.
fn sqlite_path(path: &str) -> Result<String, OpenError> {
    if matches!(path.rsplit('/').next(), None | Some("" | "." | ".." | ":memory:")) {
        return Err(OpenError::NoFile);
    }
    if let Some(problem) = beyond_a_path(path) {
        return Err(OpenError::NotOnlyAPath(problem));
    }
    if path.starts_with('/') {
        Ok(path.to_owned())
    } else {
        Ok(format!("./{path}"))
    }
}

/// Returns the problem with a path that other programs interpret differently. SQLite would create an empty file with
/// this name.
fn beyond_a_path(path: &str) -> Option<&'static str> {
    if path.contains(['?', '#', '%']) {
        return Some(
            "options, `#` and percent-encoding are not supported; \
             rename a file or folder whose name contains `?`, `#` or `%`",
        );
    }
    if path
        .get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("file:"))
    {
        return Some("remove `file:`");
    }
    if path.trim() != path || path.contains(char::is_control) {
        return Some("remove white space around the path, and control characters");
    }
    None
}

/// Returns host, port and name of a PostgreSQL database from a URL without its scheme.
///
/// libpq parses the URL itself, but quotes unreadable parts in its errors, which may be parts of the password. So
/// this function refuses everything that libpq could misinterpret.
fn postgres_place(rest: &str) -> Result<String, &'static str> {
    let (address, options) = rest
        .split_once('?')
        .map_or((rest, None), |(address, options)| (address, Some(options)));
    let (authority, name) = address.split_once('/').unwrap_or((address, ""));
    let hosts = authority
        .rsplit_once('@')
        .map_or(authority, |(_user, hosts)| hosts);
    if rest.matches('@').count() != authority.matches('@').count().min(1) {
        return Err(
            "write `@`, `/` and `?` as `%40`, `%2F` and `%3F` inside a user name, password or option",
        );
    }
    if rest.contains(char::is_whitespace) || !is_percent_encoded(rest) {
        return Err("write white space as `%20` and `%` itself as `%25`");
    }
    if !options.is_none_or(|options| options.split('&').all(is_option)) {
        return Err(
            "the part after `?` must be options such as `sslmode=require`, joined by `&`; \
             write `&` and `=` in a password as `%26` and `%3D`",
        );
    }
    if !hosts.split(',').all(has_numeric_port) {
        return Err(
            "the port is not a number; a user name and password must be followed by `@` and the host",
        );
    }
    Ok(match (hosts, name) {
        ("", name) => format!("its default address/{name}"),
        (hosts, "") => hosts.to_owned(),
        (hosts, name) => format!("{hosts}/{name}"),
    })
}

/// Returns whether each `%` is followed by two hexadecimal digits other than those of NUL.
fn is_percent_encoded(text: &str) -> bool {
    text.split('%').skip(1).all(|after| {
        after
            .get(..2)
            .is_some_and(|code| code != "00" && code.bytes().all(|byte| byte.is_ascii_hexdigit()))
    })
}

/// Returns whether a text is the name of an option, `=` and a value.
fn is_option(text: &str) -> bool {
    text.split_once('=').is_some_and(|(name, value)| {
        let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
        !name.is_empty() && name.bytes().all(is_plain) && !value.contains('=')
    })
}

fn has_numeric_port(host: &str) -> bool {
    let after_ipv6 = host.rsplit_once(']').map_or(host, |(_, after)| after);
    after_ipv6
        .split_once(':')
        .is_none_or(|(_, port)| port.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Adds timeouts to a URL, unless it has them. Without them, libpq waits for ever for a connection, and hours for a
/// response on a connection whose other end has disappeared.
fn with_time_limits(url: &str, timeout: Duration) -> String {
    let seconds = timeout.as_millis().div_ceil(1000);
    [
        ("connect_timeout", seconds),
        // Maximum time in milliseconds until sent data is acknowledged.
        ("tcp_user_timeout", 15_000),
        // After 10 seconds without data, three probes at intervals of 5 seconds.
        ("keepalives", 1),
        ("keepalives_idle", 10),
        ("keepalives_interval", 5),
        ("keepalives_count", 3),
    ]
    .into_iter()
    .filter(|(name, _)| !has_parameter(url, name))
    .fold(url.to_owned(), |url, (name, value)| {
        let separator = if url.contains('?') { '&' } else { '?' };
        format!("{url}{separator}{name}={value}")
    })
}

fn has_parameter(url: &str, name: &str) -> bool {
    let (_, parameters) = url.split_once('?').unwrap_or_default();
    parameters
        .split('&')
        .any(|parameter| parameter.split('=').next() == Some(name))
}

fn one_line(error: &BoxError) -> String {
    let text = error.to_string();
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(url: &str) -> String {
        Database::parse(url).unwrap().to_string()
    }

    #[test]
    fn scheme_selects_the_database() {
        for (url, database) in [
            (
                "sqlite:///var/lib/mycars.sqlite3",
                "the SQLite database `/var/lib/mycars.sqlite3`",
            ),
            (
                "sqlite://data/mycars.sqlite3",
                "the SQLite database `./data/mycars.sqlite3`",
            ),
            ("sqlite:////srv/cars.db", "the SQLite database `//srv/cars.db`"),
            ("sqlite://my cars.db", "the SQLite database `./my cars.db`"),
            (
                "sqlite://ä&b=c;d:e@f.db",
                "the SQLite database `./ä&b=c;d:e@f.db`",
            ),
            ("postgres://localhost/mycars", "PostgreSQL at localhost/mycars"),
            (
                "postgresql://ann:secret@db.example:5433/mycars?sslmode=require",
                "PostgreSQL at db.example:5433/mycars",
            ),
            (
                "postgres://ann@[::1]:5432/mycars",
                "PostgreSQL at [::1]:5432/mycars",
            ),
            ("postgres://a:1,b:2/mycars", "PostgreSQL at a:1,b:2/mycars"),
            (
                "postgres://ann@%2Frun%2Fpostgresql/mycars",
                "PostgreSQL at %2Frun%2Fpostgresql/mycars",
            ),
            ("postgres://db.example", "PostgreSQL at db.example"),
            (
                "postgres:///mycars?host=/tmp",
                "PostgreSQL at its default address/mycars",
            ),
        ] {
            assert_eq!(printed(url), database);
        }
    }

    #[test]
    fn unknown_scheme_is_refused() {
        for url in [
            "",
            "mycars.sqlite3",
            "mysql://localhost/x",
            "SQLITE://x",
            "sqlite:x",
            "sqlite:/x",
            "sqlite3:///x",
            "file:x",
            "file:///x?mode=rwc",
            " sqlite://x",
            "'sqlite://x'",
            "http://localhost",
        ] {
            assert_eq!(Database::parse(url), Err(OpenError::UnknownScheme), "{url}");
        }
    }

    #[test]
    fn sqlite_url_without_a_file_is_refused() {
        for url in [
            "sqlite://",
            "sqlite:///",
            "sqlite://data/",
            "sqlite:///var/lib/mycars/",
            "sqlite://.",
            "sqlite://..",
            "sqlite://data/.",
            "sqlite:///var/..",
            "sqlite://:memory:",
            "sqlite:///:memory:",
            "sqlite://data/:memory:",
        ] {
            assert_eq!(Database::parse(url), Err(OpenError::NoFile), "{url}");
        }
    }

    #[test]
    fn sqlite_url_with_more_than_a_path_is_refused() {
        for path in [
            "data/cars.db?mode=rwc",
            "data/cars.db?mode=ro",
            "/srv/cars.db?cache=shared&mode=rw",
            "/srv/cars.db?",
            "/srv/what?/cars.db",
            ":memory:?cache=shared",
            "?mode=memory",
            "cars.db#",
            "cars.db#fragment",
            "/srv/c#/cars.db",
            "/srv/my%20cars.db",
            "/srv/cars%3Fmode=rwc",
            "100%.db",
            "file:cars.db",
            "file:cars.db?mode=memory",
            "file:///srv/cars.db",
            "FILE:cars.db",
            "cars.db ",
            " cars.db",
            "cars.db\n",
            "cars.db\r",
            "\tcars.db",
            "ca\nrs.db",
            "ca\0rs.db",
            "\u{a0}cars.db",
        ] {
            let url = format!("sqlite://{path}");
            let error = Database::parse(&url).unwrap_err();
            assert!(matches!(error, OpenError::NotOnlyAPath(_)), "{url:?}: {error:?}");
            let text = error.to_string();
            assert!(text.contains("sqlite://data/mycars.sqlite3"), "{text}");
            assert_eq!(text.lines().count(), 1, "{text}");
        }
    }

    #[test]
    fn folder_in_place_of_the_sqlite_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().display());
        let database = Database::parse(&url).unwrap();
        for error in [
            database.migrate(&Options::default()).unwrap_err(),
            database.connect(&Options::default()).err().unwrap(),
        ] {
            assert!(matches!(error, OpenError::Folder(_)), "{error:?}");
        }
    }

    #[test]
    fn malformed_postgres_option_is_refused_and_not_shown() {
        for options in [
            "hunter2",
            "sslmode",
            "sslmode=require&hunter2",
            "password=a=hunter2",
            "password=a&hunter2",
            "=hunter2",
            "sslmode=require&&hunter2",
            "password=a&hunter2=b",
            "password=a&Hunter2=b",
            "password=a&hun-ter2=b",
            "",
            "&",
            "sslmode=require&",
            "?sslmode=require",
        ] {
            let error = Database::parse(&format!("postgres://ann@localhost/mycars?{options}")).unwrap_err();
            assert!(matches!(error, OpenError::Malformed(_)), "{options}");
            assert!(!format!("{error} {error:?}").contains("unter2"), "{options}");
        }
        for options in [
            "",
            "?sslmode=require",
            "?sslmode=require&application_name=",
            "?options=-c%20geqo%3Doff",
        ] {
            Database::parse(&format!("postgres://ann@localhost/mycars{options}")).unwrap();
        }
    }

    #[test]
    fn ambiguous_password_is_refused() {
        for url in [
            "postgres://ann:sec@ret@localhost/mycars",
            "postgres://ann:sec/ret@localhost/mycars",
            "postgres://ann:sec?ret@localhost/mycars",
            "postgres://ann:sec%ret@localhost/mycars",
            "postgres://ann:sec ret@localhost/mycars",
            "postgres://ann:sec%00ret@localhost/mycars",
            "postgres://ann:secret/mycars",
        ] {
            let error = Database::parse(url).unwrap_err();
            assert!(matches!(error, OpenError::Malformed(_)), "{url}");
            assert!(!format!("{error} {error:?}").contains("sec"), "{url}");
        }
    }

    #[test]
    fn unknown_postgres_option_is_named_unless_it_may_be_secret() {
        let refused = |options: &str| {
            let url = format!("postgres://ann@127.0.0.1:1/mycars?{options}");
            let database = Database::parse(&url).unwrap();
            database.migrate(&Options::default()).unwrap_err().to_string()
        };
        assert!(refused("sslmod=require").contains("\"sslmod\""));
        for options in [
            "password=a&hunter=b",
            "hunter=b&password=a",
            "sslpassword=a&hunter=b",
        ] {
            let error = refused(options);
            assert!(error.contains("an option is unknown"), "{error}");
            assert!(!error.contains("hunter"), "{error}");
        }
    }

    #[test]
    fn display_and_debug_show_no_password() {
        let database = Database::parse("postgres://ann:secret@localhost/mycars?password=secret").unwrap();
        assert!(!format!("{database} {database:?}").contains("secret"));
    }

    #[test]
    fn timeouts_are_added_unless_the_url_has_them() {
        let limited = |url, millis| with_time_limits(url, Duration::from_millis(millis));
        let silence = "tcp_user_timeout=15000&keepalives=1&keepalives_idle=10&keepalives_interval=5&\
                       keepalives_count=3";
        assert_eq!(
            limited("postgres://h/d", 2000),
            format!("postgres://h/d?connect_timeout=2&{silence}")
        );
        assert_eq!(
            limited("postgres://h/d?a=b", 1),
            format!("postgres://h/d?a=b&connect_timeout=1&{silence}")
        );
        assert_eq!(
            limited("postgres://h/d?connect_timeout=9", 2000),
            format!("postgres://h/d?connect_timeout=9&{silence}")
        );
        assert_eq!(
            limited(
                "postgres://connect_timeout=:x@h/d?keepalives=0&tcp_user_timeout=1",
                1
            ),
            "postgres://connect_timeout=:x@h/d?keepalives=0&tcp_user_timeout=1&connect_timeout=1&\
             keepalives_idle=10&keepalives_interval=5&keepalives_count=3"
        );
    }
}
