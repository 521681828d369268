//! Read and change the caller's profile.

use mycars_domain::{
    Action, Denied, Field, Rank, Target, User, UserId, Violation, policy,
    values::{Address, Email, FirstName, LastName, Phone},
};

use super::{
    Error, change_own_email, sessions,
    token::{self, TokenType},
};
use crate::{
    App, Caller, Input, Secret, UpdateMode,
    audit::{self, EndedLogins},
    input::{Checker, changed, set, unless_stored},
    ports::{StoreError, UnitOfWork},
    users::fields::check_unique,
};

/// The input of a profile change. By default, all fields are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProfileInput {
    /// The e-mail address.
    pub email: Input<String>,
    /// The first name.
    pub first_name: Input<String>,
    /// The last name.
    pub last_name: Input<String>,
    /// The phone number.
    pub phone: Input<String>,
    /// The postal address.
    pub address: Input<String>,
    /// The credential of the request, which tells the time of the login.
    pub credential: Option<Credential>,
}

/// The credential of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// An access token.
    AccessToken(Secret),
    /// The key of a session.
    SessionKey(Secret),
}

/// Returns `user`, the account of `caller` as it was read to authenticate them (wire contract, section 4).
///
/// # Errors
/// [`Error::Denied`] for anonymous callers; [`Error::NotFound`] if `user` is not the caller.
pub fn read_profile<'a>(caller: &Caller, user: &'a User) -> Result<&'a User, Error> {
    if own(caller, Action::ReadProfile)? == user.id {
        Ok(user)
    } else {
        Err(Error::NotFound)
    }
}

/// Changes the sent fields of the account of `caller` (wire contract, section 4) and returns it. Where e-mail addresses
/// must be verified, a new one is pending until it is: see [`verify_email`](super::verify_email). The present one drops a
/// pending one. A change may need a
/// recent login ([`TokenSettings::email_change_within`](crate::TokenSettings::email_change_within)): with it, a
/// thief of a token or session could get the account.
///
/// # Errors
/// [`Error::Invalid`] with all violations; [`Error::Denied`] for anonymous callers; [`Error::NotFound`] if the user was
/// deleted meanwhile; [`Error::Store`].
///
/// ```
/// use mycars_application::{Input, accounts::{self, ProfileInput}, mocks::{Mocks, samples}};
///
/// let mut mocks = Mocks::new();
/// mocks.unit.users.expect_find_for_update().returning(|_| Ok(Some(samples::user())));
/// mocks.unit.users.expect_update().returning(|_| Ok(()));
/// let (app, store) = mocks.into_app();
///
/// let moved = ProfileInput {
///     address: "Elm Street 1".into(),
///     phone: Input::Null,
///     ..ProfileInput::default()
/// };
/// let user = accounts::change_profile(&app, &samples::ann(), &moved)?;
/// assert_eq!(user.address.unwrap().as_str(), "Elm Street 1");
/// assert_eq!(store.entries().len(), 1);
/// # Ok::<(), accounts::Error>(())
/// ```
pub fn change_profile(app: &App, caller: &Caller, input: &ProfileInput) -> Result<User, Error> {
    let id = own(caller, Action::ChangeProfile)?;
    app.disk_space.check()?;
    app.store.write(|unit| {
        let before = unit.users().find_for_update(id)?.ok_or(Error::NotFound)?;
        let mut user = before.clone();
        apply(app, unit, &mut user, input)?;
        user.updated_at = app.now_after(before.updated_at);
        unit.users().update(&user)?;
        audit::user_changed(app, unit, caller, &before, &user, EndedLogins::default())?;
        Ok(user)
    })
}

pub(super) fn own(caller: &Caller, action: Action) -> Result<UserId, Error> {
    let id = caller.user_id().ok_or(Denied::NotAuthenticated)?;
    policy::check(&caller.actor, action, Target::user(id, Rank::Client))?;
    Ok(id)
}

