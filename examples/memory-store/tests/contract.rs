//! The store in memory keeps the rules of every store.

use std::{sync::Arc, time::Duration};

use memory_store::MemoryStore;
use mycars_application::ports::Store;

/// An empty store that waits long, so that a slow machine changes no answer.
fn in_memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(Duration::from_mins(1)))
}

mycars_testkit::store_contract!(in_memory);
