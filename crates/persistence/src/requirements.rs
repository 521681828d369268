//! Checks the requirements on a database when it is opened. Each unmet requirement is reported in one line with its
//! remedy.

use std::{collections::BTreeSet, sync::mpsc, thread, time::Duration};

use diesel::{
    Connection as _, PgConnection, QueryResult, QueryableByName, RunQueryDsl as _, SqliteConnection,
    connection::SimpleConnection as _,
    sql_query,
    sql_types::{Bool, Integer, Text as SqlText},
};

use mycars_application::ports::BoxError;

use crate::{error::Failure, options::Pooler};

/// The minimum version of PostgreSQL, in the format of `server_version_num`: the migrations use `EXECUTE FUNCTION`.
const OLDEST_POSTGRES: i32 = 110_000;

/// The column `text` of a query.
#[derive(QueryableByName)]
struct Text {
    #[diesel(sql_type = SqlText)]
    text: String,
}

/// Returns the problem with a schema that has migrations which are unknown to this version.
pub(crate) fn newer_schema(applied: &BTreeSet<String>, known: &BTreeSet<String>) -> Option<String> {
    let unknown: Vec<&str> = applied.difference(known).map(String::as_str).collect();
    (!unknown.is_empty()).then(|| {
        format!(
            "a newer version of My Cars has migrated it (migration {} is not in version {}): run the newer version, \
             or restore the backup that was made before the upgrade",
            unknown.join(", "),
            env!("CARGO_PKG_VERSION"),
        )
    })
}

/// Returns the problem with a schema from which an unknown migration removed something. Both sets have names of
/// migrations.
pub(crate) fn newer_contract(contracts: &BTreeSet<String>, known: &BTreeSet<String>) -> Option<String> {
    let unknown = contracts.difference(known).next()?;
    Some(format!(
        "the migration {unknown} removed what version {} needs: run the newer version, or restore the backup that was \
         made before the upgrade",
        env!("CARGO_PKG_VERSION"),
    ))
}

pub(crate) mod postgres {
    //! The requirements on PostgreSQL.

    use super::*;

    /// Returns the identity of the current session. Two servers may use the same process id, but not with the same
    /// start time in microseconds.
    const SESSION: &str = "SELECT concat(pid, ' ', backend_start) AS text FROM pg_stat_activity
        WHERE pid = pg_backend_pid()";

    /// Number of rounds in which both connections report their session. With other clients on the pooler, a single
    /// round may show two sessions by chance.
    const ROUNDS: usize = 8;

    /// Opens a connection. A pooler that assigns another session to each transaction is refused, unless the options name
    /// it.
    ///
    /// Prepared statements and time limits belong to the session, so with an unknown pooler requests would fail at
    /// random, often not before the second start.
    pub(crate) fn establish(address: &str, pooler: Pooler) -> Result<PgConnection, Failure> {
        let mut conn = PgConnection::establish(address)?;
        if pooler == Pooler::None && is_pooled(&mut conn, address)? {
            return Err(Failure::Unsuitable(
                "a connection pooler in transaction mode is in front of it, such as PgBouncer with `pool_mode = \
                 transaction`: set MYCARS__DATABASE__POOLER=transaction, or connect to PostgreSQL itself"
                    .into(),
            ));
        }
        Ok(conn)
    }

    /// Maximum time in which a second connection gets a session.
    const SECOND_SESSION_TIME: Duration = Duration::from_secs(3);

