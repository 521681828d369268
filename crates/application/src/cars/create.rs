//! Add a car.

use mycars_domain::{Action, Car};

use super::{CarInput, CarScope, Error, fields::CarFields};
use crate::{App, Caller, UpdateMode, audit};

/// Adds a car and returns it. With [`CarScope::All`], the input names the owner.
///
/// # Errors
/// [`Error::Denied`]; [`Error::Invalid`] with all violations, including a taken licence plate and a quota that is used
/// up; [`Error::OwnerGone`]; [`Error::Store`].
///
/// ```
/// use mycars_application::{cars::{self, CarInput, CarScope}, mocks::{Mocks, samples}};
/// use mycars_domain::{Rank, UserId};
///
/// let mut mocks = Mocks::new();
/// mocks.unit.cars.expect_insert().returning(|new| {
///     assert_eq!(new.owner, UserId(1), "an admin adds a car of Ann");
///     Ok(samples::car())
/// });
/// let (app, _) = mocks.into_app();
///
/// let camry = CarInput {
///     brand: "Toyota".into(),
///     model: "Camry".into(),
///     year: 2023.into(),
///     license: "AB 123".into(),
///     ..CarInput::default()
/// };
/// let admin = samples::other_user(Rank::Admin);
/// let car = cars::create(&app, &admin, CarScope::Owner(UserId(1)), &camry)?;
/// assert_eq!(car.license.as_str(), "AB 123");
/// # Ok::<(), cars::Error>(())
/// ```
pub fn create(app: &App, caller: &Caller, scope: CarScope, input: &CarInput) -> Result<Car, Error> {
    let owner = scope.owner(caller, Action::CreateCar)?;
    app.disk_space.check()?;
    app.store.write(|unit| {
        let charged = owner.or(input.owner.given().copied());
        scope.recheck(unit, caller, charged.filter(|_| app.quotas.cars.is_some()))?;
        let fields = CarFields::check(app, unit, (scope, owner), input, UpdateMode::Full, None)?;
        let new = fields.into_new(app, owner)?;
        Ok(audit::create_car(app, unit, caller, &new)?)
    })
}

#[cfg(test)]
mod tests {
    use mycars_domain::{Denied, Field, UserId, Violation, Violations};

    use super::*;
    use crate::{
        Input,
        audit::expected,
        mocks::{Mocks, samples},
        ports::StoreError,
    };

    fn camry() -> CarInput {
        CarInput {
            brand: "Toyota".into(),
            model: "Camry".into(),
            year: 2023.into(),
            license: " AB 123 ".into(),
            ..CarInput::default()
        }
    }

    /// Adds a car of Ann as Ann.
    fn create_own(app: &App, input: &CarInput) -> Result<Car, Error> {
        create(app, &samples::ann(), CarScope::Caller, input)
    }

    #[test]
    fn create_by_anonymous_caller_is_denied() {
        let (app, store) = Mocks::new().into_app();
        let refused = create(&app, &samples::anonymous(), CarScope::Caller, &camry());
        assert!(matches!(refused, Err(Error::Denied(Denied::NotAuthenticated))));
        assert_eq!(store.commits() + store.rollbacks(), 0);
    }

    #[test]
    fn create_reports_all_violations_and_stores_nothing() {
        let mut mocks = Mocks::new();
        let cars = &mut mocks.unit.cars;
        cars.expect_license_is_taken()
            .withf(|license, except| license.as_str() == "ab 123" && except.is_none())
            .once()
            .returning(|_, _| Ok(true));
        let (app, store) = mocks.into_app();
        let input = CarInput {
            year: 1885.into(),
            mileage: (-5).into(),
            license: "ab 123".into(),
            ..CarInput::default()
        };

        let violations = create_own(&app, &input).unwrap_err().violations();
        assert_eq!(violations.of(Field::Brand), [Violation::Required]);
        assert_eq!(violations.of(Field::Model), [Violation::Required]);
        assert_eq!(violations.of(Field::Year), [Violation::TooSmall { min: 1886 }]);
        assert_eq!(violations.of(Field::License), [Violation::Taken]);
        assert_eq!(violations.of(Field::Mileage), [Violation::TooSmall { min: 0 }]);
        assert_eq!(violations.iter().count(), 5);
        assert_eq!((store.commits(), store.rollbacks()), (0, 1));
        assert_eq!(store.entries(), []);
    }

    #[test]
    fn invalid_plate_is_not_looked_up() {
        let (app, _) = Mocks::new().into_app();
        let input = CarInput {
            license: " ".into(),
            ..camry()
        };
        let refused = create_own(&app, &input);
        let blank = Violations::one(Field::License, Violation::Blank);
        assert!(matches!(refused, Err(Error::Invalid(violations)) if violations == blank));
    }

    #[test]
    fn plate_taken_at_the_insert_is_invalid() {
        let mut mocks = Mocks::new();
        let cars = &mut mocks.unit.cars;
        cars.expect_insert()
            .returning(|_| Err(StoreError::Taken(Field::License)));
        let (app, store) = mocks.into_app();
        let refused = create_own(&app, &camry());
        let taken = Violations::one(Field::License, Violation::Taken);
        assert!(matches!(refused, Err(Error::Invalid(violations)) if violations == taken));
        assert_eq!((store.commits(), store.rollbacks()), (0, 1));
    }

    #[test]
    fn create_uses_defaults_and_is_logged() {
        let mocks = Mocks::new().expect_car_insert(|car| {
            car.owner == samples::user().id
                && car.license.as_str() == "AB 123"
                && car.mileage.get() == 0
                && car.color.is_none()
                && car.created_at == samples::now()
        });
        let (app, store) = mocks.into_app();
        assert_eq!(create_own(&app, &camry()).unwrap(), samples::car());
        assert_eq!((store.commits(), store.rollbacks()), (1, 0));
        assert_eq!(store.entries(), [expected::car_is_new(&samples::ann())]);
    }

