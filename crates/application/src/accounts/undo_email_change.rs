//! Put an old e-mail address back with a link that was sent to it, and end all logins and the password.
//!
//! The link survives all that a thief of the account can do, such as a new password or a further address. It works once,
//! for seven days after the change.

use mycars_domain::{
    Action, Target, User,
    audit::Origin,
    policy,
    values::{Email, PasswordHash},
};

use super::{Error, keys, links::Link, logins, token::TokenType};
use crate::{
    App, Caller, Input, Secret,
    audit::{self, EndedLogins},
    outbox,
    ports::{MailKind, Revocation, Unsignable},
};

const LINK: Link = Link {
    token_type: TokenType::EmailUndo,
    state: |user| {
        let previous = user.email_state.previous.as_ref()?;
        let replaced_at = previous.replaced_at.timestamp_micros();
        Some(format!("{}\n{replaced_at}", previous.email))
    },
};

/// Puts the old e-mail address of a user back with the token of a link, ends all their logins, access tokens and API keys,
/// and tells both addresses. The password ends as well, because a thief may have set or learnt it: a link that sets a new one
/// is sent to the old address.
///
/// # Errors
/// [`Error::Invalid`]: [`Violation::InvalidLink`](mycars_domain::Violation::InvalidLink) of the token, which does not tell
/// whether it is unknown, used or expired, or [`Violation::Taken`](mycars_domain::Violation::Taken) if another user has the
/// old address meanwhile. [`Error::Store`].
pub fn undo_email_change(app: &App, origin: Origin, token: &Input<String>) -> Result<(), Error> {
    let user = LINK.required(app, token)?;
    let caller = Caller::user(&user, origin);
    policy::check(&caller.actor, Action::VerifyEmail, Target::NOTHING)?;
    app.store.write(|unit| {
        let before = LINK.lock(unit, &user)?;
        let mut after = before.clone();
        after.undo_email_change(app.now());
        after.updated_at = app.now_after(before.updated_at);
        after.access_ended_at = Some(app.now());
        after.password = PasswordHash::unusable();
        let ended = EndedLogins {
            keys: keys::end_all_of(unit, user.id)?,
            ..logins::update_and_end(app, unit, &mut after, Revocation::Revoked)?
        };
        outbox::enqueue(app, unit, MailKind::EmailRestored, Some(&after))?;
        if !before.has_email(&after.email) {
            outbox::enqueue(app, unit, MailKind::EmailRestored, Some(&before))?;
        }
        outbox::enqueue(app, unit, MailKind::PasswordReset, Some(&after))?;
        Ok(audit::user_changed(app, unit, &caller, &before, &after, ended)?)
    })
}

