//! Get a new access token for a refresh token.

use mycars_domain::{
    Field, User,
    audit::{Object, Origin},
};

use super::{
    Error,
    token::{self, TokenError, TokenType, Verified},
};
use crate::{
    App, Caller, Input, Secret, UpdateMode, audit,
    input::{Checker, required_text},
    ports::{RefreshToken, Revocation},
    security_log::{Details, SecurityEvent},
};

/// The result of a refresh: signed tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Refreshed {
    /// The access token, which authenticates requests.
    pub access: Secret,
    /// The refresh token that replaces the one sent, if tokens are rotated.
    pub refresh: Option<Secret>,
}

/// Returns a new access token (wire contract, section 4). A correctly signed token that is not recorded is valid. If
/// refresh tokens are rotated, each is valid once, and the audit log records `origin`.
///
/// # Errors
/// [`Error::Invalid`] if no token was sent; [`Error::Token`] if it is invalid; [`Error::NoActiveAccountForToken`] if
/// its user is deleted or inactive; [`Error::Unsignable`]; [`Error::Store`].
pub fn refresh(app: &App, origin: Origin, refresh_token: &Input<String>) -> Result<Refreshed, Error> {
    let token = token::verify(
        app,
        &required(Field::Refresh, refresh_token)?,
        Some(TokenType::Refresh),
    )?;
    if app.token_settings.rotate_refresh {
        rotate(app, origin, &token)
    } else {
        reuse(app, &origin, &token)
    }
}

/// Returns the text of a required token field.
pub(super) fn required(field: Field, input: &Input<String>) -> Result<String, Error> {
    let mut checker = Checker::new(UpdateMode::Full);
    let token = checker.required(field, input, required_text);
    checker.finish()?;
    Ok(token.unwrap_or_default())
}

fn reuse(app: &App, origin: &Origin, token: &Verified) -> Result<Refreshed, Error> {
    let user = app.store.read(|unit| {
        let known = unit.refresh_tokens().find(&token.id)?;
        let user = match token.user {
            Some(id) => unit.users().find(id)?,
            None => None,
        };
        owner(origin, token, known.as_ref(), user)
    })?;
    Ok(Refreshed {
        access: token::issue_access(app, user.id)?,
        refresh: None,
    })
}

/// Rotates a token. The user is locked first, as in all use-cases that end a user's logins. So a password change
/// either waits until the new token is recorded and revokes it, or has revoked the old token before.
fn rotate(app: &App, origin: Origin, token: &Verified) -> Result<Refreshed, Error> {
    app.store.write(|unit| {
        let user = match token.user {
            Some(id) => unit.users().find_for_update(id)?,
            None => None,
        };
        let known = unit.refresh_tokens().find_for_update(&token.id)?;
        let user = owner(&origin, token, known.as_ref(), user)?;
        unit.refresh_tokens().record(&token.record())?;
        unit.refresh_tokens()
            .revoke(&token.id, Revocation::Rotated, app.now())?;
        audit::token_revoked(
            app,
            unit,
            &Caller::user(&user, origin),
            Object::refresh_token(&token.id, token.user),
            None,
            Revocation::Rotated,
        )?;
        let (refresh, record) = token::issue_refresh(app, user.id)?;
        token::keep(unit, &record)?;
        Ok(Refreshed {
            access: token::issue_access(app, user.id)?,
            refresh: Some(refresh),
        })
    })
}

