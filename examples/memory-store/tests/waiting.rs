//! Waiting, which the contract does not test: a write that waits too long fails.

use std::time::Duration;

use memory_store::MemoryStore;
use mycars_application::{
    lists::CarQuery,
    ports::{Store, StoreError},
};

fn count(store: &dyn Store) -> Result<u64, StoreError> {
    store.read(|unit| unit.cars().count(None, &CarQuery::default()))
}

#[test]
fn write_that_waits_too_long_is_unavailable() {
    let memory = MemoryStore::new(Duration::from_millis(10));
    let store: &dyn Store = &memory;
    let outer = store.write(|_| {
        // A write inside a write waits for itself until its timeout.
        let inner = store.write(|_| Ok::<_, StoreError>(()));
        assert!(matches!(inner, Err(StoreError::Unavailable(_))), "{inner:?}");
        assert_eq!(count(store)?, 0, "reads do not wait");
        Ok::<_, StoreError>(())
    });
    outer.unwrap();
    store.write(|_| Ok::<_, StoreError>(())).unwrap();
}
