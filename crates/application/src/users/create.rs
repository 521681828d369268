//! Create a user.

use mycars_domain::{Action, Denied, Target, User, Violations, policy};

use super::{
    Error,
    fields::{PasswordRules, UserFields, UserInput},
};
use crate::{
    App, Caller, accounts, audit,
    ports::{HashError, StoreError},
};

/// Creates a user and returns them. Of the rules for passwords, only the length is checked.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Invalid`] with all violations; [`Error::Hash`];
/// [`Error::Store`].
pub fn create(app: &App, caller: &Caller, input: &UserInput) -> Result<User, Error> {
    policy::check(&caller.actor, Action::CreateUser, Target::NOTHING)?;
    make(app, caller, input, PasswordRules::Given)
}

/// Creates a user from the input of `caller`, whose rights are checked before. The password is checked by `rules`.
pub(crate) fn make<E>(app: &App, caller: &Caller, input: &UserInput, rules: PasswordRules) -> Result<User, E>
where
    E: From<Denied> + From<Violations> + From<HashError> + From<StoreError>,
{
    app.disk_space.check()?;
    let fields = app
        .store
        .read(|unit| Ok::<_, E>(UserFields::check_new(unit, caller, input, rules, app.now())??))?;
    let hash = fields.hash::<E>(app)?;
    let mut user = fields.into_new(app, hash)?;
    if policy::check(&caller.actor, Action::CreateUser, Target::NOTHING).is_ok() {
        user.email_verified_at = Some(app.now());
    }
    app.store.write(|unit| {
        caller.recheck::<E>(unit)?;
        let user = unit.users().insert(&user)?;
        if app.requires_verified_email() && user.email_state.verified_at.is_none() {
            accounts::send_verification(app, unit, user.id, user.email.clone())?;
        }
        audit::user_created(app, unit, caller, &user)?;
        Ok(user)
    })
}

#[cfg(test)]
mod tests {
    use mycars_domain::{Field, Rank, Role, Violation};

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
    };

    fn jane(password: &str) -> UserInput {
        UserInput {
            username: "jane_smith".into(),
            email: "jane@example.com".into(),
            first_name: "Jane".into(),
            last_name: "Smith".into(),
            password: password.into(),
            ..UserInput::default()
        }
    }

    #[test]
    fn create_by_a_client_or_anonymous_caller_is_denied() {
        for (caller, denied) in [
            (samples::anonymous(), Denied::NotAuthenticated),
            (samples::other_user(Rank::Client), Denied::Forbidden),
        ] {
            let (app, store) = Mocks::new().into_app();
            let refused = create(&app, &caller, &jane("password123"));
            assert!(matches!(refused, Err(Error::Denied(why)) if why == denied));
            assert_eq!((store.reads(), store.entries().len()), (0, 0));
        }
    }

    #[test]
    fn create_checks_only_the_length_of_the_password() {
        let admin = samples::admin();
        let (app, store) = Mocks::new().nothing_taken().into_app();
        let violations = create(&app, &admin, &jane("short")).unwrap_err().violations();
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
        assert_eq!(
            violations.of(Field::Password),
            [Violation::PasswordTooShort { min: 8 }]
        );

        let (app, store) = Mocks::new()
            .nothing_taken()
            .with_hash("hash")
            .expect_user_insert(|user| user.role == Role::Admin && !user.is_active && !user.is_superuser)
            .into_app();
        let input = UserInput {
            role: "admin".into(),
            is_active: crate::Input::Given(false),
            ..jane("password123")
        };
        create(&app, &admin, &input).unwrap();
        assert_eq!(store.commits(), 1);
        assert_eq!(store.entries(), [expected::ann_is_new(&admin)]);
    }

    #[test]
    fn create_with_a_different_confirmation_is_invalid() {
        let (app, _) = Mocks::new().nothing_taken().into_app();
        let input = UserInput {
            password_confirmation: "different1".into(),
            ..jane("password123")
        };
        let violations = create(&app, &samples::admin(), &input).unwrap_err().violations();
        assert_eq!(
            violations.of(Field::PasswordConfirmation),
            [Violation::PasswordsDiffer]
        );
    }
}