    /// Returns whether a connection shares its session with another connection, or changes its session between statements. The
    /// first one asks twice in a row, because a pooler that hands out two sessions in turn would give each connection
    /// the same one again otherwise.
    ///
    /// If there is no second session, as with a connection limit of one, the first connection keeps its session.
    fn is_pooled(conn: &mut PgConnection, address: &str) -> QueryResult<bool> {
        let first = session(conn)?;
        if session(conn)? != first {
            return Ok(true);
        }
        let Some((mut other, second)) = second_session(address) else {
            return Ok(false);
        };
        if second == first {
            return Ok(true);
        }
        for _ in 1..ROUNDS {
            if session(conn)? != first || session(&mut other)? == first {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn session(conn: &mut PgConnection) -> QueryResult<String> {
        Ok(sql_query(SESSION).get_result::<Text>(conn)?.text)
    }

    /// Opens another connection and returns it with its session, or `None` if there is none in time.
    ///
    /// A pooler without a free session lets the client wait without a response, so the connection is opened by
    /// another thread. The thread ends when the pooler responds, at the latest after the first connection is closed.
    fn second_session(address: &str) -> Option<(PgConnection, String)> {
        let (sender, receiver) = mpsc::channel();
        let address = address.to_owned();
        let open = move || -> Result<(PgConnection, String), BoxError> {
            let mut conn = PgConnection::establish(&address)?;
            let session = session(&mut conn)?;
            Ok((conn, session))
        };
        // If the time is over, there is no receiver any more, and the connection is closed.
        thread::spawn(move || sender.send(open()).ok());
        let opened = receiver.recv_timeout(SECOND_SESSION_TIME);
        opened
            .map_err(BoxError::from)
            .and_then(|opened| opened)
            .inspect_err(|error| {
                tracing::warn!(
                    %error,
                    "could not open a second connection to PostgreSQL to check for a pooler in transaction mode"
                );
            })
            .ok()
    }

    /// Properties of a PostgreSQL server, the database and the role.
    #[derive(Clone, QueryableByName)]
    #[expect(clippy::struct_excessive_bools, reason = "each one is a column of the query")]
    struct Facts {
        #[diesel(sql_type = Integer)]
        version: i32,
        #[diesel(sql_type = SqlText)]
        version_name: String,
        #[diesel(sql_type = SqlText)]
        encoding: String,
        #[diesel(sql_type = Bool)]
        is_standby: bool,
        #[diesel(sql_type = Bool)]
        is_read_only: bool,
        /// Quoted if SQL requires it, as are the role and the schema.
        #[diesel(sql_type = SqlText)]
        database: String,
        #[diesel(sql_type = SqlText)]
        role: String,
        /// Empty if no schema of the search path exists.
        #[diesel(sql_type = SqlText)]
        schema: String,
        #[diesel(sql_type = Bool)]
        may_create: bool,
        /// Whether statements have no time limit, if the session does not set one.
        #[diesel(sql_type = Bool)]
        has_no_time_limit: bool,
        /// The first table without the required rights; empty if there is none.
        #[diesel(sql_type = SqlText)]
        closed_table: String,
    }

    /// Audit log entries and the id of the database are only read and inserted. The table of migrations is only read.
    const FACTS: &str = "SELECT
        current_setting('server_version_num')::int AS version,
        current_setting('server_version') AS version_name,
        current_setting('server_encoding') AS encoding,
        pg_is_in_recovery() AS is_standby,
        current_setting('transaction_read_only') = 'on' AS is_read_only,
        quote_ident(current_database()) AS database,
        quote_ident(current_user) AS role,
        coalesce(quote_ident(current_schema()), '') AS schema,
        coalesce(has_schema_privilege(current_schema(), 'CREATE'), false) AS may_create,
        current_setting('statement_timeout') = '0' AS has_no_time_limit,
        coalesce((
            SELECT min(relname) FROM pg_class
            WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
                AND relkind IN ('r', 'p')
                AND relname IN ('users', 'cars', 'refresh_tokens', 'sessions', 'api_keys', 'audit_log', 'installation',
                    'leases', 'rate_buckets',
                    'contracts', '__diesel_schema_migrations')
                AND NOT (has_table_privilege(oid, 'SELECT')
                    AND (has_table_privilege(oid, 'INSERT') OR relname IN ('contracts', '__diesel_schema_migrations'))
                    AND (has_table_privilege(oid, 'UPDATE') AND has_table_privilege(oid, 'DELETE')
                        OR relname IN ('audit_log', 'installation', 'contracts', '__diesel_schema_migrations')))
        ), '') AS closed_table";

    fn facts(conn: &mut PgConnection) -> Result<Facts, Failure> {
        Ok(sql_query(FACTS).get_result(conn)?)
    }

    /// Checks the server, the database and the rights of the role. Warns if the server's messages are not English, and if
    /// reads through a pooler have no time limit.
    pub(crate) fn check(conn: &mut PgConnection, pooler: Pooler) -> Result<(), Failure> {
        let facts = facts(conn)?;
        if let Some(problem) = facts.problem() {
            return Err(Failure::Unsuitable(problem));
        }
        if let Some(warning) = language_warning(&message(conn)?, &facts.database) {
            tracing::warn!("{warning}");
        }
        if pooler == Pooler::Transaction && facts.has_no_time_limit {
            tracing::warn!(
                "reads through the pooler have no time limit: type `ALTER ROLE {role} SET statement_timeout = '5s'; \
                 ALTER ROLE {role} SET lock_timeout = '2s'`, and restart the pooler",
                role = facts.role
            );
        }
        Ok(())
    }

    /// Checks the requirements for applying migrations.
    pub(crate) fn check_before_migrations(conn: &mut PgConnection) -> Result<(), Failure> {
        let facts = facts(conn)?;
        if facts.may_create {
            return Ok(());
        }
        Err(Failure::Unsuitable(format!(
            "the role {role} may not create tables: type `GRANT CREATE ON SCHEMA {schema} TO {role}` as the owner of \
             the schema, or apply the migrations as another role with `mycars migrate`",
            role = facts.role,
            schema = facts.schema,
        )))
    }

    impl Facts {
        fn problem(&self) -> Option<String> {
            let Self {
                database,
                role,
                schema,
                ..
            } = self;
            if self.version < OLDEST_POSTGRES {
                Some(format!(
                    "PostgreSQL {} is too old: upgrade the server to PostgreSQL {} or newer",
                    self.version_name,
                    OLDEST_POSTGRES / 10_000
                ))
            } else if self.encoding != "UTF8" {
                Some(format!(
                    "its encoding is {} and must be UTF8: type `CREATE DATABASE mycars_utf8 ENCODING 'UTF8' \
                     LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`, and name that database in the URL",
                    self.encoding
                ))
            } else if self.is_standby {
                Some(
                    "it is a standby server, which can't be written: name the primary server in the URL, or name \
                     several servers and add `target_session_attrs=read-write`"
                        .into(),
                )
            } else if self.is_read_only {
                Some(format!(
                    "its transactions are read-only: type `ALTER DATABASE {database} SET default_transaction_read_only \
                     = off`, and the same with `ALTER ROLE {role}` if it is set there"
                ))
            } else if schema.is_empty() {
                Some(format!(
                    "the role {role} can use no schema of its search path: type `GRANT USAGE ON SCHEMA public TO \
                     {role}`, or name another schema with `ALTER ROLE {role} SET search_path`"
                ))
            } else if !self.closed_table.is_empty() {
                Some(format!(
                    "the role {role} lacks rights on the table {}: type `GRANT SELECT, INSERT, UPDATE, DELETE ON ALL \
                     TABLES IN SCHEMA {schema} TO {role}` as the owner of the tables",
                    self.closed_table
                ))
            } else {
                None
            }
        }
    }

    /// An English message that PostgreSQL translates.
    const ENGLISH: &str = "division by zero";

    /// Returns the translation of [`ENGLISH`] into the language of the server's messages. The error is caught in SQL,
    /// so the server does not log it.
    fn message(conn: &mut PgConnection) -> QueryResult<String> {
        // In a transaction, both statements have the same session, also behind a pooler.
        conn.transaction(|conn| {
            conn.batch_execute(
                "DO $$
                BEGIN
                    PERFORM 1 / 0;
                EXCEPTION WHEN division_by_zero THEN
                    PERFORM set_config('mycars.message', SQLERRM, true);
                END
                $$",
            )?;
            let row: Text = sql_query("SELECT current_setting('mycars.message') AS text").get_result(conn)?;
            Ok(row.text)
        })
    }

    /// Warns if messages are not in English. Diesel does not pass the SQLSTATE on, so some errors are recognised by
    /// their messages.
    fn language_warning(message: &str, database: &str) -> Option<String> {
        (message != ENGLISH).then(|| {
            format!(
                "PostgreSQL's messages are not in English (`{message}`), so that some transient errors, \
                 such as a lock timeout, are answered with 500 instead of 503: type `ALTER DATABASE {database} SET \
                 lc_messages = 'C'` as a superuser, and restart"
            )
        })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        fn facts() -> Facts {
            Facts {
                version: 150_000,
                version_name: "15.0".into(),
                encoding: "UTF8".into(),
                is_standby: false,
                is_read_only: false,
                database: "mycars".into(),
                role: "ann".into(),
                schema: "public".into(),
                may_create: false,
                has_no_time_limit: false,
                closed_table: String::new(),
            }
        }

        #[test]
        fn suitable_database_has_no_problem() {
            assert_eq!(facts().problem(), None);
            let oldest = Facts {
                version: OLDEST_POSTGRES,
                ..facts()
            };
            assert_eq!(oldest.problem(), None);
        }

        #[test]
        fn unmet_requirement_is_one_line_with_what_to_do() {
            let refused = |facts: Facts, parts: &[&str]| {
                let problem = facts.problem().expect("it is refused");
                assert!(!problem.contains('\n'), "{problem}");
                for part in parts {
                    assert!(problem.contains(part), "{part}: {problem}");
                }
            };
            for (version, name) in [(90_624, "9.6.24"), (100_023, "10.23")] {
                let old = Facts {
                    version,
                    version_name: name.into(),
                    ..facts()
                };
                refused(old, &[name, "PostgreSQL 11 or newer"]);
            }
            for encoding in ["LATIN1", "SQL_ASCII", "WIN1252", "EUC_JP"] {
                let other = Facts {
                    encoding: encoding.into(),
                    ..facts()
                };
                refused(other, &[encoding, "ENCODING 'UTF8'", "TEMPLATE template0"]);
            }
            let standby = Facts {
                is_standby: true,
                is_read_only: true,
                ..facts()
            };
            refused(standby, &["standby", "target_session_attrs=read-write"]);
            let read_only = Facts {
                is_read_only: true,
                ..facts()
            };
            refused(
                read_only,
                &["ALTER DATABASE mycars SET default_transaction_read_only = off"],
            );
            let nowhere = Facts {
                schema: String::new(),
                ..facts()
            };
            refused(nowhere, &["GRANT USAGE ON SCHEMA public TO ann"]);
            let closed = Facts {
                closed_table: "cars".into(),
                ..facts()
            };
            refused(
                closed,
                &["the table cars", "ON ALL TABLES IN SCHEMA public TO ann"],
            );
        }

        #[test]
        fn other_languages_are_warned_about() {
            assert_eq!(language_warning("division by zero", "mycars"), None);
            for message in [
                "Division durch Null",
                "division par zéro",
                "división por cero",
                "деление на ноль",
            ] {
                let warning = language_warning(message, "mycars").expect("it is warned about");
                assert!(
                    warning.contains(message)
                        && warning.contains("ALTER DATABASE mycars SET lc_messages = 'C'")
                );
            }
        }
    }
}

pub(crate) mod sqlite {
    //! The requirements on SQLite.

    use super::*;

    /// Opens the file.
    pub(crate) fn establish(address: &str, _pooler: Pooler) -> Result<SqliteConnection, Failure> {
        Ok(SqliteConnection::establish(address)?)
    }

    /// Checks the encoding of the file, by which SQLite sorts text, and whether the file is writable.
    pub(crate) fn check(conn: &mut SqliteConnection, _pooler: Pooler) -> Result<(), Failure> {
        let encoding: Text = sql_query("SELECT encoding AS text FROM pragma_encoding").get_result(conn)?;
        if encoding.text != "UTF-8" {
            return Err(Failure::Unsuitable(format!(
                "its encoding is {} and must be UTF-8: copy it with `sqlite3 OLD .dump | sqlite3 NEW`, and name the \
                 copy in the URL",
                encoding.text
            )));
        }
        // A plain BEGIN IMMEDIATE also succeeds on a read-only file.
        let tried = conn.batch_execute("BEGIN IMMEDIATE; PRAGMA user_version = 0");
        conn.batch_execute("ROLLBACK").ok();
        match tried {
            Err(error) if error.to_string().starts_with("attempt to write a readonly database") => {
                Err(Failure::Unsuitable(
                    "it is read-only: let this user write the file and its folder, and mount the file system writable"
                        .into(),
                ))
            }
            // A database that another process is writing to is writable, too.
            _ => Ok(()),
        }
    }

    /// Checks nothing: a writable file can be migrated.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "PostgreSQL's function of the same name can fail"
    )]
    pub(crate) fn check_before_migrations(_conn: &mut SqliteConnection) -> Result<(), Failure> {
        Ok(())
    }

    #[cfg(test)]
    mod tests {
        use mycars_testkit::TestDatabase;

        use super::*;

        #[test]
        fn read_only_file_is_refused_and_a_locked_one_is_not() {
            let database = TestDatabase::sqlite();
            let path = database.url().replace("sqlite://", "");
            let mut read_only = establish(&format!("file:{path}?mode=ro"), Pooler::None)
                .ok()
                .unwrap();
            let refused = check(&mut read_only, Pooler::None);
            assert!(matches!(refused, Err(Failure::Unsuitable(line)) if line.contains("read-only")));

            let mut writer = establish(&path, Pooler::None).ok().unwrap();
            writer.batch_execute("BEGIN IMMEDIATE").unwrap();
            let mut other = establish(&path, Pooler::None).ok().unwrap();
            assert!(check(&mut other, Pooler::None).is_ok());
            writer.batch_execute("ROLLBACK").unwrap();
            assert!(check(&mut other, Pooler::None).is_ok());
            other.batch_execute("BEGIN IMMEDIATE; ROLLBACK").unwrap();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn versions(versions: &[&str]) -> BTreeSet<String> {
        versions.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn schema_with_unknown_migrations_is_newer() {
        let known = versions(&["1", "2"]);
        for applied in [&[][..], &["1"], &["1", "2"], &["2"]] {
            assert_eq!(newer_schema(&versions(applied), &known), None, "{applied:?}");
        }
        for (applied, named) in [
            (&["1", "2", "3"][..], "migration 3 "),
            (&["3", "4"], "migration 3, 4 "),
        ] {
            let problem = newer_schema(&versions(applied), &known).expect("it is newer");
            assert!(
                problem.contains(named) && problem.contains("restore the backup"),
                "{problem}"
            );
        }
    }
}
