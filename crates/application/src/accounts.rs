//! Accounts and tokens (wire contract, section 4).
//!
//! [`register`] creates an account, [`log_in`] returns a pair of tokens, [`authenticate`] returns the user of an
//! access token, and [`refresh`] returns the next access token. [`log_out`], a new password ([`change_password`]), a
//! deactivation and [`delete_account`] end logins.

mod authenticate;
mod change_email;
mod change_password;
mod delete_account;
mod export;
mod flush_expired_tokens;
pub mod keys;
mod links;
mod log_in;
mod log_out;
pub mod logins;
mod profile;
mod refresh;
mod register;
mod reset_password;
pub mod sessions;
mod set_password;
mod superuser;
mod token;
mod undo_email_change;
mod verify_email;
mod verify_token;

pub use authenticate::{
    AccessToken, AuthenticationError, authenticate, authenticate_verified, authenticate_with_car,
    verify_access,
};
pub(crate) use change_email::{assign_email, change_own_email, send_verification};
pub use change_password::{PasswordChange, change_password};
pub use delete_account::{delete_account, leave};
pub use export::{Export, Part};
pub use flush_expired_tokens::flush_expired_tokens;
pub(crate) use log_in::verify_credentials;
pub use log_in::{Credentials, TokenPair, log_in};
pub use log_out::log_out;
pub use profile::{Credential, ProfileInput, change_profile, read_profile};
pub use refresh::{Refreshed, refresh};
pub use register::register;
pub(crate) use reset_password::reset_token;
pub use reset_password::{PasswordReset, request_password_reset, reset_password};
pub use set_password::{find_for_password, set_password};
pub use superuser::{NewSuperuser, check_email, check_username, create_superuser};
pub use token::{TokenError, TokenType};
pub use undo_email_change::undo_email_change;
pub(crate) use undo_email_change::undo_token;
pub(crate) use verify_email::verification_token;
pub use verify_email::{request_email_verification, verify_email};
pub use verify_token::verify_token;

use mycars_domain::{Denied, UserId, Violations};

use crate::ports::{HashError, StoreError, Unsignable};

/// The errors of use-cases about accounts and tokens.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields are invalid; nothing was changed.
    #[error("fields are invalid: {0:?}")]
    Invalid(Violations),
    /// No active user has this username and password.
    #[error("no active account has these credentials")]
    NoActiveAccount,
    /// The password cannot be verified. Clients get the same error as for [`NoActiveAccount`](Self::NoActiveAccount);
    /// operators learn which user needs a new password. The error has no part of the hash.
    #[error("the password hash of user {} cannot be verified: its algorithm is {algorithm}", user.0)]
    UnsupportedHash {
        /// The user of the login.
        user: UserId,
        /// The algorithm, as Django names it.
        algorithm: &'static str,
    },
    /// The token is valid, but its user is inactive or deleted.
    #[error("no active account belongs to the token")]
    NoActiveAccountForToken,
    /// A token is invalid.
    #[error(transparent)]
    Token(TokenError),
    /// The password is right, but the e-mail address of the user has to be verified before the login.
    #[error("the e-mail address of the account is not verified")]
    EmailNotVerified,
    /// Mail is turned off.
    #[error("mail is turned off")]
    NoMail,
    /// The user does not exist.
    #[error("the user does not exist for the caller")]
    NotFound,
    /// The caller may not do this.
    #[error(transparent)]
    Denied(Denied),
    /// The password could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// A token could not be signed.
    #[error(transparent)]
    Unsignable(#[from] Unsignable),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NotFound => Self::NotFound,
            other => Self::Denied(other),
        }
    }
}

impl From<TokenError> for Error {
    fn from(error: TokenError) -> Self {
        Self::Token(error)
    }
}

crate::error::convert_errors!(NotFound);
