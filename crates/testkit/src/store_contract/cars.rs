//! Rules about cars.

use mycars_application::ports::{Store, StoreError};
use mycars_domain::{
    Car, CarId, Field, NewCar, UserId,
    values::{Brand, Color, ImagePath, LicensePlate, Mileage, Model, Notes, Vin, Year},
};

use super::{assert_taken, insert_car, keep_car, keep_owner, keep_user};
use crate::samples::{moment, new_car, new_user};

/// Every field of a new car comes back, and it has no picture.
pub fn a_car_is_kept_as_it_was_given(store: &dyn Store) {
    let owner = keep_owner(store);
    let new = NewCar {
        created_at: moment(123_456),
        ..new_car(owner.id, "b-ÖA 123")
    };
    let kept = keep_car(store, &new);
    let expected = Car {
        id: kept.id,
        owner: new.owner,
        brand: new.brand,
        model: new.model,
        year: new.year,
        color: new.color,
        license: new.license,
        vin: new.vin,
        mileage: new.mileage,
        image: None,
        notes: new.notes,
        created_at: new.created_at,
        updated_at: new.created_at,
    };
    assert_eq!(kept, expected);
    assert_eq!(find(store, kept.id), Some(expected));
}

/// An update keeps every field, also those that become unset.
pub fn a_car_can_be_changed_in_every_field(store: &dyn Store) {
    let owner = keep_owner(store);
    let other = keep_user(store, &new_user("other"));
    let kept = keep_car(store, &new_car(owner.id, "B-AB 1"));
    let set = Car {
        id: kept.id,
        owner: other.id,
        brand: Brand::from_storage("Citroën".into()),
        model: Model::from_storage("ID.3 'Life' \"x\" \\ %".into()),
        year: Year::from_storage(1886),
        color: Some(Color::from_storage("weiß".into())),
        license: LicensePlate::from_storage("京A·12345".into()),
        vin: Some(Vin::from_storage("WVWZZZ1JZXW000001".into())),
        mileage: Mileage::from_storage(Mileage::MAX),
        image: Some(ImagePath::from_storage("cars/car_1_abc.jpg".into())),
        notes: Some(Notes::from_storage("ä\n".repeat(5_000))),
        created_at: moment(1),
        updated_at: moment(2),
    };
    let unset = Car {
        color: None,
        vin: None,
        image: None,
        notes: None,
        ..set.clone()
    };
    for changed in [set, unset] {
        update(store, &changed).expect("the car can be changed");
        assert_eq!(find(store, kept.id), Some(changed));
    }
}

/// A blank colour is a colour that is blank.
pub fn unset_and_blank_are_two_things_for_a_car(store: &dyn Store) {
    let owner = keep_owner(store);
    let blank = NewCar {
        color: Some(Color::from_storage(String::new())),
        notes: Some(Notes::from_storage(String::new())),
        ..new_car(owner.id, "blank")
    };
    let unset = NewCar {
        color: None,
        notes: None,
        vin: None,
        ..new_car(owner.id, "unset")
    };
    for new in [blank, unset] {
        let kept = keep_car(store, &new);
        let found = find(store, kept.id).expect("the car is there");
        assert_eq!(
            (found.color, found.notes, found.vin),
            (new.color, new.notes, new.vin)
        );
    }
}

/// The newest comes first, to the microsecond; of those made at the same moment the one with the greatest id.
pub fn cars_are_listed_newest_first_and_by_id_among_equals(store: &dyn Store) {
    let owner = keep_owner(store);
    // The moments are chosen so that, written as text, some are the beginning of others.
    let moments = [
        100_000, 0, 100_000, 1_000_000, 99_999, 100_001, -1, 123_456, 123_000, 100_000,
    ];
    let mut expected: Vec<(i64, CarId)> = moments
        .iter()
        .enumerate()
        .map(|(number, microseconds)| {
            let plate = format!("P {number}");
            let new = NewCar {
                created_at: moment(*microseconds),
                ..new_car(owner.id, &plate)
            };
            (*microseconds, keep_car(store, &new).id)
        })
        .collect();
    expected.sort();
    expected.reverse();
    let expected: Vec<CarId> = expected.into_iter().map(|(_, id)| id).collect();
    assert_eq!(list(store, owner.id), expected);
}

/// Nobody's list shows the cars of anybody else.
pub fn only_the_cars_of_their_owner_are_listed(store: &dyn Store) {
    let owner = keep_owner(store);
    let other = keep_user(store, &new_user("other"));
    let car = keep_car(store, &new_car(owner.id, "B-AB 1"));
    let others = keep_car(store, &new_car(other.id, "B-AB 2"));
    assert_eq!(list(store, owner.id), [car.id]);
    assert_eq!(list(store, other.id), [others.id]);
    assert_eq!(list(store, UserId(other.id.0 + 1)), []);
}

