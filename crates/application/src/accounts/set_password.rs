//! Set a user's password without the old one.

use mycars_domain::{
    Action, Target, User, UserId, policy,
    values::{Password, PasswordHash},
};

use super::{Error, keys, logins};
use crate::{
    App, Caller,
    audit::{self, EndedLogins},
    outbox,
    ports::{MailKind, Revocation, StoreError, UnitOfWork},
};

/// Returns the user whose password is to be set, by the exact username.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Denied`] for callers who may not set passwords; [`Error::Store`].
pub fn find_for_password(app: &App, caller: &Caller, username: &str) -> Result<User, Error> {
    policy::check(&caller.actor, Action::SetPassword, Target::NOTHING)?;
    app.store
        .read(|unit| unit.users().find_by_username(username))?
        .ok_or(Error::NotFound)
}

/// Sets a user's password, ends all their logins and deletes their API keys. The caller must check the strength of the
/// password: see [`mycars_domain::password`].
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Denied`] for callers who may not do this to this user; [`Error::Hash`];
/// [`Error::Store`].
pub fn set_password(app: &App, caller: &Caller, id: UserId, password: &Password) -> Result<(), Error> {
    policy::check(&caller.actor, Action::SetPassword, Target::NOTHING)?;
    let hash = app.hasher.hash(password)?;
    app.store.write(|unit| {
        let before = caller.recheck_with::<Error>(unit, id)?.ok_or(Error::NotFound)?;
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

/// Sets the password hash of a locked user, ends their logins and API keys, and tells them by mail. Returns what has
/// ended.
pub(super) fn replace_password(
    app: &App,
    unit: &mut dyn UnitOfWork,
    user: &mut User,
    hash: PasswordHash,
) -> Result<EndedLogins, StoreError> {
    Ok(EndedLogins {
        keys: keys::end_all_of(unit, user.id)?,
        ..replace_own_password(app, unit, user, hash)?
    })
}

/// Sets the password hash of a locked user who proved to know the old one, ends their logins, and tells
/// them by mail. API keys stay.
pub(super) fn replace_own_password(
    app: &App,
    unit: &mut dyn UnitOfWork,
    user: &mut User,
    hash: PasswordHash,
) -> Result<EndedLogins, StoreError> {
    user.password = hash;
    user.updated_at = app.now_after(user.updated_at);
    outbox::enqueue(app, unit, MailKind::PasswordChanged, Some(&*user))?;
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
    fn set_password_by_a_client_is_denied() {
        let (app, store) = Mocks::new().into_app();
        let ann = samples::user();
        let refused = set_password(&app, &samples::caller(&ann), ann.id, &password());
        assert!(matches!(refused, Err(Error::Denied(Denied::Forbidden))));
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn set_password_of_a_superuser_by_an_admin_is_denied() {
        let (app, store) = Mocks::new()
            .with_hash("new")
            .with_user_locked(samples::superuser())
            .into_app();
        let refused = set_password(&app, &samples::admin(), UserId(1), &password());
        assert!(matches!(refused, Err(Error::Denied(Denied::SuperusersOnly))));
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn set_password_ends_all_logins_and_keys_and_hides_the_password() {
        let (app, store) = Mocks::new()
            .with_hash("new")
            .with_user_locked(samples::user())
            .expect_user_update(|user| user.password.reveal() == "new")
            .expect_keys_ended()
            .expect_logins_ended(Revocation::PasswordChanged, 1, 1)
            .into_app();
        set_password(&app, &Caller::system(), UserId(1), &password()).unwrap();
        assert_eq!(store.commits(), 1);
        let changes = expected::NEW_PASSWORD.into_iter().chain([expected::key_ended()]);
        let entry = expected::ann_changed(&Caller::system(), changes);
        assert_eq!(store.entries(), [entry]);
    }

    #[test]
    fn find_of_unknown_user_is_not_found() {
        let (app, _) = Mocks::new().without_user().into_app();
        let refused = find_for_password(&app, &Caller::system(), "x");
        assert!(matches!(refused, Err(Error::NotFound)));
    }
}
