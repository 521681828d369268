//! Get a new access token for a refresh token.

use mycars_domain::{
    Field, User,
    audit::{Object, Origin},
};

use super::{
    Error,
    sessions::TOUCH_AFTER,
    token::{self, TokenError, TokenType, Verified},
};
use crate::{
    App, Caller, Input, Secret, UpdateMode, audit,
    input::{Checker, required_text},
    lists::{LimitOffset, TokenQuery, TokenState},
    ports::{Family, RefreshToken, Revocation, StoreError, UnitOfWork},
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
/// refresh tokens are rotated, each is valid once, and the audit log records `origin`. A token that was rotated more
/// than [`TokenSettings::reuse_grace`](crate::TokenSettings::reuse_grace) ago may be stolen: its use ends the login
/// (RFC 9700, 4.14.2).
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
        use_again(app, origin, &token)
    }
}

/// Returns the text of a required token field.
pub(super) fn required(field: Field, input: &Input<String>) -> Result<String, Error> {
    let mut checker = Checker::new(UpdateMode::Full);
    let token = checker.required(field, input, required_text);
    checker.finish()?;
    Ok(token.unwrap_or_default())
}

fn use_again(app: &App, origin: Origin, token: &Verified) -> Result<Refreshed, Error> {
    let (known, user) = app.store.read(|unit| {
        let known = unit.refresh_tokens().find(&token.id)?;
        let user = match token.user {
            Some(id) => unit.users().find(id)?,
            None => None,
        };
        Ok::<_, Error>((known, user))
    })?;
    if is_rotated(known.as_ref()) {
        return rotate(app, origin, token);
    }
    let user = active(user)?;
    check_not_ended(token, known.as_ref(), &user)?;
    if let Some(known) = &known {
        touch(app, known);
    }
    let family = known.unwrap_or_else(|| token.record()).family();
    Ok(Refreshed {
        access: token::issue_access(app, user.id, &family.id)?,
        refresh: None,
    })
}

/// Records the use of a token, at most once a minute. The token is valid without this write, so a failure is no error.
fn touch(app: &App, token: &RefreshToken) {
    let (now, before) = (app.now(), token.last_used_at.unwrap_or(token.issued_at));
    if before + TOUCH_AFTER <= now {
        let touched = app
            .store
            .write_now(|unit| unit.refresh_tokens().touch(&token.id, now));
        touched.ok();
    }
}

/// Rotates a token. The user is locked first, as in all use-cases that end a user's logins. So a password change
/// either waits until the new token is recorded and revokes it, or has revoked the old token before.
fn rotate(app: &App, origin: Origin, token: &Verified) -> Result<Refreshed, Error> {
    let address = origin.address;
    let rotated = app.store.write(|unit| {
        let user = match token.user {
            Some(id) => unit.users().find_for_update(id)?,
            None => None,
        };
        let known = unit.refresh_tokens().find_for_update(&token.id)?;
        let user = active(user)?;
        let caller = Caller::user(&user, origin);
        if let Some(known) = known.as_ref().filter(|known| is_rotated(Some(known))) {
            let refreshed = use_rotated(app, unit, &caller, &user, known)?;
            return Ok(refreshed.ok_or(user));
        }
        check_not_ended(token, known.as_ref(), &user)?;
        unit.refresh_tokens().record(&token.record())?;
        revoke_rotated(app, unit, &caller, token)?;
        let family = known.unwrap_or_else(|| token.record()).family();
        Ok::<_, Error>(Ok(issue_pair(app, unit, &user, family)?))
    })?;
    // It is logged after the transaction, which may wait for the disk.
    rotated.map_err(|user| {
        SecurityEvent::RefreshTokenReused.log(&Details {
            address,
            account: Some(user.username.as_str()),
            user_id: Some(user.id),
            ..Details::default()
        });
        TokenError::Blacklisted.into()
    })
}

fn revoke_rotated(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    token: &Verified,
) -> Result<(), StoreError> {
    unit.refresh_tokens()
        .revoke(&token.id, Revocation::Rotated, app.now())?;
    let object = Object::refresh_token(&token.id, token.user);
    audit::token_revoked(app, unit, caller, object, None, Revocation::Rotated)
}

