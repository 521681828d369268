//! Read a user.

use mycars_domain::{Action, Car, Target, User, UserId, policy, values::Username};

use crate::{App, Caller, Error, lists::CarQuery};

/// A user.
///
/// # Errors
/// [`Error::Denied`] for who is no admin, whether there is such a user or not; [`Error::NotFound`];
/// [`Error::Store`].
pub fn read(app: &App, caller: &Caller, id: UserId) -> Result<User, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    app.store
        .read(|unit| unit.users().find(id))?
        .ok_or(Error::NotFound)
}

/// The user with this username, whatever its case.
///
/// # Errors
/// [`Error::Denied`] for who is no admin; [`Error::Store`].
pub fn find(app: &App, caller: &Caller, username: &str) -> Result<Option<User>, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    let username = Username::from_storage(Username::normalize(username));
    Ok(app.store.read(|unit| unit.users().find_in_any_case(&username))?)
}

/// A user and all their cars, newest first.
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
    fn a_client_does_not_even_read_themselves_that_way() {
        let (app, store) = Mocks::new().into_app();
        let ann = samples::user();
        let refused = read(&app, &samples::caller(&ann), ann.id);
        assert!(matches!(refused, Err(Error::Denied(Denied::Forbidden))));
        assert_eq!(store.reads(), 0);
    }

    #[test]
    fn who_is_not_there_is_not_found() {
        let (app, _) = Mocks::new().without_user().into_app();
        let refused = read_with_cars(&app, &samples::admin(), UserId(9));
        assert!(matches!(refused, Err(Error::NotFound)));
    }

    #[test]
    fn a_username_is_looked_for_as_it_is_kept_whatever_its_case() {
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
    fn an_admin_reads_a_user_and_their_cars() {
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
