//! Create a superuser on the command line.

use mycars_domain::{
    Action, Field, NewUser, Role, Target, User, Violation, Violations, policy,
    values::{Email, FirstName, LastName, Password, PasswordHash, Username},
};

use super::Error;
use crate::{App, Caller, UpdateMode, audit, input::Checker, users::fields::check_unique};

/// The fields of a new superuser. The caller must check the strength of the password: see
/// [`mycars_domain::password`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSuperuser {
    /// The name to log in with.
    pub username: Username,
    /// The e-mail address.
    pub email: Email,
    /// The first name; may be the empty default.
    pub first_name: FirstName,
    /// The last name; may be the empty default.
    pub last_name: LastName,
    /// The password; without one the superuser cannot log in until one is set.
    pub password: Option<Password>,
}

/// Creates a superuser with the role of an admin (wire contract, section 6) and returns them.
///
/// # Errors
/// [`Error::Invalid`] if the username or the e-mail address is taken; [`Error::Denied`] for callers without admin
/// rights; [`Error::Hash`]; [`Error::Store`].
pub fn create_superuser(app: &App, caller: &Caller, superuser: NewSuperuser) -> Result<User, Error> {
    policy::check(&caller.actor, Action::CreateUser, Target::NOTHING)?;
    let password = match &superuser.password {
        Some(password) => app.hasher.hash(password)?,
        None => PasswordHash::unusable(),
    };
    let user = NewUser {
        username: superuser.username,
        email: superuser.email,
        first_name: superuser.first_name,
        last_name: superuser.last_name,
        role: Role::Admin,
        phone: None,
        address: None,
        is_active: true,
        is_superuser: true,
        password,
        created_at: app.now(),
        email_verified_at: Some(app.now()),
    };
    app.store.write(|unit| {
        let mut checker = Checker::new(UpdateMode::Full);
        check_unique(
            unit,
            &mut checker,
            Some(&user.username),
            Some(&user.email),
            None,
            app.now(),
        )?;
        checker.finish()?;
        let user = unit.users().insert(&user)?;
        audit::user_created(app, unit, caller, &user)?;
        Ok(user)
    })
}

/// Parses the username of a new user, before the prompts for other fields.
///
/// # Errors
/// [`Error::Invalid`] if it is invalid or taken; [`Error::Denied`]; [`Error::Store`].
pub fn check_username(app: &App, caller: &Caller, text: &str) -> Result<Username, Error> {
    policy::check(&caller.actor, Action::CreateUser, Target::NOTHING)?;
    let username =
        Username::parse(text).map_err(|violations| Violations::several(Field::Username, violations))?;
    if app
        .store
        .read(|unit| unit.users().username_is_taken(&username, None))?
    {
        return Err(Violations::one(Field::Username, Violation::Taken).into());
    }
    Ok(username)
}

/// Parses the e-mail address of a new user, before the prompts for other fields.
///
/// # Errors
/// [`Error::Invalid`] if it is invalid or taken; [`Error::Denied`]; [`Error::Store`].
pub fn check_email(app: &App, caller: &Caller, text: &str) -> Result<Email, Error> {
    policy::check(&caller.actor, Action::CreateUser, Target::NOTHING)?;
    let email = Email::parse(text).map_err(|violations| Violations::several(Field::Email, violations))?;
    if app
        .store
        .read(|unit| unit.users().email_is_taken(&email, None, app.now()))?
    {
        return Err(Violations::one(Field::Email, Violation::Taken).into());
    }
    Ok(email)
}

#[cfg(test)]
mod tests {
    use mycars_domain::Denied;

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
    };

    fn root(password: Option<&str>) -> NewSuperuser {
        NewSuperuser {
            username: Username::parse("root").unwrap(),
            email: Email::parse("root@example.com").unwrap(),
            first_name: FirstName::default(),
            last_name: LastName::default(),
            password: password.map(|text| Password::parse(text).unwrap()),
        }
    }

    #[test]
    fn create_superuser_by_a_client_is_denied() {
        let (app, store) = Mocks::new().into_app();
        let refused = create_superuser(&app, &samples::ann(), root(None));
        assert!(matches!(refused, Err(Error::Denied(Denied::Forbidden))));
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn taken_username_and_email_are_reported() {
        let mut mocks = Mocks::new();
        let users = &mut mocks.unit.users;
        users.expect_username_is_taken().returning(|_, _| Ok(true));
        users.expect_email_is_taken().returning(|_, _, _| Ok(true));
        let (app, store) = mocks.into_app();
        let system = Caller::system();
        let refused = create_superuser(&app, &system, root(None));
        let violations = refused.unwrap_err().violations();
        assert_eq!(violations.of(Field::Username), [Violation::Taken]);
        assert_eq!(violations.of(Field::Email), [Violation::Taken]);
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
        let username = check_username(&app, &system, "root");
        assert_eq!(
            username.unwrap_err().violations().of(Field::Username),
            [Violation::Taken]
        );
        let email = check_email(&app, &system, "root@example.com");
        assert_eq!(
            email.unwrap_err().violations().of(Field::Email),
            [Violation::Taken]
        );
    }

    #[test]
    fn invalid_username_or_email_is_reported_without_the_store() {
        let (app, store) = Mocks::new().into_app();
        let username = check_username(&app, &Caller::system(), "two words");
        let email = check_email(&app, &Caller::system(), " ");
        let violations = username.unwrap_err().violations();
        assert_eq!(violations.of(Field::Username), [Violation::InvalidUsername]);
        let violations = email.unwrap_err().violations();
        assert_eq!(violations.of(Field::Email), [Violation::Blank]);
        assert_eq!(store.reads(), 0);
    }

    #[test]
    fn superuser_without_a_password_has_an_unusable_one() {
        let (app, store) = Mocks::new()
            .nothing_taken()
            .expect_user_insert(|user| {
                user.is_superuser
                    && user.is_active
                    && user.role == Role::Admin
                    && user.password == PasswordHash::unusable()
            })
            .into_app();
        create_superuser(&app, &Caller::system(), root(None)).unwrap();
        assert_eq!(store.commits(), 1);
        assert_eq!(store.entries(), [expected::ann_is_new(&Caller::system())]);
    }

    #[test]
    fn password_of_a_superuser_is_hashed() {
        let (app, _) = Mocks::new()
            .nothing_taken()
            .with_hash("hashed")
            .expect_user_insert(|user| user.password.reveal() == "hashed")
            .into_app();
        create_superuser(&app, &Caller::system(), root(Some("admin"))).unwrap();
    }
}