/// Returns the owner of a token, if they may log in and the token is not revoked. The owner is checked first:
/// deleting and deactivating a user ends their tokens too, and the wire contract has a separate error for such
/// owners. A token that was rotated and is presented again may have been stolen: that is a security event.
fn owner(
    origin: &Origin,
    token: &Verified,
    known: Option<&RefreshToken>,
    user: Option<User>,
) -> Result<User, Error> {
    let user = user
        .filter(|user| user.is_active)
        .ok_or(Error::NoActiveAccountForToken)?;
    if known.is_some_and(|known| known.revoked == Some(Revocation::Rotated)) {
        SecurityEvent::RefreshTokenReused.log(&Details {
            address: origin.address,
            account: Some(user.username.as_str()),
            user_id: Some(user.id),
            ..Details::default()
        });
    }
    let was_ended = match known {
        Some(known) => known.revoked.is_some(),
        None => token.may_have_been_ended(&user),
    };
    if was_ended {
        Err(TokenError::Blacklisted.into())
    } else {
        Ok(user)
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;
    use mycars_domain::{Violation, audit::Value};

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
        ports::Claims,
    };

    fn claims() -> Claims {
        samples::claims("refresh")
    }

    fn known(revoked: Option<Revocation>) -> RefreshToken {
        samples::refresh_token(revoked)
    }

    fn mocks(claims: Claims, known: Option<RefreshToken>, user: Option<User>) -> Mocks {
        let mut mocks = Mocks::new().with_claims(Ok(claims)).with_random("new");
        let tokens = &mut mocks.unit.refresh_tokens;
        tokens.expect_find().return_once(|_| Ok(known));
        let encode = |claims: &Claims| Ok(claims.token_type.clone().unwrap());
        mocks.tokens.expect_encode().returning(encode);
        match user {
            Some(user) => mocks.with_user_read(user),
            None => mocks.without_user(),
        }
    }

    fn refreshed(mocks: Mocks) -> Result<Refreshed, Error> {
        let (app, store) = mocks.into_app();
        let answer = refresh(&app, samples::origin(), &"token".into());
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
        answer
    }

    #[test]
    fn revoked_token_is_blacklisted() {
        for why in [
            Revocation::LoggedOut,
            Revocation::Rotated,
            Revocation::PasswordChanged,
            Revocation::Revoked,
        ] {
            let refused = refreshed(mocks(claims(), Some(known(Some(why))), Some(samples::user())));
            assert!(
                matches!(refused, Err(Error::Token(TokenError::Blacklisted))),
                "{why:?}"
            );
        }
    }

    #[test]
    fn unrecorded_token_from_before_a_password_change_is_refused() {
        let mut user = samples::user();
        user.logins_ended_at = DateTime::from_timestamp(samples::NOW, 0);
        let refused = refreshed(mocks(claims(), None, Some(user.clone())));
        assert!(matches!(refused, Err(Error::Token(TokenError::Blacklisted))));

        user.logins_ended_at = DateTime::from_timestamp(samples::NOW - 1, 0);
        assert!(refreshed(mocks(claims(), None, Some(user))).is_ok());
    }

    #[test]
    fn recorded_token_is_valid_unless_revoked() {
        let mut user = samples::user();
        user.logins_ended_at = Some(samples::now());
        assert!(refreshed(mocks(claims(), Some(known(None)), Some(user))).is_ok());
    }

    #[test]
    fn access_token_is_refused() {
        let access = Claims {
            token_type: Some("access".into()),
            ..claims()
        };
        let refused = refreshed(mocks(access, None, Some(samples::user())));
        assert!(matches!(refused, Err(Error::Token(TokenError::WrongType))));
    }

    #[test]
    fn token_of_inactive_or_deleted_user_is_refused() {
        for user in [None, Some(samples::inactive_user())] {
            for revoked in [None, Some(Revocation::Revoked), Some(Revocation::LoggedOut)] {
                let refused = refreshed(mocks(claims(), Some(known(revoked)), user.clone()));
                assert!(
                    matches!(refused, Err(Error::NoActiveAccountForToken)),
                    "{revoked:?}"
                );
            }
        }
        let without_user = Claims {
            user_id: None,
            ..claims()
        };
        let refused = refreshed(mocks(without_user, None, Some(samples::user())));
        assert!(matches!(refused, Err(Error::NoActiveAccountForToken)));
    }

    #[test]
    fn missing_token_is_reported() {
        let (app, _) = Mocks::new().into_app();
        for (input, violation) in [
            (Input::Absent, Violation::Required),
            (Input::Null, Violation::Null),
            (" ".into(), Violation::Blank),
        ] {
            let violations = refresh(&app, samples::origin(), &input).unwrap_err().violations();
            assert_eq!(violations.of(Field::Refresh), [violation]);
        }
    }

    #[test]
    fn valid_token_gets_an_access_token_and_stays_valid() {
        for known in [Some(known(None)), None] {
            let answer = refreshed(mocks(claims(), known, Some(samples::user()))).unwrap();
            assert_eq!((answer.access.reveal(), answer.refresh), ("access", None));
        }
    }

    /// Returns mocks in which tokens are rotated. Locking the token before the user could deadlock with a password
    /// change.
    fn rotating(known: Option<RefreshToken>) -> Mocks {
        let mut order = mockall::Sequence::new();
        let mut mocks = mocks(claims(), None, None);
        mocks.token_settings.rotate_refresh = true;
        mocks.unit.users.checkpoint();
        let (users, tokens) = (&mut mocks.unit.users, &mut mocks.unit.refresh_tokens);
        let user = users.expect_find_for_update().once().in_sequence(&mut order);
        user.returning(|_| Ok(Some(samples::user())));
        let token = tokens.expect_find_for_update().once().in_sequence(&mut order);
        token.return_once(|_| Ok(known));
        mocks
    }

    #[test]
    fn rotation_replaces_and_revokes_the_token_and_is_logged() {
        let (app, store) = rotating(None)
            .expect_token_record(|token| token.id == "jti")
            .expect_token_revoke("jti", Revocation::Rotated)
            .expect_token_record(|token| token.id == "new")
            .into_app();
        let answer = refresh(&app, samples::origin(), &"token".into()).unwrap();
        let refresh = Some("refresh".into());
        assert_eq!((answer.access.reveal(), answer.refresh), ("access", refresh));
        assert_eq!(store.commits(), 1);
        let entry = expected::token_died(&samples::ann(), "jti", Value::Nothing, "rotated");
        assert_eq!(store.entries(), [entry]);
    }

    #[test]
    fn rotated_token_is_refused_the_second_time() {
        let (app, store) = rotating(Some(known(Some(Revocation::Rotated)))).into_app();
        let refused = refresh(&app, samples::origin(), &"token".into());
        assert!(matches!(refused, Err(Error::Token(TokenError::Blacklisted))));
        assert_eq!((store.commits(), store.rollbacks()), (0, 1));
        assert_eq!(store.entries(), []);
    }
}
