//! Delete the caller's account: with their entries in the audit log as they are, or erased.

use mycars_domain::{Action, Denied, Field, User, UserId, Violation, Violations};

use super::{Error, change_password::verify_own, profile::own};
use crate::{
    App, Caller, Input, Secret, UpdateMode, audit, images,
    input::Checker,
    ports::{Revocation, UnitOfWork},
    users,
};

/// Deletes the account of `caller` with its cars, and then the cars' pictures (wire contract, section 5). Ends all its
/// logins.
///
/// # Errors
/// [`Error::Denied`] for anonymous callers, and with [`Denied::LastSuperuser`] for the last active superuser;
/// [`Error::NotFound`] if the user was deleted or deactivated meanwhile; [`Error::Store`].
///
/// ```
/// use mycars_application::{accounts, mocks::{Mocks, samples}};
/// use mycars_domain::audit::Action;
///
/// let mut mocks = Mocks::new();
/// mocks.unit.users.expect_find().returning(|_| Ok(Some(samples::user())));
/// mocks.unit.users.expect_find_for_update().returning(|_| Ok(Some(samples::user())));
/// mocks.unit.users.expect_delete().once().returning(|_| Ok(()));
/// mocks.unit.cars.expect_list_for_update().returning(|_, _, _| Ok(vec![]));
/// mocks.unit.sessions.expect_delete_all_of().returning(|_, _| Ok(1));
/// mocks.unit.refresh_tokens.expect_revoke_all_of().returning(|_, _, _, _| Ok(1));
/// let (app, store) = mocks.into_app();
///
/// accounts::delete_account(&app, &samples::ann())?;
/// assert_eq!(store.entries()[0].action, Action::Deleted);
/// # Ok::<(), accounts::Error>(())
/// ```
pub fn delete_account(app: &App, caller: &Caller) -> Result<(), Error> {
    let id = own(caller, Action::DeleteAccount)?;
    delete_own(app, caller, id, |_, _| Ok(()))
}

/// Deletes the account of `caller` as [`delete_account`] does, and removes their texts from the audit log. The password
/// proves that it is the user that leaves.
///
/// # Errors
/// Those of [`delete_account`]; [`Error::Invalid`] if the password is missing or wrong.
pub fn leave(app: &App, caller: &Caller, password: &Input<Secret>) -> Result<(), Error> {
    let id = own(caller, Action::DeleteAccount)?;
    let user = app
        .store
        .read(|unit| unit.users().find(id))?
        .ok_or(Error::NotFound)?;
    let mut checker = Checker::new(UpdateMode::Full);
    checker.required(Field::Password, password, |text: &str| {
        verify_own(app, &user, text)
    });
    checker.finish()?;
    delete_own(app, caller, id, |unit, now| {
        // Another request may have changed the password while this one was verified.
        if now.password != user.password {
            return Err(Violations::one(Field::Password, Violation::WrongPassword).into());
        }
        audit::user_erased(app, unit, caller, id)?;
        Ok(())
    })
}

/// Deletes the account of the caller, and does the rest of the work in the same transaction.
fn delete_own(
    app: &App,
    caller: &Caller,
    id: UserId,
    rest: impl Fn(&mut dyn UnitOfWork, &User) -> Result<(), Error>,
) -> Result<(), Error> {
    let images = app.store.write(|unit| {
        let is_last_superuser = users::superusers::is_last(unit, caller, id)?;
        let user = unit.users().find_for_update(id)?;
        let user = user.filter(|user| user.is_active).ok_or(Error::NotFound)?;
        if is_last_superuser {
            return Err(Denied::LastSuperuser.into());
        }
        let deleted = users::delete_locked(app, unit, caller, &user, Revocation::LoggedOut)?;
        rest(unit, &user)?;
        Ok::<_, Error>(deleted.images)
    })?;
    images::delete_all_unused(app, images);
    Ok(())
}

