//! The repository of sessions of browsers.
#![cfg_attr(
    feature = "mocks",
    expect(clippy::ref_option_ref, reason = "mockall generates such types")
)]

use chrono::{DateTime, Utc};
use mycars_domain::UserId;

use super::{Device, StoreError};

/// The record of a browser's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The hash of the browser's key, which is enough to recognise the key, but not to use it.
    pub key_hash: String,
    /// The user.
    pub user: UserId,
    /// Time of the login.
    pub created_at: DateTime<Utc>,
    /// Time of the last request, to about a minute.
    pub last_seen_at: DateTime<Utc>,
    /// The browser that logged in.
    pub device: Device,
}

/// A session in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedSession {
    /// The number of its row.
    pub number: i64,
    /// The session.
    pub session: Session,
}

/// The sessions of browsers. Errors are those of the database; see [`StoreError`].
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait SessionRepository {
    /// Stores a new session.
    ///
    /// # Errors
    /// MUST be [`StoreError::OwnerGone`] if the user does not exist.
    fn insert(&mut self, session: &Session) -> Result<(), StoreError>;

    /// Returns the session whose key has this hash.
    ///
    /// # Errors
    /// Those of the database.
    fn find(&mut self, key_hash: &str) -> Result<Option<Session>, StoreError>;

    /// Updates the time of the last request; does nothing if the session does not exist.
    ///
    /// # Errors
    /// Those of the database.
    fn touch(&mut self, key_hash: &str, at: DateTime<Utc>) -> Result<(), StoreError>;

    /// Deletes a session; does nothing if it does not exist.
    ///
    /// # Errors
    /// Those of the database.
    fn delete(&mut self, key_hash: &str) -> Result<(), StoreError>;

    /// Returns at most `at_most` sessions of a user that were last used after `seen_after` and began after
    /// `created_after`, the last used first.
    ///
    /// # Errors
    /// Those of the database.
    fn list_of(
        &mut self,
        user: UserId,
        seen_after: DateTime<Utc>,
        created_after: DateTime<Utc>,
        at_most: u32,
    ) -> Result<Vec<ListedSession>, StoreError>;

    /// Returns the session with this number.
    ///
    /// # Errors
    /// Those of the database.
    fn find_by_number(&mut self, number: i64) -> Result<Option<Session>, StoreError>;

    /// Deletes all sessions of a user, except the one whose key has the hash `except`, and returns their number.
    ///
    /// # Errors
    /// Those of the database.
    #[expect(clippy::needless_lifetimes, reason = "mockall needs the lifetime")]
    fn delete_all_of<'a>(&mut self, user: UserId, except: Option<&'a str>) -> Result<usize, StoreError>;

    /// Counts the sessions of these users.
    ///
    /// # Errors
    /// Those of the database.
    fn count_of(&mut self, users: &[UserId]) -> Result<u64, StoreError>;

    /// Deletes at most `at_most` of the sessions that were last used before `seen_before` or began before
    /// `created_before`, and returns their number.
    ///
    /// # Errors
    /// Those of the database.
    fn delete_expired(
        &mut self,
        seen_before: DateTime<Utc>,
        created_before: DateTime<Utc>,
        at_most: u32,
    ) -> Result<usize, StoreError>;
}
