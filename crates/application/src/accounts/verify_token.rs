//! Verify a token.

use mycars_domain::Field;

use super::{
    Error,
    refresh::required,
    token::{self, TokenError},
};
use crate::{App, Input};

/// Verifies a token of any type (wire contract, section 4). The user is not read.
///
/// # Errors
/// [`Error::Invalid`] if no token was sent; [`Error::Token`] if it is invalid, with [`TokenError::Blacklisted`] for one
/// that was revoked here; [`Error::Store`].
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
        ports::{Claims, Revocation, Undecodable},
    };

    fn verified(claims: Claims, revoked: Option<Revocation>) -> Result<(), Error> {
        let mocks = Mocks::new().with_claims(Ok(claims));
        let (app, _) = mocks.with_token(samples::refresh_token(revoked)).into_app();
        verify_token(&app, &"token".into())
    }

    #[test]
    fn both_types_of_token_are_valid() {
        assert!(verified(samples::claims("access"), None).is_ok());
        assert!(verified(samples::claims("refresh"), None).is_ok());
    }

    #[test]
    fn revoked_token_is_blacklisted() {
        let refused = verified(samples::claims("refresh"), Some(Revocation::LoggedOut));
        assert!(matches!(refused, Err(Error::Token(TokenError::Blacklisted))));
    }

    #[test]
    fn expired_token_is_refused() {
        let expired = Claims {
            expires_at: Some(samples::NOW),
            ..samples::claims("access")
        };
        let refused = verified(expired, None);
        assert!(matches!(refused, Err(Error::Token(TokenError::Expired))));
    }

    #[test]
    fn malformed_or_missing_token_is_refused() {
        let (app, _) = Mocks::new().with_claims(Err(Undecodable)).into_app();
        assert!(matches!(
            verify_token(&app, &"x".into()),
            Err(Error::Token(TokenError::Invalid))
        ));
        let violations = verify_token(&app, &Input::Absent).unwrap_err().violations();
        assert_eq!(violations.of(Field::Token), [Violation::Required]);
    }
}
