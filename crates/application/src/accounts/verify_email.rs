//! Verify an e-mail address with a link that is sent to it.
//!
//! The link is bound to the address: a pending one, which may be mistyped, leaves the link to the present one valid. It
//! expires after three days. It also dies with each change of the password or an address, and when all logins are
//! ended: the owner of an account ends a thief's change of the address so.

use chrono::{DateTime, TimeDelta, Utc};
use mycars_domain::{
    Action, Field, Target, User, Violation, Violations, audit::Origin, policy, values::Email,
};

use super::{
    Error,
    links::{Link, are_logins_ended_since, login_state},
    token::TokenType,
};
use crate::{
    App, Caller, Input, Secret, UpdateMode,
    audit::{self, EndedLogins},
    input::Checker,
    outbox,
    ports::{MailKind, UnitOfWork, Unsignable},
};

/// Lifetime of a link, from the request.
const LIFETIME: TimeDelta = TimeDelta::days(3);

/// The link to a pending address.
const PENDING: Link = Link {
    token_type: TokenType::EmailVerification,
    state: |user| Some(state(user, user.email_state.pending.as_ref()?)),
};

/// The link to the present address, unless it is verified.
const PRESENT: Link = Link {
    token_type: TokenType::EmailVerification,
    state: |user| {
        let is_verified = user.email_state.verified_at.is_some();
        (!is_verified).then(|| state(user, &user.email))
    },
};

fn state(user: &User, recipient: &Email) -> String {
    format!("{}\n{recipient}", login_state(user))
}

/// Sends a link that verifies this e-mail address to its user, if there is one, they are active, and the address is not
/// verified. The caller can't find out: for all other addresses, the same is read and written.
///
/// # Errors
/// [`Error::Invalid`] if it is no address; [`Error::NoMail`] if mail is turned off; [`Error::Store`].
pub fn request_email_verification(app: &App, caller: &Caller, email: &Input<String>) -> Result<(), Error> {
    policy::check(&caller.actor, Action::VerifyEmail, Target::NOTHING)?;
    let mut checker = Checker::new(UpdateMode::Full);
    let parsed = checker.required(Field::Email, email, Email::parse);
    checker.finish()?;
    let Some(email) = parsed.filter(|_| app.mail.is_some()) else {
        return Err(Error::NoMail);
    };
    app.store.write(|unit| {
        let user = unit.users().find_by_email(&email)?;
        let user = user.filter(|user| user.is_active && user.email_state.verified_at.is_none());
        Ok(outbox::enqueue(
            app,
            unit,
            MailKind::EmailVerification,
            user.as_ref(),
        )?)
    })
}

/// Verifies an e-mail address with the token of a link. A pending address replaces the old one, which is told.
///
/// # Errors
/// [`Error::Invalid`]: [`Violation::InvalidLink`] of the token, which does not tell whether it is unknown, used or expired,
/// or [`Violation::Taken`] if another user has the address meanwhile or can put it back. [`Error::Store`].
pub fn verify_email(app: &App, origin: Origin, token: &Input<String>) -> Result<(), Error> {
    let (is_pending, link, user) = match PENDING.required(app, token) {
        Err(Error::Invalid(_)) => (false, &PRESENT, PRESENT.required(app, token)?),
        user => (true, &PENDING, user?),
    };
    let caller = Caller::user(&user, origin);
    policy::check(&caller.actor, Action::VerifyEmail, Target::NOTHING)?;
    app.store.write(|unit| {
        let before = link.lock(unit, &user)?;
        let mut after = before.clone();
        if is_pending {
            replace_by_pending(app, unit, &mut after)?;
        } else {
            after.verify_email(app.now());
        }
        after.updated_at = app.now_after(before.updated_at);
        unit.users().update(&after)?;
        audit::user_changed(app, unit, &caller, &before, &after, EndedLogins::default())?;
        Ok(())
    })
}

/// Replaces the address of a locked user by the pending one, and tells the old one.
fn replace_by_pending(app: &App, unit: &mut dyn UnitOfWork, user: &mut User) -> Result<(), Error> {
    let before = user.clone();
    let has_to_tell = user.verify_pending_email(app.now());
    if unit
        .users()
        .email_is_taken(&user.email, Some(user.id), app.now())?
    {
        return Err(Violations::one(Field::Email, Violation::Taken).into());
    }
    if has_to_tell {
        outbox::enqueue(app, unit, MailKind::EmailChanged, Some(&before))?;
    }
    Ok(())
}

