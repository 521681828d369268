//! Delete expired refresh tokens.

use mycars_domain::{Action, Target, policy};

use crate::{App, Caller, Error, housekeeping::delete_in_batches};

/// Deletes the expired refresh tokens and returns their number. They are refused with or without a record.
///
/// # Errors
/// [`Error::Denied`] for all callers but the program itself; [`Error::Store`].
pub fn flush_expired_tokens(app: &App, caller: &Caller) -> Result<usize, Error> {
    policy::check(&caller.actor, Action::FlushTokens, Target::NOTHING)?;
    let now = app.now();
    delete_in_batches(app, |unit, at_most| {
        unit.refresh_tokens().delete_expired(now, at_most)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::{Mocks, samples};

    #[test]
    fn flush_deletes_and_counts_expired_tokens_in_batches() {
        let mut batches = [1000, 1000, 3].into_iter();
        let mut mocks = Mocks::new();
        mocks
            .unit
            .refresh_tokens
            .expect_delete_expired()
            .withf(|now, at_most| *now == samples::now() && *at_most == 1000)
            .times(3)
            .returning(move |_, _| Ok(batches.next().unwrap()));
        let (app, store) = mocks.into_app();
        assert_eq!(flush_expired_tokens(&app, &Caller::system()).unwrap(), 2003);
        assert_eq!(store.commits(), 3);
    }
}
