//! Read a user.

use mycars_domain::{Action, Target, User, UserId, policy, values::Username};

use crate::{App, Caller, Error};

/// Returns a user.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights, whether the user exists or not; [`Error::NotFound`];
/// [`Error::Store`].
pub fn read(app: &App, caller: &Caller, id: UserId) -> Result<User, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    app.store
        .read(|unit| unit.users().find(id))?
        .ok_or(Error::NotFound)
}

/// Returns the user with this username, in any case.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Store`].
pub fn find(app: &App, caller: &Caller, username: &str) -> Result<Option<User>, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    let username = Username::from_storage(Username::normalize(username));
    Ok(app.store.read(|unit| unit.users().find_in_any_case(&username))?)
}

#[cfg(test)]
mod tests {
    use mycars_domain::Denied;

    use super::*;
    use crate::mocks::{Mocks, samples};

    #[test]
    fn read_by_a_client_is_denied_also_of_themselves() {
        let (app, store) = Mocks::new().into_app();
        let ann = samples::user();
        let refused = read(&app, &samples::caller(&ann), ann.id);
        assert!(matches!(refused, Err(Error::Denied(Denied::Forbidden))));
        assert_eq!(store.reads(), 0);
    }

    #[test]
    fn read_of_unknown_user_is_not_found() {
        let (app, _) = Mocks::new().without_user().into_app();
        let refused = read(&app, &samples::admin(), UserId(9));
        assert!(matches!(refused, Err(Error::NotFound)));
    }

    #[test]
    fn find_normalizes_the_username() {
        let mut mocks = Mocks::new();
        mocks
            .unit
            .users
            .expect_find_in_any_case()
            .withf(|username| username.as_str() == "ANN")
            .once()
            .returning(|_| Ok(Some(samples::user())));
        let (app, _) = mocks.into_app();
        let found = find(&app, &samples::admin(), " ＡNN ").unwrap();
        assert_eq!(found, Some(samples::user()));
    }
}
