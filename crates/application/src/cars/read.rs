//! Read a car.

use mycars_domain::{Action, Car, CarId};

use super::{CarScope, Error, authorize_car};
use crate::{App, Caller};

/// Returns a car in the scope. Another user's car is not found, also for admins in [`CarScope::Caller`].
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Denied`]; [`Error::Store`].
pub fn read(app: &App, caller: &Caller, scope: CarScope, id: CarId) -> Result<Car, Error> {
    let car = app.store.read(|unit| unit.cars().find(id))?;
    authorize_car(caller, Action::ReadCar, scope, car)
}

/// Returns a car that was read with its owner by
/// [`authenticate_with_car`](crate::accounts::authenticate_with_car), as [`read`] does.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Denied`].
pub fn show<'a>(caller: &Caller, scope: CarScope, car: &'a Car) -> Result<&'a Car, Error> {
    let owner = scope.owner(caller, Action::ReadCar)?;
    if owner.is_none_or(|owner| car.owner == owner) {
        Ok(car)
    } else {
        Err(Error::NotFound)
    }
}

#[cfg(test)]
mod tests {
    use mycars_domain::{Denied, Rank, UserId};

    use super::*;
    use crate::mocks::{Mocks, samples};

    fn app() -> App {
        Mocks::new().with_car_read(samples::car()).into_app().0
    }

    #[test]
    fn read_of_other_users_car_is_not_found_for_any_rank() {
        for rank in [Rank::Client, Rank::Admin, Rank::Superuser] {
            let refused = read(&app(), &samples::other_user(rank), CarScope::Caller, CarId(10));
            assert!(matches!(refused, Err(Error::NotFound)), "{rank:?}");
        }
    }

    #[test]
    fn show_of_other_users_car_is_not_found_for_any_rank() {
        let car = samples::car();
        assert_eq!(show(&samples::ann(), CarScope::Caller, &car).unwrap(), &car);
        let refused = show(&samples::anonymous(), CarScope::Caller, &car);
        assert!(matches!(refused, Err(Error::Denied(Denied::NotAuthenticated))));
        for rank in [Rank::Client, Rank::Admin, Rank::Superuser] {
            let refused = show(&samples::other_user(rank), CarScope::Caller, &car);
            assert!(matches!(refused, Err(Error::NotFound)), "{rank:?}");
        }
    }

    #[test]
    fn read_of_unknown_car_is_not_found() {
        let refused = read(
            &Mocks::new().without_car().into_app().0,
            &samples::ann(),
            CarScope::Caller,
            CarId(10),
        );
        assert!(matches!(refused, Err(Error::NotFound)));
    }

    #[test]
    fn read_returns_the_callers_own_car() {
        let car = read(&app(), &samples::ann(), CarScope::Caller, CarId(10)).unwrap();
        assert_eq!(car, samples::car());
    }

    #[test]
    fn read_by_an_admin_requires_the_right_owner() {
        let admin = samples::admin();
        let read_of = |owner| read(&app(), &admin, CarScope::Owner(owner), CarId(10));
        assert!(read_of(UserId(1)).is_ok());
        assert!(matches!(read_of(UserId(2)), Err(Error::NotFound)));
        assert!(matches!(read_of(UserId(3)), Err(Error::NotFound)));
    }

    #[test]
    fn read_in_owner_scope_by_a_client_is_denied() {
        let ann = samples::user();
        let refused = read(&app(), &samples::caller(&ann), CarScope::Owner(ann.id), CarId(10));
        assert!(matches!(refused, Err(Error::Denied(Denied::Forbidden))));
    }
}
