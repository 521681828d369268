//! Set a new password with a link that is sent by mail.
//!
//! The link expires after an hour, and is bound to the password hash, the e-mail address and the time at which the logins
//! ended.

use chrono::{DateTime, TimeDelta, Utc};
use mycars_domain::{
    Action, Field, Target, User, Violation,
    audit::Origin,
    password, policy,
    values::{Email, Password},
};

use super::{
    Error,
    links::{self, Link, are_logins_ended_since, login_state},
    set_password::replace_password,
    token::TokenType,
};
use crate::{
    App, Caller, Input, Secret, UpdateMode, audit,
    input::{Checker, required_text},
    outbox,
    ports::{MailKind, Unsignable},
};

/// Lifetime of a link, from the request.
const LIFETIME: TimeDelta = TimeDelta::hours(1);

const LINK: Link = Link {
    token_type: TokenType::PasswordReset,
    state: |user| Some(login_state(user)),
};

/// The input of a reset. By default, all fields are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PasswordReset {
    /// The token in the link.
    pub token: Input<String>,
    /// The new password.
    pub new_password: Input<Secret>,
}

/// Sends a link that sets a new password to the user with this e-mail address, if there is one and they are active. The
/// caller can't find out: for an unknown address, the same is read and written.
///
/// # Errors
/// [`Error::Invalid`] if it is no address; [`Error::NoMail`] if mail is turned off; [`Error::Store`].
pub fn request_password_reset(app: &App, caller: &Caller, email: &Input<String>) -> Result<(), Error> {
    policy::check(&caller.actor, Action::ResetPassword, Target::NOTHING)?;
    let mut checker = Checker::new(UpdateMode::Full);
    let parsed = checker.required(Field::Email, email, Email::parse);
    checker.finish()?;
    let Some(email) = parsed.filter(|_| app.mail.is_some()) else {
        return Err(Error::NoMail);
    };
    app.store.write(|unit| {
        let user = unit.users().find_by_email(&email)?;
        let user = user.filter(|user| user.is_active);
        Ok(outbox::enqueue(
            app,
            unit,
            MailKind::PasswordReset,
            user.as_ref(),
        )?)
    })
}

/// Sets a new password with the token of a link, and ends all logins and API keys of the user.
///
/// # Errors
/// [`Error::Invalid`] with all violations: [`Violation::InvalidLink`] of the token, which does not tell whether it is
/// unknown, used or expired; a weak password. [`Error::Hash`]; [`Error::Store`].
pub fn reset_password(app: &App, origin: Origin, input: &PasswordReset) -> Result<(), Error> {
    let (user, new_password) = check(app, input)?;
    let hash = app.hasher.hash(&new_password)?;
    let caller = Caller::user(&user, origin);
    policy::check(&caller.actor, Action::ResetPassword, Target::NOTHING)?;
    app.store.write(|unit| {
        let before = LINK.lock(unit, &user)?;
        let mut after = before.clone();
        // The link was sent to the address.
        after.email_state.verified_at.get_or_insert(app.now());
        let ended = replace_password(app, unit, &mut after, hash)?;
        Ok(audit::user_changed(app, unit, &caller, &before, &after, ended)?)
    })
}

fn check(app: &App, input: &PasswordReset) -> Result<(User, Password), Error> {
    let mut checker = Checker::new(UpdateMode::Full);
    let token = checker.required(Field::Token, &input.token, required_text);
    let new_password = checker.required(Field::NewPassword, &input.new_password, Password::parse);
    let user = match &token {
        Some(token) => LINK.find(app, token)?,
        None => None,
    };
    match (&user, &new_password) {
        (Some(user), Some(password)) => {
            checker.extend(Field::NewPassword, password::check_chosen(password, &user.into()));
        }
        (None, _) if token.is_some() => checker.extend(Field::Token, vec![Violation::InvalidLink]),
        _ => {}
    }
    checker.finish()?;
    user.zip(new_password).ok_or_else(links::invalid)
}

/// Returns the token of a link that sets a new password of `user`, who requested it at `requested_at` for the address
/// `recipient`. Returns `None` if the link would be dead already.
pub(crate) fn reset_token(
    app: &App,
    user: &User,
    recipient: &Email,
    requested_at: DateTime<Utc>,
) -> Result<Option<Secret>, Unsignable> {
    if are_logins_ended_since(user, requested_at) || user.email != *recipient {
        return Ok(None);
    }
    LINK.token(app, user, requested_at + LIFETIME)
}