    #[test]
    fn blank_vin_is_null_and_blank_color_stays_blank() {
        let (app, _) = Mocks::new()
            .nothing_taken()
            .expect_car_insert(|car| {
                car.vin.is_none() && car.color.as_ref().is_some_and(|color| color.as_str().is_empty())
            })
            .into_app();
        let input = CarInput {
            vin: " ".into(),
            color: " ".into(),
            notes: Input::Null,
            ..camry()
        };
        assert!(create_own(&app, &input).is_ok());
    }

    #[test]
    fn create_for_another_owner_requires_an_admin() {
        let of_ann = CarScope::Owner(samples::user().id);
        let (app, _) = Mocks::new().into_app();
        let refused = create(&app, &samples::ann(), of_ann, &camry());
        assert!(
            matches!(refused, Err(Error::Denied(Denied::Forbidden))),
            "not even to one's own that way"
        );

        let (app, store) = Mocks::new()
            .nothing_taken()
            .expect_car_insert(|car| car.owner == samples::user().id)
            .into_app();
        let admin = samples::admin();
        assert!(create(&app, &admin, of_ann, &camry()).is_ok());
        assert_eq!(store.entries(), [expected::car_is_new(&admin)]);
    }

    #[test]
    fn owner_field_is_used_only_in_scope_all() {
        let admin = samples::admin();
        let of_nine = CarInput {
            owner: Input::Given(UserId(9)),
            ..camry()
        };
        for (caller, scope, owner) in [
            (samples::ann(), CarScope::Caller, 1),
            (admin.clone(), CarScope::Owner(UserId(1)), 1),
            (admin, CarScope::All, 9),
        ] {
            let (app, _) = Mocks::new()
                .nothing_taken()
                .expect_car_insert(move |car| car.owner == UserId(owner))
                .into_app();
            create(&app, &caller, scope, &of_nine).unwrap();
        }
    }

    #[test]
    fn scope_all_requires_the_owner_field_and_an_admin() {
        for (owner, violation) in [
            (Input::Absent, Violation::Required),
            (Input::Null, Violation::Null),
            (Input::Invalid(Violation::NotAnInteger), Violation::NotAnInteger),
        ] {
            let (app, store) = Mocks::new().nothing_taken().into_app();
            let admin = samples::admin();
            let refused = create(&app, &admin, CarScope::All, &CarInput { owner, ..camry() });
            let only = Violations::one(Field::Owner, violation);
            assert!(matches!(refused, Err(Error::Invalid(violations)) if violations == only));
            assert_eq!(store.entries(), []);
        }
        let (app, _) = Mocks::new().into_app();
        let mine = CarInput {
            owner: Input::Given(UserId(1)),
            ..camry()
        };
        let refused = create(&app, &samples::ann(), CarScope::All, &mine);
        assert!(matches!(refused, Err(Error::Denied(Denied::Forbidden))));
    }

    #[test]
    fn create_over_the_quota_is_invalid_for_all_callers() {
        let of_ann = CarInput {
            owner: Input::Given(UserId(1)),
            ..camry()
        };
        for (caller, scope, field) in [
            (samples::ann(), CarScope::Caller, Field::NonField),
            (samples::admin(), CarScope::Owner(UserId(1)), Field::NonField),
            (samples::admin(), CarScope::All, Field::Owner),
        ] {
            let mut mocks = Mocks::new().with_user_locked(samples::user());
            mocks
                .unit
                .cars
                .expect_count_and_license_is_taken()
                .withf(|owner, license| *owner == UserId(1) && license.as_str() == "AB 123")
                .once()
                .returning(|_, _| Ok((7, true)));
            let (mut app, store) = mocks.into_app();
            app.quotas.cars = Some(7);
            let violations = create(&app, &caller, scope, &of_ann).unwrap_err().violations();
            assert_eq!(violations.of(field), [Violation::TooManyCars { max: 7 }]);
            assert_eq!(violations.of(Field::License), [Violation::Taken]);
            assert_eq!((store.commits(), store.entries().len()), (0, 0));
        }
    }

    #[test]
    fn create_within_the_quota_is_stored() {
        let mut mocks = Mocks::new().expect_car_insert(|_| true);
        let cars = &mut mocks.unit.cars;
        cars.expect_count_and_license_is_taken()
            .once()
            .returning(|_, _| Ok((7, false)));
        let (mut app, store) = mocks.into_app();
        app.quotas.cars = Some(10_000);
        create_own(&app, &camry()).unwrap();
        assert_eq!(store.commits(), 1);
    }

    #[test]
    fn create_on_a_full_disk_is_not_writable_without_store_access() {
        let mocks = Mocks {
            disk_is_full: true,
            ..Mocks::new()
        };
        let (app, store) = mocks.into_app();
        let refused = create_own(&app, &camry());
        assert!(matches!(refused, Err(Error::Store(StoreError::NotWritable(_)))));
        assert_eq!(store.rollbacks(), 0);
    }

    #[test]
    fn create_for_a_deleted_owner_is_owner_gone() {
        let mut mocks = Mocks::new().nothing_taken();
        let cars = &mut mocks.unit.cars;
        cars.expect_insert().returning(|_| Err(StoreError::OwnerGone));
        let (app, _) = mocks.into_app();
        assert!(matches!(create_own(&app, &camry()), Err(Error::OwnerGone)));
    }
}
