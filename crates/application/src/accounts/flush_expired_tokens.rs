//! Forget the refresh tokens that have expired.

use mycars_domain::{Action, Target, policy};

use crate::{App, Caller, Error};

/// Forgets the refresh tokens that have expired, which are refused without being known, and answers how many
/// there were.
///
/// # Errors
/// [`Error::Denied`] for everybody but the program itself; [`Error::Store`].
pub fn flush_expired_tokens(app: &App, caller: &Caller) -> Result<usize, Error> {
    policy::check(&caller.actor, Action::FlushTokens, Target::NOTHING)?;
    app.store
        .write(|unit| Ok(unit.refresh_tokens().delete_expired(app.now())?))
}

#[cfg(test)]
mod tests {
    use mycars_domain::{Denied, Rank};

    use super::*;
    use crate::mocks::{Mocks, samples};

    #[test]
    fn not_even_a_superuser_flushes_through_the_api() {
        let (app, _) = Mocks::new().into_app();
        let refused = flush_expired_tokens(&app, &samples::other_user(Rank::Superuser));
        assert!(matches!(refused, Err(Error::Denied(Denied::Forbidden))));
    }

    #[test]
    fn what_had_expired_by_now_is_forgotten_and_counted() {
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