/// Returns the token of a link that verifies the address `recipient` of `user`, which was requested at `requested_at`.
/// Returns `None` if the link would be dead already.
pub(crate) fn verification_token(
    app: &App,
    user: &User,
    recipient: &Email,
    requested_at: DateTime<Utc>,
) -> Result<Option<Secret>, Unsignable> {
    let link = match &user.email_state.pending {
        Some(pending) if pending == recipient => &PENDING,
        _ if user.email == *recipient => &PRESENT,
        _ => return Ok(None),
    };
    if are_logins_ended_since(user, requested_at) {
        return Ok(None);
    }
    link.token(app, user, requested_at + LIFETIME)
}

#[cfg(test)]
mod tests {
    use mycars_domain::{EmailState, UserId, audit::Value, values::PasswordHash};

    use super::*;
    use crate::{
        audit::expected,
        mocks::{MailMode, Mocks, samples},
        ports::Claims,
    };

    fn address(text: &str) -> Email {
        Email::from_storage(text.into())
    }

    /// Ann, verified, who wants another address.
    fn moving() -> User {
        User {
            email_state: EmailState {
                verified_at: Some(samples::now()),
                pending: Some(address("new@example.com")),
                previous: None,
            },
            ..samples::user()
        }
    }

    /// Ann, whose address is unverified, and the wanted one mistyped.
    fn mistyped() -> User {
        let mut user = moving();
        user.email_state.verified_at = None;
        user
    }

    fn claims(link: &Link, user: &User) -> Claims {
        Claims {
            token_type: Some("email_verification".into()),
            expires_at: Some(samples::NOW + 1),
            id: link.digest(user),
            ..samples::claims("access")
        }
    }

    /// Mocks in which `user` uses the link of these claims.
    fn with_link(user: &User, claims: Claims) -> Mocks {
        let mut mocks = Mocks::new().with_verified_emails().with_user_read(user.clone());
        let decode = mocks.tokens.expect_decode();
        decode.returning(move |_| Ok(claims.clone()));
        mocks
    }

    fn verify(app: &App) -> Result<(), Error> {
        verify_email(app, samples::ann().origin, &"token".into())
    }

    fn requested(found: Option<User>, expected: Option<UserId>) {
        let mut mocks = Mocks::new().with_mail();
        mocks
            .unit
            .users
            .expect_find_by_email()
            .return_once(move |_| Ok(found));
        mocks
            .unit
            .outbox
            .expect_insert()
            .once()
            .withf(move |kind, to, _| {
                let user = to.as_ref().map(|(user, _)| *user);
                (*kind, user) == (MailKind::EmailVerification, expected)
            })
            .returning(|_, _, _| Ok(()));
        let (app, store) = mocks.into_app();
        request_email_verification(&app, &samples::anonymous(), &"Ann@example.com".into()).unwrap();
        assert_eq!((store.commits(), store.reads()), (1, 0));
    }

    #[test]
    fn request_writes_the_same_for_all_addresses() {
        requested(Some(samples::user()), Some(UserId(1)));
        requested(Some(samples::inactive_user()), None);
        requested(Some(moving()), None);
        requested(Some(mistyped()), Some(UserId(1)));
        requested(None, None);
    }

    #[test]
    fn request_without_mail_or_address_is_refused() {
        let (app, store) = Mocks::new().into_app();
        let request = |email: &str| request_email_verification(&app, &samples::anonymous(), &email.into());
        assert!(matches!(request("ann@example.com"), Err(Error::NoMail)));
        let refused = request("ann").unwrap_err().violations();
        assert_eq!(refused, Violations::one(Field::Email, Violation::InvalidEmail));
        assert_eq!(store.commits(), 0);
    }

    #[test]
    fn link_verifies_the_present_email_and_is_recorded_if_it_must() {
        let change = (Field::EmailVerified, Value::Flag(false), Value::Flag(true));
        let entry = expected::ann_changed(&samples::ann(), [change]);
        for (mail, entries) in [(MailMode::Required, vec![entry]), (MailMode::On, vec![])] {
            let ann = samples::user();
            let mocks = with_link(&ann, claims(&PRESENT, &ann));
            let (app, store) = Mocks { mail, ..mocks }
                .with_user_locked(ann)
                .expect_user_update(|user| user.email_state.verified_at == Some(samples::now()))
                .into_app();
            verify(&app).unwrap();
            assert_eq!(store.entries(), entries);
        }
    }

