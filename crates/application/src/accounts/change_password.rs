//! Change the caller's password, with the old one as proof.

use mycars_domain::{
    Action, Denied, Field, Rank, Target, User, Violation, password, policy, values::Password,
};

use super::{Error, set_password::replace_own_password};
use crate::{
    App, Caller, Input, Secret, UpdateMode, audit,
    input::{Checker, required_text},
    ports::Verification,
};

/// The input of a password change. By default, all fields are absent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PasswordChange {
    /// The current password.
    pub old_password: Input<Secret>,
    /// The new password.
    pub new_password: Input<Secret>,
}

/// Changes the password of `caller` (wire contract, section 4) and revokes all their refresh tokens. Access tokens stay
/// valid until they expire, and API keys stay: each of them was created with the password, and can be ended.
///
/// # Errors
/// [`Error::Invalid`] with all violations: fields, a wrong old password, a weak new one; [`Error::Denied`] for
/// anonymous callers; [`Error::NotFound`] if the user was deleted meanwhile; [`Error::Hash`]; [`Error::Store`].
///
/// ```
/// use mycars_application::{
///     accounts::{self, Error, PasswordChange}, mocks::{Mocks, samples}, ports::Verification,
/// };
/// use mycars_domain::{Field, Violation};
///
/// let mut mocks = Mocks::new();
/// mocks.unit.users.expect_find().returning(|_| Ok(Some(samples::user())));
/// mocks.hasher.expect_verify().returning(|_, _| Verification::Wrong);
/// let (app, _) = mocks.into_app();
///
/// let change = PasswordChange { old_password: "guessed".into(), new_password: "password123".into() };
/// let Err(Error::Invalid(violations)) = accounts::change_password(&app, &samples::ann(), &change) else {
///     panic!("the old password is wrong, and the new one is common");
/// };
/// assert_eq!(violations.of(Field::OldPassword), [Violation::WrongPassword]);
/// assert_eq!(violations.of(Field::NewPassword), [Violation::PasswordTooCommon]);
/// ```
pub fn change_password(app: &App, caller: &Caller, input: &PasswordChange) -> Result<(), Error> {
    let id = caller.user_id().ok_or(Denied::NotAuthenticated)?;
    policy::check(
        &caller.actor,
        Action::ChangePassword,
        Target::user(id, Rank::Client),
    )?;
    let user = app
        .store
        .read(|unit| unit.users().find(id))?
        .ok_or(Error::NotFound)?;
    let new_password = check(app, &user, input)?;
    let hash = app.hasher.hash(&new_password)?;
    app.store.write(|unit| {
        // Another request may have changed the password while this one was hashing.
        let before = unit.users().find_for_update(id)?.ok_or(Error::NotFound)?;
        if before.password != user.password {
            return Err(wrong_password());
        }
        let mut after = before.clone();
        let ended = replace_own_password(app, unit, &mut after, hash)?;
        Ok(audit::user_changed(app, unit, caller, &before, &after, ended)?)
    })
}

fn check(app: &App, user: &User, input: &PasswordChange) -> Result<Password, Error> {
    let mut checker = Checker::new(UpdateMode::Full);
    checker.required(Field::OldPassword, &input.old_password, |text: &str| {
        verify_own(app, user, text)
    });
    let new_password = checker.required(Field::NewPassword, &input.new_password, Password::parse);
    if let Some(password) = &new_password {
        checker.extend(Field::NewPassword, password::check_chosen(password, &user.into()));
    }
    checker.finish()?;
    new_password.ok_or_else(wrong_password)
}

/// Checks that a text is the user's own password.
pub(super) fn verify_own(app: &App, user: &User, text: &str) -> Result<(), Vec<Violation>> {
    match app.hasher.verify(&required_text(text)?, &user.password) {
        Verification::Wrong | Verification::Unsupported(_) => Err(vec![Violation::WrongPassword]),
        Verification::Right | Verification::RightButOutdated => Ok(()),
    }
}

fn wrong_password() -> Error {
    mycars_domain::Violations::one(Field::OldPassword, Violation::WrongPassword).into()
}

#[cfg(test)]
mod tests {
    use mycars_domain::{Violations, values::PasswordHash};

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
        ports::Revocation,
    };

    fn change(old: &str, new: &str) -> PasswordChange {
        PasswordChange {
            old_password: old.into(),
            new_password: new.into(),
        }
    }

    fn mocks(verification: Verification) -> Mocks {
        Mocks::new()
            .with_user_read(samples::user())
            .with_verification(verification)
    }

    fn refused(mocks: Mocks, input: &PasswordChange) -> Violations {
        let (app, store) = mocks.into_app();
        let violations = change_password(&app, &samples::ann(), input)
            .unwrap_err()
            .violations();
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
        violations
    }

    #[test]
    fn change_by_anonymous_caller_is_denied() {
        let (app, _) = Mocks::new().into_app();
        let refused = change_password(&app, &samples::anonymous(), &change("a", "b"));
        assert!(matches!(refused, Err(Error::Denied(Denied::NotAuthenticated))));
    }

    #[test]
    fn wrong_old_password_is_refused() {
        let wrong = Violations::one(Field::OldPassword, Violation::WrongPassword);
        let violations = refused(mocks(Verification::Wrong), &change("wrong", "Meadow-x-55"));
        assert_eq!(violations, wrong);
    }

    #[test]
    fn wrong_old_and_weak_new_passwords_are_reported_at_once() {
        let violations = refused(mocks(Verification::Wrong), &change("wrong", "83647251904"));
        assert_eq!(violations.of(Field::OldPassword), [Violation::WrongPassword]);
        assert_eq!(
            violations.of(Field::NewPassword),
            [Violation::PasswordEntirelyNumeric]
        );
    }

    #[test]
    fn new_password_similar_to_user_data_is_refused() {
        let violations = refused(mocks(Verification::Right), &change("old", "ann@example.com"));
        let similar = Violation::PasswordTooSimilar(Field::Email);
        assert_eq!(violations, Violations::one(Field::NewPassword, similar));
    }

    #[test]
    fn missing_passwords_are_reported() {
        let violations = refused(mocks(Verification::Right), &PasswordChange::default());
        assert_eq!(violations.of(Field::OldPassword), [Violation::Required]);
        assert_eq!(violations.of(Field::NewPassword), [Violation::Required]);
    }

    #[test]
    fn change_ends_all_logins_and_hides_the_password() {
        let (app, store) = mocks(Verification::Right)
            .with_hash("new")
            .with_user_locked(samples::user())
            .expect_user_update(|user| {
                user.password.reveal() == "new" && user.logins_ended_at == Some(samples::now())
            })
            .with_api_keys(vec![samples::api_key()])
            .expect_logins_ended(Revocation::PasswordChanged, 1, 1)
            .into_app();
        change_password(&app, &samples::ann(), &change("old", "Meadow-x-55")).unwrap();
        assert_eq!(store.commits(), 1);
        let entry = expected::ann_changed(&samples::ann(), expected::NEW_PASSWORD);
        assert_eq!(store.entries(), [entry]);
    }

    #[test]
    fn concurrent_change_has_a_wrong_old_password() {
        let changed = User {
            password: PasswordHash::from_storage("other".into()),
            ..samples::user()
        };
        let mocks = mocks(Verification::Right)
            .with_hash("new")
            .with_user_locked(changed);
        let wrong = Violations::one(Field::OldPassword, Violation::WrongPassword);
        assert_eq!(refused(mocks, &change("old", "Meadow-x-55")), wrong);
    }
}
