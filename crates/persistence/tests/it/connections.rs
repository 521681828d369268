//! Behaviour when connections are in use, locked or broken.

use std::{
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use mycars_application::ports::{Store, StoreError};
use mycars_domain::{Car, UserId, values::ImagePath};
use mycars_persistence::Options;
use mycars_testkit::{TestDatabase, samples};

const PATIENCE: Duration = Duration::from_millis(300);

/// More than the maximum time until a caller is told that the database is unavailable.
const TOO_LONG: Duration = Duration::from_secs(10);

fn both() -> [TestDatabase; 2] {
    [TestDatabase::sqlite(), TestDatabase::postgres()]
}

fn assert_unavailable_in_time<T: std::fmt::Debug>(work: impl FnOnce() -> Result<T, StoreError>) {
    let begun = Instant::now();
    let outcome = work();
    let waited = begun.elapsed();
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    assert!((PATIENCE..TOO_LONG).contains(&waited), "{waited:?}");
}

#[test]
fn pool_without_free_connection_times_out() {
    for database in both() {
        let store = database.store_with(&Options {
            pool_size: 1,
            timeout: PATIENCE,
        });
        store
            .read(|_| {
                assert_unavailable_in_time(|| store.read(|unit| unit.users().find(UserId(1))));
                assert_unavailable_in_time(|| store.write(|unit| unit.users().find(UserId(1))));
                assert_unavailable_in_time(|| store.ping());
                Ok::<_, StoreError>(())
            })
            .unwrap();
        store.ping().unwrap();
    }
}

#[test]
fn writer_that_waits_too_long_is_unavailable() {
    for database in both() {
        let options = Options {
            timeout: PATIENCE,
            ..Options::default()
        };
        // Two stores stand for two instances of the program; one store stands for two requests.
        let (store, other) = (database.store_with(&options), database.store_with(&options));
        let ann = store
            .write(|unit| unit.users().insert(&samples::new_user("ann")))
            .unwrap();
        let wanted = |store: &dyn Store| store.write(|unit| unit.users().find_for_update(ann.id));
        store
            .write(|unit| {
                unit.users().find_for_update(ann.id)?;
                assert_unavailable_in_time(|| wanted(&*store));
                assert_unavailable_in_time(|| wanted(&*other));
                Ok::<_, StoreError>(())
            })
            .unwrap();
        assert_eq!(wanted(&*other).unwrap(), Some(ann));
    }
}

#[test]
fn list_for_update_blocks_new_pictures() {
    for database in both() {
        let options = Options {
            timeout: PATIENCE,
            ..Options::default()
        };
        let (store, other) = (database.store_with(&options), database.store_with(&options));
        let car = store
            .write(|unit| {
                let ann = unit.users().insert(&samples::new_user("ann"))?;
                unit.cars().insert(&samples::new_car(ann.id, "B-AB 1"))
            })
            .unwrap();
        let with_picture = Car {
            image: Some(ImagePath::from_storage("cars/car_1_abc.jpg".into())),
            ..car.clone()
        };
        store
            .write(|unit| {
                assert_eq!(
                    unit.cars().list_for_update(car.owner)?,
                    std::slice::from_ref(&car)
                );
                assert_unavailable_in_time(|| other.write(|unit| unit.cars().update(&with_picture)));
                unit.users().delete(car.owner)
            })
            .unwrap();
    }
}

#[test]
fn waiting_writers_hold_no_connections() {
    let database = TestDatabase::sqlite();
    let store = database.store_with(&Options {
        pool_size: 2,
        timeout: Duration::from_mins(1),
    });
    let writing = Arc::new(Barrier::new(2));
    thread::scope(|scope| {
        scope.spawn(|| {
            store
                .write(|_| {
                    writing.wait();
                    writing.wait();
                    Ok::<_, StoreError>(())
                })
                .unwrap();
        });
        writing.wait();
        for _ in 0..4 {
            scope.spawn(|| store.write(|unit| unit.users().find(UserId(1))).unwrap());
        }
        // The writers start to wait within milliseconds. A read that needs their connection would take a minute.
        thread::sleep(Duration::from_millis(100));
        let begun = Instant::now();
        store.read(|unit| unit.users().find(UserId(1))).unwrap();
        assert!(begun.elapsed() < TOO_LONG);
        writing.wait();
    });
}

/// Ends all sessions of a database except its own.
fn kill_connections(database: &TestDatabase) {
    database.execute(
        "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
         WHERE datname = current_database() AND pid <> pg_backend_pid()",
    );
}

#[test]
fn work_on_a_dead_connection_is_retried() {
    let database = TestDatabase::postgres();
    let ann = database
        .store()
        .write(|unit| unit.users().insert(&samples::new_user("ann")))
        .unwrap();
    // Each round has a new store, so that all connections of its pool are older than the kill.
    let store_with_dead_connections = || {
        let store = database.store();
        kill_connections(&database);
        store
    };

    let read = store_with_dead_connections().read(|unit| unit.users().find(ann.id));
    assert_eq!(read.unwrap(), Some(ann.clone()));
    store_with_dead_connections()
        .write(|unit| unit.users().update(&ann))
        .unwrap();
    store_with_dead_connections().ping().unwrap();
}

#[test]
fn write_is_not_retried_after_it_began() {
    let database = TestDatabase::postgres();
    let store = database.store();
    let mut calls = 0;
    let outcome = store.write(|unit| {
        calls += 1;
        unit.users().insert(&samples::new_user("ann"))?;
        kill_connections(&database);
        unit.users().insert(&samples::new_user("eve"))
    });
    assert!(matches!(outcome, Err(StoreError::Unavailable(_))), "{outcome:?}");
    assert_eq!(calls, 1);
    assert_eq!(
        store.read(|unit| unit.users().find_by_username("ann")).unwrap(),
        None
    );
}

#[test]
fn read_that_returns_an_error_is_not_retried() {
    let database = TestDatabase::postgres();
    let mut calls = 0;
    let outcome = database.store().read(|unit| {
        calls += 1;
        unit.users().find(UserId(1))?;
        Err::<(), _>(StoreError::OwnerGone)
    });
    assert!(matches!(outcome, Err(StoreError::OwnerGone)), "{outcome:?}");
    assert_eq!(calls, 1);
}
