//! The refresh tokens that were issued or logged out here: the blacklist.
#![cfg_attr(
    feature = "mocks",
    expect(clippy::ref_option_ref, reason = "mockall generates such types")
)]

use chrono::{DateTime, Utc};
use mycars_domain::UserId;

use super::{Device, StoreError};
use crate::lists::TokenQuery;

/// The reason why a refresh token was revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Revocation {
    /// The user logged out with the token.
    LoggedOut,
    /// The token was rotated.
    Rotated,
    /// The user's password was changed.
    PasswordChanged,
    /// An admin revoked the token, or the user was deactivated or activated.
    Revoked,
    /// A rotated token of the same login was used again, so one of them may be stolen.
    Reused,
}

impl Revocation {
    /// All reasons.
    pub const ALL: [Self; 5] = [
        Self::LoggedOut,
        Self::Rotated,
        Self::PasswordChanged,
        Self::Revoked,
        Self::Reused,
    ];

    /// Returns the name of the reason, as it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LoggedOut => "logged_out",
            Self::Rotated => "rotated",
            Self::PasswordChanged => "password_changed",
            Self::Revoked => "revoked",
            Self::Reused => "reused",
        }
    }

    /// Returns the reason with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|revocation| revocation.as_str() == name)
    }
}

/// The record of a refresh token, which is enough to refuse the token, but not to use it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefreshToken {
    /// The claim `jti` of the token.
    pub id: String,
    /// The user; `None` after the user was deleted.
    pub user: Option<UserId>,
    /// Time of issue.
    pub issued_at: DateTime<Utc>,
    /// Time of expiry.
    pub expires_at: DateTime<Utc>,
    /// The reason for the revocation; `None` if the token is not revoked.
    pub revoked: Option<Revocation>,
    /// Time of the revocation.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Time of the last use for an access token, to about a minute; `None` before the first use.
    pub last_used_at: Option<DateTime<Utc>>,
    /// The login that the token belongs to; `None` for a token of another system or an older version.
    pub family: Option<Family>,
}

impl RefreshToken {
    /// Returns the login that the token belongs to. Without one, the token itself is the first of its login.
    #[must_use]
    pub fn family(&self) -> Family {
        self.family.clone().unwrap_or_else(|| Family {
            id: self.id.clone(),
            logged_in_at: self.issued_at,
            device: Device::default(),
        })
    }
}

/// A login of a program: the refresh token that it began with, and all that replaced it by rotation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Family {
    /// The id of the first token.
    pub id: String,
    /// Time of the login.
    pub logged_in_at: DateTime<Utc>,
    /// The program that logged in. Revoked tokens have none, so that no personal data are kept for them.
    pub device: Device,
}

/// A refresh token in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedToken {
    /// The number of its row.
    pub number: i64,
    /// The token.
    pub token: RefreshToken,
    /// The name of the user, if they exist.
    pub username: Option<String>,
}

/// The recorded refresh tokens. Errors are those of the database; see [`StoreError`].
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait RefreshTokenRepository {
    /// Records a token; changes nothing if its id is recorded already.
    ///
    /// # Errors
    /// MUST be [`StoreError::OwnerGone`] if its user does not exist.
    fn record(&mut self, token: &RefreshToken) -> Result<(), StoreError>;

    /// Returns the token with this id.
    ///
    /// # Errors
    /// Those of the database.
    fn find(&mut self, id: &str) -> Result<Option<RefreshToken>, StoreError>;

    /// Returns the token with this id and locks it until the transaction ends.
    ///
    /// # Errors
    /// Those of the database.
    fn find_for_update(&mut self, id: &str) -> Result<Option<RefreshToken>, StoreError>;

    /// Revokes a token at this time, for this reason, and replaces a former reason; does nothing if it does not
    /// exist.
    ///
    /// # Errors
    /// Those of the database.
    fn revoke(&mut self, id: &str, why: Revocation, at: DateTime<Utc>) -> Result<(), StoreError>;

    /// Records the use of a token; does nothing if the token is not recorded.
    ///
    /// # Errors
    /// Those of the database.
    fn touch(&mut self, id: &str, at: DateTime<Utc>) -> Result<(), StoreError>;

    /// Returns whether a login was ended: whether a token of this family was revoked for another reason than rotation.
    /// The token with the id of the family belongs to it, even if it is recorded without a family.
    ///
    /// # Errors
    /// Those of the database.
    fn family_has_ended(&mut self, family: &str) -> Result<bool, StoreError>;

    /// Revokes all tokens of a family that are not revoked yet, and returns their number.
    ///
    /// # Errors
    /// Those of the database.
    fn revoke_family(
        &mut self,
        family: &str,
        why: Revocation,
        at: DateTime<Utc>,
    ) -> Result<usize, StoreError>;

    /// Revokes all tokens of a user that are not revoked yet, except those of the family `except`, and returns their
    /// number.
    ///
    /// # Errors
    /// Those of the database.
    #[expect(clippy::needless_lifetimes, reason = "mockall needs the lifetime")]
    fn revoke_all_of<'a>(
        &mut self,
        user: UserId,
        except: Option<&'a str>,
        why: Revocation,
        at: DateTime<Utc>,
    ) -> Result<usize, StoreError>;

    /// Returns the tokens that match a query, in its order.
    ///
    /// # Errors
    /// Those of the database.
    fn list(&mut self, query: &TokenQuery) -> Result<Vec<ListedToken>, StoreError>;

    /// Returns the logins of a user that have live tokens at `now`, the newest first: the greatest number of the live
    /// tokens of each [family](RefreshToken::family).
    ///
    /// # Errors
    /// Those of the database.
    fn logins_of(&mut self, user: UserId, now: DateTime<Utc>) -> Result<Vec<i64>, StoreError>;

    /// Counts the tokens that match a query, on all its pages.
    ///
    /// # Errors
    /// Those of the database.
    fn count(&mut self, query: &TokenQuery) -> Result<u64, StoreError>;

    /// Returns the numbers of all tokens that match a query, in its order, on all its pages.
    ///
    /// # Errors
    /// Those of the database.
    fn numbers(&mut self, query: &TokenQuery) -> Result<Vec<i64>, StoreError>;

    /// Returns the tokens with these numbers, in any order. Numbers that do not exist are skipped.
    ///
    /// # Errors
    /// Those of the database.
    fn find_all(&mut self, numbers: &[i64]) -> Result<Vec<ListedToken>, StoreError>;

    /// Deletes at most `at_most` of the tokens that expired at `now` or before, and returns their number.
    ///
    /// # Errors
    /// Those of the database.
    fn delete_expired(&mut self, now: DateTime<Utc>, at_most: u32) -> Result<usize, StoreError>;
}
