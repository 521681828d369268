//! The identity of the database.

use chrono::{DateTime, Utc};

use super::StoreError;

/// The identity of a database. It is part of its content, so it stays the same after a backup is restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installation {
    /// Random text, unique for each database.
    pub id: String,
    /// Time at which the id was stored.
    pub created_at: DateTime<Utc>,
}

/// The repository of the database's identity. Errors are those of the database; see [`StoreError`].
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait InstallationRepository {
    /// Returns the identity of the database, and stores `new` as its identity if it has none. If several servers call
    /// this concurrently, all of them MUST get the same identity.
    ///
    /// # Errors
    /// Those of the database.
    fn find_or_insert(&mut self, new: &Installation) -> Result<Installation, StoreError>;
}
