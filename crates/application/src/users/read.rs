//! Read a user.

use mycars_domain::{Action, Car, Target, User, UserId, policy, values::Username};

use crate::{App, Caller, Error, lists::CarQuery};

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

/// Returns a user and all their cars, newest first.
///
/// # Errors
/// Those of [`read`].
pub fn read_with_cars(app: &App, caller: &Caller, id: UserId) -> Result<(User, Vec<Car>), Error> {
    let user = read(app, caller, id)?;
    let cars = app
        .store
        .read(|unit| unit.cars().list(Some(id), &CarQuery::default()))?;
    Ok((user, cars))
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
        let refused = read_with_cars(&app, &samples::admin(), UserId(9));
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

    #[test]
    fn read_with_cars_returns_the_user_and_their_cars() {
        let mut mocks = Mocks::new().with_user_read(samples::user());
        mocks
            .unit
            .cars
            .expect_list()
            .returning(|_, _| Ok(vec![samples::car()]));
        let (app, _) = mocks.into_app();
        let read = read_with_cars(&app, &samples::admin(), UserId(1)).unwrap();
        assert_eq!(read, (samples::user(), vec![samples::car()]));
    }
}
