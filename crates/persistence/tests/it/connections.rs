//! Behaviour when connections are in use, locked or broken.

use std::{
    sync::{Arc, Barrier},
    thread,
    time::{Duration, Instant},
};

use diesel::{Connection as _, PgConnection, connection::SimpleConnection as _};
use mycars_application::{
    lists::{CarQuery, Search, UserQuery},
    ports::{Store, StoreError},
};
use mycars_domain::{Car, CarId, UserId, values::ImagePath};
use mycars_persistence::{Database, Options};
use mycars_testkit::{PostgresServer, TestDatabase, samples};

const PATIENCE: Duration = Duration::from_millis(300);

/// A time longer than the maximum wait of a caller.
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
            ..Options::default()
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
fn write_now_does_not_wait_for_another_writer() {
    let patience = Duration::from_secs(3);
    for database in both() {
        let options = Options {
            timeout: patience,
            pool_size: 3,
            ..Options::default()
        };
        let (store, other) = (database.store_with(&options), database.store_with(&options));
        let ann = store
            .write(|unit| unit.users().insert(&samples::new_user("ann")))
            .unwrap();
        let wanted = |store: &dyn Store| store.write_now(|unit| unit.users().find_for_update(ann.id));
        store
            .write(|unit| {
                unit.users().find_for_update(ann.id)?;
                for store in [&store, &other] {
                    for _ in 0..5 {
                        let begun = Instant::now();
                        let refused = wanted(&**store);
                        assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
                        assert!(begun.elapsed() < patience / 3, "{:?}", begun.elapsed());
                    }
                }
                // Other writes wait as long as before.
                let begun = Instant::now();
                let refused = other.write(|unit| unit.users().find_for_update(ann.id));
                assert!(matches!(refused, Err(StoreError::Unavailable(_))), "{refused:?}");
                assert!(begun.elapsed() >= patience, "{:?}", begun.elapsed());
                Ok::<_, StoreError>(())
            })
            .unwrap();
        assert_eq!(wanted(&*other).unwrap(), Some(ann.clone()));
        assert_eq!(wanted(&*store).unwrap(), Some(ann));
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
                    unit.cars().list_for_update(car.owner, CarId(0), 2)?,
                    std::slice::from_ref(&car)
                );
                assert_unavailable_in_time(|| other.write(|unit| unit.cars().update(&with_picture)));
                unit.users().delete(car.owner)
            })
            .unwrap();
    }
}

/// Searches for cars.
fn search(store: &dyn Store) -> Result<Vec<Car>, StoreError> {
    let query = CarQuery {
        search: Search::parse("octavia"),
        ..CarQuery::default()
    };
    store.read(|unit| unit.cars().list(None, &query))
}

fn assert_timed_out(outcome: &Result<Vec<Car>, StoreError>) {
    assert!(
        matches!(outcome, Err(StoreError::Unavailable(cause)) if cause.to_string().contains("statement timeout")),
        "{outcome:?}"
    );
}

#[test]
fn postgres_statement_over_its_timeout_is_unavailable() {
    let database = TestDatabase::postgres();
    let store = database.store_with(&Options {
        pool_size: 1,
        timeout: Duration::from_mins(1),
        statement_timeout: Some(Duration::from_secs(1)),
        ..Options::default()
    });
    let mut other = PgConnection::establish(&database.url()).unwrap();
    other.batch_execute("BEGIN; LOCK TABLE cars").unwrap();
    assert_timed_out(&search(&*store));
    let written = store.write(|unit| unit.cars().list(None, &CarQuery::default()));
    assert_timed_out(&written);
    other.batch_execute("ROLLBACK").unwrap();
    assert_eq!(search(&*store).unwrap(), []);
}

#[test]
fn sqlite_search_over_its_timeout_is_unavailable() {
    let database = TestDatabase::sqlite();
    let store = database.store_with(&Options {
        pool_size: 1,
        timeout: Duration::from_mins(1),
        statement_timeout: Some(Duration::ZERO),
        ..Options::default()
    });
    let car = store
        .write(|unit| {
            let ann = unit.users().insert(&samples::new_user("ann"))?;
            unit.cars().insert(&samples::new_car(ann.id, "B-AB 1"))
        })
        .unwrap();
    assert_timed_out(&search(&*store));
    let written = store.write(|unit| {
        let query = CarQuery {
            search: Search::parse("octavia"),
            ..CarQuery::default()
        };
        unit.cars().list(Some(car.owner), &query)
    });
    assert_timed_out(&written);
    let users = UserQuery {
        search: Search::parse("ann"),
        ..UserQuery::default()
    };
    let users = store.read(|unit| unit.users().count(&users));
    assert!(matches!(users, Err(StoreError::Unavailable(_))), "{users:?}");
    let all = store.read(|unit| unit.cars().list(None, &CarQuery::default()));
    assert_eq!(all.unwrap(), [car]);
}

