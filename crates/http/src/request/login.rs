//! Logins in the security log.

use mycars_application::{
    Caller, Input,
    accounts::{self, Credentials},
    security_log::{Details, SecurityEvent},
};
use mycars_domain::{Rank, User};

use crate::error::ApiError;

/// Logs the outcome of a login, and returns it with the error of the API. `user` returns the user of a login.
pub(crate) fn conclude<T>(
    caller: &Caller,
    credentials: &Credentials,
    result: Result<T, accounts::Error>,
    user: fn(&T) -> &User,
) -> Result<T, ApiError> {
    let event = match &result {
        Ok(_) => Some(SecurityEvent::LoginSucceeded),
        Err(
            accounts::Error::NoActiveAccount
            | accounts::Error::UnsupportedHash { .. }
            | accounts::Error::EmailNotVerified,
        ) => Some(SecurityEvent::LoginFailed),
        Err(_) => None,
    };
    let user = result.as_ref().ok().map(user);
    if let Some(event) = event {
        event.log(&Details {
            address: caller.origin.address,
            account: match &credentials.username {
                Input::Given(username) => Some(username),
                _ => None,
            },
            user_id: user.map(|user| user.id),
            detail: user
                .is_some_and(|user| user.rank() != Rank::Client)
                .then_some("admin"),
            ..Details::default()
        });
    }
    result.map_err(ApiError::of_login)
}
