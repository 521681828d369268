//! Note what a car's odometer shows. A use-case is a plain function; this one follows the steps that all of them do.

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

/// Notes that the odometer of a car shows so many `kilometres`, and answers the car as it is then. Odometers don't run
/// backwards: a reading below the last one is a mistake, or a fraud.
///
/// # Errors
/// [`Error::NotFound`] if there is no such car for who asks, [`Error::Denied`] for nobody, [`Error::Invalid`] for a
/// reading that can't be, [`Error::Store`].
pub fn note(app: &App, caller: &Caller, id: CarId, kilometres: i64) -> Result<Car, Error> {
    // All of it is one transaction. `Ok` commits, `Err` undoes, and `?` leaves with either kind of error.
    app.store.write(|unit| {
        // Who reads in order to write locks the row, or two readings at once could overwrite each other.
        let before = permitted(caller, unit.cars().find_for_update(id)?)?;
        let after = Car {
            mileage: reading(kilometres, before.mileage)?,
            // The time comes from a port, so that a test can say what time it is. It is also the car's version, so
            // that it must be later than the last one.
            updated_at: app.now_after(before.updated_at),
            ..before.clone()
        };
        unit.cars().update(&after)?;
        write_down(app, unit, caller, &before, &after)?;
        Ok(after)
    })
}

/// The car, if it is there and `caller` may change it. What one may not see is not found: the policy says so, and this
/// only has to ask it before it says anything else.
fn permitted(caller: &Caller, car: Option<Car>) -> Result<Car, Error> {
    let target = car
        .as_ref()
        .map_or(Target::NOTHING, |car| Target::car_of(car.owner));
    policy::check(&caller.actor, Action::ChangeCar, target)?;
    car.ok_or(Error::NotFound)
}

/// The reading as a mileage. What is wrong is said as data: the words for it are an adapter's.
fn reading(kilometres: i64, last: Mileage) -> Result<Mileage, Violations> {
    let mileage = Mileage::parse(kilometres).map_err(|wrong| Violations::several(Field::Mileage, wrong))?;
    if mileage < last {
        let min = last.get().into();
        return Err(Violations::one(Field::Mileage, Violation::TooSmall { min }));
    }
    Ok(mileage)
}

/// Writes into the audit log what became of the car, in the transaction of the change: neither is without the other.
fn write_down(
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

    /// The id of the sample car, which is Ann's.
    const CAR: CarId = CarId(10);

    /// Ann's car, which has been driven so far.
    fn driven(kilometres: i32) -> Car {
        Car {
            mileage: Mileage::from_storage(kilometres),
            ..samples::car()
        }
    }

    /// Mocks of a store with this car and no other, in which nothing may be changed: a mock fails the test at each
    /// call that it was not told to expect.
    fn mocks_with(car: Option<Car>) -> Mocks {
        match car {
            Some(car) => Mocks::new().with_car_locked(car),
            None => Mocks::new().without_car(),
        }
    }

    /// The same, but the car may be changed once.
    fn mocks_that_change(car: Car) -> Mocks {
        mocks_with(Some(car)).expect_car_update(|_| true)
    }

    #[test]
    fn a_reading_is_kept_with_the_time_and_written_down() {
        let (app, store) = mocks_that_change(driven(5)).into_app();
        let car = note(&app, &samples::ann(), CAR, 900).unwrap();
        let expected = Car {
            updated_at: samples::now(),
            ..driven(900)
        };
        assert_eq!(car, expected);
        assert_eq!((store.commits(), store.rollbacks()), (1, 0));

        let [entry] = &store.entries()[..] else {
            panic!("there is one entry")
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
    fn a_reading_below_the_last_one_is_refused_and_undone() {
        let (app, store) = mocks_with(Some(driven(900))).into_app();
        let refused = note(&app, &samples::ann(), CAR, 899);
        let too_small = Violations::one(Field::Mileage, Violation::TooSmall { min: 900 });
        assert!(matches!(refused, Err(Error::Invalid(violations)) if violations == too_small));
        assert_eq!((store.commits(), store.rollbacks()), (0, 1));
        assert_eq!(store.entries(), []);
    }

    #[test]
    fn a_reading_that_is_no_mileage_is_refused_as_everywhere() {
        let (app, _) = mocks_with(Some(driven(0))).into_app();
        let refused = note(&app, &samples::ann(), CAR, 3_000_000_000);
        let max = i32::MAX.into();
        let too_large = Violations::one(Field::Mileage, Violation::TooLarge { max });
        assert!(matches!(refused, Err(Error::Invalid(violations)) if violations == too_large));
    }

    #[test]
    fn the_same_reading_again_is_no_change_to_write_down() {
        let (app, store) = mocks_that_change(driven(900)).into_app();
        assert!(note(&app, &samples::ann(), CAR, 900).is_ok());
        assert_eq!((store.commits(), store.entries().len()), (1, 0));
    }

    #[test]
    fn somebody_elses_car_is_not_found_whatever_ones_rank() {
        for rank in [Rank::Client, Rank::Admin, Rank::Superuser] {
            let (app, store) = mocks_with(Some(driven(5))).into_app();
            let refused = note(&app, &samples::other_user(rank), CAR, 900);
            assert!(matches!(refused, Err(Error::NotFound)), "{rank:?}");
            assert_eq!(store.commits(), 0);
        }
    }

    #[test]
    fn nobody_is_asked_to_log_in_whether_the_car_is_there_or_not() {
        for car in [Some(driven(5)), None] {
            let (app, _) = mocks_with(car).into_app();
            let refused = note(&app, &samples::anonymous(), CAR, 900);
            assert!(matches!(refused, Err(Error::Denied(Denied::NotAuthenticated))));
        }
    }

    #[test]
    fn a_store_that_is_away_is_an_error_and_no_missing_car() {
        let (app, _) = Mocks::failing_store().into_app();
        let failed = note(&app, &samples::ann(), CAR, 900);
        assert!(matches!(failed, Err(Error::Store(StoreError::Unavailable(_)))));
    }
}
