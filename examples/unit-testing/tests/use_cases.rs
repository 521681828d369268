//! Unit tests of use-cases that My Cars has, one for each kind of rule. Each has the same three steps:
//!
//! 1. Say what the repositories answer. [`Mocks`] has one mock of each port, and a call that nobody announced fails the
//!    test: what may not happen needs no line.
//! 2. Turn the mocks into an [`App`], and call the use-case as somebody.
//! 3. Look at the answer, and at what became of the transaction: the store counts commits and rollbacks, and has the
//!    entries of the audit log that were committed.
//!
//! The samples are of Ann, a client with the id 1, and her car with the id 10. `other_user` is Bob, who has the id 2
//! and whatever rank a test gives him. It is always the same time, [`samples::now`].

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

/// Mocks in which Ann's car is there, for whoever reads it in order to write.
fn mocks_with_anns_car() -> Mocks {
    Mocks::new().with_car_locked(samples::car())
}

/// A change of nothing but the mileage.
fn mileage(kilometres: i64) -> CarInput {
    CarInput {
        mileage: kilometres.into(),
        ..CarInput::default()
    }
}

/// Ann changes her car.
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

/// A rule about ownership. Not even an admin sees somebody else's car among their own, and the answer is that of a car
/// that is not there, so that it tells nobody which cars there are.
#[test]
fn somebody_elses_car_is_not_found() {
    for rank in [Rank::Client, Rank::Admin, Rank::Superuser] {
        // `delete` was not announced, so that this test also proves that nothing is deleted.
        let (app, store) = mocks_with_anns_car().into_app();
        let refused = cars::delete(&app, &samples::other_user(rank), CarScope::Caller, CAR, None);
        assert!(matches!(refused, Err(cars::Error::NotFound)), "{rank:?}");
        assert_eq!(store.commits(), 0);
    }
}

/// A rule about rights. What admins may do with Ann's cars, Ann herself may not do in that way: it is the way of who
/// asks that counts, and not only the car.
#[test]
fn only_an_admin_deletes_a_car_as_one_of_ann() {
    let (app, store) = mocks_with_anns_car().into_app();
    let refused = cars::delete(&app, &samples::ann(), CarScope::Owner(ANN), CAR, None);
    assert!(matches!(refused, Err(cars::Error::Denied(Denied::Forbidden))));
    assert_eq!(store.commits(), 0);

    let (app, store) = mocks_with_anns_car().expect_car_delete(CAR).into_app();
    let admin = samples::admin();
    cars::delete(&app, &admin, CarScope::Owner(ANN), CAR, None).unwrap();
    assert_eq!(store.commits(), 1);
}

/// What is wrong is data: the field, and how it breaks its rule. There are no sentences to compare, and everything that
/// is wrong is there at once.
#[test]
fn everything_that_is_wrong_with_a_new_car_is_said_at_once() {
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
        panic!("such a car must be refused")
    };
    assert_eq!(violations.of(Field::Brand), [Violation::Blank]);
    assert_eq!(violations.of(Field::Model), [Violation::Null]);
    assert_eq!(violations.of(Field::Year), [Violation::TooSmall { min: 1886 }]);
    assert_eq!(violations.of(Field::License), [Violation::Taken]);
}

/// A write that is rolled back. The check before found the plate free, and then somebody else was faster: the store says
/// so, the use-case makes the same violation of it as the check would have, and nothing is kept, the log included.
#[test]
fn a_plate_that_somebody_took_a_moment_ago_undoes_the_write() {
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

/// An entry of the audit log: who did what to what, and what each field was before and is after. The repository of the
/// log needs no mock for that: whatever a committed transaction wrote is with the store.
#[test]
fn what_was_changed_is_written_down_with_the_change() {
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
