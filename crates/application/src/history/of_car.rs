//! The history of a car, for its owner.

use mycars_domain::{
    CarId,
    audit::{Entry, ObjectType},
};

use super::list::entries;
use crate::{
    App, Caller,
    cars::{self, CarScope, Error},
    lists::{HistoryQuery, LimitOffset, Page, in_order_of},
};

/// Returns the entries about a car in the scope from the time of its present owner, newest first.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Denied`]; [`Error::Store`].
///
/// ```
/// use mycars_application::{cars::{self, CarScope}, history, lists::LimitOffset, mocks::{Mocks, samples}};
/// use mycars_domain::CarId;
///
/// let mut mocks = Mocks::new();
/// mocks.unit.cars.expect_find().returning(|_| Ok(Some(samples::car())));
/// mocks.unit.audit_log.expect_count().returning(|_| Ok(0));
/// mocks.unit.audit_log.expect_list().returning(|_| Ok(vec![]));
/// let (app, _) = mocks.into_app();
///
/// let page = Some(LimitOffset { limit: 20, offset: 0 });
/// let listed = history::of_car(&app, &samples::ann(), CarScope::Caller, CarId(10), page)?;
/// assert_eq!(listed.total, Some(0));
/// # Ok::<(), cars::Error>(())
/// ```
pub fn of_car(
    app: &App,
    caller: &Caller,
    scope: CarScope,
    id: CarId,
    page: Option<LimitOffset>,
) -> Result<Page<Entry>, Error> {
    let car = cars::read(app, caller, scope, id)?;
    let query = HistoryQuery {
        object_type: Some(ObjectType::Car),
        object_id: Some(id.to_string()),
        owner: Some(car.owner),
        page,
        ..HistoryQuery::default()
    };
    app.store.read(|unit| entries(unit, &query))
}

/// Returns the entries with these numbers about a car in the scope while its present owner had it, in this order.
///
/// # Errors
/// Those of [`of_car`].
pub fn read_all_of_car(
    app: &App,
    caller: &Caller,
    scope: CarScope,
    id: CarId,
    numbers: &[i64],
) -> Result<Vec<Entry>, Error> {
    let car = cars::read(app, caller, scope, id)?;
    let mut entries = app.store.read(|unit| unit.audit_log().find_all(numbers))?;
    entries.retain(|Entry { entry, .. }| {
        let object = &entry.object;
        object.kind == ObjectType::Car && object.id == id.to_string() && object.owner == Some(car.owner)
    });
    in_order_of(numbers, &mut entries, |entry| entry.id);
    Ok(entries)
}

#[cfg(test)]
mod tests {
    use mycars_domain::{Rank, UserId, audit::Object};

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
    };

    /// Returns mocks with Ann's car and its history while it was hers, and no other history.
    fn mocks() -> Mocks {
        let page = Some(LimitOffset { limit: 5, offset: 0 });
        let while_it_is_anns = HistoryQuery {
            object_type: Some(ObjectType::Car),
            object_id: Some("10".into()),
            owner: Some(UserId(1)),
            page,
            ..HistoryQuery::default()
        };
        let counted = while_it_is_anns.clone();
        let mut mocks = Mocks::new().with_car_read(samples::car());
        let log = &mut mocks.unit.audit_log;
        log.expect_list()
            .withf(move |query| *query == while_it_is_anns)
            .returning(|_| Ok(vec![]));
        log.expect_count()
            .withf(move |query| *query == counted)
            .returning(|_| Ok(0));
        mocks
    }

    #[test]
    fn history_of_car_is_limited_to_its_present_owner() {
        let admin = samples::admin();
        for (caller, scope) in [
            (samples::ann(), CarScope::Caller),
            (admin.clone(), CarScope::Owner(UserId(1))),
            (admin, CarScope::All),
        ] {
            let (app, _) = mocks().into_app();
            let page = Some(LimitOffset { limit: 5, offset: 0 });
            let listed = of_car(&app, &caller, scope, CarId(10), page).unwrap();
            assert_eq!(listed.total, Some(0));
        }
    }

    #[test]
    fn read_all_of_car_leaves_out_other_owners_and_objects() {
        let entry = |id, change: fn(&mut Object)| {
            let mut entry = expected::car_is_new(&samples::ann());
            change(&mut entry.object);
            Entry { id, entry }
        };
        let mut mocks = Mocks::new().with_car_read(samples::car());
        mocks.unit.audit_log.expect_find_all().returning(move |_| {
            Ok(vec![
                entry(1, |_| {}),
                entry(2, |object| object.owner = Some(UserId(2))),
                entry(3, |object| object.id = "11".into()),
                entry(4, |_| {}),
            ])
        });
        let (app, _) = mocks.into_app();
        let numbers = [4, 3, 2, 1];
        let read = read_all_of_car(&app, &samples::ann(), CarScope::Caller, CarId(10), &numbers).unwrap();
        assert_eq!(read.iter().map(|entry| entry.id).collect::<Vec<_>>(), [4, 1]);
    }

    #[test]
    fn history_of_other_users_car_is_not_found() {
        for rank in [Rank::Client, Rank::Admin] {
            let (app, _) = mocks().into_app();
            let refused = of_car(
                &app,
                &samples::other_user(rank),
                CarScope::Caller,
                CarId(10),
                None,
            );
            assert!(matches!(refused, Err(Error::NotFound)), "{rank:?}");
        }
    }
}
