//! Authenticate a user by a session.

use chrono::TimeDelta;
use mycars_domain::User;

use super::hash;
use crate::{App, ports::StoreError};

/// Minimum time between two updates of a login's last use, so that not every request writes.
pub(crate) const TOUCH_AFTER: TimeDelta = TimeDelta::minutes(1);

/// Returns the user whose session has this key, as stored now; `None` if the session does not exist or has expired, or
/// the user is inactive.
///
/// # Errors
/// Those of the store, if it cannot be read. A failure to record the last use is no error.
///
/// ```
/// use mycars_application::{accounts::sessions, mocks::{Mocks, samples}};
///
/// let mut mocks = Mocks::new();
/// mocks.unit.sessions.expect_find().returning(|_| Ok(None));
/// let (app, _) = mocks.into_app();
///
/// assert_eq!(sessions::authenticate(&app, "what a cookie held")?, None);
/// # Ok::<(), mycars_application::ports::StoreError>(())
/// ```
pub fn authenticate(app: &App, key: &str) -> Result<Option<User>, StoreError> {
    let key_hash = hash(key);
    let now = app.now();
    let found = app.store.read(|unit| {
        let Some(session) = unit.sessions().find(&key_hash)? else {
            return Ok::<_, StoreError>(None);
        };
        Ok(unit.users().find(session.user)?.map(|user| (session, user)))
    })?;
    let Some((session, user)) = found else {
        return Ok(None);
    };
    let settings = app.session_settings;
    let is_over =
        session.last_seen_at + settings.idle <= now || session.created_at + settings.lifetime <= now;
    if is_over || !user.is_active {
        return Ok(None);
    }
    if session.last_seen_at + TOUCH_AFTER <= now {
        // The session is valid without this write, so a failure must not refuse the request. The next request tries
        // again, and the store logs a database that cannot be written. A read must not wait for other writers either.
        app.store
            .write_now(|unit| unit.sessions().touch(&key_hash, now))
            .ok();
    }
    Ok(Some(user))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        SessionSettings,
        mocks::{Mocks, samples},
        ports::{Device, Session},
    };

    /// Returns mocks in which this user logged in, and last used the session, this time ago.
    fn mocks(created: TimeDelta, seen: TimeDelta, user: User) -> Mocks {
        let session = Session {
            key_hash: hash("key"),
            user: user.id,
            created_at: samples::now() - created,
            last_seen_at: samples::now() - seen,
            device: Device::default(),
        };
        let mut mocks = Mocks::new().with_user_read(user);
        let sessions = &mut mocks.unit.sessions;
        let by_key = sessions.expect_find().withf(|given| given == hash("key"));
        by_key.returning(move |_| Ok(Some(session.clone())));
        mocks
    }

    #[test]
    fn unknown_key_has_no_user() {
        let mut mocks = Mocks::new();
        mocks.unit.sessions.expect_find().returning(|_| Ok(None));
        assert_eq!(authenticate(&mocks.into_app().0, "key").unwrap(), None);
    }

    #[test]
    fn idle_or_old_session_has_expired() {
        let SessionSettings { idle, lifetime } = SessionSettings::default();
        for (created, seen) in [(idle, idle), (lifetime, TimeDelta::zero())] {
            let (app, _) = mocks(created, seen, samples::user()).into_app();
            assert_eq!(authenticate(&app, "key").unwrap(), None);
        }
    }

    #[test]
    fn session_of_inactive_user_is_refused() {
        let (app, _) = mocks(TimeDelta::zero(), TimeDelta::zero(), samples::inactive_user()).into_app();
        assert_eq!(authenticate(&app, "key").unwrap(), None);
    }

    #[test]
    fn recently_seen_session_is_not_written() {
        let (app, store) = mocks(TimeDelta::hours(1), TimeDelta::zero(), samples::user()).into_app();
        assert_eq!(authenticate(&app, "key").unwrap(), Some(samples::user()));
        assert_eq!((store.reads(), store.commits()), (1, 0));
    }

    #[test]
    fn failed_touch_does_not_refuse_the_user() {
        for error in [
            || StoreError::Unavailable("others wrote all the time".into()),
            || StoreError::NotWritable("database or disk is full".into()),
            || StoreError::Other("the work went on".into()),
        ] {
            let mut mocks = mocks(TimeDelta::hours(1), TimeDelta::hours(1), samples::user());
            let touch = mocks.unit.sessions.expect_touch().once();
            touch.returning(move |_, _| Err(error()));
            let (app, store) = mocks.into_app();
            assert_eq!(authenticate(&app, "key").unwrap(), Some(samples::user()));
            assert_eq!(store.rollbacks(), 1);
        }
    }

    #[test]
    fn session_unseen_for_a_minute_is_touched() {
        let mut mocks = mocks(TimeDelta::hours(1), TimeDelta::minutes(1), samples::user());
        mocks
            .unit
            .sessions
            .expect_touch()
            .withf(|_, at| *at == samples::now())
            .once()
            .returning(|_, _| Ok(()));
        let (app, store) = mocks.into_app();
        assert_eq!(authenticate(&app, "key").unwrap(), Some(samples::user()));
        assert_eq!(store.commits(), 1);
    }
}
