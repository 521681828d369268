//! Validating and issuing tokens. The rules and their order are simplejwt's.

use chrono::{DateTime, TimeDelta, Utc};
use mycars_domain::{User, UserId};

use crate::{
    App, Secret,
    ports::{Claims, Device, Family, RefreshToken, StoreError, UnitOfWork, Unsignable},
};

/// The types of tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenType {
    /// Authenticates requests, for a short time.
    Access,
    /// The refresh token, which gets new access tokens.
    Refresh,
    /// The token in a link that sets a new password.
    PasswordReset,
    /// The token in a link that verifies an e-mail address.
    EmailVerification,
    /// The token in a link that puts an old e-mail address back.
    EmailUndo,
}

impl TokenType {
    fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
            Self::PasswordReset => "password_reset",
            Self::EmailVerification => "email_verification",
            Self::EmailUndo => "email_undo",
        }
    }
}

/// The reason why a token is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is not signed with the server's key, or not valid yet.
    #[error("the token is invalid")]
    Invalid,
    /// It has expired.
    #[error("the token has expired")]
    Expired,
    /// It has no expiry.
    #[error("the token has no expiry")]
    NoExpiry,
    /// It has no id.
    #[error("the token has no id")]
    NoId,
    /// It has no type.
    #[error("the token has no type")]
    NoType,
    /// It is of the other type.
    #[error("the token is of the wrong type")]
    WrongType,
    /// It was logged out, rotated or revoked.
    #[error("the token is blacklisted")]
    Blacklisted,
}

/// A token whose signature, time and type are valid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Verified {
    pub(super) id: String,
    /// In microseconds, or in whole seconds if the token has no finer time.
    pub(super) issued_at: Option<DateTime<Utc>>,
    pub(super) expires_at: DateTime<Utc>,
    /// The id of the user in the token; `None` if it has none or not a number.
    pub(super) user: Option<UserId>,
    /// Whether the token has a user at all.
    pub(super) names_a_user: bool,
    /// The login of an access token; `None` for tokens of other systems and older versions.
    pub(super) login: Option<String>,
}

/// Decodes a token and does all checks that need no store. `None` as `expected` accepts both types.
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
            .issued_at_micros
            .and_then(DateTime::from_timestamp_micros)
            .or_else(|| DateTime::from_timestamp(claims.issued_at?, 0)),
        expires_at: DateTime::from_timestamp(expires_at, 0).unwrap_or(DateTime::<Utc>::MAX_UTC),
        user: claims
            .user_id
            .as_deref()
            .and_then(|id| id.parse().ok())
            .map(UserId),
        names_a_user: claims.user_id.is_some(),
        login: claims.login,
    })
}

impl Verified {
    /// Returns the record of this token, which may be unknown to the store.
    pub(super) fn record(&self) -> RefreshToken {
        RefreshToken {
            id: self.id.clone(),
            user: self.user,
            issued_at: self.issued_at.unwrap_or(DateTime::UNIX_EPOCH),
            expires_at: self.expires_at,
            revoked: None,
            revoked_at: None,
            last_used_at: None,
            family: None,
        }
    }

    /// Returns whether this unrecorded refresh token of `user` may have been issued before all their logins were
    /// ended. Tokens of this server are recorded, so a use-case that ends all logins revokes them.
    pub(super) fn may_have_been_ended(&self, user: &User) -> bool {
        self.may_be_older_than(user.logins_ended_at)
    }

    /// Returns whether this token may have been issued at or before `ended`, if that ever happened. A token of another
    /// system with the same key has its issue time in whole seconds only, or has none: in doubt it counts as older.
    pub(super) fn may_be_older_than(&self, ended: Option<DateTime<Utc>>) -> bool {
        ended.is_some_and(|ended| self.issued_at.is_none_or(|issued| issued <= ended))
    }
}