/// Returns the token of a link that puts the address `recipient` of `user` back. Returns `None` if it can't be put back.
pub(crate) fn undo_token(app: &App, user: &User, recipient: &Email) -> Result<Option<Secret>, Unsignable> {
    match &user.email_state.previous {
        Some(previous) if previous.email.key() == recipient.key() => {
            LINK.token(app, user, previous.undo_until())
        }
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use mycars_domain::{Field, PreviousEmail, Violation, Violations};

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
        ports::{Claims, StoreError},
    };

    fn address(text: &str) -> Email {
        Email::from_storage(text.into())
    }

    /// Ann, whose address was changed a day ago.
    fn moved() -> User {
        let mut user = samples::user();
        user.change_email(address("thief@example.com"), samples::now() - TimeDelta::days(1));
        user
    }

    fn claims(user: &User) -> Claims {
        Claims {
            token_type: Some("email_undo".into()),
            expires_at: Some(samples::NOW + 1),
            id: LINK.digest(user),
            ..samples::claims("access")
        }
    }

    fn with_link(user: &User, claims: Claims) -> Mocks {
        Mocks::new()
            .with_mail()
            .with_user_read(user.clone())
            .with_claims(Ok(claims))
    }

    fn undo(app: &App) -> Result<(), Error> {
        undo_email_change(app, samples::ann().origin, &"token".into())
    }

    fn token(user: &User, recipient: &str) -> Option<String> {
        let mut mocks = Mocks::new();
        mocks
            .tokens
            .expect_encode()
            .returning(|claims| Ok(claims.expires_at.unwrap().to_string()));
        let (app, _) = mocks.into_app();
        let token = undo_token(&app, user, &address(recipient)).unwrap();
        token.map(|token| token.reveal().to_owned())
    }

    #[test]
    fn undo_restores_the_email_and_ends_all_logins_and_the_password() {
        let thief = User {
            password: PasswordHash::from_storage("thief's".into()),
            logins_ended_at: Some(samples::now()),
            ..moved()
        };
        let (app, store) = with_link(&thief, claims(&moved()))
            .with_user_locked(thief.clone())
            .expect_user_update(|user| {
                let now = Some(samples::now());
                (user.email.as_str(), user.access_ended_at, user.logins_ended_at)
                    == ("ann@example.com", now, now)
                    && user.password == PasswordHash::unusable()
            })
            .expect_keys_ended()
            .expect_logins_ended(Revocation::Revoked, 1, 1)
            .expect_mails(&[
                (MailKind::EmailRestored, &thief, "ann@example.com"),
                (MailKind::EmailRestored, &thief, "thief@example.com"),
                (MailKind::PasswordReset, &thief, "ann@example.com"),
            ])
            .into_app();
        undo(&app).unwrap();
        let email = (Field::Email, "thief@example.com".into(), "ann@example.com".into());
        let ended = expected::NEW_PASSWORD.into_iter().chain([expected::key_ended()]);
        let changes = [email].into_iter().chain(ended);
        assert_eq!(store.entries(), [expected::ann_changed(&samples::ann(), changes)]);
    }

    /// A thief who returns to the old address at once, before the mail is sent, does not end its link.
    #[test]
    fn link_survives_a_return_to_the_old_email_and_further_changes() {
        let mut user = samples::user();
        user.change_email(address("thief@example.com"), samples::now());
        let digest = LINK.digest(&user);
        for next in ["ann@example.com", "thief2@example.com"] {
            user.change_email(address(next), samples::now());
            assert_eq!(LINK.digest(&user), digest);
            assert!(token(&user, "ann@example.com").is_some());
        }
    }

    #[test]
    fn undo_after_a_return_tells_the_address_once() {
        let mut back = moved();
        back.change_email(address("ann@example.com"), samples::now());
        let (app, _) = with_link(&back, claims(&back))
            .with_user_locked(back.clone())
            .with_updates()
            .expect_keys_ended()
            .expect_logins_ended(Revocation::Revoked, 1, 1)
            .expect_mails(&[
                (MailKind::EmailRestored, &back, "ann@example.com"),
                (MailKind::PasswordReset, &back, "ann@example.com"),
            ])
            .into_app();
        undo(&app).unwrap();
    }

    #[test]
    fn old_email_of_another_user_is_taken() {
        let mut mocks = with_link(&moved(), claims(&moved())).with_user_locked(moved());
        mocks
            .unit
            .users
            .expect_update()
            .returning(|_| Err(StoreError::Taken(Field::Email)));
        mocks.unit.api_keys.expect_list_of().returning(|_| Ok(vec![]));
        let (app, store) = mocks.into_app();
        let refused = undo(&app).unwrap_err().violations();
        assert_eq!(refused, Violations::one(Field::Email, Violation::Taken));
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn unknown_used_and_expired_links_are_one_error() {
        let expired = Claims {
            expires_at: Some(samples::NOW),
            ..claims(&moved())
        };
        let of_other_type = Claims {
            token_type: Some("email_verification".into()),
            ..claims(&moved())
        };
        let mut older = moved();
        older.email_state.previous = Some(PreviousEmail {
            email: samples::user().email,
            replaced_at: samples::now(),
        });
        let mut used = moved();
        used.undo_email_change(samples::now());
        let inactive = User {
            is_active: false,
            ..moved()
        };
        let mut assigned = moved();
        assigned.assign_email(address("ann@example.org"), samples::now());
        let links = [expired, of_other_type, claims(&older)].map(|claims| with_link(&moved(), claims));
        let users = [used, inactive, assigned].map(|user| with_link(&user, claims(&moved())));
        let meanwhile = with_link(&moved(), claims(&moved())).with_user_locked(samples::user());
        let invalid = Violations::one(Field::Token, Violation::InvalidLink);
        for mocks in links.into_iter().chain(users).chain([meanwhile]) {
            let (app, store) = mocks.into_app();
            assert_eq!(undo(&app).unwrap_err().violations(), invalid);
            assert_eq!(store.commits(), 0);
        }
    }

    #[test]
    fn link_is_made_for_the_old_email_alone() {
        let expires_at = (samples::NOW + 6 * 24 * 3600).to_string();
        assert_eq!(token(&moved(), "ann@example.com"), Some(expires_at));
        assert_eq!(token(&moved(), "thief@example.com"), None);
        let mut later = samples::user();
        later.change_email(address("new@example.com"), samples::now() - TimeDelta::days(7));
        assert_eq!(token(&later, "ann@example.com"), None, "it would be expired");
    }
}
