//! The store contract for the store in memory.

use std::{sync::Arc, time::Duration};

use memory_store::MemoryStore;
use mycars_application::ports::Store;

/// Creates an empty store with a long timeout, so that a slow machine does not change the results.
fn in_memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(Duration::from_mins(1)))
}

mycars_testkit::store_contract!(in_memory);