fn apply(app: &App, unit: &mut dyn UnitOfWork, user: &mut User, input: &ProfileInput) -> Result<(), Error> {
    let mut checker = Checker::new(UpdateMode::Partial);
    let email = checker.optional(
        Field::Email,
        &input.email,
        unless_stored(Some(&user.email), Email::as_str, Email::parse),
    );
    let first_name = checker.optional(
        Field::FirstName,
        &input.first_name,
        unless_stored(Some(&user.first_name), FirstName::as_str, FirstName::parse),
    );
    let last_name = checker.optional(
        Field::LastName,
        &input.last_name,
        unless_stored(Some(&user.last_name), LastName::as_str, LastName::parse),
    );
    let phone = checker.nullable(
        Field::Phone,
        &input.phone,
        unless_stored(user.phone.as_ref(), Phone::as_str, Phone::parse),
    );
    let address = checker.nullable(
        Field::Address,
        &input.address,
        unless_stored(user.address.as_ref(), Address::as_str, Address::parse),
    );
    let new_email = changed(email.as_ref(), Some(&user.email));
    if new_email.is_none() || is_login_recent(app, unit, input.credential.as_ref())? {
        check_unique(unit, &mut checker, None, new_email, Some(user.id), app.now())?;
    } else {
        checker.add(Field::Email, Violation::LoginTooOld);
    }
    checker.finish()?;
    match email {
        Some(email) if email == user.email => user.email_state.pending = None,
        Some(email) => change_own_email(app, unit, user, email)?,
        None => {}
    }
    set(&mut user.first_name, first_name);
    set(&mut user.last_name, last_name);
    set(&mut user.phone, phone);
    set(&mut user.address, address);
    Ok(())
}

