//! Read a car.

use mycars_domain::{Action, Car, CarId};

use super::{CarScope, Error, authorize_car};
use crate::{App, Caller};

/// A car of a scope. Among one's own, somebody else's does not exist, for an admin neither.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Denied`] for who may not; [`Error::Store`].
pub fn read(app: &App, caller: &Caller, scope: CarScope, id: CarId) -> Result<Car, Error> {
    let car = app.store.read(|unit| unit.cars().find(id))?;
    authorize_car(caller, Action::ReadCar, scope, car)
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
    fn somebody_elses_car_is_not_found_whatever_ones_rank() {
        for rank in [Rank::Client, Rank::Admin, Rank::Superuser] {
            let refused = read(&app(), &samples::other_user(rank), CarScope::Caller, CarId(10));
            assert!(matches!(refused, Err(Error::NotFound)), "{rank:?}");
        }
    }

    #[test]
    fn a_car_that_is_not_there_is_not_found() {
        let refused = read(
            &Mocks::new().without_car().into_app().0,
            &samples::ann(),
            CarScope::Caller,
            CarId(10),
        );
        assert!(matches!(refused, Err(Error::NotFound)));
    }

    #[test]
    fn ones_own_car_is_read() {
        let car = read(&app(), &samples::ann(), CarScope::Caller, CarId(10)).unwrap();
        assert_eq!(car, samples::car());
    }

    #[test]
    fn an_admin_reads_a_car_under_its_owner_only() {
        let admin = samples::admin();
        let read_of = |owner| read(&app(), &admin, CarScope::Owner(owner), CarId(10));
        assert!(read_of(UserId(1)).is_ok());
        assert!(matches!(read_of(UserId(2)), Err(Error::NotFound)));
        assert!(matches!(read_of(UserId(3)), Err(Error::NotFound)));
    }

    #[test]
    fn a_client_reads_no_car_as_an_admin_would() {
        let ann = samples::user();
        let refused = read(&app(), &samples::caller(&ann), CarScope::Owner(ann.id), CarId(10));
        assert!(matches!(refused, Err(Error::Denied(Denied::Forbidden))));
    }
}
