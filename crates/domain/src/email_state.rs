//! The state of a user's e-mail address: the time of its verification, the pending address, and the replaced one.

use chrono::{DateTime, TimeDelta, Utc};

use crate::{User, values::Email};

/// Minimum time between two notices to the same old address, so that repeated changes do not flood it.
const NOTICE_EVERY: TimeDelta = TimeDelta::hours(1);

/// The state of a user's e-mail address: verification, pending address, replaced address. By default, the address is
/// unverified, and there are no others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct EmailState {
    /// The time at which the address was verified: by a link that was sent to it, or by an admin, who set it. `None` if it
    /// never was.
    pub verified_at: Option<DateTime<Utc>>,
    /// The address that replaces the present one as soon as it is verified.
    pub pending: Option<Email>,
    /// The address that was replaced, for the undo of the change.
    pub previous: Option<PreviousEmail>,
}

impl EmailState {
    /// Returns the old address if its change can be undone at a time. It is reserved until then: if another user could
    /// have it, a thief of the account would register with it, and the undo would fail.
    #[must_use]
    pub fn reserved(&self, at: DateTime<Utc>) -> Option<&Email> {
        let previous = self.previous.as_ref()?;
        (at < previous.undo_until()).then_some(&previous.email)
    }
}

/// An e-mail address that was replaced by its user.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct PreviousEmail {
    /// The old address.
    pub email: Email,
    /// The time of the change.
    pub replaced_at: DateTime<Utc>,
}

impl PreviousEmail {
    /// Time in which a change of the own e-mail address can be undone.
    pub const UNDO_WITHIN: TimeDelta = TimeDelta::days(7);

    /// Returns the time until which the change can be undone.
    #[must_use]
    pub fn undo_until(&self) -> DateTime<Utc> {
        self.replaced_at + Self::UNDO_WITHIN
    }
}

impl User {
    /// Returns whether the user may log in where this needs a verified e-mail address. Superusers always may, so that
    /// they can correct the addresses of others.
    #[must_use]
    pub fn has_verified_email(&self) -> bool {
        self.email_state.verified_at.is_some() || self.is_superuser
    }

    /// Returns whether this is the user's address, ignoring case.
    #[must_use]
    pub fn has_email(&self, email: &Email) -> bool {
        self.email.key() == email.key()
    }

    /// Changes the address for the user, unverified. Returns whether the old address has to be told. If only the case
    /// differs, the state stays as it is.
    ///
    /// The old address can be put back for seven days. Within them, a further change keeps the first old address: a thief
    /// of the account can't replace it by another one. Another address that the further change replaces is told if it was
    /// verified, without a link.
    ///
    /// ```
    /// # use chrono::{DateTime, TimeDelta};
    /// # use mycars_domain::{NewUser, Role, UserId, values::*};
    /// # let new = NewUser {
    /// #     username: Username::from_storage("ann".into()), email: Email::from_storage("ann@example.com".into()),
    /// #     first_name: FirstName::default(), last_name: LastName::default(), role: Role::Client, phone: None,
    /// #     address: None, is_active: true, is_superuser: false, password: PasswordHash::unusable(),
    /// #     created_at: DateTime::UNIX_EPOCH, email_verified_at: None,
    /// # };
    /// # let mut user = new.with_id(UserId(1));
    /// let now = DateTime::UNIX_EPOCH;
    /// assert!(user.change_email(Email::parse("thief@example.com")?, now));
    /// assert!(!user.change_email(Email::parse("thief2@example.com")?, now + TimeDelta::days(6)));
    /// assert_eq!(user.email_state.previous.unwrap().email.as_str(), "ann@example.com");
    /// # Ok::<(), Vec<mycars_domain::Violation>>(())
    /// ```
    pub fn change_email(&mut self, email: Email, at: DateTime<Utc>) -> bool {
        let is_same = self.has_email(&email);
        let replaced = std::mem::replace(&mut self.email, email);
        if is_same {
            return false;
        }
        let is_told = |previous: &PreviousEmail| previous.email.key() == replaced.key();
        let kept = self.email_state.previous.take().filter(|previous| {
            let within = if is_told(previous) {
                NOTICE_EVERY
            } else {
                PreviousEmail::UNDO_WITHIN
            };
            at - previous.replaced_at < within
        });
        let was_verified = self.email_state.verified_at.is_some();
        let has_to_tell = kept.as_ref().is_none_or(|kept| was_verified && !is_told(kept));
        self.email_state = EmailState {
            previous: kept.or(Some(PreviousEmail {
                email: replaced,
                replaced_at: at,
            })),
            ..EmailState::default()
        };
        has_to_tell
    }

    /// Takes note that the user reads mails to the present address. A pending one stays.
    pub fn verify_email(&mut self, at: DateTime<Utc>) {
        self.email_state.verified_at = Some(at);
    }

    /// Takes note that the user reads mails to the pending address, which becomes the user's. Returns whether the old
    /// address has to be told.
    pub fn verify_pending_email(&mut self, at: DateTime<Utc>) -> bool {
        let Some(email) = self.email_state.pending.take() else {
            return false;
        };
        let has_to_tell = self.change_email(email, at);
        self.verify_email(at);
        has_to_tell
    }

    /// Changes the address for an admin: it counts as verified, and the change can't be undone by the old address.
    pub fn assign_email(&mut self, email: Email, at: DateTime<Utc>) {
        self.email = email;
        self.email_state = EmailState {
            verified_at: Some(at),
            ..EmailState::default()
        };
    }