#[test]
fn waiting_writers_hold_no_connections() {
    let database = TestDatabase::sqlite();
    let store = database.store_with(&Options {
        pool_size: 2,
        timeout: Duration::from_mins(1),
        ..Options::default()
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

#[test]
fn full_server_is_unavailable_until_it_has_room() {
    let server = PostgresServer::start();
    let database = Database::parse(&server.url()).unwrap();
    let options = Options {
        pool_size: 1,
        timeout: PATIENCE,
        ..Options::default()
    };
    database.migrate(&options).unwrap();
    let store = database.connect(&options).unwrap();
    let mut admin = PgConnection::establish(&server.url()).unwrap();
    let mut others = Vec::new();
    let refusal = loop {
        match PgConnection::establish(&server.url()) {
            Ok(other) => others.push(other),
            Err(error) => break error.to_string(),
        }
    };
    assert!(refusal.contains("too many clients"), "{refusal}");
    // Another session takes the place of the store's only connection as soon as that is closed.
    let kill = "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity
        WHERE query LIKE '%lc_messages%' AND pid <> pg_backend_pid()";
    admin.batch_execute(kill).unwrap();
    others.push(PgConnection::establish(&server.url()).unwrap());
    assert_unavailable_in_time(|| store.read(|unit| unit.users().find(UserId(1))));
    assert_unavailable_in_time(|| store.write(|unit| unit.users().find(UserId(1))));
    assert_unavailable_in_time(|| store.ping());
    drop(others);
    let begun = Instant::now();
    while let Err(error) = store.ping() {
        assert!(begun.elapsed() < TOO_LONG, "{error:?}");
    }
}

/// Makes inserts of users fail as if the disk was full.
fn fill_disk(database: &TestDatabase) {
    database.execute(if database.url().starts_with("sqlite") {
        "CREATE TRIGGER full BEFORE INSERT ON users BEGIN SELECT RAISE(ABORT, 'database or disk is full'); END"
    } else {
        "CREATE FUNCTION full_disk() RETURNS trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'could not extend file: No space left on device'; END $$;
         CREATE TRIGGER full_disk BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION full_disk()"
    });
}

/// Makes the store's own check fail with an error of another kind.
fn break_check(database: &TestDatabase) -> &'static str {
    if database.url().starts_with("sqlite") {
        database.execute("CREATE TABLE __mycars_write_check (filler)");
        return "DROP TABLE __mycars_write_check";
    }
    database.execute(
        "CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS
             $$ BEGIN RAISE EXCEPTION 'no tables today'; END $$;
         CREATE EVENT TRIGGER refuse ON ddl_command_start WHEN TAG IN ('CREATE TABLE AS') EXECUTE FUNCTION refuse()",
    );
    "DROP EVENT TRIGGER refuse"
}

#[test]
fn ping_succeeds_only_after_its_own_write() {
    for database in both() {
        let store = database.store();
        fill_disk(&database);
        let repair = break_check(&database);
        store.ping().unwrap();
        let failed = store.write(|unit| unit.users().insert(&samples::new_user("ann")));
        assert!(matches!(failed, Err(StoreError::NotWritable(_))), "{failed:?}");
        for _ in 0..2 {
            store.write(|unit| unit.users().find(UserId(1))).unwrap();
            store.write(|unit| unit.cars().delete(CarId(1))).unwrap();
            let unready = store.ping();
            assert!(matches!(unready, Err(StoreError::NotWritable(_))), "{unready:?}");
        }
        database.execute(repair);
        store.ping().unwrap();
    }
}

#[test]
fn ping_succeeds_again_without_the_right_to_temporary_tables() {
    let database = TestDatabase::postgres();
    fill_disk(&database);
    let name = database.url().rsplit_once('/').unwrap().1.to_owned();
    database.execute(&format!(
        "REVOKE TEMPORARY ON DATABASE {name} FROM PUBLIC;
         GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO pg_monitor;
         GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO pg_monitor"
    ));
    let url = format!("{}?options=-c%20role%3Dpg_monitor", database.url());
    let store = Database::parse(&url)
        .unwrap()
        .connect(&Options::default())
        .unwrap();
    let failed = store.write(|unit| unit.users().insert(&samples::new_user("ann")));
    assert!(matches!(failed, Err(StoreError::NotWritable(_))), "{failed:?}");
    store.ping().unwrap();
    let objects = "DO $$ BEGIN ASSERT (SELECT count(*) FROM pg_largeobject_metadata) = 0; END $$";
    database.execute(objects);
}

#[test]
fn connection_to_server_that_became_read_only_is_replaced() {
    let server = PostgresServer::start();
    let database = Database::parse(&server.url()).unwrap();
    database.migrate(&Options::default()).unwrap();
    let options = Options {
        pool_size: 1,
        ..Options::default()
    };
    let store = database.connect(&options).unwrap();
    let write = || store.write(|unit| unit.sessions().delete("missing"));
    let mut admin = PgConnection::establish(&server.url()).unwrap();
    // Sessions that are open become read-only, and new ones do not: as with a URL that leads to another server now.
    for sql in [
        "ALTER ROLE postgres SET default_transaction_read_only = off",
        "ALTER SYSTEM SET default_transaction_read_only = on",
        "SELECT pg_reload_conf()",
    ] {
        admin.batch_execute(sql).unwrap();
    }
    let deadline = Instant::now() + Duration::from_mins(1);
    while write().is_ok() {
        assert!(Instant::now() < deadline, "the session stays writable");
    }
    write().unwrap();
    store.ping().unwrap();
}
