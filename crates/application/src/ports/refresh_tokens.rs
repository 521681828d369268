//! The refresh tokens that were issued here or given up here: the blacklist.

use chrono::{DateTime, Utc};
use mycars_domain::UserId;

use super::StoreError;
use crate::lists::TokenQuery;

/// Why a refresh token is dead before its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// Its owner logged out with it.
    LoggedOut,
    /// It was exchanged for another one.
    Rotated,
    /// Its owner's password was changed after it was issued.
    PasswordChanged,
    /// An admin ended it.
    Revoked,
}

impl Revocation {
    /// Every reason.
    pub const ALL: [Self; 4] = [
        Self::LoggedOut,
        Self::Rotated,
        Self::PasswordChanged,
        Self::Revoked,
    ];

    /// The reason's name, as it is written and kept.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged_out",
            Self::Rotated => "rotated",
            Self::PasswordChanged => "password_changed",
            Self::Revoked => "revoked",
        }
    }

    /// The reason of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|revocation| revocation.as_str() == name)
    }
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

/// A refresh token in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedToken {
    /// The number of its row, by which lists know it.
    pub number: i64,
    /// The token.
    pub token: RefreshToken,
    /// What its owner is called, while they are there.
    pub username: Option<String>,
}

/// The refresh tokens that are known here. Errors are those of the database; see [`StoreError`].
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait RefreshTokenRepository {
    /// Keeps a token, unless one with its id is kept already: then nothing changes.
    ///
    /// # Errors
    /// MUST be [`StoreError::OwnerGone`] where it names a user who is not there.
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

    /// Says of a token why it is dead, and since when, whatever was said before; does nothing if there is none.
    ///
    /// # Errors
    /// The database's.
    fn revoke(&mut self, id: &str, why: Revocation, at: DateTime<Utc>) -> Result<(), StoreError>;

    /// Says of all tokens of a user that are not dead yet why they are now, and answers how many there were.
    ///
    /// # Errors
    /// The database's.
    fn revoke_all_of(
        &mut self,
        user: UserId,
        why: Revocation,
        at: DateTime<Utc>,
    ) -> Result<usize, StoreError>;

    /// The tokens that a query asks for, in its order.
    ///
    /// # Errors
    /// The database's.
    fn list(&mut self, query: &TokenQuery) -> Result<Vec<ListedToken>, StoreError>;

    /// How many tokens a query asks for, on all its pages.
    ///
    /// # Errors
    /// The database's.
    fn count(&mut self, query: &TokenQuery) -> Result<u64, StoreError>;

    /// The numbers of all tokens that a query asks for, in its order, whatever its page.
    ///
    /// # Errors
    /// The database's.
    fn numbers(&mut self, query: &TokenQuery) -> Result<Vec<i64>, StoreError>;

    /// The tokens that have these numbers, in any order; numbers that there are none of are passed over.
    ///
    /// # Errors
    /// The database's.
    fn find_all(&mut self, numbers: &[i64]) -> Result<Vec<ListedToken>, StoreError>;

    /// Forgets the tokens that had expired at `now`, those that expire then included, and answers how many there were.
    ///
    /// # Errors
    /// The database's.
    fn delete_expired(&mut self, now: DateTime<Utc>) -> Result<usize, StoreError>;
}
