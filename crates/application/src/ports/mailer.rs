//! Sending mail.

use mycars_domain::values::{Email, Username};

use super::BoxError;

/// A mail to one user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// A text that no other letter has. Sending the letter again does not change it.
    pub id: String,
    /// The address.
    pub to: Email,
    /// The username, for the salutation.
    pub username: Username,
    /// The content.
    pub content: LetterContent,
}

/// The content of a letter, without its wording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LetterContent {
    /// A link that sets a new password.
    PasswordReset {
        /// The link, which is a secret.
        link: String,
    },
    /// The password was changed.
    PasswordChanged,
    /// A link that verifies the e-mail address it is sent to.
    EmailVerification {
        /// The link, which is a secret.
        link: String,
    },
    /// The e-mail address was changed; the letter goes to the old one.
    EmailChanged {
        /// The link that puts the old address back, which is a secret; `None` if the user can't undo the change.
        undo: Option<String>,
    },
    /// The old e-mail address was put back, and all logins were ended.
    EmailRestored,
}

/// The reason why a mail was not sent.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    /// The mail server refused the mail for good, for example because the address does not exist.
    #[error("the mail was refused")]
    Refused(#[source] BoxError),
    /// The mail server could not be reached or did not accept the mail now.
    #[error("the mail server is not available")]
    Unavailable(#[source] BoxError),
}

/// Sends mail.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Mailer: Send + Sync {
    /// Sends a letter. `Ok` means that the mail server has accepted it.
    ///
    /// # Errors
    /// [`MailError::Refused`] if it is useless to try again; otherwise [`MailError::Unavailable`].
    fn send(&self, letter: &Letter) -> Result<(), MailError>;
}
