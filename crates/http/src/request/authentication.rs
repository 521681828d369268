//! Authentication of requests, and access to routes.

use actix_web::http::header::HeaderValue;
use mycars_application::{
    App, Caller,
    accounts::{self, AccessToken, Credential, keys, sessions},
};
use mycars_domain::{Action, Car, CarId, Denied, KeyRights, Target, User, audit::Origin, policy};

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
    /// Users with a login of their own: no API key is admitted, whatever its rights.
    Login,
    /// Admins.
    Admin,
}

impl Access {
    /// Returns whether only requests of users are admitted.
    pub(crate) fn needs_user(self) -> bool {
        matches!(self, Self::Authenticated | Self::Login | Self::Admin)
    }
}

/// The credentials that a route accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Credentials {
    /// An access token or an API key or, without these, the session of a browser.
    All,
    /// The session of a browser alone.
    Session,
}

/// A credential in the header `Authorization`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bearer<'a> {
    Token(&'a str),
    Key(&'a str),
}

impl Credentials {
    /// Returns the credential in the header of a request, if the route accepts it and there is one.
    ///
    /// # Errors
    /// [`ApiError::BadAuthorizationHeader`].
    pub(crate) fn bearer(self, context: &RequestContext) -> Result<Option<Bearer<'_>>, ApiError> {
        match self {
            Self::All => bearer(context.authorization.as_ref()),
            Self::Session => Ok(None),
        }
    }

    /// Returns the credential of a request that is a login, if there is one.
    ///
    /// # Errors
    /// [`ApiError::BadAuthorizationHeader`].
    pub(crate) fn sent(self, context: &RequestContext) -> Result<Option<Credential>, ApiError> {
        let key = context.browser.session_key.as_deref();
        Ok(match (self.bearer(context)?, key) {
            (Some(Bearer::Token(token)), _) => Some(Credential::AccessToken(token.into())),
            (None, Some(key)) => Some(Credential::SessionKey(key.into())),
            (Some(Bearer::Key(_)), _) | (None, None) => None,
        })
    }

    /// Returns whether a request has credentials.
    ///
    /// # Errors
    /// [`ApiError::BadAuthorizationHeader`].
    pub(crate) fn are_sent(self, context: &RequestContext) -> Result<bool, ApiError> {
        Ok(self.bearer(context)?.is_some() || context.browser.session_key.is_some())
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
        match self.bearer(context)? {
            Some(Bearer::Token(token)) => Ok(Some(accounts::verify_access(app, token)?)),
            Some(Bearer::Key(_)) | None => Ok(None),
        }
    }
}

/// The user of a request, and the rights of the API key that authenticated it, if one did.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) user: User,
    pub(crate) key: Option<KeyRights>,
}

impl Identity {
    fn of_login(user: User) -> Self {
        Self { user, key: None }
    }

    /// Returns the user, or the program with the key, as the caller of a use-case.
    pub(crate) fn caller(&self, origin: Origin) -> Caller {
        match self.key {
            Some(rights) => Caller::key(&self.user, rights, origin),
            None => Caller::user(&self.user, origin),
        }
    }

    /// Refuses an API key on pages, and one that may only read if the method may change something.
    fn check_request(&self, context: &RequestContext) -> Result<(), ApiError> {
        match self.key {
            Some(_) if context.is_page => Err(Denied::LoginRequired.into()),
            Some(KeyRights::Read) if !context.method.is_safe() => Err(Denied::ReadOnlyKey.into()),
            _ => Ok(()),
        }
    }
}

