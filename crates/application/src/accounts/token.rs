//! What a token must say to be good. The rules and their order are simplejwt's.

use chrono::{DateTime, TimeDelta, Utc};
use mycars_domain::{User, UserId};

use crate::{
    App,
    ports::{Claims, RefreshToken, UnitOfWork, Unsignable},
};

/// The two types of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// Proves who asks, for a short time.
    Access,
    /// Gets new access tokens.
    Refresh,
}

impl TokenType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
        }
    }
}

/// Why a token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is no token of ours, or it is not valid yet.
    #[error("the token is invalid")]
    Invalid,
    /// Its time is over.
    #[error("the token has expired")]
    Expired,
    /// It does not say when it expires.
    #[error("the token does not say when it expires")]
    NoExpiry,
    /// It has no id.
    #[error("the token has no id")]
    NoId,
    /// It does not say of which type it is.
    #[error("the token does not say of which type it is")]
    NoType,
    /// It is of the other type.
    #[error("the token is of the wrong type")]
    WrongType,
    /// It was given up, replaced, or issued before its owner's password was changed.
    #[error("the token is blacklisted")]
    Blacklisted,
}

/// A token whose signature, time and type are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verified {
    pub(super) id: String,
    pub(super) issued_at: Option<DateTime<Utc>>,
    pub(super) expires_at: DateTime<Utc>,
    /// Whose it is, as it says itself; `None` if it says nothing that could be an id.
    pub(super) user: Option<UserId>,
    /// Whether it names anybody at all.
    pub(super) names_a_user: bool,
}

/// Reads a token and checks everything that can be checked without the store; any type is right if `expected`
/// is `None`.
pub(super) fn verify(app: &App, token: &str, expected: Option<TokenType>) -> Result<Verified, TokenError> {
    let claims = app.tokens.decode(token).map_err(|_| TokenError::Invalid)?;
    check(claims, expected, app.now().timestamp())
}

fn check(claims: Claims, expected: Option<TokenType>, now: i64) -> Result<Verified, TokenError> {
    let is_later = |claim: Option<i64>| claim.is_some_and(|time| time > now);
    if is_later(claims.issued_at) || is_later(claims.not_before) {
        return Err(TokenError::Invalid);
    }
    let expires_at = claims.expires_at.ok_or(TokenError::NoExpiry)?;
    if expires_at <= now {
        return Err(TokenError::Expired);
    }
    let id = claims.id.ok_or(TokenError::NoId)?;
    if let Some(expected) = expected {
        let token_type = claims.token_type.ok_or(TokenError::NoType)?;
        if token_type != expected.as_str() {
            return Err(TokenError::WrongType);
        }
    }
    Ok(Verified {
        id,
        issued_at: claims
            .issued_at
            .and_then(|seconds| DateTime::from_timestamp(seconds, 0)),
        expires_at: DateTime::from_timestamp(expires_at, 0).unwrap_or(DateTime::<Utc>::MAX_UTC),
        user: claims
            .user_id
            .as_deref()
            .and_then(|id| id.parse().ok())
            .map(UserId),
        names_a_user: claims.user_id.is_some(),
    })
}

impl Verified {
    /// What is kept of this token: it may never have been seen here before.
    pub(super) fn record(&self) -> RefreshToken {
        RefreshToken {
            id: self.id.clone(),
            user: self.user,
            issued_at: self.issued_at.unwrap_or(DateTime::UNIX_EPOCH),
            expires_at: self.expires_at,
            revoked: None,
        }
    }

    /// Whether this refresh token of `user`, of which nothing is known here, may be from before all their logins were
    /// ended.
    ///
    /// A token that was issued here is known, and whatever ends all logins revokes it. One that was not (it is another
    /// system's, signed with the same key) says only in whole seconds when it was issued: in doubt it is older.
    pub(super) fn may_have_been_ended(&self, user: &User) -> bool {
        user.logins_ended_at.is_some_and(|changed| {
            self.issued_at
                .is_none_or(|issued| issued.timestamp() <= changed.timestamp())
        })
    }
}

/// A new access token for `user`.
pub(super) fn issue_access(app: &App, user: UserId) -> Result<String, Unsignable> {
    issue(app, TokenType::Access, user, app.token_settings.access_lifetime).map(|(token, _)| token)
}

/// A new refresh token for `user`, and what is to be kept of it.
pub(super) fn issue_refresh(app: &App, user: UserId) -> Result<(String, RefreshToken), Unsignable> {
    issue(app, TokenType::Refresh, user, app.token_settings.refresh_lifetime)
}

