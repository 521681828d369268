//! Delete expired refresh tokens.

use mycars_domain::{Action, Target, policy};

use crate::{App, Caller, Error};

/// Deletes the expired refresh tokens and returns their number. They are refused with or without a record.
///
/// # Errors
/// [`Error::Denied`] for all callers but the program itself; [`Error::Store`].
pub fn flush_expired_tokens(app: &App, caller: &Caller) -> Result<usize, Error> {
    policy::check(&caller.actor, Action::FlushTokens, Target::NOTHING)?;
    app.store
        .write(|unit| Ok(unit.refresh_tokens().delete_expired(app.now())?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::{Mocks, samples};

    #[test]
    fn flush_deletes_and_counts_expired_tokens() {
        let mut mocks = Mocks::new();
        mocks
            .unit
            .refresh_tokens
            .expect_delete_expired()
            .withf(|now| *now == samples::now())
            .once()
            .returning(|_| Ok(3));
        let (app, store) = mocks.into_app();
        assert_eq!(flush_expired_tokens(&app, &Caller::system()).unwrap(), 3);
        assert_eq!(store.commits(), 1);
    }
}
