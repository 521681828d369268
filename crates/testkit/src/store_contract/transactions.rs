//! Rules about transactions, and about many that want the same.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
};

use mycars_application::ports::{Store, StoreError};
use mycars_domain::{Car, CarId, Field, values::Mileage};

use super::{insert_car, keep_car, keep_owner};
use crate::samples::{new_car, new_user};

/// What a use-case answers that has errors of its own.
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

/// A write that answers is kept, all of it.
pub fn a_committed_write_is_kept(store: &dyn Store) {
    let cars = store
        .write(|unit| {
            let owner = unit.users().insert(&new_user("ann"))?.id;
            let car = unit.cars().insert(&new_car(owner, "B-AB 1"))?;
            let found = unit.cars().find(car.id)?;
            assert_eq!(found.as_ref(), Some(&car), "a write sees what it has done");
            Ok::<_, StoreError>(vec![car, unit.cars().insert(&new_car(owner, "B-AB 2"))?])
        })
        .expect("the write succeeds");
    for car in cars {
        assert_eq!(find(store, car.id), Some(car));
    }
}

/// A write that answers an error leaves nothing behind, and the error is passed on untouched.
pub fn a_write_that_fails_is_undone_and_answers_its_own_error(store: &dyn Store) {
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

/// A write that does not wait for others is kept or undone like any other.
pub fn write_now_is_kept_or_undone(store: &dyn Store) {
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

/// A write can't go on after a statement failed: some databases would keep the rest, others nothing.
pub fn a_failed_statement_undoes_the_whole_write(store: &dyn Store) {
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

/// Nobody sees a write that may still be undone, nor waits for it in order to read.
pub fn a_read_sees_only_what_was_committed(store: &dyn Store) {
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

/// A fault of the program undoes the write, and the store goes on.
pub fn a_write_that_panics_is_undone_and_blocks_nobody(store: &dyn Store) {
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

/// Whoever reads in order to change keeps others from doing so meanwhile.
pub fn two_writers_at_once_lose_no_update(store: &dyn Store) {
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

/// Of many who want one plate, one gets it and all others are told that it is taken.
pub fn fifty_at_once_get_one_plate_once(store: &dyn Store) {
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

/// A database that is there says so.
pub fn it_gives_a_sign_of_life(store: &dyn Store) {
    store.ping().expect("the database is there");
}

fn find(store: &dyn Store, id: CarId) -> Option<Car> {
    store
        .read(|unit| unit.cars().find(id))
        .expect("the store answers")
}