/// Returns the user that the credentials of a request belong to: its verified token, its API key, or else its session;
/// `None` without credentials, and for a session that is unknown or over. Reads the database.
///
/// # Errors
/// Those of [`accounts::authenticate`], [`keys::authenticate`] and [`sessions::authenticate`].
pub(crate) fn find_user(
    app: &App,
    context: &RequestContext,
    credentials: Credentials,
    token: Option<&AccessToken>,
) -> Result<Option<Identity>, ApiError> {
    if let Some(token) = token {
        let user = accounts::authenticate_verified(app, token)?;
        return Ok(Some(Identity::of_login(user)));
    }
    if let Some(Bearer::Key(key)) = credentials.bearer(context)? {
        let (user, rights) = keys::authenticate(app, key)?;
        let key = Some(rights);
        return Ok(Some(Identity { user, key }));
    }
    match context.browser.session_key.as_deref() {
        Some(key) => Ok(sessions::authenticate(app, key)?.map(Identity::of_login)),
        None => Ok(None),
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
    credentials: Credentials,
    token: Option<&AccessToken>,
    car: Option<CarId>,
) -> Result<(Option<Identity>, Option<Car>), ApiError> {
    let (Some(token), Some(car)) = (token, car) else {
        return Ok((find_user(app, context, credentials, token)?, None));
    };
    let (user, car) = accounts::authenticate_with_car(app, token, car)?;
    Ok((Some(Identity::of_login(user)), car))
}

/// Refuses a user, or a request without one, that a route does not admit.
///
/// # Errors
/// [`ApiError::NoCredentials`], [`ApiError::Forbidden`].
pub(crate) fn authorize(
    access: Access,
    context: &RequestContext,
    identity: Option<&Identity>,
) -> Result<(), ApiError> {
    let Some(identity) = identity else {
        return if access.needs_user() {
            Err(ApiError::NoCredentials)
        } else {
            Ok(())
        };
    };
    match access {
        Access::Login if identity.key.is_some() => return Err(Denied::LoginRequired.into()),
        Access::Admin => check_admin(&identity.user)?,
        _ => {}
    }
    identity.check_request(context)
}

/// Refuses users who are not admins.
///
/// # Errors
/// [`ApiError::Forbidden`].
pub(crate) fn check_admin(user: &User) -> Result<(), ApiError> {
    Ok(policy::check(&user.actor(), Action::ReadUsers, Target::NOTHING)?)
}

/// Returns the token or the API key after `Bearer`, or the API key after `Api-Key`. The schemes are case-sensitive, as
/// simplejwt's is; any other counts as no credentials.
fn bearer(authorization: Option<&HeaderValue>) -> Result<Option<Bearer<'_>>, ApiError> {
    let Some(value) = authorization else {
        return Ok(None);
    };
    let mut words = value
        .as_bytes()
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    let is_for_keys = match words.next() {
        Some(b"Bearer") => false,
        Some(b"Api-Key") => true,
        _ => return Ok(None),
    };
    match (words.next(), words.next()) {
        (Some(word), None) => {
            // Bytes that are not UTF-8 cannot be a token; decoding reports the error.
            let word = std::str::from_utf8(word).unwrap_or_default();
            Ok(if word.starts_with(keys::PREFIX) {
                Some(Bearer::Key(word))
            } else {
                (!is_for_keys).then_some(Bearer::Token(word))
            })
        }
        _ if is_for_keys => Ok(None),
        _ => Err(ApiError::BadAuthorizationHeader),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bearer_is_case_sensitive_and_has_one_credential() {
        let sent = |text: &'static str| {
            let value = HeaderValue::from_static(text);
            let found = bearer(Some(&value)).map_err(|error| error.status().as_u16());
            found.map(|bearer| {
                bearer.map(|bearer| match bearer {
                    Bearer::Token(token) => format!("token {token}"),
                    Bearer::Key(key) => format!("key {key}"),
                })
            })
        };
        assert_eq!(sent("Bearer abc"), Ok(Some("token abc".into())));
        assert_eq!(sent("  Bearer   abc "), Ok(Some("token abc".into())));
        assert_eq!(sent("Bearer mck_abc"), Ok(Some("key mck_abc".into())));
        assert_eq!(sent("Api-Key mck_abc"), Ok(Some("key mck_abc".into())));
        assert_eq!(sent("bearer abc"), Ok(None));
        assert_eq!(sent("Token abc"), Ok(None));
        assert_eq!(sent("Api-Key abc"), Ok(None));
        assert_eq!(sent("Api-Key mck_a b"), Ok(None));
        assert_eq!(sent(""), Ok(None));
        assert_eq!(sent("Bearer"), Err(401));
        assert_eq!(sent("Bearer a b"), Err(401));
        assert_eq!(bearer(None).unwrap(), None);
    }
}
