//! Read and change the caller's profile.

use mycars_domain::{
    Action, Denied, Field, Rank, Target, User, UserId, policy,
    values::{Address, Email, FirstName, LastName, Phone},
};

use super::Error;
use crate::{
    App, Caller, Input, UpdateMode,
    audit::{self, EndedLogins},
    input::{Checker, changed, set, unless_stored},
    ports::UnitOfWork,
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
}

/// Returns the account of `caller` (wire contract, section 4).
///
/// # Errors
/// [`Error::Denied`] for anonymous callers; [`Error::NotFound`] if the user was deleted meanwhile; [`Error::Store`].
pub fn read_profile(app: &App, caller: &Caller) -> Result<User, Error> {
    let id = own(caller, Action::ReadProfile)?;
    app.store
        .read(|unit| unit.users().find(id))?
        .ok_or(Error::NotFound)
}

/// Changes the sent fields of the account of `caller` (wire contract, section 4) and returns it.
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
    app.store.write(|unit| {
        let before = unit.users().find_for_update(id)?.ok_or(Error::NotFound)?;
        let mut user = before.clone();
        apply(unit, &mut user, input)?;
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

fn apply(unit: &mut dyn UnitOfWork, user: &mut User, input: &ProfileInput) -> Result<(), Error> {
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
    check_unique(unit, &mut checker, None, new_email, Some(user.id))?;
    checker.finish()?;
    set(&mut user.email, email);
    set(&mut user.first_name, first_name);
    set(&mut user.last_name, last_name);
    set(&mut user.phone, phone);
    set(&mut user.address, address);
    Ok(())
}

#[cfg(test)]
mod tests {
    use mycars_domain::{Violation, Violations, audit::Value};

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
    };

    #[test]
    fn profile_of_anonymous_caller_is_denied() {
        let (app, _) = Mocks::new().into_app();
        let read = read_profile(&app, &samples::anonymous());
        assert!(matches!(read, Err(Error::Denied(Denied::NotAuthenticated))));
        let changed = change_profile(&app, &samples::anonymous(), &ProfileInput::default());
        assert!(matches!(changed, Err(Error::Denied(Denied::NotAuthenticated))));
    }

    #[test]
    fn read_profile_returns_the_caller() {
        let (app, _) = Mocks::new().with_user_read(samples::user()).into_app();
        assert_eq!(read_profile(&app, &samples::ann()).unwrap(), samples::user());
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
            .withf(|_, except| *except == Some(UserId(1)))
            .returning(|_, _| Ok(true));
        let (app, _) = mocks.into_app();
        let input = ProfileInput {
            email: "bob@example.com".into(),
            ..ProfileInput::default()
        };
        let refused = change_profile(&app, &samples::ann(), &input);
        let taken = Violations::one(Field::Email, Violation::Taken);
        assert!(matches!(refused, Err(Error::Invalid(violations)) if violations == taken));
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
