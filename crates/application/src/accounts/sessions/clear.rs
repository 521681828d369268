//! Delete expired sessions.

use mycars_domain::{Action, Target, policy};

use crate::{App, Caller, Error, housekeeping::delete_in_batches};

/// Deletes the expired sessions, which are refused in any case, and returns their number.
///
/// # Errors
/// [`Error::Denied`] for all callers but the program itself; [`Error::Store`].
pub fn clear_expired(app: &App, caller: &Caller) -> Result<usize, Error> {
    policy::check(&caller.actor, Action::ClearSessions, Target::NOTHING)?;
    let (now, settings) = (app.now(), app.session_settings);
    delete_in_batches(app, |unit, at_most| {
        unit.sessions()
            .delete_expired(now - settings.idle, now - settings.lifetime, at_most)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::{Mocks, samples};

    #[test]
    fn clear_deletes_idle_and_old_sessions() {
        let mut mocks = Mocks::new();
        mocks
            .unit
            .sessions
            .expect_delete_expired()
            .withf(|seen, created, _| created < seen && *seen < samples::now())
            .once()
            .returning(|_, _, _| Ok(2));
        let (app, _) = mocks.into_app();
        assert_eq!(clear_expired(&app, &Caller::system()).unwrap(), 2);
    }
}
