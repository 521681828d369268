//! End a login by giving up its refresh token.

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

/// Blacklists a refresh token of `caller` (wire contract, section 4). One that died with a password change, or
/// was ended by an admin, may still be given up: clients log out right after changing the password.
///
/// # Errors
/// [`Error::Invalid`] if no token was sent, or one that is not good, is somebody else's, or was given up
/// before; [`Error::Denied`] for nobody; [`Error::Store`].
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
    unit.refresh_tokens().record(&token.record())?;
    let known = unit.refresh_tokens().find_for_update(&token.id)?;
    match known.and_then(|known| known.revoked) {
        before @ (None | Some(Revocation::PasswordChanged | Revocation::Revoked)) => {
            unit.refresh_tokens()
                .revoke(&token.id, Revocation::LoggedOut, app.now())?;
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

    /// Mocks in which the token is known and `revoked`.
    fn known(revoked: Option<Revocation>) -> Mocks {
        Mocks::new()
            .with_claims(Ok(claims()))
            .with_token(samples::refresh_token(revoked))
            .expect_token_record(|_| true)
    }

    #[test]
    fn nobody_has_no_login_to_end() {
        let (app, _) = Mocks::new().into_app();
        let refused = log_out(&app, &samples::anonymous(), &"token".into());
        assert!(matches!(refused, Err(Error::Denied(Denied::NotAuthenticated))));
    }

    #[test]
    fn somebody_elses_token_is_not_ones_own_to_give_up() {
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
    fn nonsense_an_access_token_and_an_expired_one_are_refused() {
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
    fn a_token_is_given_up_once() {
        is_refused(known(Some(Revocation::LoggedOut)));
        is_refused(known(Some(Revocation::Rotated)));
    }

    #[test]
    fn a_live_token_and_one_that_somebody_else_ended_are_given_up_and_that_is_written_down() {
        for (revoked, before) in [
            (None, Value::Nothing),
            (Some(Revocation::PasswordChanged), "password_changed".into()),
            (Some(Revocation::Revoked), "revoked".into()),
        ] {
            let (app, store) = known(revoked)
                .expect_token_revoke("jti", Revocation::LoggedOut)
                .into_app();
            log_out(&app, &samples::ann(), &"token".into()).unwrap();
            assert_eq!(store.commits(), 1);
            let entry = expected::token_died(&samples::ann(), "jti", before, "logged_out");
            assert_eq!(store.entries(), [entry]);
        }
    }

    #[test]
    fn a_token_must_be_sent() {
        let (app, _) = Mocks::new().into_app();
        let violations = log_out(&app, &samples::ann(), &Input::Absent)
            .unwrap_err()
            .violations();
        assert_eq!(violations.of(Field::Refresh), [Violation::Required]);
    }
}
