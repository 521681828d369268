//! Authentication of requests, and access to routes.

use actix_web::http::header::HeaderValue;
use mycars_application::{
    App,
    accounts::{self, AccessToken, Credential, sessions},
};
use mycars_domain::{Action, Car, CarId, Target, User, policy};

use crate::{error::ApiError, request::context::RequestContext};

/// The users that may call a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// All clients; credentials are ignored, even invalid ones.
    Open,
    /// All clients, but credentials must be valid if they are sent.
    Optional,
    /// Users.
    Authenticated,
    /// Admins.
    Admin,
}

impl Access {
    /// Returns whether only requests of users are admitted.
    pub(crate) fn needs_user(self) -> bool {
        matches!(self, Self::Authenticated | Self::Admin)
    }
}

/// The credentials that a route accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// An access token or, without one, the session of a browser.
    TokenOrSession,
    /// The session of a browser alone.
    Session,
}

impl Credentials {
    /// Returns the access token of a request, if the route accepts tokens and there is one.
    ///
    /// # Errors
    /// [`ApiError::BadAuthorizationHeader`].
    pub(crate) fn token(self, context: &RequestContext) -> Result<Option<&str>, ApiError> {
        match self {
            Self::TokenOrSession => bearer_token(context.authorization.as_ref()),
            Self::Session => Ok(None),
        }
    }

    /// Returns the credential of a request, if there is one.
    ///
    /// # Errors
    /// [`ApiError::BadAuthorizationHeader`].
    pub(crate) fn sent(self, context: &RequestContext) -> Result<Option<Credential>, ApiError> {
        let key = context.browser.session_key.as_deref();
        Ok(match (self.token(context)?, key) {
            (Some(token), _) => Some(Credential::AccessToken(token.into())),
            (None, Some(key)) => Some(Credential::SessionKey(key.into())),
            (None, None) => None,
        })
    }

    /// Returns whether a request has credentials.
    ///
    /// # Errors
    /// [`ApiError::BadAuthorizationHeader`].
    pub(crate) fn are_sent(self, context: &RequestContext) -> Result<bool, ApiError> {
        Ok(self.token(context)?.is_some() || context.browser.session_key.is_some())
    }

    /// Verifies the access token of a request, without reading the database.
    ///
    /// # Errors
    /// Those of [`accounts::verify_access`]; [`ApiError::BadAuthorizationHeader`].
    pub(crate) fn verify_token(
        self,
        app: &App,
        context: &RequestContext,
    ) -> Result<Option<AccessToken>, ApiError> {
        let token = self.token(context)?;
        Ok(token
            .map(|token| accounts::verify_access(app, token))
            .transpose()?)
    }
}

/// Returns the user that the credentials of a request belong to: its verified token, or else its session; `None`
/// without credentials, and for a session that is unknown or over. Reads the database.
///
/// # Errors
/// Those of [`accounts::authenticate`] and [`sessions::authenticate`].
pub(crate) fn find_user(
    app: &App,
    context: &RequestContext,
    token: Option<&AccessToken>,
) -> Result<Option<User>, ApiError> {
    match (token, context.browser.session_key.as_deref()) {
        (Some(token), _) => Ok(Some(accounts::authenticate_verified(app, token)?)),
        (None, Some(key)) => Ok(sessions::authenticate(app, key)?),
        (None, None) => Ok(None),
    }
}

/// Returns the user that the credentials of a request belong to, like [`find_user`]. With a token, the user's own car with
/// the id `car` is read in the same query.
///
/// # Errors
/// Those of [`find_user`].
pub(crate) fn find_user_with_car(
    app: &App,
    context: &RequestContext,
    token: Option<&AccessToken>,
    car: Option<CarId>,
) -> Result<(Option<User>, Option<Car>), ApiError> {
    let (Some(token), Some(car)) = (token, car) else {
        return Ok((find_user(app, context, token)?, None));
    };
    let (user, car) = accounts::authenticate_with_car(app, token, car)?;
    Ok((Some(user), car))
}

/// Refuses a user, or a request without one, that a route does not admit.
///
/// # Errors
/// [`ApiError::NoCredentials`], [`ApiError::Forbidden`].
pub(crate) fn authorize(access: Access, user: Option<&User>) -> Result<(), ApiError> {
    match (access, user) {
        (Access::Authenticated | Access::Admin, None) => Err(ApiError::NoCredentials),
        (Access::Admin, Some(admin)) => {
            Ok(policy::check(&admin.actor(), Action::ReadUsers, Target::NOTHING)?)
        }
        _ => Ok(()),
    }
}

/// Returns the token after `Bearer`. The scheme is case-sensitive, as simplejwt's is; any other counts as no
/// credentials.
fn bearer_token(authorization: Option<&HeaderValue>) -> Result<Option<&str>, ApiError> {
    let Some(value) = authorization else {
        return Ok(None);
    };
    let mut words = value
        .as_bytes()
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    if words.next() != Some(b"Bearer") {
        return Ok(None);
    }
    match (words.next(), words.next()) {
        (Some(token), None) => {
            // Bytes that are not UTF-8 cannot be a token; decoding reports the error.
            Ok(Some(std::str::from_utf8(token).unwrap_or_default()))
        }
        _ => Err(ApiError::BadAuthorizationHeader),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_is_case_sensitive_and_has_one_token() {
        let token = |text: &'static str| {
            let value = HeaderValue::from_static(text);
            bearer_token(Some(&value))
                .map(|token| token.map(str::to_owned))
                .map_err(|error| error.status().as_u16())
        };
        assert_eq!(token("Bearer abc"), Ok(Some("abc".into())));
        assert_eq!(token("  Bearer   abc "), Ok(Some("abc".into())));
        assert_eq!(token("bearer abc"), Ok(None));
        assert_eq!(token("Token abc"), Ok(None));
        assert_eq!(token(""), Ok(None));
        assert_eq!(token("Bearer"), Err(401));
        assert_eq!(token("Bearer a b"), Err(401));
        assert_eq!(bearer_token(None).unwrap(), None);
    }
}