/// Neither a new car nor a changed one gets another one's plate, whoever owns the two.
pub fn a_plate_is_unique_whatever_its_case(store: &dyn Store) {
    let owner = keep_owner(store);
    let other = keep_user(store, &new_user("other"));
    keep_car(store, &new_car(owner.id, "b-Öa 123"));
    let mut car = keep_car(store, &new_car(other.id, "b-Oa 123"));
    for same in ["b-Öa 123", "B-ÖA 123", "b-öa 123"] {
        let license = LicensePlate::from_storage(same.into());
        assert_taken(insert_car(store, &new_car(other.id, same)), Field::License);
        assert!(is_taken(store, &license, None));
        car.license = license;
        assert_taken(update(store, &car), Field::License);
    }
}

/// A car may have its own plate written in another case, and what no car has is free.
pub fn a_plate_is_not_taken_by_its_own_car(store: &dyn Store) {
    let owner = keep_owner(store);
    let mut car = keep_car(store, &new_car(owner.id, "b-öa 123"));
    let other = keep_car(store, &new_car(owner.id, "B-AB 1"));
    car.license = LicensePlate::from_storage("B-ÖA 123".into());
    assert!(!is_taken(store, &car.license, Some(car.id)));
    assert!(is_taken(store, &car.license, Some(other.id)));
    assert!(!is_taken(store, &LicensePlate::from_storage("free".into()), None));
    update(store, &car).expect("a car keeps its own plate");
    assert_eq!(find(store, car.id), Some(car));
}

/// A car can't be given to a user who is not there.
pub fn a_car_of_nobody_has_lost_its_owner(store: &dyn Store) {
    let owner = keep_owner(store);
    let nobody = UserId(owner.id.0 + 1);
    let inserted = insert_car(store, &new_car(nobody, "B-AB 1"));
    assert!(matches!(inserted, Err(StoreError::OwnerGone)), "{inserted:?}");

    let mut car = keep_car(store, &new_car(owner.id, "B-AB 2"));
    car.owner = nobody;
    let updated = update(store, &car);
    assert!(matches!(updated, Err(StoreError::OwnerGone)), "{updated:?}");
}

/// An update that changes nothing is no success.
pub fn a_car_that_is_not_there_can_not_be_changed(store: &dyn Store) {
    let owner = keep_owner(store);
    let mut none = keep_car(store, &new_car(owner.id, "B-AB 1"));
    none.id = CarId(none.id.0 + 1);
    let outcome = update(store, &none);
    assert!(matches!(outcome, Err(StoreError::Other(_))), "{outcome:?}");
}

/// Deleting takes one car and no other, and its plate is free again.
pub fn a_deleted_car_is_gone_and_deleting_it_again_does_nothing(store: &dyn Store) {
    let owner = keep_owner(store);
    let car = keep_car(store, &new_car(owner.id, "B-AB 1"));
    let other = keep_car(store, &new_car(owner.id, "B-AB 2"));
    for _ in 0..2 {
        delete(store, car.id);
        assert_eq!(find(store, car.id), None);
        assert_eq!(list(store, owner.id), [other.id]);
    }
    assert!(!is_taken(store, &car.license, None));
}

/// A link to a deleted car never shows another one.
pub fn no_car_gets_the_id_of_another_one_that_was_deleted(store: &dyn Store) {
    let owner = keep_owner(store);
    let mut greatest = CarId(0);
    for _ in 0..3 {
        let car = keep_car(store, &new_car(owner.id, "B-AB 1"));
        assert!(car.id > greatest, "{} comes after {greatest}", car.id);
        greatest = car.id;
        delete(store, car.id);
    }
}

fn find(store: &dyn Store, id: CarId) -> Option<Car> {
    let (found, locked) = store
        .write(|unit| Ok::<_, StoreError>((unit.cars().find(id)?, unit.cars().find_for_update(id)?)))
        .expect("the store answers");
    assert_eq!(found, locked);
    found
}

fn list(store: &dyn Store, owner: UserId) -> Vec<CarId> {
    let cars = store
        .read(|unit| unit.cars().list(owner))
        .expect("the store answers");
    cars.into_iter().map(|car| car.id).collect()
}

fn update(store: &dyn Store, car: &Car) -> Result<(), StoreError> {
    store.write(|unit| unit.cars().update(car))
}

fn delete(store: &dyn Store, id: CarId) {
    store
        .write(|unit| unit.cars().delete(id))
        .expect("the store answers");
}

fn is_taken(store: &dyn Store, license: &LicensePlate, except: Option<CarId>) -> bool {
    store
        .read(|unit| unit.cars().license_is_taken(license, except))
        .expect("the store answers")
}
