//! Replace or change a car.

use mycars_domain::{Action, Car, CarId, Field, UserId, Violations};

use super::{CarInput, CarScope, Error, authorize_car, check_version, fields::CarFields};
use crate::{App, Caller, UpdateMode, audit, ports::UnitOfWork, quotas};

/// Changes the fields that were sent in a car in the scope, and returns it. With [`UpdateMode::Full`] (PUT), the
/// required fields must be sent. Optional fields that are not sent keep their value in both modes.
///
/// # Errors
/// [`Error::NotFound`], [`Error::Denied`], and [`Error::Conflict`] if the car has another version than the input
/// expects, before fields are checked; [`Error::Invalid`] with all violations; [`Error::OwnerGone`]; [`Error::Store`].
///
/// ```
/// use mycars_application::{
///     UpdateMode, cars::{self, CarInput, CarScope}, mocks::{Mocks, samples},
/// };
/// use mycars_domain::{CarId, Field, Violation};
///
/// let mut mocks = Mocks::new();
/// mocks.unit.cars.expect_find_for_update().returning(|_| Ok(Some(samples::car())));
/// mocks.unit.cars.expect_update().returning(|_| Ok(()));
/// let (app, _) = mocks.into_app();
/// let driven = CarInput { mileage: 17_000.into(), ..CarInput::default() };
/// let update = |how| cars::update(&app, &samples::ann(), CarScope::Caller, CarId(10), &driven, how);
///
/// let car = update(UpdateMode::Partial)?;
/// assert_eq!((car.mileage.get(), car.brand.as_str()), (17_000, "Toyota"));
///
/// let Err(cars::Error::Invalid(violations)) = update(UpdateMode::Full) else {
///     panic!("the brand is required");
/// };
/// assert_eq!(violations.of(Field::Brand), [Violation::Required]);
/// # Ok::<(), cars::Error>(())
/// ```
pub fn update(
    app: &App,
    caller: &Caller,
    scope: CarScope,
    id: CarId,
    input: &CarInput,
    completeness: UpdateMode,
) -> Result<Car, Error> {
    app.disk_space.check()?;
    app.store.write(|unit| {
        let new_owner = input.owner.given().filter(|_| scope == CarScope::All);
        scope.recheck(
            unit,
            caller,
            new_owner.copied().filter(|_| app.quotas.cars.is_some()),
        )?;
        let before = authorize_car(caller, Action::ChangeCar, scope, unit.cars().find_for_update(id)?)?;
        check_version(&before, input.version)?;
        let mut car = before.clone();
        CarFields::check(app, unit, (scope, None), input, completeness, Some(&before))?
            .apply_to(app, &mut car);
        if is_unchanged(&before, &car, input) {
            return Ok(before);
        }
        if car.owner != before.owner {
            check_quota(app, unit, car.owner)?;
        }
        unit.cars().update(&car)?;
        audit::car_changed(app, unit, caller, &before, &car)?;
        Ok(car)
    })
}

/// Checks that a user may get one more car.
fn check_quota(app: &App, unit: &mut dyn UnitOfWork, owner: UserId) -> Result<(), Error> {
    if app.quotas.cars.is_none() {
        return Ok(());
    }
    let count = unit.cars().count_of(&[owner])?.cars;
    match quotas::check_car(app, unit, owner, count)? {
        Some(violation) => Err(Violations::one(Field::Owner, violation).into()),
        None => Ok(()),
    }
}

