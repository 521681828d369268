//! The rows of all tables as they are stored, with their ids: for backups, and for copies to another database.

use mycars_domain::{Car, User, audit::Entry};

use super::{ApiKey, Installation, RefreshToken, Session, StoreError};

/// A table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// The identity of the database: at most one row.
    Installation,
    /// The users.
    Users,
    /// The cars.
    Cars,
    /// The refresh tokens.
    RefreshTokens,
    /// The sessions of browsers.
    Sessions,
    /// The API keys.
    ApiKeys,
    /// The audit log.
    AuditLog,
}

impl Table {
    /// All tables, in an order in which rows refer only to rows of tables before theirs.
    pub const ALL: [Self; 7] = [
        Self::Installation,
        Self::Users,
        Self::Cars,
        Self::RefreshTokens,
        Self::Sessions,
        Self::ApiKeys,
        Self::AuditLog,
    ];

    /// Returns the name of the table in the databases and in archives.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Installation => "installation",
            Self::Users => "users",
            Self::Cars => "cars",
            Self::RefreshTokens => "refresh_tokens",
            Self::Sessions => "sessions",
            Self::ApiKeys => "api_keys",
            Self::AuditLog => "audit_log",
        }
    }
}

/// A row of a table. Columns that are computed from others, such as search keys, are left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Row {
    /// A row of [`Table::Installation`].
    Installation(Installation),
    /// A row of [`Table::Users`].
    User(User),
    /// A row of [`Table::Cars`].
    Car {
        /// The car.
        car: Car,
        /// The size of its picture in bytes, if it has a picture and was measured.
        image_bytes: Option<u64>,
    },
    /// A row of [`Table::RefreshTokens`].
    RefreshToken {
        /// The number of the row.
        number: i64,
        /// The token.
        token: RefreshToken,
    },
    /// A row of [`Table::Sessions`].
    Session {
        /// The number of the row.
        number: i64,
        /// The session.
        session: Session,
    },
    /// A row of [`Table::ApiKeys`].
    ApiKey(ApiKey),
    /// A row of [`Table::AuditLog`].
    Entry(Entry),
}

impl Row {
    /// Returns the table of the row.
    #[must_use]
    pub fn table(&self) -> Table {
        match self {
            Self::Installation(_) => Table::Installation,
            Self::User(_) => Table::Users,
            Self::Car { .. } => Table::Cars,
            Self::RefreshToken { .. } => Table::RefreshTokens,
            Self::Session { .. } => Table::Sessions,
            Self::ApiKey(_) => Table::ApiKeys,
            Self::Entry(_) => Table::AuditLog,
        }
    }

    /// Returns the id of the row in its table.
    #[must_use]
    pub fn id(&self) -> i64 {
        match self {
            Self::Installation(_) => 1,
            Self::User(user) => user.id.0,
            Self::Car { car, .. } => car.id.0,
            Self::RefreshToken { number, .. } | Self::Session { number, .. } => *number,
            Self::ApiKey(key) => key.id,
            Self::Entry(entry) => entry.id,
        }
    }
}

/// The rows of all tables.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait RowRepository {
    /// Returns at most `at_most` rows of a table with ids above `after`, in the order of their ids.
    ///
    /// # Errors
    /// Those of the store.
    fn list(&mut self, table: Table, after: i64, at_most: u32) -> Result<Vec<Row>, StoreError>;

    /// Returns the number of rows of a table.
    ///
    /// # Errors
    /// Those of the store.
    fn count(&mut self, table: Table) -> Result<u64, StoreError>;

    /// Inserts rows with their ids, all of one table. An [`Installation`] replaces the one that exists. A user or car
    /// whose unique text another row already has, ignoring case, is inserted all the same if the exact texts differ:
    /// databases of older versions have such rows.
    ///
    /// # Errors
    /// [`StoreError::Taken`], [`StoreError::OwnerGone`], and those of the store, such as for an id that exists.
    fn insert(&mut self, rows: &[Row]) -> Result<(), StoreError>;

    /// Returns the id that the next row of a table gets. Backups ask for it before the rows.
    ///
    /// # Errors
    /// Those of the store; MUST be [`StoreError::Other`] if a newer version has migrated the database, because backups
    /// would leave out the columns that this version does not know.
    fn next_id(&mut self, table: Table) -> Result<i64, StoreError>;

    /// Sets the id that the next row of a table gets. For [`Table::AuditLog`], the next id always follows the last
    /// entry, which is never deleted; [`Table::Installation`] has none. For these two, `id` is ignored.
    ///
    /// # Errors
    /// Those of the store.
    fn set_next_id(&mut self, table: Table, id: i64) -> Result<(), StoreError>;
}
