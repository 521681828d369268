//! Reading many cars at once, for the panel and for long lists.

use mycars_domain::{Action, Car, CarId};

use super::{CarScope, Error};
use crate::{
    App, Caller,
    lists::{CarQuery, in_order_of},
    ports::CarCount,
};

/// Returns the ids of all users' cars that match `query`, in its order, on all its pages.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Store`].
pub fn ids(app: &App, caller: &Caller, query: &CarQuery) -> Result<Vec<CarId>, Error> {
    CarScope::All.owner(caller, Action::ManageCars)?;
    Ok(app.store.read(|unit| unit.cars().ids(None, query))?)
}

/// Returns the cars in the scope with these ids, in this order. Ids that do not exist are skipped.
///
/// # Errors
/// [`Error::Denied`] for callers who may not list the cars of the scope; [`Error::Store`].
pub fn read_all(app: &App, caller: &Caller, scope: CarScope, ids: &[CarId]) -> Result<Vec<Car>, Error> {
    let owner = scope.owner(caller, Action::ListCars)?;
    let mut cars = app.store.read(|unit| unit.cars().find_all(ids))?;
    cars.retain(|car| owner.is_none_or(|owner| car.owner == owner));
    in_order_of(ids, &mut cars, |car| car.id);
    Ok(cars)
}

/// Counts the cars with these ids, and those of them with a picture.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Store`].
pub fn count(app: &App, caller: &Caller, ids: &[CarId]) -> Result<CarCount, Error> {
    CarScope::All.owner(caller, Action::ManageCars)?;
    Ok(app.store.read(|unit| unit.cars().count_among(ids))?)
}

/// Returns the most frequent brands of the cars that match `query` without its own brand, and the number of cars of
/// each, the most frequent first.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Store`].
pub fn brands(
    app: &App,
    caller: &Caller,
    query: &CarQuery,
    at_most: u32,
) -> Result<Vec<(String, u64)>, Error> {
    CarScope::All.owner(caller, Action::ManageCars)?;
    Ok(app.store.read(|unit| unit.cars().brands(query, at_most))?)
}

#[cfg(test)]
mod tests {
    use mycars_domain::Rank;

    use super::*;
    use crate::mocks::{Mocks, samples};

    #[test]
    fn read_all_leaves_out_cars_outside_the_scope() {
        let read = |caller: &Caller, scope| {
            let mut mocks = Mocks::new();
            let cars = &mut mocks.unit.cars;
            cars.expect_find_all().returning(|_| Ok(vec![samples::car()]));
            let (app, _) = mocks.into_app();
            read_all(&app, caller, scope, &[CarId(10)]).map(|cars| cars.len())
        };
        let other = samples::other_user(Rank::Client);
        assert_eq!(read(&samples::ann(), CarScope::Caller).unwrap(), 1);
        assert_eq!(read(&other, CarScope::Caller).unwrap(), 0);
        let of_ann = CarScope::Owner(samples::user().id);
        assert_eq!(read(&samples::admin(), of_ann).unwrap(), 1);
        assert!(matches!(read(&other, of_ann), Err(Error::Denied(_))));
    }

    #[test]
    fn read_all_returns_cars_in_the_order_of_the_ids() {
        let mut mocks = Mocks::new();
        mocks.unit.cars.expect_find_all().returning(|_| {
            Ok([1, 2, 3]
                .map(|id| Car {
                    id: CarId(id),
                    ..samples::car()
                })
                .into())
        });
        let (app, _) = mocks.into_app();
        let ids = [3, 9, 1, 2].map(CarId);
        let cars = read_all(&app, &samples::admin(), CarScope::All, &ids).unwrap();
        let found: Vec<CarId> = cars.iter().map(|car| car.id).collect();
        assert_eq!(found, [3, 1, 2].map(CarId));
    }

    #[test]
    fn ids_and_brands_cover_all_users_cars() {
        let query = CarQuery {
            brand: Some("Toyota".into()),
            ..CarQuery::default()
        };
        let (expected, of_brands) = (query.clone(), query.clone());
        let mut mocks = Mocks::new();
        let cars = &mut mocks.unit.cars;
        cars.expect_ids()
            .withf(move |owner, query| owner.is_none() && *query == expected)
            .returning(|_, _| Ok(vec![CarId(10)]));
        cars.expect_brands()
            .withf(move |query, at_most| *query == of_brands && *at_most == 5)
            .returning(|_, _| Ok(vec![("Toyota".into(), 7)]));
        let (app, _) = mocks.into_app();
        let admin = samples::admin();
        assert_eq!(ids(&app, &admin, &query).unwrap(), [CarId(10)]);
        let brands = brands(&app, &admin, &query, 5).unwrap();
        assert_eq!(brands, [("Toyota".to_owned(), 7)]);
    }
}
