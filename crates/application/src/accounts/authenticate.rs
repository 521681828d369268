//! Authenticate a user by an access token.

use chrono::{DateTime, Utc};
use mycars_domain::{Car, CarId, Rank, User, UserId};

use super::token::{self, TokenError, TokenType, Verified};
use crate::{
    App,
    ports::{StoreError, UnitOfWork},
};

/// The reason why a token does not authenticate a user.
#[derive(Debug, thiserror::Error)]
pub enum AuthenticationError {
    /// The token is invalid.
    #[error(transparent)]
    Token(#[from] TokenError),
    /// The token identifies no user.
    #[error("the token identifies no user")]
    NoUserId,
    /// The user does not exist.
    #[error("the user of the token does not exist")]
    UserNotFound,
    /// The user is inactive.
    #[error("the user of the token is inactive")]
    UserInactive,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// An access token whose signature, time and type are valid, and that names a user. The user may be deleted or inactive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessToken {
    token: Verified,
    user: UserId,
}

impl AccessToken {
    /// Returns the id of the user that the token names.
    #[must_use]
    pub fn user(&self) -> UserId {
        self.user
    }
}

/// Returns the user of an access token, as stored now: deactivating, demoting or deleting a user takes effect at the
/// next request, even if their token is still valid. A token from before a deactivation is not valid again after the
/// next activation. One of an admin ends with their logins, and is not valid again after a demotion.
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
    authenticate_verified(app, &verify_access(app, access_token)?)
}

/// Returns the user of a verified access token like [`authenticate`].
///
/// # Errors
/// [`AuthenticationError`] with the reason.
pub fn authenticate_verified(app: &App, token: &AccessToken) -> Result<User, AuthenticationError> {
    app.store.read(|unit| {
        let user = unit.users().find(token.user)?;
        let user = user.ok_or(AuthenticationError::UserNotFound)?;
        check(app, unit, token, &user)?;
        Ok(user)
    })
}

/// Returns the user of a verified access token like [`authenticate`], and their car with the id `car` if they own it, in
/// one query. [`cars::show`](crate::cars::show) checks whether the user may read it.
///
/// # Errors
/// [`AuthenticationError`] with the reason.
pub fn authenticate_with_car(
    app: &App,
    token: &AccessToken,
    car: CarId,
) -> Result<(User, Option<Car>), AuthenticationError> {
    app.store.read(|unit| {
        let found = unit.users().find_with_car(token.user, car)?;
        let (user, car) = found.ok_or(AuthenticationError::UserNotFound)?;
        check(app, unit, token, &user)?;
        Ok((user, car))
    })
}

/// Checks that a user is active, that the token was not issued before their tokens ended, and that its login has not
/// ended, if access tokens end with it. A request may have waited for its body or for a thread since the token was
/// verified, so that its expiry is checked again.
fn check(
    app: &App,
    unit: &mut dyn UnitOfWork,
    token: &AccessToken,
    user: &User,
) -> Result<(), AuthenticationError> {
    if token.token.expires_at <= app.now() {
        return Err(TokenError::Expired.into());
    }
    if !user.is_active {
        return Err(AuthenticationError::UserInactive);
    }
    let login = token.token.login.as_deref();
    let login = login.filter(|_| app.token_settings.access_dies_with_login);
    let has_ended = token.token.may_be_older_than(access_ended_at(app, user))
        || match login {
            Some(login) => unit.refresh_tokens().family_has_ended(login)?,
            None => false,
        };
    if has_ended {
        return Err(TokenError::Blacklisted.into());
    }
    Ok(())
}

/// Returns the time up to which access tokens of a user are refused.
fn access_ended_at(app: &App, user: &User) -> Option<DateTime<Utc>> {
    if user.rank() == Rank::Client && !app.token_settings.access_dies_with_login {
        user.access_ended_at
    } else {
        user.logins_ended_at
    }
}