    #[test]
    fn link_to_the_present_email_survives_a_mistyped_pending_one() {
        for link in [claims(&PRESENT, &samples::user()), claims(&PRESENT, &mistyped())] {
            let (app, _) = with_link(&mistyped(), link)
                .with_user_locked(mistyped())
                .expect_user_update(|user| {
                    user.has_verified_email()
                        && user.email == samples::user().email
                        && user.email_state.pending == moving().email_state.pending
                })
                .into_app();
            verify(&app).unwrap();
        }
    }

    #[test]
    fn link_replaces_the_email_by_the_pending_one_and_tells_the_old_one() {
        let (app, store) = with_link(&moving(), claims(&PENDING, &moving()))
            .with_user_locked(moving())
            .nothing_taken()
            .expect_mails(&[(MailKind::EmailChanged, &moving(), "ann@example.com")])
            .expect_user_update(|user| user.email.as_str() == "new@example.com" && user.has_verified_email())
            .into_app();
        verify(&app).unwrap();
        let changes = [
            (Field::Email, "ann@example.com".into(), "new@example.com".into()),
            (Field::PendingEmail, "new@example.com".into(), Value::Nothing),
        ];
        assert_eq!(store.entries(), [expected::ann_changed(&samples::ann(), changes)]);
    }

    #[test]
    fn pending_email_of_another_user_is_taken() {
        let mut mocks = with_link(&moving(), claims(&PENDING, &moving())).with_user_locked(moving());
        let is_taken = mocks.unit.users.expect_email_is_taken();
        is_taken.returning(|email, except, now| {
            let asked = (email.as_str(), except, now);
            Ok(asked == ("new@example.com", Some(UserId(1)), samples::now()))
        });
        let (app, store) = mocks.into_app();
        let refused = verify(&app).unwrap_err().violations();
        assert_eq!(refused, Violations::one(Field::Email, Violation::Taken));
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn unknown_used_and_expired_links_are_one_error() {
        let changed = |change: fn(&mut User)| {
            let mut user = moving();
            change(&mut user);
            claims(&PENDING, &user)
        };
        let links = [
            Claims {
                expires_at: Some(samples::NOW),
                ..claims(&PENDING, &moving())
            },
            Claims {
                token_type: Some("password_reset".into()),
                ..claims(&PENDING, &moving())
            },
            changed(|user| user.password = PasswordHash::from_storage("older".into())),
            changed(|user| user.email = address("older@example.com")),
            changed(|user| user.email_state.pending = Some(address("older@example.com"))),
            changed(|user| user.logins_ended_at = Some(samples::now())),
        ];
        let invalid = Violations::one(Field::Token, Violation::InvalidLink);
        let inactive = User {
            is_active: false,
            ..moving()
        };
        let used = User {
            email_state: EmailState {
                pending: None,
                ..moving().email_state
            },
            ..moving()
        };
        let links = links.into_iter().map(|link| with_link(&moving(), link));
        let users = [inactive, used].map(|user| with_link(&user, claims(&PENDING, &moving())));
        let meanwhile = with_link(&moving(), claims(&PENDING, &moving())).with_user_locked(samples::user());
        for mocks in links.chain(users).chain([meanwhile]) {
            let (app, store) = mocks.into_app();
            assert_eq!(verify(&app).unwrap_err().violations(), invalid);
            assert_eq!(store.commits(), 0);
        }
    }

    #[test]
    fn link_is_made_only_while_the_request_holds() {
        let made = |user: &User, recipient: &str, age: TimeDelta| {
            let mut mocks = Mocks::new();
            mocks
                .tokens
                .expect_encode()
                .returning(|claims| Ok(claims.expires_at.unwrap().to_string()));
            let (app, _) = mocks.into_app();
            let token = verification_token(&app, user, &address(recipient), samples::now() - age).unwrap();
            token.map(|token| token.reveal().to_owned())
        };
        let (new, old, hour) = ("new@example.com", "ann@example.com", TimeDelta::hours(1));
        let expires_at = (samples::NOW + 71 * 3600).to_string();
        assert_eq!(made(&moving(), new, hour), Some(expires_at));
        assert_eq!(made(&moving(), new, LIFETIME), None, "it would be expired");
        assert_eq!(made(&moving(), old, hour), None, "it is verified");
        assert!(made(&samples::user(), old, hour).is_some());
        assert!(made(&mistyped(), old, hour).is_some());
        assert_eq!(made(&mistyped(), "other@example.com", hour), None);
        let ended = User {
            logins_ended_at: Some(samples::now()),
            ..moving()
        };
        assert_eq!(made(&ended, new, hour), None);
    }
}
