//! Delete expired refresh tokens, and the old e-mail addresses whose links have expired.

use mycars_domain::{Action, PreviousEmail, Target, policy};

use crate::{App, Caller, Error, housekeeping::delete_in_batches};

/// Deletes the refresh tokens that expired before all access tokens of their logins, and returns their number. They are
/// refused with or without a record. Until then, the record of an ended token shows that its login has ended: see
/// [`TokenSettings::access_dies_with_login`](crate::TokenSettings::access_dies_with_login).
///
/// Replaced e-mail addresses are forgotten when the link that puts them back has expired. They are not counted.
///
/// # Errors
/// [`Error::Denied`] for all callers but the program itself; [`Error::Store`].
pub fn flush_expired_tokens(app: &App, caller: &Caller) -> Result<usize, Error> {
    policy::check(&caller.actor, Action::FlushTokens, Target::NOTHING)?;
    let replaced_by = app.now() - PreviousEmail::UNDO_WITHIN;
    delete_in_batches(app, |unit, at_most| {
        unit.users().forget_previous_emails(replaced_by, at_most)
    })?;
    let expired_at = app.now() - app.token_settings.access_lifetime;
    delete_in_batches(app, |unit, at_most| {
        unit.refresh_tokens().delete_expired(expired_at, at_most)
    })
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::mocks::{Mocks, samples};

    #[test]
    fn flush_deletes_and_counts_tokens_in_batches_after_their_access_tokens() {
        let mut batches = [1000, 1000, 3].into_iter();
        let mut mocks = Mocks::new();
        mocks
            .unit
            .refresh_tokens
            .expect_delete_expired()
            .withf(|at, at_most| *at == samples::now() - TimeDelta::minutes(5) && *at_most == 1000)
            .times(3)
            .returning(move |_, _| Ok(batches.next().unwrap()));
        mocks
            .unit
            .users
            .expect_forget_previous_emails()
            .once()
            .withf(|at, at_most| *at == samples::now() - TimeDelta::days(7) && *at_most == 1000)
            .returning(|_, _| Ok(2));
        mocks.token_settings.access_lifetime = TimeDelta::minutes(5);
        let (app, store) = mocks.into_app();
        assert_eq!(flush_expired_tokens(&app, &Caller::system()).unwrap(), 2003);
        assert_eq!(store.commits(), 4);
    }
}
