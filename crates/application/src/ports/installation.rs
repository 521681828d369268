//! The identity of the database.

use chrono::{DateTime, Utc};

use super::StoreError;

/// The identity of a database: the same as long as its content is, also after a backup is restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Random text that no other database has.
    pub id: String,
    /// When the database was given it.
    pub created_at: DateTime<Utc>,
}

/// Keeps the identity of the database. Errors are those of the database; see [`StoreError`].
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait InstallationRepository {
    /// Returns the identity of the database, and keeps `new` as its identity if it has none. If several servers call
    /// this at the same time, all of them MUST get the same answer.
    ///
    /// # Errors
    /// Those of the database.
    fn find_or_insert(&mut self, new: &Installation) -> Result<Installation, StoreError>;
}
