//! List the API keys of a user.

use mycars_domain::{Action, Rank, Target, UserId, policy};

use crate::{App, Caller, Error, ports::ApiKey};

/// Returns all API keys of a user, the newest first, also those that have expired.
///
/// # Errors
/// [`Error::Denied`] for callers that may not see them; [`Error::Store`].
pub fn list(app: &App, caller: &Caller, owner: UserId) -> Result<Vec<ApiKey>, Error> {
    policy::check(&caller.actor, Action::ReadKeys, Target::user(owner, Rank::Client))?;
    Ok(app.store.read(|unit| unit.api_keys().list_of(owner))?)
}

#[cfg(test)]
mod tests {
    use mycars_domain::Denied;

    use super::*;
    use crate::mocks::{Mocks, samples};

    #[test]
    fn keys_are_shown_to_their_user_and_admins() {
        for (caller, expected) in [
            (samples::ann(), Ok(1)),
            (samples::admin(), Ok(1)),
            (samples::other_user(Rank::Client), Err(Denied::NotFound)),
            (samples::anonymous(), Err(Denied::NotAuthenticated)),
        ] {
            let mut mocks = Mocks::new();
            let of_ann = mocks.unit.api_keys.expect_list_of();
            of_ann.returning(|_| Ok(vec![samples::api_key()]));
            let listed = list(&mocks.into_app().0, &caller, UserId(1));
            let listed = listed.map(|keys| keys.len()).map_err(|error| match error {
                Error::Denied(denied) => denied,
                other => panic!("{other}"),
            });
            assert_eq!(listed, expected);
        }
    }
}