/// Uses a token that was rotated before: within the time of grace, it gets one more pair. Afterwards, the login ends and
/// the result is `None`, so that the transaction is committed.
///
/// A token whose login was ended is never accepted, however recent its rotation is.
fn use_rotated(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    user: &User,
    token: &RefreshToken,
) -> Result<Option<Refreshed>, Error> {
    let family = token.family();
    let grace = app.token_settings.reuse_grace;
    let is_recent = !grace.is_zero() && token.revoked_at.is_some_and(|at| app.now() < at + grace);
    if is_recent && !unit.refresh_tokens().family_has_ended(&family.id)? {
        let family = live_family(app, unit, user, family)?;
        return issue_pair(app, unit, user, family).map(Some);
    }
    let ended = unit
        .refresh_tokens()
        .revoke_family(&family.id, Revocation::Reused, app.now())?;
    if ended > 0 {
        let object = Object::refresh_token(&token.id, token.user);
        audit::token_revoked(app, unit, caller, object, token.revoked, Revocation::Reused)?;
    }
    Ok(None)
}

/// Returns the family of a rotated token as its live tokens have it: a rotated token has lost the device.
fn live_family(
    app: &App,
    unit: &mut dyn UnitOfWork,
    user: &User,
    family: Family,
) -> Result<Family, StoreError> {
    let live = unit.refresh_tokens().list(&TokenQuery {
        user: Some(user.id),
        family: Some(family.id.clone()),
        state: Some(TokenState::Live),
        page: Some(LimitOffset { limit: 1, offset: 0 }),
        ..TokenQuery::at(app.now())
    })?;
    let live = live.into_iter().next();
    Ok(live.map_or(family, |listed| listed.token.family()))
}

fn issue_pair(app: &App, unit: &mut dyn UnitOfWork, user: &User, family: Family) -> Result<Refreshed, Error> {
    let access = token::issue_access(app, user.id, &family.id)?;
    let (refresh, record) = token::issue_next_refresh(app, user.id, family)?;
    token::keep(unit, &record)?;
    Ok(Refreshed {
        access,
        refresh: Some(refresh),
    })
}

fn is_rotated(token: Option<&RefreshToken>) -> bool {
    token.is_some_and(|token| token.revoked == Some(Revocation::Rotated))
}

/// Returns the owner of a token, if they may log in. The owner is checked before the token: deleting and deactivating a
/// user ends their tokens too, and the wire contract has a separate error for such owners.
fn active(user: Option<User>) -> Result<User, Error> {
    user.filter(|user| user.is_active)
        .ok_or(Error::NoActiveAccountForToken)
}

