//! Unit tests of existing use-cases, one for each kind of rule. Each has the same three steps:
//!
//! 1. Set up the repositories. [`Mocks`] has one mock of each port, and an unexpected call fails the test, so calls
//!   that must not happen need no line.
//! 2. Turn the mocks into an [`App`], and call the use-case as a caller.
//! 3. Check the result and the transaction: the store counts commits and rollbacks, and has the committed entries of
//!   the audit log.
//!
//! The samples are Ann, a client with the id 1, and her car with the id 10. `other_user` is Bob with
//! the given rank. The clock always returns [`samples::now`].

use mycars_application::{
    App, Input, UpdateMode,
    cars::{self, CarInput, CarScope},
    mocks::{Mocks, samples},
    ports::StoreError,
};
use mycars_domain::{
    Car, CarId, Denied, Field, Rank, UserId, Violation, Violations,
    audit::{Action, Change, Value},
    values::Mileage,
};

const ANN: UserId = UserId(1);
const CAR: CarId = CarId(10);

/// Returns mocks with Ann's car, for use-cases that lock it.
fn mocks_with_anns_car() -> Mocks {
    Mocks::new().with_car_locked(samples::car())
}

/// Returns an input that only changes the mileage.
fn mileage(kilometres: i64) -> CarInput {
    CarInput {
        mileage: kilometres.into(),
        ..CarInput::default()
    }
}

/// Changes Ann's car as Ann.
fn change(app: &App, input: &CarInput) -> Result<Car, cars::Error> {
    cars::update(
        app,
        &samples::ann(),
        CarScope::Caller,
        CAR,
        input,
        UpdateMode::Partial,
    )
}

/// A rule about ownership. For the caller's own cars, another user's car is not found, even for admins. So the error
/// does not show which cars exist.
#[test]
fn delete_of_other_users_car_is_not_found() {
    for rank in [Rank::Client, Rank::Admin, Rank::Superuser] {
        // `delete` is not expected, so this test also proves that nothing is deleted.
        let (app, store) = mocks_with_anns_car().into_app();
        let refused = cars::delete(&app, &samples::other_user(rank), CarScope::Caller, CAR, None);
        assert!(matches!(refused, Err(cars::Error::NotFound)), "{rank:?}");
        assert_eq!(store.commits(), 0);
    }
}

/// A rule about permissions. Ann may delete her car in the scope of her own cars, but only admins may use the scope
/// of another owner.
#[test]
fn delete_in_owner_scope_requires_an_admin() {
    let (app, store) = mocks_with_anns_car().into_app();
    let refused = cars::delete(&app, &samples::ann(), CarScope::Owner(ANN), CAR, None);
    assert!(matches!(refused, Err(cars::Error::Denied(Denied::Forbidden))));
    assert_eq!(store.commits(), 0);

    let (app, store) = mocks_with_anns_car().expect_car_delete(CAR).into_app();
    let admin = samples::admin();
    cars::delete(&app, &admin, CarScope::Owner(ANN), CAR, None).unwrap();
    assert_eq!(store.commits(), 1);
}

/// Violations are data: the field and the broken rule, without messages. All of them are reported at once.
#[test]
fn create_reports_all_violations_at_once() {
    let mut mocks = Mocks::new();
    mocks
        .unit
        .cars
        .expect_license_is_taken()
        .returning(|_, _| Ok(true));
    let (app, _) = mocks.into_app();
    let input = CarInput {
        brand: " ".into(),
        model: Input::Null,
        year: 1885.into(),
        license: "AB 123".into(),
        ..CarInput::default()
    };
    let Err(cars::Error::Invalid(violations)) = cars::create(&app, &samples::ann(), CarScope::Caller, &input)
    else {
        panic!("the car must be refused")
    };
    assert_eq!(violations.of(Field::Brand), [Violation::Blank]);
    assert_eq!(violations.of(Field::Model), [Violation::Null]);
    assert_eq!(violations.of(Field::Year), [Violation::TooSmall { min: 1886 }]);
    assert_eq!(violations.of(Field::License), [Violation::Taken]);
}

/// A write that is rolled back. After the check, another request took the plate: the store returns `Taken`, the
/// use-case returns the same violation as for the check, and neither the change nor its entry is stored.
#[test]
fn plate_taken_during_the_write_rolls_back() {
    let mut mocks = mocks_with_anns_car().nothing_taken();
    mocks
        .unit
        .cars
        .expect_update()
        .once()
        .returning(|_| Err(StoreError::Taken(Field::License)));
    let (app, store) = mocks.into_app();
    let input = CarInput {
        license: "AB 124".into(),
        ..CarInput::default()
    };
    let refused = change(&app, &input);
    let taken = Violations::one(Field::License, Violation::Taken);
    assert!(matches!(refused, Err(cars::Error::Invalid(violations)) if violations == taken));
    assert_eq!((store.commits(), store.rollbacks()), (0, 1));
    assert_eq!(store.entries(), []);
}

/// An entry of the audit log with its author, object, old and new values. The repository of the audit log needs no
/// mock: the store has the entries of committed transactions.
#[test]
fn change_is_logged_in_the_same_transaction() {
    let is_right = |car: &Car| car.mileage == Mileage::from_storage(900) && car.updated_at == samples::now();
    let (app, store) = mocks_with_anns_car().expect_car_update(is_right).into_app();
    change(&app, &mileage(900)).unwrap();
    assert_eq!(store.commits(), 1);

    let entries = store.entries();
    assert_eq!(entries.len(), 1);
    let entry = &entries[0];
    assert_eq!(entry.action, Action::Changed);
    assert_eq!(entry.object.car_id(), Some(CAR));
    assert_eq!((entry.author.id, entry.author.name.as_str()), (Some(ANN), "ann"));
    let change = Change {
        field: Field::Mileage,
        before: Value::Number(0),
        after: Value::Number(900),
    };
    assert_eq!(entry.changes, [change]);
}
