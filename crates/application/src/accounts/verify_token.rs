//! Say whether a token is good.

use mycars_domain::Field;

use super::{
    Error,
    refresh::required,
    token::{self, TokenError},
};
use crate::{App, Input};

/// Says whether a token of any type is good (wire contract, section 4). The user is not looked at.
///
/// # Errors
/// [`Error::Invalid`] if no token was sent; [`Error::Token`] if it is not good, with
/// [`TokenError::Blacklisted`] for one that was revoked here; [`Error::Store`].
pub fn verify_token(app: &App, token: &Input<String>) -> Result<(), Error> {
    let token = token::verify(app, &required(Field::Token, token)?, None)?;
    let known = app.store.read(|unit| unit.refresh_tokens().find(&token.id))?;
    match known {
        Some(known) if known.revoked.is_some() => Err(TokenError::Blacklisted.into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use mycars_domain::Violation;

    use super::*;
    use crate::{
        mocks::{Mocks, samples},
        ports::{Claims, RefreshToken, Revocation, Undecodable},
    };

    fn verified(claims: Claims, revoked: Option<Revocation>) -> Result<(), Error> {
        let mut mocks = Mocks::new();
        mocks.tokens.expect_decode().return_once(|_| Ok(claims));
        mocks.unit.refresh_tokens.expect_find().return_once(move |id| {
            Ok(revoked.map(|why| RefreshToken {
                id: id.into(),
                user: None,
                issued_at: samples::now(),
                expires_at: samples::now(),
                revoked: Some(why),
            }))
        });
        verify_token(&mocks.into_app().0, &"token".into())
    }

    fn claims(token_type: &str) -> Claims {
        Claims {
            token_type: Some(token_type.into()),
            expires_at: Some(samples::NOW + 1),
            id: Some("jti".into()),
            ..Claims::default()
        }
    }

    #[test]
    fn both_types_of_token_are_good_whoever_they_name() {
        assert!(verified(claims("access"), None).is_ok());
        assert!(verified(claims("refresh"), None).is_ok());
    }

    #[test]
    fn a_blacklisted_token_is_not() {
        let refused = verified(claims("refresh"), Some(Revocation::LoggedOut));
        assert!(matches!(refused, Err(Error::Token(TokenError::Blacklisted))));
    }

    #[test]
    fn an_expired_token_is_not() {
        let refused = verified(
            Claims {
                expires_at: Some(samples::NOW),
                ..claims("access")
            },
            None,
        );
        assert!(matches!(refused, Err(Error::Token(TokenError::Expired))));
    }

    #[test]
    fn nonsense_is_not_and_nothing_is_no_token() {
        let mut mocks = Mocks::new();
        mocks.tokens.expect_decode().returning(|_| Err(Undecodable));
        let (app, _) = mocks.into_app();
        assert!(matches!(
            verify_token(&app, &"x".into()),
            Err(Error::Token(TokenError::Invalid))
        ));
        let Err(Error::Invalid(violations)) = verify_token(&app, &Input::Absent) else {
            panic!("must be refused");
        };
        assert_eq!(violations.of(Field::Token), [Violation::Required]);
    }
}
