//! Rules about cars.

use chrono::TimeDelta;
use mycars_application::{
    lists::{CarOrder, CarQuery, Direction, LimitOffset, Search},
    ports::{CarCount, CarVersion, Store, StoreError},
};
use mycars_domain::{
    Car, CarId, Field, NewCar, UserId,
    values::{Brand, Color, ImagePath, LicensePlate, Mileage, Model, Notes, Vin, Year},
};

use super::{asa, assert_taken, insert_car, keep_car, keep_owner, keep_user};
use crate::samples::{moment, new_car, new_user};

/// Every field of a new car is stored, and the car has no picture.
pub fn inserted_car_is_returned_unchanged(store: &dyn Store) {
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

/// A user is found with a car of their own; without a car if it does not exist or is another user's.
pub fn user_is_found_with_own_car_only(store: &dyn Store) {
    let owner = keep_owner(store);
    let other = keep_user(store, &new_user("other"));
    let car = keep_car(store, &new_car(owner.id, "B-AB 1"));
    keep_car(store, &new_car(owner.id, "B-AB 2"));
    let found = |user, car| store.read(|unit| unit.users().find_with_car(user, car)).unwrap();
    assert_eq!(found(owner.id, car.id), Some((owner.clone(), Some(car.clone()))));
    assert_eq!(found(other.id, car.id), Some((other.clone(), None)));
    assert_eq!(found(owner.id, CarId(i64::MAX)), Some((owner, None)));
    assert_eq!(found(UserId(i64::MAX), car.id), None);
}

/// An update stores every field, also fields that become unset, except `created_at`, which never changes.
pub fn car_update_stores_every_field(store: &dyn Store) {
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
        created_at: kept.created_at,
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
        let later = Car {
            created_at: moment(1),
            ..changed.clone()
        };
        update(store, &later).expect("the car can be changed");
        assert_eq!(find(store, kept.id), Some(changed));
    }
}

