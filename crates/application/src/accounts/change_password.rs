//! Change one's own password by proving the old one.

use mycars_domain::{
    Action, Denied, Field, Rank, Target, User, Violation, password, policy, values::Password,
};

use super::{Error, set_password::replace_password};
use crate::{
    App, Caller, Input, UpdateMode, audit,
    input::{Checker, required_text},
    ports::Verification,
};

/// What somebody sent to change their password. The default is that nothing was sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PasswordChange {
    /// The password that they have.
    pub old_password: Input<String>,
    /// The password that they want.
    pub new_password: Input<String>,
}

/// Changes the password of `caller` (wire contract, section 4). Every refresh token issued before is dead
/// afterwards; the access token in hand lives to its own expiry.
///
/// # Errors
/// [`Error::Invalid`] with everything that is wrong: fields, a wrong old password, a new one that is not good
/// enough; [`Error::Denied`] for nobody; [`Error::NotFound`] if the user was deleted meanwhile; [`Error::Hash`];
/// [`Error::Store`].
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
        // Hashing took long: meanwhile somebody else may have changed the password.
        let before = unit.users().find_for_update(id)?.ok_or(Error::NotFound)?;
        if before.password != user.password {
            return Err(wrong_password());
        }
        let mut after = before.clone();
        let ended = replace_password(app, unit, &mut after, hash)?;
        Ok(audit::user_changed(app, unit, caller, &before, &after, ended)?)
    })
}

fn check(app: &App, user: &User, input: &PasswordChange) -> Result<Password, Error> {
    let mut checker = Checker::new(UpdateMode::Full);
    checker.required(Field::OldPassword, &input.old_password, |text: &str| {
        match app.hasher.verify(&required_text(text)?, &user.password) {
            Verification::Wrong | Verification::Unsupported(_) => Err(vec![Violation::WrongPassword]),
            Verification::Right | Verification::RightButOutdated => Ok(()),
        }
    });
    let new_password = checker.required(Field::NewPassword, &input.new_password, Password::parse);
    if let Some(password) = &new_password {
        checker.extend(Field::NewPassword, password::check_chosen(password, &user.into()));
    }
    checker.finish()?;
    new_password.ok_or_else(wrong_password)
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
    fn nobody_has_no_password() {
        let (app, _) = Mocks::new().into_app();
        let refused = change_password(&app, &samples::anonymous(), &change("a", "b"));
        assert!(matches!(refused, Err(Error::Denied(Denied::NotAuthenticated))));
    }

    #[test]
    fn the_old_password_must_be_right() {
        let wrong = Violations::one(Field::OldPassword, Violation::WrongPassword);
        let violations = refused(mocks(Verification::Wrong), &change("wrong", "Meadow-x-55"));
        assert_eq!(violations, wrong);
    }

    #[test]
    fn a_wrong_old_password_and_a_weak_new_one_are_said_at_once() {
        let violations = refused(mocks(Verification::Wrong), &change("wrong", "83647251904"));
        assert_eq!(violations.of(Field::OldPassword), [Violation::WrongPassword]);
        assert_eq!(
            violations.of(Field::NewPassword),
            [Violation::PasswordEntirelyNumeric]
        );
    }

    #[test]
    fn the_new_password_must_not_be_like_what_is_known_of_its_owner() {
        let violations = refused(mocks(Verification::Right), &change("old", "ann@example.com"));
        let similar = Violation::PasswordTooSimilar(Field::Email);
        assert_eq!(violations, Violations::one(Field::NewPassword, similar));
    }

    #[test]
    fn both_must_be_sent() {
        let violations = refused(mocks(Verification::Right), &PasswordChange::default());
        assert_eq!(violations.of(Field::OldPassword), [Violation::Required]);
        assert_eq!(violations.of(Field::NewPassword), [Violation::Required]);
    }

    #[test]
    fn a_change_ends_every_login_of_that_user_and_is_written_down_without_the_password() {
        let (app, store) = mocks(Verification::Right)
            .with_hash("new")
            .with_user_locked(samples::user())
            .expect_user_update(|user| {
                user.password.reveal() == "new" && user.logins_ended_at == Some(samples::now())
            })
            .expect_logins_ended(Revocation::PasswordChanged, 1, 1)
            .into_app();
        change_password(&app, &samples::ann(), &change("old", "Meadow-x-55")).unwrap();
        assert_eq!(store.commits(), 1);
        let entry = expected::ann_changed(&samples::ann(), expected::NEW_PASSWORD);
        assert_eq!(store.entries(), [entry]);
    }

    #[test]
    fn of_two_changes_at_once_the_second_has_a_wrong_old_password() {
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
