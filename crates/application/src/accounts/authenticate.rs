//! Authenticate a user by an access token.

use mycars_domain::User;

use super::token::{self, TokenError, TokenType, Verified};
use crate::{App, ports::StoreError};

/// Why a token does not authenticate a user.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// The token is invalid.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token names no user.
    #[error("the token names nobody")]
    NamesNobody,
    /// The user does not exist.
    #[error("the user whom the token names is not there")]
    UserNotFound,
    /// The user is inactive.
    #[error("the user whom the token names may not log in")]
    UserInactive,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Returns the user of an access token, as stored now: deactivating, demoting or deleting a user takes effect at the
/// next request, even if their token is still valid.
///
/// # Errors
/// [`AuthenticationError`] with the reason.
///
/// ```
/// use mycars_application::{Caller, accounts, mocks::{Mocks, samples}, ports::Claims};
///
/// let mut mocks = Mocks::new();
/// mocks.tokens.expect_decode().returning(|_| {
///     Ok(Claims {
///         token_type: Some("access".into()),
///         expires_at: Some(samples::NOW + 60),
///         id: Some("jti".into()),
///         user_id: Some("1".into()),
///         ..Claims::default()
///     })
/// });
/// mocks.unit.users.expect_find().returning(|_| Ok(Some(samples::user())));
/// let (app, _) = mocks.into_app();
///
/// let user = accounts::authenticate(&app, "header.claims.signature")?;
/// let caller = Caller::user(&user, samples::origin());
/// assert_eq!(caller.name, "ann");
/// # Ok::<(), accounts::AuthenticationError>(())
/// ```
pub fn authenticate(app: &App, access_token: &str) -> Result<User, AuthenticationError> {
    let id = verify(app, access_token)?
        .user
        .ok_or(AuthenticationError::UserNotFound)?;
    let user = app
        .store
        .read(|unit| unit.users().find(id))?
        .ok_or(AuthenticationError::UserNotFound)?;
    if user.is_active {
        Ok(user)
    } else {
        Err(AuthenticationError::UserInactive)
    }
}

/// Checks signature, times, type and claims of an access token, without reading the store. Adapters call it before they
/// store what an unauthenticated request sends; it does not replace [`authenticate`].
///
/// # Errors
/// [`AuthenticationError::Token`] and [`AuthenticationError::NamesNobody`].
pub fn check_access_token(app: &App, access_token: &str) -> Result<(), AuthenticationError> {
    verify(app, access_token).map(|_| ())
}

fn verify(app: &App, access_token: &str) -> Result<Verified, AuthenticationError> {
    let token = token::verify(app, access_token, Some(TokenType::Access))?;
    if token.names_a_user {
        Ok(token)
    } else {
        Err(AuthenticationError::NamesNobody)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mocks::{Mocks, samples},
        ports::{Claims, Undecodable},
    };

    fn claims() -> Claims {
        samples::claims("access")
    }

    fn authenticate_with(
        claims: Result<Claims, Undecodable>,
        user: Option<User>,
    ) -> Result<User, AuthenticationError> {
        let mocks = Mocks::new().with_claims(claims);
        let mocks = match user {
            Some(user) => mocks.with_user_read(user),
            None => mocks.without_user(),
        };
        authenticate(&mocks.into_app().0, "token")
    }

    #[test]
    fn malformed_token_is_refused() {
        let refused = authenticate_with(Err(Undecodable), None);
        let error = refused.unwrap_err();
        assert!(matches!(error, AuthenticationError::Token(TokenError::Invalid)));
    }

    #[test]
    fn token_check_reads_no_store() {
        let check = |claims| {
            let (app, store) = Mocks::new().with_claims(claims).into_app();
            let checked = check_access_token(&app, "token");
            assert_eq!(store.reads(), 0);
            checked
        };
        assert!(check(Ok(claims())).is_ok());
        let refused = check(Err(Undecodable));
        assert!(matches!(
            refused,
            Err(AuthenticationError::Token(TokenError::Invalid))
        ));
        let anonymous = Claims {
            user_id: None,
            ..claims()
        };
        assert!(matches!(
            check(Ok(anonymous)),
            Err(AuthenticationError::NamesNobody)
        ));
    }

    #[test]
    fn refresh_token_is_refused() {
        let refresh = Claims {
            token_type: Some("refresh".into()),
            ..claims()
        };
        let refused = authenticate_with(Ok(refresh), Some(samples::user()));
        let error = refused.unwrap_err();
        assert!(matches!(error, AuthenticationError::Token(TokenError::WrongType)));
    }

    #[test]
    fn token_without_a_user_or_an_id_finds_no_user() {
        let anonymous = Claims {
            user_id: None,
            ..claims()
        };
        let refused = authenticate_with(Ok(anonymous), None);
        assert!(matches!(refused, Err(AuthenticationError::NamesNobody)));
        let other_id = Claims {
            user_id: Some("x".into()),
            ..claims()
        };
        let refused = authenticate_with(Ok(other_id), None);
        assert!(matches!(refused, Err(AuthenticationError::UserNotFound)));
    }

    #[test]
    fn token_of_inactive_user_is_refused() {
        let refused = authenticate_with(Ok(claims()), Some(samples::inactive_user()));
        assert!(matches!(refused, Err(AuthenticationError::UserInactive)));
    }

    #[test]
    fn token_of_deleted_user_is_refused() {
        let refused = authenticate_with(Ok(claims()), None);
        assert!(matches!(refused, Err(AuthenticationError::UserNotFound)));
    }

    #[test]
    fn valid_token_finds_its_user() {
        let found = authenticate_with(Ok(claims()), Some(samples::user())).unwrap();
        assert_eq!(found, samples::user());
    }
}
