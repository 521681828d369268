//! The refresh tokens that were issued here or given up here: the blacklist.

use chrono::{DateTime, Utc};
use mycars_domain::UserId;

use super::StoreError;

/// Why a refresh token is dead before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// Its owner logged out with it.
    LoggedOut,
    /// It was exchanged for another one.
    Rotated,
    /// Its owner's password was changed after it was issued.
    PasswordChanged,
}

/// What is kept of a refresh token: enough to refuse it, not enough to use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// The token's own id: its claim `jti`.
    pub id: String,
    /// Whose login it is; `None` once that user is deleted.
    pub user: Option<UserId>,
    /// When it was issued.
    pub issued_at: DateTime<Utc>,
    /// When it expires.
    pub expires_at: DateTime<Utc>,
    /// Why it is dead, if it is.
    pub revoked: Option<Revocation>,
}

/// The refresh tokens that are known here. Errors are those of the database; see [`StoreError`].
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait RefreshTokenRepository {
    /// Keeps a token, unless it is kept already: then nothing changes.
    ///
    /// # Errors
    /// The database's.
    fn record(&mut self, token: &RefreshToken) -> Result<(), StoreError>;

    /// The token with this id.
    ///
    /// # Errors
    /// The database's.
    fn find(&mut self, id: &str) -> Result<Option<RefreshToken>, StoreError>;

    /// The token with this id, which nobody else can change until the transaction ends.
    ///
    /// # Errors
    /// The database's.
    fn find_for_update(&mut self, id: &str) -> Result<Option<RefreshToken>, StoreError>;

    /// Says of a token why it is dead.
    ///
    /// # Errors
    /// The database's.
    fn revoke(&mut self, id: &str, why: Revocation, at: DateTime<Utc>) -> Result<(), StoreError>;

    /// Says of all tokens of a user that are not dead yet why they are now.
    ///
    /// # Errors
    /// The database's.
    fn revoke_all_of(&mut self, user: UserId, why: Revocation, at: DateTime<Utc>) -> Result<(), StoreError>;

    /// Forgets the tokens that had expired at `now`, and answers how many there were.
    ///
    /// # Errors
    /// The database's.
    fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<usize, StoreError>;
}
