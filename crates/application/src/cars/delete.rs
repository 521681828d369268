//! Delete one of one's own cars.

use mycars_domain::{Action, Actor, CarId};

use super::{Error, permitted};
use crate::App;

/// Deletes one of the cars of `actor` (wire contract, section 5).
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Denied`] for nobody; [`Error::Store`].
pub fn delete(app: &App, actor: &Actor, id: CarId) -> Result<(), Error> {
    app.store.write(|unit| {
        permitted(actor, Action::DeleteCar, unit.cars().find_for_update(id)?)?;
        Ok(unit.cars().delete(id)?)
    })
}

#[cfg(test)]
mod tests {
    use mockall::predicate::eq;
    use mycars_domain::Rank;

    use super::*;
    use crate::mocks::{Mocks, samples};

    #[test]
    fn somebody_elses_car_is_not_found_and_stays() {
        for rank in [Rank::Client, Rank::Admin, Rank::Superuser] {
            let mut mocks = Mocks::new();
            mocks
                .unit
                .cars
                .expect_find_for_update()
                .returning(|_| Ok(Some(samples::car())));
            mocks.unit.cars.expect_delete().never();
            let (app, store) = mocks.into_app();
            let refused = delete(&app, &samples::somebody_else(rank), CarId(10));
            assert!(matches!(refused, Err(Error::NotFound)), "{rank:?}");
            assert_eq!(store.commits(), 0);
        }
    }

    #[test]
    fn a_car_that_is_not_there_is_not_found() {
        let mut mocks = Mocks::new();
        mocks.unit.cars.expect_find_for_update().returning(|_| Ok(None));
        let (app, _) = mocks.into_app();
        assert!(matches!(
            delete(&app, &samples::user().actor(), CarId(10)),
            Err(Error::NotFound)
        ));
    }

    #[test]
    fn ones_own_car_is_deleted() {
        let mut mocks = Mocks::new();
        mocks
            .unit
            .cars
            .expect_find_for_update()
            .returning(|_| Ok(Some(samples::car())));
        mocks
            .unit
            .cars
            .expect_delete()
            .with(eq(CarId(10)))
            .once()
            .returning(|_| Ok(()));
        let (app, store) = mocks.into_app();
        delete(&app, &samples::user().actor(), CarId(10)).unwrap();
        assert_eq!(store.commits(), 1);
    }
}
