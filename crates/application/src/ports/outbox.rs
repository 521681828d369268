//! The repository of mails that have to be sent.

use chrono::{DateTime, Utc};
use mycars_domain::{UserId, values::Email};

use super::StoreError;

/// The kind of a mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum MailKind {
    /// A link that sets a new password.
    PasswordReset,
    /// A notice that the password was changed.
    PasswordChanged,
    /// A link that verifies the e-mail address it is sent to.
    EmailVerification,
    /// A notice to the old address that the e-mail address was changed, with a link that undoes it, if that is possible.
    EmailChanged,
    /// A notice to both addresses that a change of the e-mail address was undone.
    EmailRestored,
}

impl MailKind {
    /// All kinds.
    pub const ALL: [Self; 5] = [
        Self::PasswordReset,
        Self::PasswordChanged,
        Self::EmailVerification,
        Self::EmailChanged,
        Self::EmailRestored,
    ];

    /// Returns the name of the kind as it is stored: the variant's name in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::PasswordReset => "password_reset",
            Self::PasswordChanged => "password_changed",
            Self::EmailVerification => "email_verification",
            Self::EmailChanged => "email_changed",
            Self::EmailRestored => "email_restored",
        }
    }

    /// Returns the kind with this name; `None` if there is none.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// A mail in the outbox. It has no text, which is made when it is sent, so that the store holds no secret. The mail of a
/// deleted user disappears with them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedMail {
    /// The id.
    pub id: i64,
    /// The kind.
    pub kind: MailKind,
    /// The user; `None` for a mail that is not sent: a request for an unknown address is stored like any other, so that
    /// it takes the same time.
    pub user: Option<UserId>,
    /// The address, which may not be that of the user any more or yet.
    pub recipient: Option<Email>,
    /// The time at which it was put into the outbox.
    pub created_at: DateTime<Utc>,
    /// Number of attempts so far.
    pub tries: u32,
}

/// The outbox. Errors are those of the database; see [`StoreError`].
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait Outbox {
    /// Adds a mail to a user at an address, which is due at `at`.
    ///
    /// # Errors
    /// MUST be [`StoreError::OwnerGone`] if the user does not exist.
    fn insert(
        &mut self,
        kind: MailKind,
        to: Option<(UserId, Email)>,
        at: DateTime<Utc>,
    ) -> Result<(), StoreError>;

    /// Returns the mail that has been due for the longest time at `now`. Kinds that are not in [`MailKind::ALL`], from
    /// servers of another version, are skipped.
    ///
    /// # Errors
    /// Those of the database.
    fn next_due(&mut self, now: DateTime<Utc>) -> Result<Option<QueuedMail>, StoreError>;

    /// Counts one more attempt to send a mail, which is due again at `until`. Returns `false`, and changes nothing, if
    /// the number of attempts is not that of `mail` any more or the mail was deleted: of two callers with the same mail,
    /// exactly one MUST get `true`.
    ///
    /// # Errors
    /// Those of the database.
    fn postpone(&mut self, mail: &QueuedMail, until: DateTime<Utc>) -> Result<bool, StoreError>;

    /// Deletes a mail; does nothing if it does not exist. The mails of a user are also deleted with the user.
    ///
    /// # Errors
    /// Those of the database.
    fn delete(&mut self, id: i64) -> Result<(), StoreError>;
}