/// Verifies an access token without reading the store: its user may be deleted or inactive. This authenticates no
/// request; it is for counting requests before they cost anything.
///
/// # Errors
/// [`AuthenticationError`] with the reason, except inactive users.
pub fn verify_access(app: &App, access_token: &str) -> Result<AccessToken, AuthenticationError> {
    let token = token::verify(app, access_token, Some(TokenType::Access))?;
    if !token.names_a_user {
        return Err(AuthenticationError::NoUserId);
    }
    let user = token.user.ok_or(AuthenticationError::UserNotFound)?;
    Ok(AccessToken { token, user })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::{
        TokenSettings,
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
            let checked = verify_access(&app, "token");
            assert_eq!(store.reads(), 0);
            checked
        };
        assert_eq!(check(Ok(claims())).unwrap().user(), UserId(1));
        let refused = check(Err(Undecodable));
        assert!(matches!(
            refused,
            Err(AuthenticationError::Token(TokenError::Invalid))
        ));
        let anonymous = Claims {
            user_id: None,
            ..claims()
        };
        assert!(matches!(check(Ok(anonymous)), Err(AuthenticationError::NoUserId)));
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
        assert!(matches!(refused, Err(AuthenticationError::NoUserId)));
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
    fn user_is_checked_before_their_car_is_returned() {
        let with = |user: Option<User>| {
            let mut mocks = Mocks::new().with_claims(Ok(claims()));
            let users = &mut mocks.unit.users;
            users
                .expect_find_with_car()
                .withf(|id, car| (*id, *car) == (UserId(1), CarId(10)))
                .once()
                .returning(move |_, _| Ok(user.clone().map(|user| (user, Some(samples::car())))));
            {
                let (app, _) = mocks.into_app();
                authenticate_with_car(&app, &verify_access(&app, "token")?, CarId(10))
            }
        };
        let (user, car) = with(Some(samples::user())).unwrap();
        assert_eq!((user, car), (samples::user(), Some(samples::car())));
        let refused = with(Some(samples::inactive_user()));
        assert!(matches!(refused, Err(AuthenticationError::UserInactive)));
        let refused = with(None);
        assert!(matches!(refused, Err(AuthenticationError::UserNotFound)));
    }

    #[test]
    fn token_of_deleted_user_is_refused() {
        let refused = authenticate_with(Ok(claims()), None);
        assert!(matches!(refused, Err(AuthenticationError::UserNotFound)));
    }

    /// Authenticates with a token that was issued `micros` after the logins of `user` were ended.
    fn authenticate_after_the_end(micros: i64, mut user: User, settings: TokenSettings) -> bool {
        let ended = samples::now() - TimeDelta::seconds(9);
        user.logins_ended_at = Some(ended);
        user.access_ended_at = user.access_ended_at.map(|_| ended);
        let issued = ended + TimeDelta::microseconds(micros);
        let claims = Claims {
            issued_at: Some(issued.timestamp()),
            issued_at_micros: Some(issued.timestamp_micros()),
            ..claims()
        };
        let mut mocks = Mocks::new().with_claims(Ok(claims)).with_user_read(user);
        mocks.token_settings = settings;
        match authenticate(&mocks.into_app().0, "token") {
            Ok(_) => true,
            Err(AuthenticationError::Token(TokenError::Blacklisted)) => false,
            Err(other) => panic!("must be blacklisted: {other}"),
        }
    }

    #[test]
    fn token_older_than_the_end_of_logins_is_refused() {
        let standard = TokenSettings::default();
        let strict = TokenSettings {
            access_dies_with_login: true,
            ..standard
        };
        let reactivated = User {
            access_ended_at: Some(samples::now()),
            ..samples::user()
        };
        for (user, settings) in [
            (samples::admin_user(), standard),
            (samples::superuser(), standard),
            (samples::user(), strict),
            (reactivated, standard),
        ] {
            let is_valid = |micros| authenticate_after_the_end(micros, user.clone(), settings);
            assert_eq!([-1, 0, 1].map(is_valid), [false, false, true], "{user:?}");
        }
        assert!(
            authenticate_after_the_end(-1, samples::user(), standard),
            "as in the contract"
        );
    }

    #[test]
    fn token_of_an_ended_login_is_refused_if_access_ends_with_it() {
        for (access_dies_with_login, has_ended, is_valid) in
            [(false, true, true), (true, true, false), (true, false, true)]
        {
            let claims = Claims {
                login: Some("login".into()),
                ..claims()
            };
            let mut mocks = Mocks::new()
                .with_claims(Ok(claims))
                .with_user_read(samples::user());
            mocks.token_settings.access_dies_with_login = access_dies_with_login;
            let tokens = &mut mocks.unit.refresh_tokens;
            let look_up = tokens.expect_family_has_ended();
            look_up
                .times(usize::from(access_dies_with_login))
                .withf(|login| login == "login")
                .returning(move |_| Ok(has_ended));
            let found = authenticate(&mocks.into_app().0, "token");
            assert_eq!(found.is_ok(), is_valid, "{access_dies_with_login} {has_ended}");
        }
    }

    /// Tokens of the Django system have no microseconds.
    #[test]
    fn token_of_the_second_of_the_end_is_refused() {
        let user = User {
            logins_ended_at: Some(samples::now() + TimeDelta::milliseconds(1)),
            ..samples::admin_user()
        };
        let refused = authenticate_with(Ok(claims()), Some(user));
        assert!(matches!(
            refused,
            Err(AuthenticationError::Token(TokenError::Blacklisted))
        ));
    }

    #[test]
    fn token_that_expired_after_its_check_is_refused() {
        let (app, _) = Mocks::new()
            .with_claims(Ok(claims()))
            .with_user_read(samples::user())
            .into_app();
        let mut token = verify_access(&app, "token").unwrap();
        token.token.expires_at = samples::now();
        let refused = authenticate_verified(&app, &token);
        assert!(matches!(
            refused,
            Err(AuthenticationError::Token(TokenError::Expired))
        ));
        token.token.expires_at = samples::now() + TimeDelta::seconds(1);
        assert!(authenticate_verified(&app, &token).is_ok());
    }

    #[test]
    fn valid_token_finds_its_user() {
        let found = authenticate_with(Ok(claims()), Some(samples::user())).unwrap();
        assert_eq!(found, samples::user());
    }
}
