//! Authenticate a program by an API key.

use mycars_domain::{KeyRights, User};

use crate::{
    App,
    accounts::{
        AuthenticationError, TokenError,
        sessions::{TOUCH_AFTER, hash},
    },
};

/// The beginning of every API key, by which scanners for leaked secrets find it.
pub const PREFIX: &str = "mck_";

/// Returns the user of an API key, as stored now, and the rights of the key.
///
/// # Errors
/// [`TokenError::Invalid`] for an unknown key, [`TokenError::Expired`], and those of the user.
///
/// ```
/// use mycars_application::{accounts::keys, mocks::Mocks};
///
/// let mut mocks = Mocks::new();
/// mocks.unit.api_keys.expect_find_by_hash().returning(|_| Ok(None));
/// let (app, _) = mocks.into_app();
///
/// assert!(keys::authenticate(&app, "mck_unknown").is_err());
/// ```
pub fn authenticate(app: &App, key: &str) -> Result<(User, KeyRights), AuthenticationError> {
    let now = app.now();
    let (key, user) = app.store.read(|unit| {
        let key = unit.api_keys().find_by_hash(&hash(key))?;
        let key = key.ok_or(TokenError::Invalid)?;
        let user = unit.users().find(key.owner)?;
        Ok::<_, AuthenticationError>((key, user.ok_or(AuthenticationError::UserNotFound)?))
    })?;
    if key.expires_at.is_some_and(|expiry| expiry <= now) {
        return Err(TokenError::Expired.into());
    }
    if !user.is_active {
        return Err(AuthenticationError::UserInactive);
    }
    if key.last_used_at.is_none_or(|used| used + TOUCH_AFTER <= now) {
        // The key is valid without this write, as in `sessions::authenticate`.
        app.store
            .write_now(|unit| unit.api_keys().touch(key.id, now))
            .ok();
    }
    Ok((user, key.rights))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::{
        mocks::{Mocks, samples},
        ports::ApiKey,
    };

    fn mocks(key: ApiKey, user: User) -> Mocks {
        let mut mocks = Mocks::new().with_user_read(user);
        let find = mocks.unit.api_keys.expect_find_by_hash();
        find.withf(|given| given == hash("mck_key"))
            .returning(move |_| Ok(Some(key.clone())));
        mocks
    }

    fn used(seconds: i64) -> ApiKey {
        ApiKey {
            last_used_at: Some(samples::now() - TimeDelta::seconds(seconds)),
            ..samples::api_key()
        }
    }

    #[test]
    fn valid_key_finds_its_user_and_rights() {
        let (app, store) = mocks(used(59), samples::user()).into_app();
        let found = authenticate(&app, "mck_key").unwrap();
        assert_eq!(found, (samples::user(), KeyRights::Read));
        assert_eq!(store.commits(), 0);
    }

    #[test]
    fn use_of_a_key_is_recorded_once_a_minute() {
        for key in [used(60), samples::api_key()] {
            let mut mocks = mocks(key, samples::user());
            let touch = mocks.unit.api_keys.expect_touch().once();
            touch
                .withf(|id, at| (*id, *at) == (3, samples::now()))
                .returning(|_, _| Ok(()));
            let (app, store) = mocks.into_app();
            authenticate(&app, "mck_key").unwrap();
            assert_eq!(store.commits(), 1);
        }
    }

    #[test]
    fn key_is_refused_from_the_moment_of_its_expiry() {
        for (microseconds, is_valid) in [(0, false), (1, true)] {
            let key = ApiKey {
                expires_at: Some(samples::now() + TimeDelta::microseconds(microseconds)),
                ..used(0)
            };
            let (app, _) = mocks(key, samples::user()).into_app();
            match authenticate(&app, "mck_key") {
                Ok(_) => assert!(is_valid),
                Err(AuthenticationError::Token(TokenError::Expired)) => assert!(!is_valid),
                Err(other) => panic!("{other}"),
            }
        }
    }

    #[test]
    fn key_of_inactive_user_is_refused() {
        let (app, store) = mocks(samples::api_key(), samples::inactive_user()).into_app();
        let refused = authenticate(&app, "mck_key");
        assert!(matches!(refused, Err(AuthenticationError::UserInactive)));
        assert_eq!(store.commits(), 0);
    }
}