    /// Puts the old address back, if there is one. It counts as verified, because the link of an undo is sent to it.
    pub fn undo_email_change(&mut self, at: DateTime<Utc>) {
        if let Some(previous) = self.email_state.previous.take() {
            self.assign_email(previous.email, at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        NewUser, Role, UserId,
        values::{FirstName, LastName, PasswordHash, Username},
    };

    fn email(name: &str) -> Email {
        Email::from_storage(format!("{name}@example.com"))
    }

    fn ann() -> User {
        NewUser {
            username: Username::from_storage("ann".into()),
            email: email("ann"),
            first_name: FirstName::default(),
            last_name: LastName::default(),
            role: Role::Client,
            phone: None,
            address: None,
            is_active: true,
            is_superuser: false,
            password: PasswordHash::unusable(),
            created_at: DateTime::UNIX_EPOCH,
            email_verified_at: Some(DateTime::UNIX_EPOCH),
        }
        .with_id(UserId(1))
    }

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::hours(hours)
    }

    fn restorable(user: &User) -> Option<&str> {
        let previous = user.email_state.previous.as_ref();
        previous.map(|previous| previous.email.as_str())
    }

    #[test]
    fn changed_email_is_unverified_and_can_be_undone() {
        let mut user = ann();
        assert!(user.change_email(email("new"), at(1)));
        assert_eq!((user.has_verified_email(), &user.email), (false, &email("new")));
        assert_eq!(restorable(&user), Some("ann@example.com"));
        let until = user.email_state.previous.as_ref().map(PreviousEmail::undo_until);
        assert_eq!(until, Some(at(1 + 7 * 24)));
        user.undo_email_change(at(2));
        assert_eq!((user.has_verified_email(), &user.email), (true, &email("ann")));
        assert_eq!(restorable(&user), None, "it can be undone once");
    }

    #[test]
    fn old_email_is_reserved_while_the_change_can_be_undone() {
        let mut user = ann();
        user.change_email(email("new"), at(0));
        assert_eq!(user.email_state.reserved(at(7 * 24 - 1)), Some(&email("ann")));
        assert_eq!(user.email_state.reserved(at(7 * 24)), None);
    }

    #[test]
    fn first_old_email_is_kept_for_seven_days() {
        let mut user = ann();
        user.change_email(email("thief"), at(0));
        assert!(!user.change_email(email("other"), at(7 * 24 - 1)));
        assert_eq!(restorable(&user), Some("ann@example.com"));
        assert!(user.change_email(email("third"), at(7 * 24)));
        assert_eq!(restorable(&user), Some("other@example.com"));
    }

    #[test]
    fn verified_email_is_told_of_a_further_change() {
        let mut user = ann();
        user.change_email(email("new"), at(0));
        user.verify_email(at(0));
        assert!(user.change_email(email("thief"), at(1)));
        assert_eq!(restorable(&user), Some("ann@example.com"));
        assert!(!user.change_email(email("thief2"), at(1)), "it was unverified");
    }

    #[test]
    fn old_email_is_told_once_an_hour_of_repeated_changes() {
        let mut user = ann();
        assert!(user.change_email(email("new"), at(0)));
        assert!(!user.change_email(email("ann"), at(0)));
        assert_eq!(
            restorable(&user),
            Some("ann@example.com"),
            "its link may be on its way"
        );
        assert!(!user.change_email(email("new"), at(0)));
        user.change_email(email("ann"), at(1));
        assert!(user.change_email(email("thief"), at(1)));
        let until = user.email_state.previous.as_ref().map(PreviousEmail::undo_until);
        assert_eq!(until, Some(at(1 + 7 * 24)));
    }

    #[test]
    fn change_of_the_case_alone_keeps_the_state() {
        let mut user = ann();
        let ann_in_capitals = || Email::from_storage("ANN@example.com".into());
        assert!(!user.change_email(ann_in_capitals(), at(0)));
        assert_eq!((&user.email, restorable(&user)), (&ann_in_capitals(), None));
        assert!(user.has_verified_email());
        user.change_email(email("thief"), at(0));
        user.change_email(email("ann"), at(0));
        assert!(
            !user.change_email(email("thief"), at(0)),
            "it was told in another case"
        );
        assert_eq!(restorable(&user), Some("ANN@example.com"));
    }

    #[test]
    fn verified_pending_email_replaces_the_old_one() {
        let mut user = ann();
        assert!(!user.verify_pending_email(at(1)), "there is none");
        user.email_state.pending = Some(email("new"));
        assert!(user.verify_pending_email(at(1)));
        assert_eq!(
            (&user.email, user.email_state.verified_at),
            (&email("new"), Some(at(1)))
        );
        assert_eq!(
            (&user.email_state.pending, restorable(&user)),
            (&None, Some("ann@example.com"))
        );
    }

    #[test]
    fn verification_of_the_present_email_keeps_a_pending_one() {
        let mut user = ann();
        user.email_state.verified_at = None;
        user.email_state.pending = Some(email("mistyped"));
        user.verify_email(at(1));
        assert_eq!((user.has_verified_email(), restorable(&user)), (true, None));
        assert_eq!(
            (&user.email, &user.email_state.pending),
            (&email("ann"), &Some(email("mistyped")))
        );
    }

    #[test]
    fn email_of_an_admin_is_verified_and_final() {
        let mut user = ann();
        user.change_email(email("thief"), at(0));
        user.email_state.pending = Some(email("other"));
        user.assign_email(email("new"), at(1));
        assert_eq!((user.has_verified_email(), restorable(&user)), (true, None));
        user.undo_email_change(at(2));
        assert_eq!((&user.email_state.pending, &user.email), (&None, &email("new")));
    }

    #[test]
    fn superuser_needs_no_verified_email() {
        let mut user = ann();
        user.email_state.verified_at = None;
        assert!(!user.has_verified_email());
        user.is_superuser = true;
        assert!(user.has_verified_email());
    }
}