fn issue(
    app: &App,
    token_type: TokenType,
    user: UserId,
    lifetime: TimeDelta,
) -> Result<(String, RefreshToken), Unsignable> {
    let now = app.now();
    let record = RefreshToken {
        id: app.random.hex(16),
        user: Some(user),
        issued_at: now,
        expires_at: now + lifetime,
        revoked: None,
    };
    let claims = Claims {
        token_type: Some(token_type.as_str().to_owned()),
        expires_at: Some(record.expires_at.timestamp()),
        issued_at: Some(now.timestamp()),
        not_before: None,
        id: Some(record.id.clone()),
        user_id: Some(user.to_string()),
    };
    Ok((app.tokens.encode(&claims)?, record))
}

/// Keeps a new refresh token, so that a password change can end it.
pub(super) fn keep(unit: &mut dyn UnitOfWork, record: &RefreshToken) -> Result<(), crate::ports::StoreError> {
    unit.refresh_tokens().record(record)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::samples;

    const NOW: i64 = samples::NOW;

    fn good() -> Claims {
        Claims {
            expires_at: Some(NOW + 1),
            ..samples::claims("access")
        }
    }

    fn checked(claims: Claims) -> Result<Verified, TokenError> {
        check(claims, Some(TokenType::Access), NOW)
    }

    #[test]
    fn a_token_dies_in_the_second_in_which_it_expires() {
        assert!(checked(good()).is_ok());
        assert_eq!(
            checked(Claims {
                expires_at: Some(NOW),
                ..good()
            }),
            Err(TokenError::Expired)
        );
        assert_eq!(
            checked(Claims {
                expires_at: Some(i64::MIN),
                ..good()
            }),
            Err(TokenError::Expired)
        );
        assert!(
            checked(Claims {
                expires_at: Some(i64::MAX),
                ..good()
            })
            .is_ok(),
            "an absurd time is a time"
        );
    }

    #[test]
    fn a_token_from_the_future_is_invalid() {
        assert_eq!(
            checked(Claims {
                issued_at: Some(NOW + 1),
                ..good()
            }),
            Err(TokenError::Invalid)
        );
        assert_eq!(
            checked(Claims {
                not_before: Some(NOW + 1),
                ..good()
            }),
            Err(TokenError::Invalid)
        );
    }

    #[test]
    fn a_token_without_expiry_id_or_type_is_refused() {
        assert_eq!(
            checked(Claims {
                expires_at: None,
                ..good()
            }),
            Err(TokenError::NoExpiry)
        );
        assert_eq!(checked(Claims { id: None, ..good() }), Err(TokenError::NoId));
        assert_eq!(
            checked(Claims {
                token_type: None,
                ..good()
            }),
            Err(TokenError::NoType)
        );
    }

    #[test]
    fn the_type_must_be_the_one_expected_unless_none_is() {
        let refresh = Claims {
            token_type: Some("refresh".into()),
            ..good()
        };
        assert_eq!(checked(refresh.clone()), Err(TokenError::WrongType));
        assert!(check(refresh, None, NOW).is_ok());
        assert!(
            check(
                Claims {
                    token_type: None,
                    ..good()
                },
                None,
                NOW
            )
            .is_ok()
        );
    }

    #[test]
    fn whom_a_token_names_is_read_if_it_can_be() {
        assert_eq!(checked(good()).unwrap().user, Some(UserId(1)));
        let stranger = checked(Claims {
            user_id: Some("ann".into()),
            ..good()
        })
        .unwrap();
        assert_eq!((stranger.user, stranger.names_a_user), (None, true));
        let nobody = checked(Claims {
            user_id: None,
            ..good()
        })
        .unwrap();
        assert_eq!((nobody.user, nobody.names_a_user), (None, false));
    }

    #[test]
    fn a_token_may_be_older_than_a_password_that_was_changed_in_its_second_or_later() {
        let token = checked(good()).unwrap();
        let undated = checked(Claims {
            issued_at: None,
            ..good()
        })
        .unwrap();
        let changed = |seconds| {
            let mut user = samples::user();
            user.logins_ended_at = DateTime::from_timestamp(seconds, 500);
            user
        };
        assert!(!token.may_have_been_ended(&samples::user()));
        assert!(!undated.may_have_been_ended(&samples::user()));
        assert!(!token.may_have_been_ended(&changed(NOW - 1)));
        assert!(token.may_have_been_ended(&changed(NOW)));
        assert!(undated.may_have_been_ended(&changed(NOW - 1)));
    }
}
