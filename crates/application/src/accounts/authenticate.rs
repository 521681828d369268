//! Find out who asks, by an access token.

use mycars_domain::User;

use super::token::{self, TokenError, TokenType};
use crate::{App, ports::StoreError};

/// Why a token does not prove who asks.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// The token is not good.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token names nobody.
    #[error("the token names nobody")]
    NamesNobody,
    /// The user whom it names is not there (any more).
    #[error("the user whom the token names is not there")]
    UserNotFound,
    /// The user whom it names may not log in (any more).
    #[error("the user whom the token names may not log in")]
    UserInactive,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The user whom an access token proves to ask, as they are in the store now: whoever was deactivated,
/// demoted or deleted a moment ago is so at once, whatever their token says.
///
/// # Errors
/// [`AuthenticationError`] says why not.
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
    let token = token::verify(app, access_token, Some(TokenType::Access))?;
    if !token.names_a_user {
        return Err(AuthenticationError::NamesNobody);
    }
    let id = token.user.ok_or(AuthenticationError::UserNotFound)?;
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

#[cfg(test)]
mod tests {
    use mycars_domain::UserId;

    use super::*;
    use crate::{
        mocks::{Mocks, samples},
        ports::{Claims, Undecodable},
    };

    fn claims() -> Claims {
        Claims {
            token_type: Some("access".into()),
            expires_at: Some(samples::NOW + 60),
            issued_at: Some(samples::NOW),
            not_before: None,
            id: Some("jti".into()),
            user_id: Some("1".into()),
        }
    }

    fn authenticate_with(
        claims: Result<Claims, Undecodable>,
        user: Option<User>,
    ) -> Result<User, AuthenticationError> {
        let mut mocks = Mocks::new();
        mocks
            .tokens
            .expect_decode()
            .withf(|token| token == "token")
            .return_once(|_| claims);
        mocks.unit.users.expect_find().returning(move |id| {
            assert_eq!(id, UserId(1));
            Ok(user.clone())
        });
        authenticate(&mocks.into_app().0, "token")
    }

    #[test]
    fn what_is_no_token_proves_nothing() {
        let refused = authenticate_with(Err(Undecodable), None);
        assert!(matches!(
            refused,
            Err(AuthenticationError::Token(TokenError::Invalid))
        ));
    }

    #[test]
    fn a_refresh_token_proves_nothing() {
        let refresh = Claims {
            token_type: Some("refresh".into()),
            ..claims()
        };
        let refused = authenticate_with(Ok(refresh), Some(samples::user()));
        assert!(matches!(
            refused,
            Err(AuthenticationError::Token(TokenError::WrongType))
        ));
    }

    #[test]
    fn a_token_that_names_nobody_or_no_id_finds_no_user() {
        let refused = authenticate_with(
            Ok(Claims {
                user_id: None,
                ..claims()
            }),
            None,
        );
        assert!(matches!(refused, Err(AuthenticationError::NamesNobody)));
        let refused = authenticate_with(
            Ok(Claims {
                user_id: Some("x".into()),
                ..claims()
            }),
            None,
        );
        assert!(matches!(refused, Err(AuthenticationError::UserNotFound)));
    }

    #[test]
    fn an_inactive_users_token_stops_working_at_once() {
        let inactive = User {
            is_active: false,
            ..samples::user()
        };
        let refused = authenticate_with(Ok(claims()), Some(inactive));
        assert!(matches!(refused, Err(AuthenticationError::UserInactive)));
    }

    #[test]
    fn a_deleted_users_token_stops_working_at_once() {
        let refused = authenticate_with(Ok(claims()), None);
        assert!(matches!(refused, Err(AuthenticationError::UserNotFound)));
    }

    #[test]
    fn a_good_token_finds_its_user() {
        assert_eq!(
            authenticate_with(Ok(claims()), Some(samples::user())).unwrap(),
            samples::user()
        );
    }
}
