//! End a login by its refresh token.

use mycars_domain::{Action, Denied, Field, Target, Violation, Violations, audit::Object, policy};

use super::{
    Error,
    refresh::required,
    token::{self, TokenType, Verified},
};
use crate::{
    App, Caller, Input, audit,
    ports::{Revocation, UnitOfWork},
};

/// Blacklists a refresh token of `caller` (wire contract, section 4), and all others of its login. A token that was
/// revoked by a password change, by an admin or with another login of the user is accepted as well: clients log out
/// right after changing the password.
///
/// # Errors
/// [`Error::Invalid`] if the token is missing, invalid, another user's, or was logged out or rotated before, and if the
/// user was deleted meanwhile;
/// [`Error::Denied`] for anonymous callers; [`Error::Store`].
pub fn log_out(app: &App, caller: &Caller, refresh_token: &Input<String>) -> Result<(), Error> {
    let id = caller.user_id().ok_or(Denied::NotAuthenticated)?;
    policy::check(
        &caller.actor,
        Action::LogOut,
        Target::user(id, mycars_domain::Rank::Client),
    )?;
    let token = required(Field::Refresh, refresh_token)?;
    let token = token::verify(app, &token, Some(TokenType::Refresh)).map_err(|_| refused())?;
    if token.user != Some(id) {
        return Err(refused());
    }
    app.store.write(|unit| give_up(app, unit, caller, &token))
}

fn give_up(app: &App, unit: &mut dyn UnitOfWork, caller: &Caller, token: &Verified) -> Result<(), Error> {
    if let Some(user) = token.user {
        // The user is locked before the tokens, as in all use-cases. An entry after an erasure would name the user.
        unit.users().find_for_update(user)?.ok_or_else(refused)?;
    }
    unit.refresh_tokens().record(&token.record())?;
    let known = unit.refresh_tokens().find_for_update(&token.id)?;
    let known = known.unwrap_or_else(|| token.record());
    let family = known.family().id;
    match known.revoked {
        before @ (None | Some(Revocation::PasswordChanged | Revocation::Revoked | Revocation::Reused)) => {
            unit.refresh_tokens()
                .revoke(&token.id, Revocation::LoggedOut, app.now())?;
            unit.refresh_tokens()
                .revoke_family(&family, Revocation::LoggedOut, app.now())?;
            Ok(audit::token_revoked(
                app,
                unit,
                caller,
                Object::refresh_token(&token.id, token.user),
                before,
                Revocation::LoggedOut,
            )?)
        }
        Some(Revocation::LoggedOut | Revocation::Rotated) => Err(refused()),
    }
}

fn refused() -> Error {
    Violations::one(Field::Refresh, Violation::ForeignToken).into()
}

#[cfg(test)]
mod tests {
    use mycars_domain::audit::Value;

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
        ports::{Claims, Undecodable},
    };

    fn claims() -> Claims {
        samples::claims("refresh")
    }

    fn is_refused(mocks: Mocks) {
        let (app, store) = mocks.into_app();
        let violations = log_out(&app, &samples::ann(), &"token".into())
            .unwrap_err()
            .violations();
        assert_eq!(
            violations,
            Violations::one(Field::Refresh, Violation::ForeignToken)
        );
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    /// Returns mocks with the recorded token, which is `revoked`.
    fn known(revoked: Option<Revocation>) -> Mocks {
        Mocks::new()
            .with_user_locked(samples::user())
            .with_claims(Ok(claims()))
            .with_token(samples::refresh_token(revoked))
            .expect_token_record(|_| true)
    }

    #[test]
    fn log_out_of_anonymous_caller_is_denied() {
        let (app, _) = Mocks::new().into_app();
        let refused = log_out(&app, &samples::anonymous(), &"token".into());
        assert!(matches!(refused, Err(Error::Denied(Denied::NotAuthenticated))));
    }

    #[test]
    fn other_users_token_is_refused() {
        is_refused(Mocks::new().with_claims(Ok(Claims {
            user_id: Some("2".into()),
            ..claims()
        })));
        is_refused(Mocks::new().with_claims(Ok(Claims {
            user_id: None,
            ..claims()
        })));
    }

    #[test]
    fn malformed_access_and_expired_tokens_are_refused() {
        is_refused(Mocks::new().with_claims(Err(Undecodable)));
        is_refused(Mocks::new().with_claims(Ok(Claims {
            token_type: Some("access".into()),
            ..claims()
        })));
        is_refused(Mocks::new().with_claims(Ok(Claims {
            expires_at: Some(samples::NOW),
            ..claims()
        })));
    }

    #[test]
    fn logged_out_or_rotated_token_is_refused() {
        is_refused(known(Some(Revocation::LoggedOut)));
        is_refused(known(Some(Revocation::Rotated)));
    }

    #[test]
    fn live_or_revoked_token_is_logged_out_and_logged() {
        for (revoked, before) in [
            (None, Value::Nothing),
            (Some(Revocation::PasswordChanged), "password_changed".into()),
            (Some(Revocation::Revoked), "revoked".into()),
            (Some(Revocation::Reused), "reused".into()),
        ] {
            let (app, store) = known(revoked)
                .expect_token_revoke("jti", Revocation::LoggedOut)
                .expect_family_revoked("jti", Revocation::LoggedOut, 0)
                .into_app();
            log_out(&app, &samples::ann(), &"token".into()).unwrap();
            assert_eq!(store.commits(), 1);
            let entry = expected::token_died(&samples::ann(), "jti", before, "logged_out");
            assert_eq!(store.entries(), [entry]);
        }
    }

    #[test]
    fn token_of_a_user_that_was_deleted_meanwhile_is_refused() {
        is_refused(Mocks::new().without_user().with_claims(Ok(claims())));
    }

    #[test]
    fn missing_token_is_reported() {
        let (app, _) = Mocks::new().into_app();
        let violations = log_out(&app, &samples::ann(), &Input::Absent)
            .unwrap_err()
            .violations();
        assert_eq!(violations.of(Field::Refresh), [Violation::Required]);
    }
}
