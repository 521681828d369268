//! Read one of one's own cars.

use mycars_domain::{Action, Actor, Car, CarId};

use super::{Error, permitted};
use crate::App;

/// One of the cars of `actor` (wire contract, section 5). Somebody else's does not exist, for an admin
/// neither.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Denied`] for nobody; [`Error::Store`].
pub fn read(app: &App, actor: &Actor, id: CarId) -> Result<Car, Error> {
    let car = app.store.read(|unit| unit.cars().find(id))?;
    permitted(actor, Action::ReadCar, car)
}

#[cfg(test)]
mod tests {
    use mockall::predicate::eq;
    use mycars_domain::Rank;

    use super::*;
    use crate::mocks::{Mocks, samples};

    fn app_with(car: Option<Car>) -> App {
        let mut mocks = Mocks::new();
        mocks
            .unit
            .cars
            .expect_find()
            .with(eq(CarId(10)))
            .once()
            .return_once(|_| Ok(car));
        mocks.into_app().0
    }

    #[test]
    fn somebody_elses_car_is_not_found_whatever_ones_rank() {
        for rank in [Rank::Client, Rank::Admin, Rank::Superuser] {
            let app = app_with(Some(samples::car()));
            let refused = read(&app, &samples::somebody_else(rank), CarId(10));
            assert!(matches!(refused, Err(Error::NotFound)), "{rank:?}");
        }
    }

    #[test]
    fn a_car_that_is_not_there_is_not_found() {
        let refused = read(&app_with(None), &samples::user().actor(), CarId(10));
        assert!(matches!(refused, Err(Error::NotFound)));
    }

    #[test]
    fn ones_own_car_is_read() {
        let app = app_with(Some(samples::car()));
        assert_eq!(
            read(&app, &samples::user().actor(), CarId(10)).unwrap(),
            samples::car()
        );
    }
}