/// Issues an access token for `user`, of the login whose first refresh token has the id `login`.
pub(super) fn issue_access(app: &App, user: UserId, login: &str) -> Result<Secret, Unsignable> {
    let now = app.now();
    sign(
        app,
        &Claims {
            token_type: Some(TokenType::Access.as_str().to_owned()),
            expires_at: Some((now + app.token_settings.access_lifetime).timestamp()),
            issued_at_micros: Some(now.timestamp_micros()),
            id: Some(app.random.hex(16)),
            login: Some(login.to_owned()),
            ..claims(now, user)
        },
    )
}

/// Issues a token that is bound to a state of `user`, which takes the place of its id.
pub(super) fn issue_bound(
    app: &App,
    token_type: TokenType,
    user: UserId,
    state: String,
    lifetime: TimeDelta,
) -> Result<Secret, Unsignable> {
    let now = app.now();
    sign(
        app,
        &Claims {
            token_type: Some(token_type.as_str().to_owned()),
            expires_at: Some((now + lifetime).timestamp()),
            id: Some(state),
            ..claims(now, user)
        },
    )
}

/// Issues the first refresh token of a login for `user`, and returns it with its record.
pub(super) fn issue_first_refresh(
    app: &App,
    user: UserId,
    device: Device,
) -> Result<(Secret, RefreshToken), Unsignable> {
    let id = app.random.hex(16);
    let family = Family {
        id: id.clone(),
        logged_in_at: app.now(),
        device,
    };
    issue_refresh(app, user, id, family)
}

/// Issues a further refresh token of a login for `user`, and returns it with its record.
pub(super) fn issue_next_refresh(
    app: &App,
    user: UserId,
    family: Family,
) -> Result<(Secret, RefreshToken), Unsignable> {
    issue_refresh(app, user, app.random.hex(16), family)
}

fn issue_refresh(
    app: &App,
    user: UserId,
    id: String,
    family: Family,
) -> Result<(Secret, RefreshToken), Unsignable> {
    let now = app.now();
    let record = RefreshToken {
        id,
        user: Some(user),
        issued_at: now,
        expires_at: now + app.token_settings.refresh_lifetime,
        revoked: None,
        revoked_at: None,
        last_used_at: None,
        family: Some(family),
    };
    let token = sign(
        app,
        &Claims {
            token_type: Some(TokenType::Refresh.as_str().to_owned()),
            expires_at: Some(record.expires_at.timestamp()),
            id: Some(record.id.clone()),
            ..claims(now, user)
        },
    )?;
    Ok((token, record))
}

fn claims(now: DateTime<Utc>, user: UserId) -> Claims {
    Claims {
        issued_at: Some(now.timestamp()),
        user_id: Some(user.to_string()),
        ..Claims::default()
    }
}

fn sign(app: &App, claims: &Claims) -> Result<Secret, Unsignable> {
    Ok(app.tokens.encode(claims)?.into())
}

/// Records a new refresh token, so that a password change can revoke it.
pub(super) fn keep(unit: &mut dyn UnitOfWork, record: &RefreshToken) -> Result<(), StoreError> {
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
    fn token_is_invalid_from_the_second_of_its_expiry() {
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
    fn token_from_the_future_is_invalid() {
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
    fn token_without_expiry_id_or_type_is_refused() {
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
    fn token_type_must_be_the_expected_one_if_any() {
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
    fn user_of_a_token_is_read_if_it_is_an_id() {
        assert_eq!(checked(good()).unwrap().user, Some(UserId(1)));
        let stranger = checked(Claims {
            user_id: Some("ann".into()),
            ..good()
        })
        .unwrap();
        assert_eq!((stranger.user, stranger.names_a_user), (None, true));
        let anonymous = checked(Claims {
            user_id: None,
            ..good()
        })
        .unwrap();
        assert_eq!((anonymous.user, anonymous.names_a_user), (None, false));
    }

    #[test]
    fn token_of_the_second_of_a_password_change_counts_as_older() {
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
