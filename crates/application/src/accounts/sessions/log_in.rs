//! Log a browser in.

use mycars_domain::User;

use super::hash;
use crate::{
    App,
    accounts::{Credentials, Error, verify_credentials},
    ports::{Device, Session},
};

/// The result of a browser's login. It contains the key and must not be printed.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct LoggedIn {
    /// The key, which is stored only in the browser.
    pub key: String,
    /// The user.
    pub user: User,
}

/// Logs the browser `device` in. The session always has a new key and ends the one of `old_key`, so that a key planted in
/// the browser never becomes a login.
///
/// # Errors
/// Those of [`accounts::log_in`](crate::accounts::log_in), except [`Error::Unsignable`].
///
/// ```
/// use mycars_application::{
///     accounts::{Credentials, sessions}, mocks::{Mocks, samples}, ports::{Device, Verification},
/// };
///
/// let mut mocks = Mocks::new();
/// let users = &mut mocks.unit.users;
/// users.expect_find_by_username().returning(|_| Ok(Some(samples::user())));
/// users.expect_find_for_update().returning(|_| Ok(Some(samples::user())));
/// users.expect_update().returning(|_| Ok(()));
/// mocks.hasher.expect_verify().returning(|_, _| Verification::Right);
/// mocks.random.expect_hex().returning(|bytes| "0f".repeat(bytes));
/// mocks.unit.sessions.expect_insert().returning(|session| {
///     assert_ne!(session.key_hash, "0f".repeat(32), "the key itself is not stored");
///     Ok(())
/// });
/// let (app, _) = mocks.into_app();
///
/// let credentials = Credentials { username: "ann".into(), password: "Harbour-x7-9".into() };
/// let login = sessions::log_in(&app, &credentials, None, Device::default())?;
/// assert_eq!((login.key, login.user.id), ("0f".repeat(32), samples::user().id));
/// # Ok::<(), mycars_application::accounts::Error>(())
/// ```
pub fn log_in(
    app: &App,
    credentials: &Credentials,
    old_key: Option<&str>,
    device: Device,
) -> Result<LoggedIn, Error> {
    let proof = verify_credentials(app, credentials)?;
    let key = app.random.hex(32);
    let now = app.now();
    let user = app.store.write(|unit| {
        let user = proof.accept(app, unit)?;
        if let Some(old_key) = old_key {
            unit.sessions().delete(&hash(old_key))?;
        }
        let session = Session {
            key_hash: hash(&key),
            user: user.id,
            created_at: now,
            last_seen_at: now,
            device,
        };
        unit.sessions().insert(&session)?;
        Ok::<_, Error>(user)
    })?;
    Ok(LoggedIn { key, user })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mocks::{Mocks, samples},
        ports::Verification,
    };

    fn mocks(verification: Verification) -> Mocks {
        Mocks::new()
            .with_user_read(samples::user())
            .with_verification(verification)
    }

    fn credentials() -> Credentials {
        Credentials {
            username: "ann".into(),
            password: "secret".into(),
        }
    }

    #[test]
    fn wrong_password_changes_no_session() {
        let (app, store) = mocks(Verification::Wrong).into_app();
        assert!(matches!(
            log_in(&app, &credentials(), Some("old"), Device::default()),
            Err(Error::NoActiveAccount)
        ));
        assert_eq!(store.commits(), 0);
    }

    #[test]
    fn log_in_makes_a_new_key_and_ends_the_old_session() {
        let mut mocks = mocks(Verification::Right)
            .with_user_locked(samples::user())
            .expect_user_update(|_| true);
        mocks
            .random
            .expect_hex()
            .withf(|bytes| *bytes == 32)
            .returning(|_| "new".into());
        let sessions = &mut mocks.unit.sessions;
        sessions
            .expect_delete()
            .withf(|given| given == hash("old"))
            .once()
            .returning(|_| Ok(()));
        sessions
            .expect_insert()
            .withf(|session| session.key_hash == hash("new") && session.user == samples::user().id)
            .once()
            .returning(|_| Ok(()));
        let (app, store) = mocks.into_app();
        let logged_in = log_in(&app, &credentials(), Some("old"), Device::default()).unwrap();
        assert_eq!(logged_in.key, "new");
        assert_eq!(logged_in.user.last_login, Some(samples::now()));
        assert_eq!(store.commits(), 1);
    }
}
