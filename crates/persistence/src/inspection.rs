//! The state of a database, for operators: [`Database::inspect`](crate::Database::inspect).

use chrono::{DateTime, Utc};

/// The state of a database that meets the requirements.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// The names of the migrations that are not applied.
    pub pending: Vec<String>,
    /// Whether no migration was ever applied.
    pub is_new: bool,
    /// The time of the database's clock; `None` if it is that of this machine.
    pub now: Option<DateTime<Utc>>,
    /// Whether the database is at a public address, and the connection has no encryption.
    pub is_unencrypted: bool,
    /// Maximum number of connections of all clients without special rights together; `None` if there is none.
    pub max_connections: Option<i32>,
}

impl Inspection {
    /// Returns the state of an SQLite database whose file does not exist yet, with the names of all migrations.
    #[must_use]
    pub fn of_new_file(pending: Vec<String>) -> Self {
        Self {
            pending,
            is_new: true,
            ..Self::of_file()
        }
    }

    /// Returns the facts that are the same for all SQLite databases.
    fn of_file() -> Self {
        Self {
            pending: Vec::new(),
            is_new: false,
            now: None,
            is_unencrypted: false,
            max_connections: None,
        }
    }
}

pub(crate) mod sqlite {
    //! The state of an SQLite database.

    use diesel::{QueryResult, SqliteConnection};

    use super::Inspection;

    /// Returns the state without that of the migrations.
    #[expect(
        clippy::unnecessary_wraps,
        reason = "PostgreSQL's function of the same name can fail"
    )]
    pub(crate) fn facts(_conn: &mut SqliteConnection) -> QueryResult<Inspection> {
        Ok(Inspection::of_file())
    }
}

pub(crate) mod postgres {
    //! The state of a PostgreSQL database.

    use chrono::{DateTime, Utc};
    use diesel::{
        PgConnection, QueryResult, QueryableByName, RunQueryDsl as _, sql_query,
        sql_types::{Bool, Integer, Timestamptz},
    };

    use super::Inspection;

    #[derive(QueryableByName)]
    struct Facts {
        #[diesel(sql_type = Timestamptz)]
        now: DateTime<Utc>,
        #[diesel(sql_type = Bool)]
        is_unencrypted: bool,
        #[diesel(sql_type = Integer)]
        max_connections: i32,
    }

    /// The networks are loopback and private ones. A server that is reached over a socket has no address.
    const FACTS: &str = "SELECT
        clock_timestamp() AS now,
        coalesce(NOT server <<= ANY (ARRAY['127.0.0.0/8', '10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16',
                '::1', 'fc00::/7', 'fe80::/10']::inet[]), false)
            AND NOT coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false) AS is_unencrypted,
        current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int
            AS max_connections
        FROM (SELECT inet_server_addr() AS server) AS address";

    /// Returns the state without that of the migrations.
    pub(crate) fn facts(conn: &mut PgConnection) -> QueryResult<Inspection> {
        let facts: Facts = sql_query(FACTS).get_result(conn)?;
        Ok(Inspection {
            pending: Vec::new(),
            is_new: false,
            now: Some(facts.now),
            is_unencrypted: facts.is_unencrypted,
            max_connections: Some(facts.max_connections),
        })
    }
}
