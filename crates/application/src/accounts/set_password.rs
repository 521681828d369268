//! Set somebody's password without proving the old one.

use mycars_domain::{
    Action, Target, User, UserId, policy,
    values::{Password, PasswordHash},
};

use super::{Error, logins};
use crate::{
    App, Caller,
    audit::{self, EndedLogins},
    ports::{Revocation, StoreError, UnitOfWork},
};

/// The user whose password is to be set, by the exact username.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Denied`] for who may not set passwords; [`Error::Store`].
pub fn find_for_password(app: &App, caller: &Caller, username: &str) -> Result<User, Error> {
    policy::check(&caller.actor, Action::SetPassword, Target::NOTHING)?;
    app.store
        .read(|unit| unit.users().find_by_username(username))?
        .ok_or(Error::NotFound)
}

/// Sets a user's password. Every refresh token issued before is dead afterwards. Whether the password is good
/// enough is for the caller to have judged: see [`mycars_domain::password`].
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Denied`] for who may not do this to this user; [`Error::Hash`];
/// [`Error::Store`].
pub fn set_password(app: &App, caller: &Caller, id: UserId, password: &Password) -> Result<(), Error> {
    policy::check(&caller.actor, Action::SetPassword, Target::NOTHING)?;
    let hash = app.hasher.hash(password)?;
    app.store.write(|unit| {
        let before = unit.users().find_for_update(id)?.ok_or(Error::NotFound)?;
        policy::check(
            &caller.actor,
            Action::SetPassword,
            Target::user(before.id, before.rank()),
        )?;
        let mut after = before.clone();
        let ended = replace_password(app, unit, &mut after, hash)?;
        Ok(audit::user_changed(app, unit, caller, &before, &after, ended)?)
    })
}

/// Gives a user who is locked a new password hash and ends their logins, and answers how many there were.
pub(crate) fn replace_password(
    app: &App,
    unit: &mut dyn UnitOfWork,
    user: &mut User,
    hash: PasswordHash,
) -> Result<EndedLogins, StoreError> {
    user.password = hash;
    user.updated_at = app.now_after(user.updated_at);
    logins::update_and_end(app, unit, user, Revocation::PasswordChanged)
}

#[cfg(test)]
mod tests {
    use mycars_domain::Denied;

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
    };

    fn password() -> Password {
        Password::parse("password123").unwrap()
    }

    #[test]
    fn a_client_may_not_set_passwords_not_even_their_own() {
        let (app, store) = Mocks::new().into_app();
        let ann = samples::user();
        let refused = set_password(&app, &samples::caller(&ann), ann.id, &password());
        assert!(matches!(refused, Err(Error::Denied(Denied::Forbidden))));
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn an_admin_may_not_set_a_superusers() {
        let (app, store) = Mocks::new()
            .with_hash("new")
            .with_user_locked(samples::superuser())
            .into_app();
        let refused = set_password(&app, &samples::admin(), UserId(1), &password());
        assert!(matches!(refused, Err(Error::Denied(Denied::SuperusersOnly))));
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn a_password_that_is_set_ends_the_users_logins_and_is_not_told() {
        let (app, store) = Mocks::new()
            .with_hash("new")
            .with_user_locked(samples::user())
            .expect_user_update(|user| user.password.reveal() == "new")
            .expect_logins_ended(Revocation::PasswordChanged, 1, 1)
            .into_app();
        set_password(&app, &Caller::system(), UserId(1), &password()).unwrap();
        assert_eq!(store.commits(), 1);
        let entry = expected::ann_changed(&Caller::system(), expected::NEW_PASSWORD);
        assert_eq!(store.entries(), [entry]);
    }

    #[test]
    fn who_is_not_there_is_not_found() {
        let (app, _) = Mocks::new().without_user().into_app();
        let refused = find_for_password(&app, &Caller::system(), "x");
        assert!(matches!(refused, Err(Error::NotFound)));
    }
}
