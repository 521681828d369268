//! Record the reading of a car's odometer, with the usual steps of a use-case.

use mycars_application::{
    App, Caller,
    cars::Error,
    ports::{StoreError, UnitOfWork},
};
use mycars_domain::{
    Action, Car, CarId, Field, Target, Violation, Violations,
    audit::{self, NewEntry, Object},
    policy,
    values::Mileage,
};

/// Sets the mileage of a car to the reading of its odometer, in kilometres, and returns the car. A reading below the
/// last one is refused.
///
/// # Errors
/// [`Error::NotFound`] if the caller has no such car; [`Error::Denied`] for anonymous callers; [`Error::Invalid`] for
/// an invalid reading; [`Error::Store`].
pub fn note(app: &App, caller: &Caller, id: CarId, kilometres: i64) -> Result<Car, Error> {
    // One transaction: `Ok` commits, `Err` rolls back, and `?` converts both kinds of errors.
    app.store.write(|unit| {
        // The row is locked, because concurrent readings could otherwise overwrite each other.
        let before = authorize_car(caller, unit.cars().find_for_update(id)?)?;
        let after = Car {
            mileage: reading(kilometres, before.mileage)?,
            // The time comes from a port, so that tests can set it. It is also the version of the car, so it must be
            // later than the last one.
            updated_at: app.now_after(before.updated_at),
            ..before.clone()
        };
        unit.cars().update(&after)?;
        append_entry(app, unit, caller, &before, &after)?;
        Ok(after)
    })
}

/// Returns the car if it exists and `caller` may change it. The policy reports another user's car as not found.
fn authorize_car(caller: &Caller, car: Option<Car>) -> Result<Car, Error> {
    let target = car
        .as_ref()
        .map_or(Target::NOTHING, |car| Target::car_of(car.owner));
    policy::check(&caller.actor, Action::ChangeCar, target)?;
    car.ok_or(Error::NotFound)
}

/// Parses the reading as a mileage. Violations are data; an adapter has the messages.
fn reading(kilometres: i64, last: Mileage) -> Result<Mileage, Violations> {
    let mileage = Mileage::parse(kilometres).map_err(|wrong| Violations::several(Field::Mileage, wrong))?;
    if mileage < last {
        let min = last.get().into();
        return Err(Violations::one(Field::Mileage, Violation::TooSmall { min }));
    }
    Ok(mileage)
}

/// Appends the changes to the audit log, in the transaction of the change.
fn append_entry(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    before: &Car,
    after: &Car,
) -> Result<(), StoreError> {
    let changes = audit::car_changes(Some(before), Some(after));
    if changes.is_empty() {
        return Ok(());
    }
    unit.audit_log().append(&[NewEntry {
        at: app.clock.now(),
        action: audit::Action::Changed,
        object: Object::car(after),
        author: caller.author(),
        origin: caller.origin.clone(),
        changes,
    }])
}

#[cfg(test)]
mod tests {
    use mycars_application::mocks::{Mocks, samples};
    use mycars_domain::{
        Denied, Rank,
        audit::{Change, Value},
    };

    use super::*;

    /// The id of the sample car, which belongs to Ann.
    const CAR: CarId = CarId(10);

    /// Returns Ann's car with this mileage.
    fn driven(kilometres: i32) -> Car {
        Car {
            mileage: Mileage::from_storage(kilometres),
            ..samples::car()
        }
    }

    /// Returns mocks of a store with only this car, which fail the test at every change: unexpected calls of a mock
    /// panic.
    fn mocks_with(car: Option<Car>) -> Mocks {
        match car {
            Some(car) => Mocks::new().with_car_locked(car),
            None => Mocks::new().without_car(),
        }
    }

    /// Returns the same mocks, but expects one change of the car.
    fn mocks_that_change(car: Car) -> Mocks {
        mocks_with(Some(car)).expect_car_update(|_| true)
    }

    #[test]
    fn reading_is_stored_and_logged() {
        let (app, store) = mocks_that_change(driven(5)).into_app();
        let car = note(&app, &samples::ann(), CAR, 900).unwrap();
        let expected = Car {
            updated_at: samples::now(),
            ..driven(900)
        };
        assert_eq!(car, expected);
        assert_eq!((store.commits(), store.rollbacks()), (1, 0));

        let [entry] = &store.entries()[..] else {
            panic!("expected one entry")
        };
        let change = Change {
            field: Field::Mileage,
            before: Value::Number(5),
            after: Value::Number(900),
        };
        assert_eq!(entry.changes, [change]);
        assert_eq!(entry.author.name, "ann");
    }

    #[test]
    fn lower_reading_is_refused_and_rolled_back() {
        let (app, store) = mocks_with(Some(driven(900))).into_app();
        let refused = note(&app, &samples::ann(), CAR, 899);
        let too_small = Violations::one(Field::Mileage, Violation::TooSmall { min: 900 });
        assert!(matches!(refused, Err(Error::Invalid(violations)) if violations == too_small));
        assert_eq!((store.commits(), store.rollbacks()), (0, 1));
        assert_eq!(store.entries(), []);
    }

    #[test]
    fn reading_over_the_maximum_is_refused() {
        let (app, _) = mocks_with(Some(driven(0))).into_app();
        let refused = note(&app, &samples::ann(), CAR, 3_000_000_000);
        let max = i32::MAX.into();
        let too_large = Violations::one(Field::Mileage, Violation::TooLarge { max });
        assert!(matches!(refused, Err(Error::Invalid(violations)) if violations == too_large));
    }

    #[test]
    fn equal_reading_is_not_logged() {
        let (app, store) = mocks_that_change(driven(900)).into_app();
        assert!(note(&app, &samples::ann(), CAR, 900).is_ok());
        assert_eq!((store.commits(), store.entries().len()), (1, 0));
    }

    #[test]
    fn other_users_car_is_not_found_for_any_rank() {
        for rank in [Rank::Client, Rank::Admin, Rank::Superuser] {
            let (app, store) = mocks_with(Some(driven(5))).into_app();
            let refused = note(&app, &samples::other_user(rank), CAR, 900);
            assert!(matches!(refused, Err(Error::NotFound)), "{rank:?}");
            assert_eq!(store.commits(), 0);
        }
    }

    #[test]
    fn anonymous_caller_is_denied_for_any_car() {
        for car in [Some(driven(5)), None] {
            let (app, _) = mocks_with(car).into_app();
            let refused = note(&app, &samples::anonymous(), CAR, 900);
            assert!(matches!(refused, Err(Error::Denied(Denied::NotAuthenticated))));
        }
    }

    #[test]
    fn unavailable_store_is_not_a_missing_car() {
        let (app, _) = Mocks::failing_store().into_app();
        let failed = note(&app, &samples::ann(), CAR, 900);
        assert!(matches!(failed, Err(Error::Store(StoreError::Unavailable(_)))));
    }
}
