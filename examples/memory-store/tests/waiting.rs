//! What the contract can't see of the store in memory, because it is about time: who waits too long is told so.

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
fn a_write_that_waits_too_long_is_told_so_and_the_one_before_goes_on() {
    let memory = MemoryStore::new(Duration::from_millis(10));
    let store: &dyn Store = &memory;
    let outer = store.write(|_| {
        // One inside another would wait for itself; so it ends as any that waits too long.
        let inner = store.write(|_| Ok::<_, StoreError>(()));
        assert!(matches!(inner, Err(StoreError::Unavailable(_))), "{inner:?}");
        assert_eq!(count(store)?, 0, "who reads waits for nobody");
        Ok::<_, StoreError>(())
    });
    outer.unwrap();
    store.write(|_| Ok::<_, StoreError>(())).unwrap();
}
