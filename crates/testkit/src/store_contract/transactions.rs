//! Rules about transactions and concurrent changes.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use mycars_application::ports::{Store, StoreError};
use mycars_domain::{Car, CarId, Field, values::Mileage};

use super::{insert_car, keep_car, keep_owner};
use crate::samples::{new_car, new_user};

/// The error type of a use-case.
#[derive(Debug, PartialEq)]
enum OwnError {
    Refused,
    Store(String),
}

impl From<StoreError> for OwnError {
    fn from(error: StoreError) -> Self {
        Self::Store(error.to_string())
    }
}

/// A write that returns `Ok` is stored completely.
pub fn committed_write_is_kept(store: &dyn Store) {
    let cars = store
        .write(|unit| {
            let owner = unit.users().insert(&new_user("ann"))?.id;
            let car = unit.cars().insert(&new_car(owner, "B-AB 1"))?;
            let found = unit.cars().find(car.id)?;
            assert_eq!(found.as_ref(), Some(&car), "a write sees its own changes");
            Ok::<_, StoreError>(vec![car, unit.cars().insert(&new_car(owner, "B-AB 2"))?])
        })
        .expect("the write succeeds");
    for car in cars {
        assert_eq!(find(store, car.id), Some(car));
    }
}

/// A write that returns an error is rolled back, and the error is returned unchanged.
pub fn failed_write_is_rolled_back_and_returns_error(store: &dyn Store) {
    let owner = keep_owner(store).id;
    let mut id = CarId(0);
    let outcome = store.write(|unit| {
        id = unit.cars().insert(&new_car(owner, "B-AB 1"))?.id;
        Err::<(), _>(OwnError::Refused)
    });
    assert_eq!(outcome, Err(OwnError::Refused));
    assert_eq!(find(store, id), None);
    keep_car(store, &new_car(owner, "B-AB 1"));
}

/// A write that does not wait for others is committed or rolled back like any other.
pub fn write_now_commits_or_rolls_back(store: &dyn Store) {
    let owner = keep_owner(store).id;
    let kept = store.write_now(|unit| unit.cars().insert(&new_car(owner, "B-AB 1")));
    let kept = kept.expect("the write succeeds");
    assert_eq!(find(store, kept.id), Some(kept));

    let mut id = CarId(0);
    let undone = store.write_now(|unit| {
        id = unit.cars().insert(&new_car(owner, "B-AB 2"))?.id;
        Err::<(), _>(OwnError::Refused)
    });
    assert_eq!(undone, Err(OwnError::Refused));
    assert_eq!(find(store, id), None);
}

/// If a statement fails, the whole write is rolled back: some databases would keep the rest, others nothing.
pub fn failed_statement_rolls_back_whole_write(store: &dyn Store) {
    let owner = keep_owner(store).id;
    keep_car(store, &new_car(owner, "taken"));
    let mut id = CarId(0);
    let outcome = store.write(|unit| {
        id = unit.cars().insert(&new_car(owner, "free"))?.id;
        let taken = unit.cars().insert(&new_car(owner, "TAKEN"));
        assert!(
            matches!(taken, Err(StoreError::Taken(Field::License))),
            "{taken:?}"
        );
        Ok::<(), StoreError>(())
    });
    assert!(matches!(outcome, Err(StoreError::Other(_))), "{outcome:?}");
    assert_eq!(find(store, id), None);
}

/// Uncommitted changes are invisible to reads, and reads do not wait for a write.
pub fn read_sees_only_committed_changes(store: &dyn Store) {
    let owner = keep_owner(store).id;
    let car = store
        .write(|unit| {
            let car = unit.cars().insert(&new_car(owner, "B-AB 1"))?;
            assert_eq!(find(store, car.id), None);
            Ok::<_, StoreError>(car)
        })
        .expect("the write succeeds");
    assert_eq!(find(store, car.id), Some(car));
}

/// A panic rolls the write back, and the store stays usable.
pub fn panicking_write_is_rolled_back_and_unlocks(store: &dyn Store) {
    let owner = keep_owner(store).id;
    for _ in 0..10 {
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            store.write(|unit| -> Result<(), StoreError> {
                unit.cars().insert(&new_car(owner, "B-AB 1"))?;
                // Not `panic!`, whose message would be printed.
                std::panic::resume_unwind(Box::new("a fault of the program"));
            })
        }));
        assert!(outcome.is_err());
    }
    keep_car(store, &new_car(owner, "B-AB 1"));
}

/// A read for update excludes other writers until the end of the transaction.
pub fn concurrent_writers_lose_no_update(store: &dyn Store) {
    const WRITERS: i32 = 8;
    const WRITES: i32 = 10;
    let owner = keep_owner(store).id;
    let id = keep_car(store, &new_car(owner, "B-AB 1")).id;
    let before = find(store, id).expect("the car is there").mileage.get();
    let drive = || {
        store.write(|unit| {
            let mut car = unit.cars().find_for_update(id)?.expect("the car is there");
            car.mileage = Mileage::from_storage(car.mileage.get() + 1);
            unit.cars().update(&car)
        })
    };
    thread::scope(|scope| {
        for _ in 0..WRITERS {
            scope.spawn(|| (0..WRITES).for_each(|_| drive().expect("the write succeeds")));
        }
    });
    let after = find(store, id).expect("the car is there").mileage.get();
    assert_eq!(after - before, WRITERS * WRITES);
}

/// If many requests insert one plate, one succeeds and all others get `Taken`.
pub fn concurrent_inserts_of_one_plate_succeed_once(store: &dyn Store) {
    let owner = keep_owner(store).id;
    let outcomes: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..50)
            .map(|_| scope.spawn(|| insert_car(store, &new_car(owner, "B-AB 1"))))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("the thread does not panic"))
            .collect()
    });
    let count =
        |wanted: fn(&Result<Car, StoreError>) -> bool| outcomes.iter().filter(|it| wanted(it)).count();
    assert_eq!(count(Result::is_ok), 1, "{outcomes:?}");
    assert_eq!(
        count(|it| matches!(it, Err(StoreError::Taken(Field::License)))),
        49,
        "{outcomes:?}"
    );
}

/// The ping of a running database succeeds.
pub fn ping_of_running_database_succeeds(store: &dyn Store) {
    store.ping().expect("the database is there");
}

fn find(store: &dyn Store, id: CarId) -> Option<Car> {
    store
        .read(|unit| unit.cars().find(id))
        .expect("the store answers")
}
