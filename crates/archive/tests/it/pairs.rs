//! Backups of each kind of store, restored into each kind.

use std::sync::Arc;

use mycars_application::{Caller, backup, ports::Store};
use mycars_testkit::{
    TestDatabase,
    random::Random,
    store_contract::{Fixture, Rows},
};
use proptest::{
    prelude::any,
    test_runner::{Config, TestRunner},
};

use crate::support::{Pictures, app, back_up, memory, restore};

/// Number of generated stores for each pair. Each needs two databases.
const CASES: u32 = 3;

type Make = fn() -> Box<dyn Fixture>;

const KINDS: [(&str, Make); 3] = [
    ("memory", || Box::new(memory())),
    ("SQLite", || Box::new(TestDatabase::sqlite())),
    ("PostgreSQL", || Box::new(TestDatabase::postgres())),
];

/// Calls `check` with generated rows in each kind of store, and an empty store of each kind.
fn for_each_pair(check: impl Fn(&Rows, Arc<dyn Store>, Arc<dyn Store>)) {
    for (from, make_source) in KINDS {
        for (to, make_target) in KINDS {
            let config = Config {
                failure_persistence: None,
                ..Config::with_cases(CASES)
            };
            let checked = TestRunner::new(config).run(&any::<u64>(), |seed| {
                let rows = Rows::generate(&mut Random::new(seed, 0));
                let (source, target) = (make_source(), make_target());
                rows.insert_into(&*source.store());
                check(&rows, source.store(), target.store());
                Ok(())
            });
            checked.unwrap_or_else(|error| panic!("from {from} to {to}: {error}"));
        }
    }
}

#[test]
fn restored_rows_and_pictures_equal_those_backed_up() {
    let pictures = Pictures::of(&[("cars/one.jpg", b"one"), ("cars/2.jpg", &vec![0; 100_000])]);
    for_each_pair(|rows, source, target| {
        let (bytes, backup) = back_up(&app(source, &pictures));
        assert_eq!(backup.contents.all_rows(), rows.rows.len() as u64);
        let restored = Pictures::default();
        restore(&app(Arc::clone(&target), &restored), &bytes).unwrap();
        assert_eq!(&Rows::of_store(&*target), rows);
        assert_eq!(restored.all(), pictures.all());
    });
}

#[test]
fn copied_rows_equal_the_source() {
    let none = Pictures::default();
    for_each_pair(|rows, source, target| {
        backup::copy(&app(source, &none), &Caller::system(), &*target, &mut |_| {}).unwrap();
        assert_eq!(&Rows::of_store(&*target), rows);
    });
}

#[test]
fn database_with_rows_is_no_target() {
    for (_, make) in KINDS {
        let fixture = make();
        let rows = (0..1000)
            .map(|seed| Rows::generate(&mut Random::new(seed, 0)))
            .find(|rows| rows.rows.len() > 1)
            .unwrap();
        rows.insert_into(&*fixture.store());
        let app = app(fixture.store(), &Pictures::default());
        let (bytes, _) = back_up(&app);
        let refused = restore(&app, &bytes);
        assert!(matches!(refused, Err(backup::Error::NotEmpty(_))), "{refused:?}");
        assert_eq!(Rows::of_store(&*fixture.store()), rows);
    }
}