#[cfg(test)]
mod tests {
    use mycars_domain::{UserId, Violations, values::PasswordHash};

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
        ports::{Claims, Revocation},
    };

    fn claims(user: &User) -> Claims {
        Claims {
            token_type: Some("password_reset".into()),
            expires_at: Some(samples::NOW + 1),
            id: LINK.digest(user),
            ..samples::claims("access")
        }
    }

    /// Mocks in which Ann has a link.
    fn with_link(claims: Claims) -> Mocks {
        let mut mocks = Mocks::new().with_mail().with_user_read(samples::user());
        mocks
            .tokens
            .expect_decode()
            .returning(move |_| Ok(claims.clone()));
        mocks
    }

    fn input(password: &str) -> PasswordReset {
        PasswordReset {
            token: "token".into(),
            new_password: password.into(),
        }
    }

    fn reset(mocks: Mocks, password: &str) -> Violations {
        let (app, store) = mocks.into_app();
        let refused = reset_password(&app, samples::ann().origin, &input(password))
            .unwrap_err()
            .violations();
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
        refused
    }

    fn requested(found: Option<User>, expected: Option<UserId>) {
        let mut mocks = Mocks::new().with_mail();
        mocks
            .unit
            .users
            .expect_find_by_email()
            .withf(|email| email.as_str() == "Ann@example.com")
            .return_once(move |_| Ok(found));
        mocks
            .unit
            .outbox
            .expect_insert()
            .once()
            .withf(move |kind, to, at| {
                let user = to.as_ref().map(|(user, _)| *user);
                (*kind, user, *at) == (MailKind::PasswordReset, expected, samples::now())
            })
            .returning(|_, _, _| Ok(()));
        let (app, store) = mocks.into_app();
        request_password_reset(&app, &samples::anonymous(), &"Ann@example.com".into()).unwrap();
        assert_eq!((store.commits(), store.reads()), (1, 0));
    }

    #[test]
    fn request_writes_the_same_for_known_and_unknown_addresses() {
        requested(Some(samples::user()), Some(UserId(1)));
        requested(Some(samples::inactive_user()), None);
        requested(None, None);
    }

    #[test]
    fn link_is_made_only_while_the_request_holds() {
        let (requested_at, ann) = (samples::now(), samples::user());
        let made = |user: &User, age: TimeDelta| {
            let mut mocks = Mocks::new();
            mocks
                .tokens
                .expect_encode()
                .returning(|claims| Ok(claims.expires_at.unwrap().to_string()));
            let (app, _) = mocks.into_app();
            let token = reset_token(&app, user, &ann.email, requested_at - age).unwrap();
            token.map(|token| token.reveal().to_owned())
        };
        let minute = TimeDelta::minutes(1);
        assert_eq!(made(&ann, minute), Some((samples::NOW + 59 * 60).to_string()));
        assert_eq!(made(&ann, LIFETIME), None, "it would be expired");
        let moved = User {
            email: Email::from_storage("other@example.com".into()),
            ..ann.clone()
        };
        let changed = User {
            logins_ended_at: Some(requested_at),
            ..ann.clone()
        };
        assert_eq!((made(&moved, minute), made(&changed, minute)), (None, None));
        assert!(
            made(&changed, TimeDelta::zero()).is_some(),
            "the undo requested it"
        );
    }

    #[test]
    fn request_without_mail_or_address_is_refused() {
        let (app, store) = Mocks::new().into_app();
        let request = |email: &str| request_password_reset(&app, &samples::anonymous(), &email.into());
        assert!(matches!(request("ann@example.com"), Err(Error::NoMail)));
        let refused = request("ann").unwrap_err().violations();
        assert_eq!(refused, Violations::one(Field::Email, Violation::InvalidEmail));
        assert_eq!(store.commits(), 0);
    }

    #[test]
    fn link_sets_the_password_ends_logins_and_keys_and_tells_the_user() {
        let mut mocks = with_link(claims(&samples::user()))
            .with_hash("new")
            .with_user_locked(samples::user())
            .expect_user_update(|user| user.password.reveal() == "new" && user.has_verified_email())
            .expect_keys_ended()
            .expect_logins_ended(Revocation::PasswordChanged, 1, 1);
        mocks
            .unit
            .outbox
            .expect_insert()
            .once()
            .withf(|kind, to, _| {
                let ann = samples::user();
                (*kind, to) == (MailKind::PasswordChanged, &Some((ann.id, ann.email)))
            })
            .returning(|_, _, _| Ok(()));
        let (app, store) = mocks.into_app();
        reset_password(&app, samples::ann().origin, &input("Meadow-x-55")).unwrap();
        let changes = expected::NEW_PASSWORD.into_iter().chain([expected::key_ended()]);
        let entry = expected::ann_changed(&samples::ann(), changes);
        assert_eq!(store.entries(), [entry]);
    }

    #[test]
    fn unknown_used_and_expired_links_are_one_error() {
        let ann = samples::user();
        let changed = |change: fn(&mut User)| {
            let mut user = ann.clone();
            change(&mut user);
            claims(&user)
        };
        let links = [
            Claims {
                expires_at: Some(samples::NOW),
                ..claims(&ann)
            },
            Claims {
                token_type: Some("access".into()),
                ..claims(&ann)
            },
            Claims {
                id: None,
                ..claims(&ann)
            },
            changed(|user| user.password = PasswordHash::from_storage("older".into())),
            changed(|user| user.email = Email::from_storage("older@example.com".into())),
            changed(|user| user.logins_ended_at = Some(samples::now())),
        ];
        let invalid = Violations::one(Field::Token, Violation::InvalidLink);
        for link in links {
            assert_eq!(reset(with_link(link), "Meadow-x-55"), invalid);
        }
        let inactive = with_link(claims(&samples::inactive_user()));
        let inactive = Mocks {
            unit: Mocks::new().with_user_read(samples::inactive_user()).unit,
            ..inactive
        };
        assert_eq!(reset(inactive, "Meadow-x-55"), invalid);
    }

    #[test]
    fn link_that_is_used_meanwhile_is_refused() {
        let changed = User {
            password: PasswordHash::from_storage("other".into()),
            ..samples::user()
        };
        let mocks = with_link(claims(&samples::user()))
            .with_hash("new")
            .with_user_locked(changed);
        let invalid = Violations::one(Field::Token, Violation::InvalidLink);
        assert_eq!(reset(mocks, "Meadow-x-55"), invalid);
    }

    #[test]
    fn new_password_is_checked_with_the_data_of_the_user() {
        let violations = reset(with_link(claims(&samples::user())), "ann@example.com");
        let similar = Violation::PasswordTooSimilar(Field::Email);
        assert_eq!(violations, Violations::one(Field::NewPassword, similar));
    }
}
