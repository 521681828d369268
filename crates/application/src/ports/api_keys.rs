//! The repository of API keys.

use chrono::{DateTime, Utc};
use mycars_domain::{KeyRights, UserId};

use super::StoreError;

/// The record of an API key, which is enough to recognise the key, but not to use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// The id, assigned by the store.
    pub id: i64,
    /// The user whose key it is.
    pub owner: UserId,
    /// The name that the owner gave it.
    pub name: String,
    /// The beginning of the key, by which its owner recognises it.
    pub prefix: String,
    /// The SHA-256 of the key in hexadecimal.
    pub key_hash: String,
    /// The rights.
    pub rights: KeyRights,
    /// Time of creation.
    pub created_at: DateTime<Utc>,
    /// Time of expiry; `None` for a key that does not expire.
    pub expires_at: Option<DateTime<Utc>>,
    /// Time of the last use, to about a minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// The API keys of users. Errors are those of the database; see [`StoreError`].
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait ApiKeyRepository {
    /// Stores a new key, and returns the id that it gets; the one in `key` is ignored.
    ///
    /// # Errors
    /// MUST be [`StoreError::OwnerGone`] if the owner does not exist.
    fn insert(&mut self, key: &ApiKey) -> Result<i64, StoreError>;

    /// Returns the key with this id.
    ///
    /// # Errors
    /// Those of the database.
    fn find(&mut self, id: i64) -> Result<Option<ApiKey>, StoreError>;

    /// Returns the key with this hash.
    ///
    /// # Errors
    /// Those of the database.
    fn find_by_hash(&mut self, key_hash: &str) -> Result<Option<ApiKey>, StoreError>;

    /// Returns all keys of a user, the newest first.
    ///
    /// # Errors
    /// Those of the database.
    fn list_of(&mut self, owner: UserId) -> Result<Vec<ApiKey>, StoreError>;

    /// Updates the time of the last use; does nothing if the key does not exist.
    ///
    /// # Errors
    /// Those of the database.
    fn touch(&mut self, id: i64, at: DateTime<Utc>) -> Result<(), StoreError>;

    /// Deletes a key; does nothing if it does not exist. The keys of a user are deleted with the user.
    ///
    /// # Errors
    /// Those of the database.
    fn delete(&mut self, id: i64) -> Result<(), StoreError>;
}