/// Returns whether an input with a version changes nothing: see [`users::update`](crate::users::update).
fn is_unchanged(before: &Car, after: &Car, input: &CarInput) -> bool {
    let after = Car {
        updated_at: before.updated_at,
        ..after.clone()
    };
    input.version.is_some() && after == *before
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use mycars_domain::{
        Denied, Rank, Violation,
        audit::Value,
        values::{Brand, Color, LicensePlate, Mileage, Model, Notes, Vin, Year},
    };

    use super::*;
    use crate::{
        Input,
        audit::expected,
        mocks::{Mocks, samples},
        ports::{CarCount, StoreError},
    };

    /// Returns mocks with Ann's car. No other car has its plate.
    fn mocks() -> Mocks {
        let mut mocks = Mocks::new().with_car_locked(samples::car());
        mocks.unit.cars.expect_license_is_taken().returning(|_, except| {
            assert_eq!(except, Some(CarId(10)), "its own plate is not taken");
            Ok(false)
        });
        mocks
    }

    /// Updates Ann's car as Ann.
    fn update_own(app: &App, input: &CarInput, mode: UpdateMode) -> Result<Car, Error> {
        update(app, &samples::ann(), CarScope::Caller, CarId(10), input, mode)
    }

    #[test]
    fn update_of_other_users_car_is_not_found_before_field_checks() {
        for rank in [Rank::Client, Rank::Admin, Rank::Superuser] {
            let (app, store) = mocks().into_app();
            let input = CarInput {
                year: 1.into(),
                ..CarInput::default()
            };
            let caller = samples::other_user(rank);
            let refused = update(
                &app,
                &caller,
                CarScope::Caller,
                CarId(10),
                &input,
                UpdateMode::Partial,
            );
            assert!(matches!(refused, Err(Error::NotFound)), "{rank:?}");
            assert_eq!((store.commits(), store.entries().len()), (0, 0));
        }
    }

    #[test]
    fn update_of_unknown_car_is_not_found() {
        let (app, _) = Mocks::new().without_car().into_app();
        let refused = update_own(&app, &CarInput::default(), UpdateMode::Partial);
        assert!(matches!(refused, Err(Error::NotFound)));
    }

    #[test]
    fn required_fields_may_be_absent_only_in_partial_updates() {
        let input = CarInput {
            color: "Green".into(),
            ..CarInput::default()
        };

        let (app, store) = mocks().into_app();
        let refused = update_own(&app, &input, UpdateMode::Full);
        let violations = refused.unwrap_err().violations();
        let fields: Vec<Field> = violations.iter().map(|(field, _)| field).collect();
        assert_eq!(fields, [Field::Brand, Field::Model, Field::Year, Field::License]);
        assert_eq!((store.rollbacks(), store.entries().len()), (1, 0));

        let (app, store) = mocks().expect_car_update(|_| true).into_app();
        let changed = update_own(&app, &input, UpdateMode::Partial);
        assert_eq!(changed.unwrap().color, Some(Color::parse("Green").unwrap()));
        assert_eq!(store.commits(), 1);
    }

    #[test]
    fn absent_keeps_null_clears_and_changes_are_logged() {
        let colored = Car {
            color: Some(Color::parse("Red").unwrap()),
            ..samples::car()
        };
        let (app, store) = Mocks::new()
            .with_car_locked(colored)
            .expect_car_update(|_| true)
            .into_app();
        let input = CarInput {
            color: Input::Null,
            mileage: 17_000.into(),
            ..CarInput::default()
        };
        let car = update_own(&app, &input, UpdateMode::Partial).unwrap();
        assert_eq!(car.color, None);
        assert_eq!(car.mileage.get(), 17_000);
        assert_eq!(car.brand, samples::car().brand);
        assert_eq!(car.created_at, samples::car().created_at);
        assert_eq!(car.updated_at, samples::now());
        let changes = [
            (Field::Color, "Red".into(), Value::Nothing),
            (Field::Mileage, Value::Number(0), Value::Number(17_000)),
        ];
        assert_eq!(store.entries(), [expected::car_changed(&samples::ann(), changes)]);
    }

    #[test]
    fn transfer_over_the_quota_of_the_new_owner_is_invalid() {
        for (count, is_refused) in [(5, true), (4, false)] {
            let mut mocks = Mocks::new()
                .with_car_locked(samples::car())
                .with_user_locked(mycars_domain::User {
                    id: UserId(9),
                    ..samples::user()
                })
                .with_updates();
            mocks
                .unit
                .cars
                .expect_count_of()
                .withf(|owners| owners == [UserId(9)])
                .returning(move |_| {
                    Ok(CarCount {
                        cars: count,
                        pictures: 0,
                    })
                });
            let (mut app, store) = mocks.into_app();
            app.quotas.cars = Some(5);
            let input = CarInput {
                owner: Input::Given(UserId(9)),
                ..CarInput::default()
            };
            let admin = samples::admin();
            let outcome = update(
                &app,
                &admin,
                CarScope::All,
                CarId(10),
                &input,
                UpdateMode::Partial,
            );
            assert_eq!(store.commits(), usize::from(!is_refused));
            if is_refused {
                let full = Violations::one(Field::Owner, Violation::TooManyCars { max: 5 });
                assert_eq!(outcome.unwrap_err().violations(), full);
            }
        }
    }

    #[test]
    fn long_texts_are_logged_as_excerpts() {
        let (app, store) = mocks().expect_car_update(|_| true).into_app();
        let notes = "n".repeat(10_000);
        let input = CarInput {
            notes: notes.as_str().into(),
            ..CarInput::default()
        };
        update_own(&app, &input, UpdateMode::Partial).unwrap();
        let excerpt = Value::Excerpt {
            text: "n".repeat(Value::MAX_CHARACTERS),
            length: 10_000,
            sha256: crate::accounts::sessions::hash(&notes),
        };
        let change = (Field::Notes, Value::Nothing, excerpt);
        assert_eq!(
            store.entries(),
            [expected::car_changed(&samples::ann(), [change])]
        );
    }

    /// A car that the current rules refuse: it was stored before, or copied from another system.
    fn legacy() -> Car {
        Car {
            brand: Brand::from_storage("\u{200b}".into()),
            model: Model::from_storage("x".repeat(101)),
            year: Year::from_storage(1700),
            color: Some(Color::from_storage("c".repeat(51))),
            license: LicensePlate::from_storage(" ".into()),
            vin: Some(Vin::from_storage("short".into())),
            mileage: Mileage::from_storage(-5),
            notes: Some(Notes::from_storage("n".repeat(10_001))),
            ..samples::car()
        }
    }

    #[test]
    fn fields_sent_as_stored_are_not_checked_again() {
        let (app, store) = Mocks::new()
            .with_car_locked(legacy())
            .expect_car_update(|_| true)
            .into_app();
        let input = CarInput {
            brand: "\u{200b}".into(),
            model: "x".repeat(101).as_str().into(),
            year: 1700.into(),
            color: format!(" {} ", "c".repeat(51)).as_str().into(),
            license: "".into(),
            vin: "short".into(),
            mileage: (-5).into(),
            notes: "n".repeat(10_001).as_str().into(),
            ..CarInput::default()
        };
        let car = update_own(&app, &input, UpdateMode::Full).unwrap();
        let updated_at = legacy().updated_at;
        assert_eq!(Car { updated_at, ..car }, legacy());
        assert_eq!(store.entries(), [], "nothing changed");
    }

    #[test]
    fn fields_that_differ_from_the_stored_are_checked() {
        let (app, _) = Mocks::new().with_car_locked(legacy()).into_app();
        let input = CarInput {
            brand: "\u{200c}".into(),
            model: "x".repeat(102).as_str().into(),
            year: 1701.into(),
            license: "\u{200b}".into(),
            vin: "shorter".into(),
            mileage: (-6).into(),
            ..CarInput::default()
        };
        let violations = update_own(&app, &input, UpdateMode::Partial)
            .unwrap_err()
            .violations();
        assert_eq!(violations.iter().count(), 6, "{violations:?}");
    }

    #[test]
    fn update_of_another_version_conflicts_before_field_checks() {
        let input = CarInput {
            year: 1.into(),
            version: Some(samples::now()),
            ..CarInput::default()
        };
        let refused = |caller: &Caller| {
            let (app, store) = mocks().into_app();
            let refused = update(
                &app,
                caller,
                CarScope::Caller,
                CarId(10),
                &input,
                UpdateMode::Full,
            );
            assert_eq!((store.commits(), store.entries().len()), (0, 0));
            refused.unwrap_err()
        };
        assert!(matches!(refused(&samples::ann()), Error::Conflict));
        let other_user = refused(&samples::other_user(Rank::Client));
        assert!(matches!(other_user, Error::NotFound));
    }

    #[test]
    fn update_makes_a_later_version_whatever_the_clock() {
        for previous in [
            samples::now() - TimeDelta::seconds(1),
            samples::now(),
            samples::now() + TimeDelta::days(1),
        ] {
            let (app, _) = Mocks::new()
                .with_car_locked(Car {
                    updated_at: previous,
                    ..samples::car()
                })
                .expect_car_update(move |car| car.updated_at > previous && car.updated_at >= samples::now())
                .into_app();
            let input = CarInput {
                mileage: 5.into(),
                version: Some(previous),
                ..CarInput::default()
            };
            update_own(&app, &input, UpdateMode::Partial).unwrap();
        }
    }

    #[test]
    fn scope_all_can_change_the_owner() {
        let admin = samples::admin();
        let change = |input: &CarInput, completeness| {
            let (app, store) = mocks().with_updates().into_app();
            let changed = update(&app, &admin, CarScope::All, CarId(10), input, completeness);
            (changed, store.entries())
        };
        let whole = CarInput {
            brand: "Toyota".into(),
            model: "Camry".into(),
            year: 2023.into(),
            license: "AB 123".into(),
            ..CarInput::default()
        };
        let (refused, entries) = change(&whole, UpdateMode::Full);
        let required = Violations::one(Field::Owner, Violation::Required);
        assert!(matches!(refused, Err(Error::Invalid(violations)) if violations == required));
        assert_eq!(entries, []);
        assert_eq!(change(&whole, UpdateMode::Partial).0.unwrap().owner, UserId(1));
        for completeness in [UpdateMode::Full, UpdateMode::Partial] {
            let sold = CarInput {
                owner: Input::Given(UserId(2)),
                ..whole.clone()
            };
            let (changed, entries) = change(&sold, completeness);
            assert_eq!(changed.unwrap().owner, UserId(2));
            let mut entry =
                expected::car_changed(&admin, [(Field::Owner, Value::Number(1), Value::Number(2))]);
            entry.object.owner = Some(UserId(2));
            assert_eq!(entries, [entry]);
        }
    }

    #[test]
    fn transfer_logs_other_changes_for_the_old_owner() {
        let admin = samples::admin();
        let (app, store) = mocks().with_updates().into_app();
        let sold = CarInput {
            owner: Input::Given(UserId(2)),
            mileage: 900.into(),
            ..CarInput::default()
        };
        let partial = UpdateMode::Partial;
        update(&app, &admin, CarScope::All, CarId(10), &sold, partial).unwrap();
        let driven = [(Field::Mileage, Value::Number(0), Value::Number(900))];
        let given = [(Field::Owner, Value::Number(1), Value::Number(2))];
        let mut transfer = expected::car_changed(&admin, given);
        transfer.object.owner = Some(UserId(2));
        assert_eq!(store.entries(), [expected::car_changed(&admin, driven), transfer]);
    }

    #[test]
    fn transfer_names_the_entry_of_the_old_owner_by_the_old_plate() {
        let (app, store) = mocks().with_updates().into_app();
        let sold = CarInput {
            owner: Input::Given(UserId(2)),
            license: "B-OB 1".into(),
            ..CarInput::default()
        };
        let partial = UpdateMode::Partial;
        update(&app, &samples::admin(), CarScope::All, CarId(10), &sold, partial).unwrap();
        let entries = store.entries();
        let [of_old_owner, transfer] = &entries[..] else {
            panic!("{entries:?}");
        };
        assert!(!of_old_owner.object.name.contains("B-OB 1"), "{of_old_owner:?}");
        assert!(transfer.object.name.contains("B-OB 1"), "{transfer:?}");
    }

    #[test]
    fn unchanged_input_with_a_version_makes_no_new_version() {
        let (app, store) = mocks().into_app();
        let seen = CarInput {
            brand: "Toyota".into(),
            version: Some(samples::car().updated_at),
            ..CarInput::default()
        };
        let car = update_own(&app, &seen, UpdateMode::Partial).unwrap();
        assert_eq!(car, samples::car());
        assert_eq!(store.entries(), []);
    }

    #[test]
    fn owner_field_is_ignored_outside_scope_all() {
        let sold = CarInput {
            owner: Input::Given(UserId(2)),
            ..CarInput::default()
        };
        let change = |caller: &Caller, scope| {
            let (app, _) = mocks().with_updates().into_app();
            update(&app, caller, scope, CarId(10), &sold, UpdateMode::Partial)
        };
        for (caller, scope) in [
            (samples::ann(), CarScope::Caller),
            (samples::admin(), CarScope::Owner(UserId(1))),
        ] {
            assert_eq!(change(&caller, scope).unwrap().owner, UserId(1));
        }
        let refused = change(&samples::ann(), CarScope::All);
        assert!(matches!(refused, Err(Error::Denied(Denied::Forbidden))));
    }

    #[test]
    fn unchanged_fields_are_not_logged() {
        let (app, store) = mocks().with_updates().into_app();
        let input = CarInput {
            brand: " Toyota ".into(),
            vin: Input::Null,
            ..CarInput::default()
        };
        update_own(&app, &input, UpdateMode::Partial).unwrap();
        assert_eq!((store.commits(), store.entries().len()), (1, 0));
    }

    #[test]
    fn plate_taken_during_the_update_is_invalid() {
        let mut mocks = mocks();
        let cars = &mut mocks.unit.cars;
        cars.expect_update()
            .returning(|_| Err(StoreError::Taken(Field::License)));
        let (app, store) = mocks.into_app();
        let input = CarInput {
            license: "XY 9".into(),
            ..CarInput::default()
        };
        let refused = update_own(&app, &input, UpdateMode::Partial);
        let taken = Violations::one(Field::License, Violation::Taken);
        assert!(matches!(refused, Err(Error::Invalid(violations)) if violations == taken));
        assert_eq!((store.rollbacks(), store.entries().len()), (1, 0));
    }
}