fn check_not_ended(token: &Verified, known: Option<&RefreshToken>, user: &User) -> Result<(), TokenError> {
    let was_ended = match known {
        Some(known) => known.revoked.is_some(),
        None => token.may_have_been_ended(user),
    };
    if was_ended {
        Err(TokenError::Blacklisted)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};
    use mycars_domain::{Violation, audit::Value};

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
        ports::{Claims, Device, ListedToken, MockTokenCodec},
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
        for why in Revocation::ALL {
            if why == Revocation::Rotated {
                continue;
            }
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

    /// Returns mocks in which the token was rotated this number of seconds ago, and the grace is ten.
    fn rotated(seconds: i64) -> Mocks {
        let mut mocks = rotating(Some(RefreshToken {
            revoked_at: Some(samples::now() - TimeDelta::seconds(seconds)),
            ..known(Some(Revocation::Rotated))
        }));
        mocks.token_settings.reuse_grace = TimeDelta::seconds(10);
        mocks
    }

    fn is_blacklisted(app: &App) {
        let refused = refresh(app, samples::origin(), &"token".into());
        assert!(matches!(refused, Err(Error::Token(TokenError::Blacklisted))));
    }

    #[test]
    fn reuse_of_a_rotated_token_ends_its_login_and_is_logged() {
        let without_grace = |mut mocks: Mocks| {
            mocks.token_settings.reuse_grace = TimeDelta::zero();
            mocks
        };
        for mocks in [rotated(10), without_grace(rotated(0)), without_grace(rotated(-1))] {
            let (app, store) = mocks
                .expect_family_revoked("jti", Revocation::Reused, 1)
                .into_app();
            is_blacklisted(&app);
            assert_eq!((store.commits(), store.rollbacks()), (1, 0));
            let entry = expected::token_died(&samples::ann(), "jti", "rotated".into(), "reused");
            assert_eq!(store.entries(), [entry]);
        }
    }

    #[test]
    fn reuse_after_the_end_of_the_login_has_no_entry() {
        let mocks = rotated(10).expect_family_revoked("jti", Revocation::Reused, 0);
        let (app, store) = mocks.into_app();
        is_blacklisted(&app);
        assert_eq!(store.entries(), []);
    }

    #[test]
    fn reuse_within_the_grace_gets_another_pair_of_the_same_login() {
        let family = |id: &str| Family {
            id: id.into(),
            logged_in_at: samples::now(),
            device: Device::new([192, 0, 2, 1].into(), Some(id)),
        };
        let mut mocks = rotated(9)
            .expect_token_record(move |token| token.id == "new" && token.family == Some(family("jti")));
        let tokens = &mut mocks.unit.refresh_tokens;
        tokens.expect_family_has_ended().returning(|_| Ok(false));
        tokens
            .expect_list()
            .withf(|query| {
                (query.user, query.family.as_deref(), query.state)
                    == (Some(samples::user().id), Some("jti"), Some(TokenState::Live))
            })
            .returning(move |_| {
                let live = ListedToken {
                    number: 5,
                    token: RefreshToken {
                        family: Some(family("jti")),
                        ..known(None)
                    },
                    username: None,
                };
                Ok(vec![live])
            });
        let (app, store) = mocks.into_app();
        let answer = refresh(&app, samples::origin(), &"token".into()).unwrap();
        assert_eq!(answer.refresh, Some("refresh".into()));
        assert_eq!((store.commits(), store.entries().len()), (1, 0));
    }

    #[test]
    fn reuse_within_the_grace_after_the_end_of_the_login_is_refused() {
        let mut mocks = rotated(0).expect_family_revoked("jti", Revocation::Reused, 0);
        let tokens = &mut mocks.unit.refresh_tokens;
        tokens.expect_family_has_ended().returning(|_| Ok(true));
        is_blacklisted(&mocks.into_app().0);
    }

    #[test]
    fn rotated_token_ends_its_login_after_rotation_was_turned_off() {
        let (app, store) = Mocks::new()
            .with_claims(Ok(claims()))
            .with_user(samples::user())
            .with_token(known(Some(Revocation::Rotated)))
            .expect_family_revoked("jti", Revocation::Reused, 1)
            .into_app();
        is_blacklisted(&app);
        assert_eq!(store.commits(), 1);
    }

    #[test]
    fn use_of_a_token_is_recorded_once_a_minute() {
        for (seconds, commits) in [(59, 0), (60, 1)] {
            let known = RefreshToken {
                last_used_at: Some(samples::now() - TimeDelta::seconds(seconds)),
                ..known(None)
            };
            let mut mocks = mocks(claims(), Some(known), Some(samples::user()));
            let tokens = &mut mocks.unit.refresh_tokens;
            tokens.expect_touch().returning(|id, at| {
                assert_eq!((id, at), ("jti", samples::now()));
                Ok(())
            });
            let (app, store) = mocks.into_app();
            refresh(&app, samples::origin(), &"token".into()).unwrap();
            assert_eq!(store.commits(), commits);
        }
    }

    #[test]
    fn access_token_names_the_login() {
        let family = Family {
            id: "first".into(),
            logged_in_at: samples::now(),
            device: Device::default(),
        };
        let known = RefreshToken {
            family: Some(family),
            ..known(None)
        };
        let mut mocks = mocks(claims(), Some(known), Some(samples::user()));
        mocks.tokens = MockTokenCodec::new();
        let mut mocks = mocks.with_claims(Ok(claims()));
        let encode = |claims: &Claims| Ok(claims.login.clone().unwrap());
        mocks.tokens.expect_encode().returning(encode);
        assert_eq!(refreshed(mocks).unwrap().access.reveal(), "first");
    }
}
