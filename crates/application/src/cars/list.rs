//! List cars.

use mycars_domain::{Action, Car, CarId};

use super::{CarScope, Error};
use crate::{
    App, Caller,
    lists::{CarQuery, ChunkedList, Page, first_chunk, following, may_continue},
};

/// Returns the cars in the scope that match `query`, in a fixed number of queries.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Store`].
///
/// ```
/// use mycars_application::{cars::{self, CarScope}, lists::{CarQuery, LimitOffset}, mocks::{Mocks, samples}};
///
/// let mut mocks = Mocks::new();
/// mocks.unit.cars.expect_count().returning(|_, _| Ok(11));
/// mocks.unit.cars.expect_list().returning(|_, _| Ok(vec![samples::car()]));
/// let (app, _) = mocks.into_app();
///
/// let query = CarQuery { page: Some(LimitOffset { limit: 1, offset: 10 }), ..CarQuery::default() };
/// let listed = cars::list(&app, &samples::ann(), CarScope::Caller, &query)?;
/// assert_eq!((listed.items.len(), listed.total), (1, Some(11)));
/// # Ok::<(), cars::Error>(())
/// ```
pub fn list(app: &App, caller: &Caller, scope: CarScope, query: &CarQuery) -> Result<Page<Car>, Error> {
    let owner = scope.owner(caller, Action::ListCars)?;
    app.store.read(|unit| {
        let total = match query.page {
            Some(_) => Some(unit.cars().count(owner, query)?),
            None => None,
        };
        Ok(Page {
            items: unit.cars().list(owner, query)?,
            total,
        })
    })
}

/// The same, but reads only the first cars, and of the others the ids: [`read_all`](super::read_all) reads them.
///
/// # Errors
/// Those of [`list`].
pub fn list_chunked(
    app: &App,
    caller: &Caller,
    scope: CarScope,
    query: &CarQuery,
) -> Result<ChunkedList<Car, CarId>, Error> {
    let beginning = CarQuery {
        page: Some(first_chunk(query.page)),
        ..query.clone()
    };
    let owner = scope.owner(caller, Action::ListCars)?;
    app.store.read(|unit| {
        let total = match query.page {
            Some(_) => Some(unit.cars().count(owner, query)?),
            None => None,
        };
        let first = unit.cars().list(owner, &beginning)?;
        let rest = if may_continue(&first, query.page) {
            let ids = unit.cars().ids(owner, query)?;
            following(first.iter().map(|car| car.id), ids, query.page)
        } else {
            Vec::new()
        };
        Ok(ChunkedList { first, rest, total })
    })
}

#[cfg(test)]
mod tests {
    use mycars_domain::{Denied, Rank, UserId};

    use super::*;
    use crate::{
        lists::{CHUNK, LimitOffset},
        mocks::{Mocks, samples},
        ports::StoreError,
    };

    /// Expects one list of the cars of this owner.
    fn lists(mut mocks: Mocks, of: UserId) -> Mocks {
        let list = mocks.unit.cars.expect_list().once();
        list.withf(move |owner, _| *owner == Some(of))
            .returning(|_, _| Ok(vec![samples::car()]));
        mocks
    }

    #[test]
    fn list_by_anonymous_caller_is_denied() {
        let (app, store) = Mocks::new().into_app();
        let query = CarQuery::default();
        let refused = list(&app, &samples::anonymous(), CarScope::Caller, &query);
        assert!(matches!(refused, Err(Error::Denied(Denied::NotAuthenticated))));
        assert_eq!(store.reads(), 0);
    }

    #[test]
    fn list_in_caller_scope_has_only_own_cars_for_any_rank() {
        let (app, _) = lists(Mocks::new(), UserId(4)).into_app();
        let admin = samples::other_user(Rank::Superuser);
        let cars = list(&app, &admin, CarScope::Caller, &CarQuery::default()).unwrap();
        assert_eq!((cars.items, cars.total), (vec![samples::car()], None));
    }

    #[test]
    fn list_of_another_owner_requires_an_admin() {
        let of_ann = CarScope::Owner(samples::user().id);
        let (app, store) = Mocks::new().into_app();
        for caller in [samples::ann(), samples::other_user(Rank::Client)] {
            let refused = list(&app, &caller, of_ann, &CarQuery::default());
            assert!(matches!(refused, Err(Error::Denied(Denied::Forbidden))));
        }
        assert_eq!(store.reads(), 0);

        let (app, _) = lists(Mocks::new(), UserId(1)).into_app();
        assert!(list(&app, &samples::admin(), of_ann, &CarQuery::default()).is_ok());
    }

    #[test]
    fn list_of_a_page_has_the_total() {
        let mut mocks = Mocks::new();
        mocks.unit.cars.expect_count().once().returning(|_, _| Ok(7));
        let (app, _) = lists(mocks, UserId(1)).into_app();
        let query = CarQuery {
            page: Some(LimitOffset { limit: 1, offset: 2 }),
            ..CarQuery::default()
        };
        let cars = list(&app, &samples::ann(), CarScope::Caller, &query).unwrap();
        assert_eq!((cars.items, cars.total), (vec![samples::car()], Some(7)));
    }

    /// Cars with these ids.
    fn cars(ids: impl Iterator<Item = i64>) -> Vec<Car> {
        ids.map(|id| Car {
            id: CarId(id),
            ..samples::car()
        })
        .collect()
    }

    #[test]
    fn long_list_reads_one_chunk_and_the_ids_of_the_rest() {
        let chunk = i64::from(CHUNK);
        let mut mocks = Mocks::new();
        let list = mocks.unit.cars.expect_list().once();
        list.withf(|owner, query| {
            let page = LimitOffset {
                limit: CHUNK,
                offset: 0,
            };
            *owner == Some(UserId(1)) && query.page == Some(page)
        })
        .returning(move |_, _| Ok(cars(1..=chunk)));
        let ids = mocks.unit.cars.expect_ids().once();
        ids.returning(move |_, _| Ok((1..=chunk + 3).map(CarId).collect()));
        let (app, _) = mocks.into_app();
        let listed = list_chunked(&app, &samples::ann(), CarScope::Caller, &CarQuery::default()).unwrap();
        assert_eq!(listed.first, cars(1..=chunk));
        assert_eq!(listed.rest, [1, 2, 3].map(|more| CarId(chunk + more)));
        assert_eq!(listed.total, None);
    }

    #[test]
    fn short_list_in_chunks_is_one_query() {
        let (app, _) = lists(Mocks::new(), UserId(1)).into_app();
        let listed = list_chunked(&app, &samples::ann(), CarScope::Caller, &CarQuery::default()).unwrap();
        assert_eq!((listed.first, listed.rest), (vec![samples::car()], vec![]));
    }

    #[test]
    fn list_in_chunks_of_another_owner_requires_an_admin() {
        let (app, store) = Mocks::new().into_app();
        let other = samples::other_user(Rank::Client);
        let of_ann = CarScope::Owner(samples::user().id);
        let refused = list_chunked(&app, &other, of_ann, &CarQuery::default());
        assert!(matches!(refused, Err(Error::Denied(Denied::Forbidden))));
        assert_eq!(store.reads(), 0);
    }

    #[test]
    fn list_with_unavailable_store_is_unavailable() {
        let (app, _) = Mocks::failing_store().into_app();
        let failed = list(&app, &samples::ann(), CarScope::Caller, &CarQuery::default());
        assert!(matches!(failed, Err(Error::Store(StoreError::Unavailable(_)))));
    }
}
