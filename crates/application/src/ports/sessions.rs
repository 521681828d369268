//! The logins of browsers.

use chrono::{DateTime, Utc};
use mycars_domain::UserId;

use super::StoreError;

/// What is kept of a browser's login.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The hash of the key that the browser holds: enough to know it again, not enough to use it.
    pub key_hash: String,
    /// Whose login it is.
    pub user: UserId,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it was last used, give or take a minute.
    pub last_seen_at: DateTime<Utc>,
}

/// The logins of browsers. Errors are those of the database; see [`StoreError`].
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait SessionRepository {
    /// Keeps a new session.
    ///
    /// # Errors
    /// MUST be [`StoreError::OwnerGone`] where the user is not there.
    fn insert(&mut self, session: &Session) -> Result<(), StoreError>;

    /// The session whose key has this hash.
    ///
    /// # Errors
    /// The database's.
    fn find(&mut self, key_hash: &str) -> Result<Option<Session>, StoreError>;

    /// Says when a session was last used; does nothing if there is none.
    ///
    /// # Errors
    /// The database's.
    fn touch(&mut self, key_hash: &str, at: DateTime<Utc>) -> Result<(), StoreError>;

    /// Ends a session; does nothing if there is none.
    ///
    /// # Errors
    /// The database's.
    fn delete(&mut self, key_hash: &str) -> Result<(), StoreError>;

    /// Ends all sessions of a user, and answers how many there were.
    ///
    /// # Errors
    /// The database's.
    fn delete_all_of(&mut self, user: UserId) -> Result<usize, StoreError>;

    /// How many sessions these users have.
    ///
    /// # Errors
    /// The database's.
    fn count_of(&mut self, users: &[UserId]) -> Result<u64, StoreError>;

    /// Forgets the sessions that were last used before `seen_before` or began before `created_before`, and
    /// answers how many there were.
    ///
    /// # Errors
    /// The database's.
    fn delete_expired(
        &mut self,
        seen_before: DateTime<Utc>,
        created_before: DateTime<Utc>,
    ) -> Result<usize, StoreError>;
}