/// A blank color differs from an unset one.
pub fn blank_color_differs_from_unset(store: &dyn Store) {
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

/// Newer cars come first, to the microsecond; of cars with the same time, that with the greater id.
pub fn cars_are_listed_newest_first_then_by_id(store: &dyn Store) {
    let owner = keep_owner(store);
    // As text, some of these times are prefixes of others.
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

/// The list of one owner has no cars of other users.
pub fn car_list_has_only_cars_of_owner(store: &dyn Store) {
    let owner = keep_owner(store);
    let other = keep_user(store, &new_user("other"));
    let car = keep_car(store, &new_car(owner.id, "B-AB 1"));
    let others = keep_car(store, &new_car(other.id, "B-AB 2"));
    assert_eq!(list(store, owner.id), [car.id]);
    assert_eq!(list(store, other.id), [others.id]);
    assert_eq!(list(store, UserId(other.id.0 + 1)), []);
}

/// Neither a new nor an updated car gets the plate of another car, regardless of the owners.
pub fn plate_is_unique_ignoring_case(store: &dyn Store) {
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

/// The owners of plates are returned in the order of the plates, ignoring case, for more plates than one query takes.
pub fn plates_are_looked_up_with_their_owners(store: &dyn Store) {
    let owner = keep_owner(store);
    let other = keep_user(store, &new_user("other"));
    keep_car(store, &new_car(owner.id, "b-öa 1"));
    keep_car(store, &new_car(other.id, "B-AB 2"));
    let plate = |text: &str| LicensePlate::from_storage(text.into());
    let free = (0..2_000).map(|number| plate(&format!("free {number}")));
    let plates: Vec<LicensePlate> = [plate("b-ab 2")]
        .into_iter()
        .chain(free)
        .chain([plate("B-ÖA 1"), plate("B-AB 2")])
        .collect();
    let owners = store
        .read(|unit| unit.cars().license_owners(&plates))
        .expect("the store answers");
    let (other, owner) = (Some(other.id), Some(owner.id));
    let expected: Vec<Option<UserId>> = [other]
        .into_iter()
        .chain(std::iter::repeat_n(None, 2_000))
        .chain([owner, other])
        .collect();
    assert_eq!(owners, expected);
}

/// Many cars are stored as single ones are, with ascending ids. If one plate is taken, no car is stored.
pub fn many_cars_are_inserted_in_order_of_ids(store: &dyn Store) {
    let owner = keep_owner(store);
    let new: Vec<NewCar> = (0..1_100)
        .map(|number| new_car(owner.id, &format!("B-AB {number}")))
        .collect();
    let insert = |cars: &[NewCar]| store.write(|unit| unit.cars().insert_all(cars));
    let mut stored = insert(&new).expect("the cars can be stored");
    stored.sort_by_key(|car| car.id);
    let expected: Vec<Car> = new
        .iter()
        .zip(&stored)
        .map(|(new, Car { id, .. })| new.clone().with_id(*id))
        .collect();
    assert_eq!(stored, expected);
    assert_eq!(find(store, stored[7].id).as_ref(), Some(&expected[7]));

    let more = [new_car(owner.id, "free"), new_car(owner.id, "b-ab 5")];
    assert_taken(insert(&more), Field::License);
    assert_eq!(list(store, owner.id).len(), 1_100);
    assert_eq!(insert(&[]).expect("there is nothing to store"), []);
}

/// A car may change the case of its own plate; the plate of no car is free.
pub fn own_plate_is_not_taken(store: &dyn Store) {
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

/// A car cannot belong to a user that does not exist.
pub fn car_of_missing_owner_is_refused(store: &dyn Store) {
    let owner = keep_owner(store);
    let missing = UserId(owner.id.0 + 1);
    let inserted = insert_car(store, &new_car(missing, "B-AB 1"));
    assert!(matches!(inserted, Err(StoreError::OwnerGone)), "{inserted:?}");

    let mut car = keep_car(store, &new_car(owner.id, "B-AB 2"));
    car.owner = missing;
    let updated = update(store, &car);
    assert!(matches!(updated, Err(StoreError::OwnerGone)), "{updated:?}");
}

/// An update of a missing row is an error.
pub fn update_of_missing_car_is_an_error(store: &dyn Store) {
    let owner = keep_owner(store);
    let mut none = keep_car(store, &new_car(owner.id, "B-AB 1"));
    none.id = CarId(none.id.0 + 1);
    let outcome = update(store, &none);
    assert!(matches!(outcome, Err(StoreError::Other(_))), "{outcome:?}");
}

/// A delete removes one car and no other, and frees its plate. A second delete has no effect.
pub fn delete_of_car_is_idempotent(store: &dyn Store) {
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

/// The link to a deleted car never shows another car.
pub fn id_of_deleted_car_is_not_reused(store: &dyn Store) {
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
        .read(|unit| unit.cars().list(Some(owner), &CarQuery::default()))
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

/// A search covers every searchable field, in any case and script. All words must match, no word matches across two
/// fields, and wildcards of LIKE have no meaning.
pub fn car_search_ignores_case(store: &dyn Store) {
    let owner = keep_owner(store);
    let golf = keep_car(
        store,
        &NewCar {
            brand: Brand::from_storage("VW".into()),
            model: Model::from_storage("Golf Élan".into()),
            notes: Some(Notes::from_storage("100% winter_tyres, ΟΔΟΣΤΡΩΤΗΡΑΣ".into())),
            ..new_car(owner.id, "B-ÖA 1")
        },
    );
    let polo = keep_car(
        store,
        &NewCar {
            brand: Brand::from_storage("VW".into()),
            model: Model::from_storage("Polo".into()),
            vin: Some(Vin::from_storage("WVWZZZ1JZXW000003".into())),
            notes: None,
            ..new_car(owner.id, "B-ÖA 2")
        },
    );
    let found = |words: &str| {
        let query = CarQuery {
            search: Search::parse(words),
            ..CarQuery::default()
        };
        listed(store, owner.id, &query)
    };
    assert_eq!(found("vw"), [polo.id, golf.id]);
    assert_eq!(found("ÉLAN golf"), [golf.id]);
    assert_eq!(found("öa"), [polo.id, golf.id]);
    assert_eq!(found("000003"), [polo.id]);
    assert_eq!(found("100% WINTER_"), [golf.id]);
    assert_eq!(found("golf polo"), []);
    assert_eq!(found("ΟΔΟΣ"), [golf.id]);
    assert_eq!(found(&"golf ".repeat(5_000)), [golf.id]);
    for nothing in ["\"vw golf\"", "wint%", "winter-tyres", "_olf", "\\", "0_w"] {
        assert_eq!(found(nothing), [], "{nothing}");
    }
}

/// Long words of one repeated letter are found in long notes, at their ends too.
pub fn long_words_are_found_in_long_notes(store: &dyn Store) {
    let owner = keep_owner(store);
    let new = NewCar {
        notes: Some(Notes::from_storage(format!("x{}y", "A".repeat(9_998)))),
        ..new_car(owner.id, "B-AB 1")
    };
    let car = keep_car(store, &new).id;
    let found = |words: &str| {
        let query = CarQuery {
            search: Search::parse(words),
            ..CarQuery::default()
        };
        listed(store, owner.id, &query)
    };
    let letters = "a".repeat(Search::MAX_LENGTH - 1);
    for word in [
        format!("{letters}a"),
        format!("x{letters}"),
        format!("{letters}y"),
    ] {
        assert_eq!(found(&word), [car], "{word}");
    }
    for word in [
        format!("{letters}x"),
        format!("y{letters}"),
        format!("%{letters}"),
    ] {
        assert_eq!(found(&word), [], "{word}");
    }
}

/// Filters are case-sensitive, and both bounds are inclusive.
pub fn car_filters_match_exactly(store: &dyn Store) {
    let owner = keep_owner(store);
    let car = |plate: &str, color: Option<&str>, year, mileage| {
        let new = NewCar {
            color: color.map(|color| Color::from_storage(color.into())),
            year: Year::from_storage(year),
            mileage: Mileage::from_storage(mileage),
            ..new_car(owner.id, plate)
        };
        keep_car(store, &new).id
    };
    let (red, small, none) = (
        car("1", Some("Red"), 2001, 0),
        car("2", Some("red"), 2002, 1000),
        car("3", None, 2003, i32::MAX),
    );
    let found = |query: CarQuery| listed(store, owner.id, &query);
    let all = CarQuery::default;
    assert_eq!(
        found(CarQuery {
            color: Some("Red".into()),
            ..all()
        }),
        [red]
    );
    assert_eq!(
        found(CarQuery {
            license: Some("2".into()),
            ..all()
        }),
        [small]
    );
    assert_eq!(
        found(CarQuery {
            year_min: Some(2002),
            ..all()
        }),
        [none, small]
    );
    assert_eq!(
        found(CarQuery {
            year_max: Some(2002),
            ..all()
        }),
        [small, red]
    );
    assert_eq!(
        found(CarQuery {
            year_min: Some(2002),
            year_max: Some(2002),
            ..all()
        }),
        [small]
    );
    assert_eq!(
        found(CarQuery {
            mileage_min: Some(i64::from(i32::MAX)),
            ..all()
        }),
        [none]
    );
    assert_eq!(
        found(CarQuery {
            mileage_min: Some(i64::from(i32::MAX) + 1),
            ..all()
        }),
        []
    );
    assert_eq!(
        found(CarQuery {
            mileage_max: Some(i64::MAX),
            ..all()
        }),
        [none, small, red]
    );
    assert_eq!(
        found(CarQuery {
            mileage_max: Some(i64::MIN),
            ..all()
        }),
        []
    );
    assert_eq!(
        found(CarQuery {
            mileage_min: Some(i64::MIN),
            ..all()
        }),
        [none, small, red]
    );
}

/// Text is ordered by its bytes, several orders apply in sequence, and ties are newest first.
pub fn car_text_is_ordered_by_code_points(store: &dyn Store) {
    let owner = keep_owner(store);
    let car = |plate: &str, brand: &str, year| {
        let new = NewCar {
            brand: Brand::from_storage(brand.into()),
            year: Year::from_storage(year),
            ..new_car(owner.id, plate)
        };
        keep_car(store, &new).id
    };
    let (small, big, umlaut, same) = (
        car("1", "audi", 2001),
        car("2", "Zil", 2002),
        car("3", "Ätna", 2001),
        car("4", "audi", 2001),
    );
    let ordered = |ordering: &[(CarOrder, Direction)]| {
        listed(
            store,
            owner.id,
            &CarQuery {
                ordering: ordering.to_vec(),
                ..CarQuery::default()
            },
        )
    };
    assert_eq!(
        ordered(&[(CarOrder::Brand, Direction::Ascending)]),
        [big, same, small, umlaut]
    );
    assert_eq!(
        ordered(&[(CarOrder::Brand, Direction::Descending)]),
        [umlaut, same, small, big]
    );
    assert_eq!(
        ordered(&[
            (CarOrder::Year, Direction::Descending),
            (CarOrder::License, Direction::Ascending)
        ]),
        [big, small, umlaut, same]
    );
}

/// A page has at most `limit` items after the first `offset`; the count ignores the page.
pub fn car_count_ignores_page(store: &dyn Store) {
    let owner = keep_owner(store);
    let other = keep_user(store, &new_user("other"));
    keep_car(store, &new_car(other.id, "other"));
    let ids: Vec<CarId> = (0..5)
        .map(|n| keep_car(store, &new_car(owner.id, &format!("{n}"))).id)
        .collect();
    let page = |limit, offset| {
        let query = CarQuery {
            page: Some(LimitOffset { limit, offset }),
            ..CarQuery::default()
        };
        let count = store
            .read(|unit| unit.cars().count(Some(owner.id), &query))
            .expect("cars can be counted");
        (listed(store, owner.id, &query), count)
    };
    assert_eq!(page(2, 0), (vec![ids[4], ids[3]], 5));
    assert_eq!(page(2, 4), (vec![ids[0]], 5));
    assert_eq!(page(2, u64::MAX), (vec![], 5));
}

/// All cars of a user are locked in the order of their ids; the look-up of a picture covers all cars.
pub fn cars_of_user_are_locked_in_order_of_ids(store: &dyn Store) {
    let owner = keep_owner(store);
    let path = ImagePath::from_storage("cars/car_1_abc.jpg".into());
    let other = keep_user(store, &new_user("other"));
    let pictured = Car {
        image: Some(path.clone()),
        ..keep_car(store, &new_car(owner.id, "1"))
    };
    keep_car(store, &new_car(other.id, "3"));
    let older = NewCar {
        created_at: moment(-1),
        ..new_car(owner.id, "2")
    };
    let plain = keep_car(store, &older);
    update(store, &pictured).expect("the car can be changed");
    let locked = |owner, after, at_most| {
        store
            .write(|unit| unit.cars().list_for_update(owner, after, at_most))
            .expect("cars can be listed")
    };
    let all = [pictured, plain];
    assert_eq!(locked(owner.id, CarId(0), 3), all);
    assert_eq!(locked(owner.id, CarId(0), 1), all[..1]);
    assert_eq!(locked(owner.id, all[0].id, 3), all[1..]);
    assert_eq!(locked(owner.id, all[1].id, 3), []);
    assert_eq!(locked(UserId(other.id.0 + 1), CarId(0), 3), []);
    let has = |path: &ImagePath| {
        store
            .read(|unit| unit.cars().has_image(path))
            .expect("pictures can be found")
    };
    assert!(has(&path));
    assert!(!has(&ImagePath::from_storage("cars/car_1_xyz.jpg".into())));
}

fn listed(store: &dyn Store, owner: UserId, query: &CarQuery) -> Vec<CarId> {
    let cars = store
        .read(|unit| unit.cars().list(Some(owner), query))
        .expect("cars can be listed");
    cars.into_iter().map(|car| car.id).collect()
}

/// The cars of all owners are listed and counted together, and `ids` has the same order.
pub fn cars_of_all_owners_are_one_list(store: &dyn Store) {
    let (ann, eve) = (
        keep_user(store, &new_user("ann")),
        keep_user(store, &new_user("eve")),
    );
    let car = |owner, plate: &str, at| {
        let new = NewCar {
            created_at: moment(at),
            ..new_car(owner, plate)
        };
        keep_car(store, &new).id
    };
    let ids = [car(ann.id, "1", 2), car(eve.id, "2", 3), car(ann.id, "3", 1)];
    let all = ids_of_all_owners(store, &CarQuery::default());
    assert_eq!(all, [ids[2], ids[1], ids[0]], "by descending id");
    let page = CarQuery {
        page: Some(LimitOffset { limit: 1, offset: 1 }),
        ordering: vec![(CarOrder::License, Direction::Ascending)],
        ..CarQuery::default()
    };
    let (listed, count, numbered, anns) = store
        .read(|unit| {
            let cars = unit.cars();
            Ok::<_, StoreError>((
                cars.list(None, &page)?,
                cars.count(None, &page)?,
                cars.ids(None, &page)?,
                cars.ids(Some(ann.id), &page)?,
            ))
        })
        .expect("cars can be listed");
    assert_eq!(listed.iter().map(|car| car.id).collect::<Vec<_>>(), [ids[1]]);
    assert_eq!((count, numbered), (3, ids.to_vec()));
    assert_eq!(anns, [ids[0], ids[2]]);
}

/// A search in the cars of all owners covers the owners' searchable text as well; a search in one owner's cars does
/// not.
pub fn search_in_all_cars_covers_owners(store: &dyn Store) {
    let asa = keep_user(store, &asa());
    let eve = keep_user(store, &new_user("eve_x"));
    let asas = keep_car(store, &new_car(asa.id, "B-AB 1")).id;
    let eves = keep_car(store, &new_car(eve.id, "B-AB 2")).id;
    let query = |words: &str| CarQuery {
        search: Search::parse(words),
        ..CarQuery::default()
    };
    for (words, found) in [
        ("ÅSA", vec![asas]),
        ("åsa b-ab", vec![asas]),
        ("octavia eve_x@example", vec![eves]),
        ("octavia", vec![eves, asas]),
        ("åsa eve", vec![]),
        ("åsa \"ab 2\"", vec![]),
        ("eve%x", vec![]),
    ] {
        assert_eq!(ids_of_all_owners(store, &query(words)), found, "{words}");
    }
    assert_eq!(listed(store, eve.id, &query("eve_x")), []);
}

/// The most frequent brands come first, ties by name; the filter of the brand is ignored.
pub fn brand_counts_are_ordered_by_frequency(store: &dyn Store) {
    let owner = keep_owner(store).id;
    let brands = ["VW", "Audi", "VW", "Zil", "audi", "VW", "Zil"];
    for (number, brand) in brands.into_iter().enumerate() {
        let new = NewCar {
            brand: Brand::from_storage(brand.into()),
            year: Year::from_storage(2000 + i32::try_from(number).expect("it is small")),
            ..new_car(owner, &number.to_string())
        };
        keep_car(store, &new);
    }
    let counted = |query: &CarQuery, at_most| {
        store
            .read(|unit| unit.cars().brands(query, at_most))
            .expect("brands can be counted")
    };
    let named = |brands: &[(&str, u64)]| -> Vec<(String, u64)> {
        brands
            .iter()
            .map(|(brand, count)| ((*brand).to_owned(), *count))
            .collect()
    };
    let aside = CarQuery {
        brand: Some("Audi".into()),
        page: Some(LimitOffset { limit: 1, offset: 1 }),
        ..CarQuery::default()
    };
    let all = named(&[("VW", 3), ("Zil", 2), ("Audi", 1), ("audi", 1)]);
    assert_eq!(counted(&aside, 9), all);
    assert_eq!(counted(&aside, 2), all[..2]);
    let late = CarQuery {
        year_min: Some(2003),
        ..aside.clone()
    };
    assert_eq!(counted(&late, 9), named(&[("Zil", 2), ("VW", 1), ("audi", 1)]));
    let of_the_owner = CarQuery {
        search: Search::parse("owner zil"),
        ..aside
    };
    assert_eq!(counted(&of_the_owner, 9), named(&[("Zil", 2)]));
}

/// Cars are found by any number of ids, without ids that do not exist.
pub fn cars_are_found_by_many_ids(store: &dyn Store) {
    let owner = keep_owner(store).id;
    let mut cars: Vec<Car> = store
        .write(|unit| {
            (0..1100)
                .map(|number| unit.cars().insert(&new_car(owner, &number.to_string())))
                .collect::<Result<_, StoreError>>()
        })
        .expect("cars can be stored");
    let ids: Vec<CarId> = cars.iter().map(|car| car.id).collect();
    delete(store, ids[5]);
    cars.remove(5);
    let find = |ids: &[CarId]| {
        let mut found = store
            .read(|unit| unit.cars().find_all(ids))
            .expect("cars can be found");
        found.sort_by_key(|car| car.id);
        found
    };
    assert_eq!(find(&ids), cars);
    assert_eq!(find(&[ids[0], ids[5]]), cars[..1]);
    assert_eq!(find(&[]), []);
}

/// Cars and pictures are counted for any number of users, and for all.
pub fn cars_and_pictures_are_counted_by_owner(store: &dyn Store) {
    let [ann, eve, zoe] = ["ann", "eve", "zoe"].map(|name| keep_user(store, &new_user(name)).id);
    for (owner, plate, image) in [
        (ann, "1", Some("cars/car_1_abc.jpg")),
        (ann, "2", None),
        (eve, "3", Some("cars/car_3_abc.jpg")),
        (zoe, "4", None),
    ] {
        let car = keep_car(store, &new_car(owner, plate));
        let pictured = Car {
            image: image.map(|path| ImagePath::from_storage(path.into())),
            ..car
        };
        update(store, &pictured).expect("the car can be changed");
    }
    let (of, all) = store
        .read(|unit| {
            let cars = unit.cars();
            let many: Vec<UserId> = (0..1100).map(|more| UserId(zoe.0 + more)).chain([ann]).collect();
            let of = [vec![], vec![ann], vec![ann, eve], vec![UserId(zoe.0 + 1)], many];
            let of = of.into_iter().map(|owners| cars.count_of(&owners));
            let of = of.collect::<Result<Vec<_>, _>>()?;
            Ok::<_, StoreError>((of, cars.count_all()?))
        })
        .expect("cars can be counted");
    let counted = |cars, pictures| CarCount { cars, pictures };
    assert_eq!(
        of,
        [
            counted(0, 0),
            counted(2, 1),
            counted(3, 2),
            counted(0, 0),
            counted(3, 1)
        ]
    );
    assert_eq!(all, counted(4, 2));
}

/// Versions are those of all cars of the given users, and change with each car.
pub fn car_versions_change_with_each_car(store: &dyn Store) {
    let [ann, eve] = ["ann", "eve"].map(|name| keep_user(store, &new_user(name)).id);
    let cars =
        [(ann, "1"), (eve, "2"), (ann, "3")].map(|(owner, plate)| keep_car(store, &new_car(owner, plate)));
    let versions_of = |owners: &[UserId]| {
        let mut versions = store
            .read(|unit| unit.cars().versions_of(owners))
            .expect("versions can be read");
        versions.sort_by_key(|version| version.car);
        versions
    };
    let expected = |numbers: &[usize]| -> Vec<CarVersion> {
        numbers
            .iter()
            .map(|number| CarVersion::from(&cars[*number]))
            .collect()
    };
    assert_eq!(versions_of(&[]), []);
    assert_eq!(versions_of(&[ann]), expected(&[0, 2]));
    let many: Vec<UserId> = (0..1100).map(|more| UserId(eve.0 + more)).chain([ann]).collect();
    assert_eq!(versions_of(&many), expected(&[0, 1, 2]));
    assert_eq!(versions_of(&[UserId(eve.0 + 1)]), []);

    let changed = Car {
        updated_at: cars[1].updated_at + TimeDelta::microseconds(1),
        ..cars[1].clone()
    };
    update(store, &changed).expect("the car can be changed");
    assert_eq!(versions_of(&[eve]), [CarVersion::from(&changed)]);
}

/// Returns the ids of the cars of all owners that a query finds. Checks that `count` and `ids` agree with them.
fn ids_of_all_owners(store: &dyn Store, query: &CarQuery) -> Vec<CarId> {
    let (cars, count, ids) = store
        .read(|unit| {
            let cars = unit.cars();
            Ok::<_, StoreError>((
                cars.list(None, query)?,
                cars.count(None, query)?,
                cars.ids(None, query)?,
            ))
        })
        .expect("cars can be listed");
    let listed: Vec<CarId> = cars.into_iter().map(|car| car.id).collect();
    assert_eq!((count, &ids), (listed.len() as u64, &listed), "{query:?}");
    listed
}

/// The cars of a user are counted together with the look-up of a plate, which any user's car may have.
pub fn cars_are_counted_with_plate_lookup(store: &dyn Store) {
    let owner = keep_owner(store).id;
    let other = keep_user(store, &new_user("other")).id;
    let count = |owner, license: &str| {
        let license = LicensePlate::from_storage(license.into());
        let counted = store.read(|unit| unit.cars().count_and_license_is_taken(owner, &license));
        counted.expect("cars can be counted")
    };
    assert_eq!(count(owner, "B-AB 1"), (0, false));
    for license in ["B-AB 1", "B-AB 2"] {
        keep_car(store, &new_car(owner, license));
    }
    assert_eq!(count(owner, "b-ab 1"), (2, true));
    assert_eq!(count(owner, "B-AB 3"), (2, false));
    assert_eq!(count(other, "B-AB 2"), (0, true));
}

/// The sizes of pictures are summed for each owner, and those that are not recorded can be found.
pub fn picture_sizes_are_summed_by_owner(store: &dyn Store) {
    let owner = keep_owner(store).id;
    let cars = ["B-AB 1", "B-AB 2", "B-AB 3"].map(|license| {
        let car = keep_car(store, &new_car(owner, license));
        let image = Some(ImagePath::from_storage(format!("cars/{license}.jpg")));
        let car = Car { image, ..car };
        update(store, &car).expect("the car can be changed");
        car
    });
    let path = |car: &Car| car.image.clone().expect("it has a picture");
    let sum = |except: Option<CarId>| {
        let sum = store.read(|unit| unit.cars().image_bytes_of(owner, except));
        sum.expect("sizes can be summed")
    };
    let unmeasured = |after: CarId, at_most: u32| {
        let found = store.read(|unit| unit.cars().unmeasured_images(after, at_most));
        found.expect("pictures can be found")
    };
    let record = |car: &Car, path: &ImagePath, bytes: u64| {
        let recorded = store.write(|unit| unit.cars().set_image_bytes(car.id, path, bytes));
        recorded.expect("sizes can be recorded");
    };
    assert_eq!(sum(None), 0);
    assert_eq!(
        unmeasured(CarId(0), 2),
        [0, 1].map(|index: usize| (cars[index].id, path(&cars[index])))
    );
    assert_eq!(unmeasured(cars[1].id, 2), [(cars[2].id, path(&cars[2]))]);
    record(&cars[0], &path(&cars[0]), 5_000_000_000);
    record(&cars[1], &path(&cars[1]), 7);
    // It has another picture by now.
    record(&cars[2], &path(&cars[1]), 9);
    assert_eq!(unmeasured(CarId(0), 9), [(cars[2].id, path(&cars[2]))]);
    assert_eq!(sum(None), 5_000_000_007);
    assert_eq!(sum(Some(cars[0].id)), 7);
    let without = Car {
        image: None,
        ..cars[1].clone()
    };
    update(store, &without).expect("the car can be changed");
    assert_eq!(sum(None), 5_000_000_000);
    delete(store, cars[0].id);
    assert_eq!(sum(None), 0);
}