/// Returns whether the login of a credential is recent enough for a change of the e-mail address.
fn is_login_recent(
    app: &App,
    unit: &mut dyn UnitOfWork,
    credential: Option<&Credential>,
) -> Result<bool, StoreError> {
    let Some(within) = app.token_settings.email_change_within else {
        return Ok(true);
    };
    let time = match credential {
        Some(Credential::AccessToken(token)) => {
            let token = token::verify(app, token.reveal(), Some(TokenType::Access));
            token.ok().and_then(|token| token.issued_at)
        }
        Some(Credential::SessionKey(key)) => {
            let session = unit.sessions().find(&sessions::hash(key.reveal()))?;
            session.map(|session| session.created_at)
        }
        None => None,
    };
    Ok(time.is_some_and(|time| app.now() - time < within))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use mycars_domain::{EmailState, Violations, audit::Value};

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
        ports::{Claims, Device, MailKind, Session},
    };

    #[test]
    fn change_of_anonymous_caller_is_denied() {
        let (app, _) = Mocks::new().into_app();
        let changed = change_profile(&app, &samples::anonymous(), &ProfileInput::default());
        assert!(matches!(changed, Err(Error::Denied(Denied::NotAuthenticated))));
    }

    #[test]
    fn read_profile_returns_the_caller_only() {
        let ann = samples::user();
        assert_eq!(read_profile(&samples::ann(), &ann).unwrap(), &ann);
        let refused = read_profile(&samples::anonymous(), &ann);
        assert!(matches!(refused, Err(Error::Denied(Denied::NotAuthenticated))));
        let refused = read_profile(&samples::other_user(Rank::Superuser), &ann);
        assert!(matches!(refused, Err(Error::NotFound)));
    }

    #[test]
    fn change_reports_all_violations_and_stores_nothing() {
        let (app, store) = Mocks::new().with_user_locked(samples::user()).into_app();
        let input = ProfileInput {
            email: "nonsense".into(),
            first_name: Input::Null,
            phone: "5".repeat(21).as_str().into(),
            ..ProfileInput::default()
        };
        let violations = change_profile(&app, &samples::ann(), &input)
            .unwrap_err()
            .violations();
        assert_eq!(violations.of(Field::Email), [Violation::InvalidEmail]);
        assert_eq!(violations.of(Field::FirstName), [Violation::Null]);
        assert_eq!(violations.of(Field::Phone), [Violation::TooLong { max: 20 }]);
        assert_eq!((store.commits(), store.rollbacks()), (0, 1));
        assert_eq!(store.entries(), []);
    }

    #[test]
    fn fields_sent_as_stored_are_not_checked_again() {
        let legacy = User {
            email: Email::from_storage("nonsense".into()),
            first_name: FirstName::from_storage("\u{200b}".into()),
            last_name: LastName::default(),
            phone: Some(Phone::from_storage("5".repeat(21))),
            address: Some(Address::from_storage("a".repeat(256))),
            ..samples::user()
        };
        let (app, _) = Mocks::new()
            .with_user_locked(legacy.clone())
            .expect_user_update(|_| true)
            .into_app();
        let input = ProfileInput {
            email: "nonsense".into(),
            first_name: "\u{200b}".into(),
            last_name: "".into(),
            phone: "5".repeat(21).as_str().into(),
            address: "a".repeat(256).as_str().into(),
            credential: None,
        };
        let user = change_profile(&app, &samples::ann(), &input).unwrap();
        let updated_at = legacy.updated_at;
        assert_eq!(User { updated_at, ..user }, legacy);

        let other = ProfileInput {
            email: "other nonsense".into(),
            ..input
        };
        let refused = change_profile(&app, &samples::ann(), &other);
        let invalid = Violations::one(Field::Email, Violation::InvalidEmail);
        assert!(matches!(refused, Err(Error::Invalid(violations)) if violations == invalid));
    }

    #[test]
    fn email_of_another_user_is_taken() {
        let mut mocks = Mocks::new().with_user_locked(samples::user());
        mocks
            .unit
            .users
            .expect_email_is_taken()
            .withf(|_, except, now| (*except, *now) == (Some(UserId(1)), samples::now()))
            .returning(|_, _, _| Ok(true));
        let (app, _) = mocks.into_app();
        let input = ProfileInput {
            email: "bob@example.com".into(),
            ..ProfileInput::default()
        };
        let refused = change_profile(&app, &samples::ann(), &input);
        let taken = Violations::one(Field::Email, Violation::Taken);
        assert!(matches!(refused, Err(Error::Invalid(violations)) if violations == taken));
    }

    fn new_email() -> ProfileInput {
        ProfileInput {
            email: "new@example.com".into(),
            ..ProfileInput::default()
        }
    }

    #[test]
    fn changed_email_is_told_to_the_old_one() {
        let (app, _) = Mocks::new()
            .with_mail()
            .with_user_locked(samples::user())
            .nothing_taken()
            .expect_mails(&[(MailKind::EmailChanged, &samples::user(), "ann@example.com")])
            .expect_user_update(|user| user.email.as_str() == "new@example.com")
            .into_app();
        let user = change_profile(&app, &samples::ann(), &new_email()).unwrap();
        let previous = user.email_state.previous.unwrap();
        assert_eq!(
            (previous.email, previous.replaced_at),
            (samples::user().email, samples::now())
        );
    }

    #[test]
    fn further_change_is_told_to_a_verified_email() {
        let mut moved = samples::user();
        moved.change_email(Email::parse("ann2@example.com").unwrap(), samples::now());
        moved.verify_email(samples::now());
        let (app, _) = Mocks::new()
            .with_mail()
            .with_user_locked(moved.clone())
            .nothing_taken()
            .expect_mails(&[(MailKind::EmailChanged, &moved, "ann2@example.com")])
            .expect_user_update(|user| {
                let previous = user.email_state.previous.as_ref();
                previous.is_some_and(|previous| previous.email == samples::user().email)
            })
            .into_app();
        change_profile(&app, &samples::ann(), &new_email()).unwrap();
    }

    #[test]
    fn email_in_another_case_is_neither_told_nor_pending() {
        let input = ProfileInput {
            email: "ANN@example.com".into(),
            ..ProfileInput::default()
        };
        for mocks in [Mocks::new().with_mail(), Mocks::new().with_verified_emails()] {
            let mocks = mocks.with_user_locked(samples::user()).nothing_taken();
            let (app, _) = mocks.with_updates().into_app();
            let user = change_profile(&app, &samples::ann(), &input).unwrap();
            assert_eq!(user.email.as_str(), "ANN@example.com");
            assert_eq!(user.email_state, samples::user().email_state);
        }
    }

    #[test]
    fn email_changed_without_mail_reserves_no_old_one() {
        let (app, _) = Mocks::new()
            .with_user_locked(samples::user())
            .nothing_taken()
            .expect_user_update(|user| user.email_state.previous.is_none())
            .into_app();
        let user = change_profile(&app, &samples::ann(), &new_email()).unwrap();
        assert_eq!(user.email.as_str(), "new@example.com");
    }

    #[test]
    fn email_that_must_be_verified_is_pending() {
        let verified = User {
            email_state: EmailState {
                verified_at: Some(samples::now()),
                ..EmailState::default()
            },
            ..samples::user()
        };
        let (app, store) = Mocks::new()
            .with_verified_emails()
            .with_user_locked(verified)
            .nothing_taken()
            .expect_mails(&[(MailKind::EmailVerification, &samples::user(), "new@example.com")])
            .expect_user_update(|user| user.has_verified_email() && user.email == samples::user().email)
            .into_app();
        let user = change_profile(&app, &samples::ann(), &new_email()).unwrap();
        assert_eq!(user.email, samples::user().email);
        let change = (Field::PendingEmail, Value::Nothing, "new@example.com".into());
        assert_eq!(
            store.entries(),
            [expected::ann_changed(&samples::ann(), [change])]
        );
    }

    #[test]
    fn present_email_drops_a_pending_one() {
        let mut ann = samples::user();
        ann.email_state.pending = Some(Email::parse("thief@example.com").unwrap());
        let (app, _) = Mocks::new()
            .with_verified_emails()
            .with_user_locked(ann)
            .expect_user_update(|user| {
                *user
                    == User {
                        updated_at: user.updated_at,
                        ..samples::user()
                    }
            })
            .into_app();
        let input = ProfileInput {
            email: "ann@example.com".into(),
            ..ProfileInput::default()
        };
        change_profile(&app, &samples::ann(), &input).unwrap();
    }

    #[test]
    fn change_of_email_may_require_a_recent_login() {
        let ago = |minutes| samples::now() - TimeDelta::minutes(minutes);
        let token = || Some(Credential::AccessToken("token".into()));
        let session = || Some(Credential::SessionKey("key".into()));
        let change = |limit: Option<i64>, credential, age| {
            let claims = Claims {
                issued_at: Some(ago(age).timestamp()),
                ..samples::claims("access")
            };
            let mut mocks = Mocks::new()
                .with_user_locked(samples::user())
                .with_claims(Ok(claims))
                .nothing_taken()
                .with_updates();
            let found = Session {
                key_hash: sessions::hash("key"),
                user: UserId(1),
                created_at: ago(age),
                last_seen_at: samples::now(),
                device: Device::default(),
            };
            let sessions = &mut mocks.unit.sessions;
            sessions.expect_find().returning(move |_| Ok(Some(found.clone())));
            let (mut app, _) = mocks.into_app();
            app.token_settings.email_change_within = limit.map(TimeDelta::minutes);
            let input = ProfileInput {
                email: "new@example.com".into(),
                credential,
                ..ProfileInput::default()
            };
            change_profile(&app, &samples::ann(), &input).map(drop)
        };
        let credentials: [fn() -> Option<Credential>; 2] = [token, session];
        for credential in credentials {
            assert!(change(Some(5), credential(), 4).is_ok());
            assert!(change(None, credential(), 50).is_ok());
            let violations = change(Some(5), credential(), 5).unwrap_err().violations();
            assert_eq!(violations.of(Field::Email), [Violation::LoginTooOld]);
        }
        assert!(change(Some(5), None, 0).is_err());
        assert!(change(None, None, 0).is_ok());
    }

    #[test]
    fn absent_keeps_null_clears_and_changes_are_logged() {
        let phoned = User {
            phone: Some(Phone::parse("555").unwrap()),
            ..samples::user()
        };
        let (app, store) = Mocks::new()
            .with_user_locked(phoned)
            .expect_user_update(|_| true)
            .into_app();
        let input = ProfileInput {
            phone: Input::Null,
            last_name: "Ng".into(),
            ..ProfileInput::default()
        };
        let user = change_profile(&app, &samples::ann(), &input).unwrap();
        assert_eq!(user.phone, None);
        assert_eq!(user.last_name.as_str(), "Ng");
        assert_eq!(user.first_name, samples::user().first_name);
        assert_eq!(user.updated_at, samples::now());
        assert_eq!(store.commits(), 1);
        let changes = [
            (Field::LastName, "Lee".into(), "Ng".into()),
            (Field::Phone, "555".into(), Value::Nothing),
        ];
        assert_eq!(store.entries(), [expected::ann_changed(&samples::ann(), changes)]);
    }

    #[test]
    fn unchanged_fields_are_not_logged() {
        let (app, store) = Mocks::new()
            .with_user_locked(samples::user())
            .with_updates()
            .into_app();
        let input = ProfileInput {
            first_name: " Ann ".into(),
            phone: Input::Null,
            ..ProfileInput::default()
        };
        change_profile(&app, &samples::ann(), &input).unwrap();
        assert_eq!((store.commits(), store.entries().len()), (1, 0));
    }
}
