//! Rules about the identity of the database.

use std::{sync::Barrier, thread};

use mycars_application::ports::{Installation, Store, StoreError};

use crate::samples::moment;

fn find_or_insert(store: &dyn Store, id: &str, created: i64) -> Installation {
    let new = Installation {
        id: id.into(),
        created_at: moment(created),
    };
    store
        .write(|unit| unit.installation().find_or_insert(&new))
        .expect("an identity can be stored")
}

/// The first identity is stored, and never replaced.
pub fn identity_is_kept_once(store: &dyn Store) {
    let first = find_or_insert(store, "one", 7);
    assert_eq!((first.id.as_str(), first.created_at), ("one", moment(7)));
    assert_eq!(find_or_insert(store, "two", 8), first);
    assert_eq!(find_or_insert(store, "one", 9), first);
}

/// The identity of a write that is rolled back is not stored.
pub fn identity_of_rolled_back_write_is_not_kept(store: &dyn Store) {
    let undone = store.write(|unit| {
        let new = Installation {
            id: "undone".into(),
            created_at: moment(1),
        };
        unit.installation().find_or_insert(&new)?;
        Err::<(), StoreError>(StoreError::OwnerGone)
    });
    assert!(matches!(undone, Err(StoreError::OwnerGone)), "{undone:?}");
    assert_eq!(find_or_insert(store, "kept", 2).id, "kept");
}

/// Concurrent callers get the same identity.
pub fn concurrent_callers_get_one_identity(store: &dyn Store) {
    const AT_ONCE: i64 = 8;
    let start = Barrier::new(8);
    let found: Vec<Installation> = thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|number| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    find_or_insert(store, &number.to_string(), number)
                })
            })
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics"))
            .collect()
    });
    assert!(found.iter().all(|one| *one == found[0]), "{found:?}");
}