#[cfg(test)]
mod tests {
    use mockall::Sequence;
    use mycars_domain::{
        audit::{self, Value},
        values::PasswordHash,
    };

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
        ports::Verification,
    };

    fn superuser(id: i64, is_active: bool) -> User {
        User {
            id: UserId(id),
            is_active,
            ..samples::superuser()
        }
    }

    /// Returns mocks in which this user has no cars and is deleted, with three refresh tokens and two sessions.
    fn deletable(user: User) -> Mocks {
        Mocks::new()
            .with_user(user)
            .with_cars(vec![])
            .expect_logins_ended(Revocation::LoggedOut, 3, 2)
            .expect_user_delete(UserId(1))
    }

    #[test]
    fn delete_account_ends_logins_and_logs_the_user_as_actor() {
        let (app, store) = deletable(samples::user()).into_app();
        delete_account(&app, &samples::ann()).unwrap();
        let mut entry = expected::ann_is_gone(&samples::ann());
        entry.changes.extend(expected::ended_logins(3, 2));
        assert_eq!(store.entries(), [entry]);
        assert_eq!(store.commits(), 1);
    }

    #[test]
    fn delete_account_of_admin_is_allowed() {
        let admin = samples::admin_user();
        let (app, store) = deletable(admin.clone()).into_app();
        delete_account(&app, &samples::caller(&admin)).unwrap();
        assert_eq!(store.commits(), 1);
    }

    #[test]
    fn delete_account_removes_pictures_after_the_commit() {
        let mut order = Sequence::new();
        let mut mocks = Mocks::new()
            .with_user(samples::user())
            .with_cars(vec![samples::car_with_image("cars/a.jpg")])
            .expect_logins_ended(Revocation::LoggedOut, 0, 0);
        mocks.unit.cars.expect_has_image().returning(|_| Ok(false));
        mocks
            .unit
            .users
            .expect_delete()
            .once()
            .in_sequence(&mut order)
            .returning(|_| Ok(()));
        mocks
            .images
            .expect_delete()
            .withf(|path| path.as_str() == "cars/a.jpg")
            .once()
            .in_sequence(&mut order)
            .returning(|_| Ok(()));
        let (app, store) = mocks.into_app();
        delete_account(&app, &samples::ann()).unwrap();
        let mut car = expected::car_is_gone(&samples::ann());
        car.changes.push(audit::Change {
            field: Field::Image,
            before: "cars/a.jpg".into(),
            after: Value::Nothing,
        });
        assert_eq!(store.entries(), [car, expected::ann_is_gone(&samples::ann())]);
    }

    #[test]
    fn delete_account_of_last_active_superuser_is_denied() {
        for others in [vec![], vec![superuser(2, false)]] {
            let ann = superuser(1, true);
            let mut order = Sequence::new();
            let mut mocks = Mocks::new().with_user_read(ann.clone());
            let users = &mut mocks.unit.users;
            let (locked, all) = (ann.clone(), ann.clone());
            users
                .expect_superusers_for_update()
                .once()
                .in_sequence(&mut order)
                .return_once(move || Ok([all].into_iter().chain(others).collect()));
            users
                .expect_find_for_update()
                .once()
                .in_sequence(&mut order)
                .return_once(move |_| Ok(Some(locked)));
            let (app, store) = mocks.into_app();
            let refused = delete_account(&app, &samples::caller(&ann));
            assert!(matches!(refused, Err(Error::Denied(Denied::LastSuperuser))));
            assert_eq!((store.commits(), store.entries().len()), (0, 0));
        }
    }

    #[test]
    fn delete_account_of_superuser_succeeds_beside_another() {
        let ann = superuser(1, true);
        let all = vec![ann.clone(), superuser(2, true)];
        let (app, store) = deletable(ann.clone()).with_superusers(all).into_app();
        delete_account(&app, &samples::caller(&ann)).unwrap();
        assert_eq!(store.commits(), 1);
    }

    #[test]
    fn delete_account_of_anonymous_caller_is_denied() {
        let (app, store) = Mocks::new().into_app();
        let refused = delete_account(&app, &samples::anonymous());
        assert!(matches!(refused, Err(Error::Denied(Denied::NotAuthenticated))));
        assert_eq!(store.rollbacks(), 0);
    }

    #[test]
    fn delete_account_that_was_deactivated_meanwhile_is_not_found() {
        let (app, store) = Mocks::new().with_user(samples::inactive_user()).into_app();
        assert!(matches!(
            delete_account(&app, &samples::ann()),
            Err(Error::NotFound)
        ));
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn leave_erases_the_user_in_the_same_transaction() {
        let mut mocks = deletable(samples::user())
            .with_user_read(samples::user())
            .with_verification(Verification::Right);
        mocks
            .unit
            .audit_log
            .expect_forget_user()
            .once()
            .returning(|_| Ok(5));
        let (app, store) = mocks.into_app();
        leave(&app, &samples::ann(), &"right".into()).unwrap();
        let actions: Vec<_> = store.entries().into_iter().map(|entry| entry.action).collect();
        assert_eq!(actions, [audit::Action::Deleted, audit::Action::Erased]);
        assert_eq!(store.commits(), 1);
    }

    #[test]
    fn leave_with_wrong_or_missing_password_changes_nothing() {
        for (password, expected) in [
            (Input::from("wrong"), Violation::WrongPassword),
            (Input::from(" "), Violation::Blank),
            (Input::Absent, Violation::Required),
        ] {
            let (app, store) = Mocks::new()
                .with_user_read(samples::user())
                .with_verification(Verification::Wrong)
                .into_app();
            let refused = leave(&app, &samples::ann(), &password).unwrap_err().violations();
            assert_eq!(refused, Violations::one(Field::Password, expected));
            assert_eq!((store.commits(), store.entries().len()), (0, 0));
        }
    }

    #[test]
    fn leave_with_a_password_that_was_changed_meanwhile_is_refused() {
        let changed = User {
            password: PasswordHash::from_storage("other".into()),
            ..samples::user()
        };
        let (app, store) = Mocks::new()
            .with_user_read(samples::user())
            .with_verification(Verification::Right)
            .with_user_locked(changed)
            .with_cars(vec![])
            .expect_logins_ended(Revocation::LoggedOut, 0, 0)
            .expect_user_delete(UserId(1))
            .into_app();
        let refused = leave(&app, &samples::ann(), &"old".into())
            .unwrap_err()
            .violations();
        assert_eq!(
            refused,
            Violations::one(Field::Password, Violation::WrongPassword)
        );
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn leave_of_last_active_superuser_is_denied() {
        let ann = superuser(1, true);
        let (app, store) = Mocks::new()
            .with_user(ann.clone())
            .with_verification(Verification::Right)
            .with_superusers(vec![ann.clone()])
            .into_app();
        let refused = leave(&app, &samples::caller(&ann), &"right".into());
        assert!(matches!(refused, Err(Error::Denied(Denied::LastSuperuser))));
        assert_eq!(store.commits(), 0);
    }
}
