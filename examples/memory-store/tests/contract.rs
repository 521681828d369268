//! The contracts for the stores in memory.

use std::{sync::Arc, time::Duration};

use memory_store::{MemoryImageStore, MemoryStore};
use mycars_application::{
    mocks::{FixedClock, samples},
    ports::Store,
};
use mycars_testkit::image_store_contract::ImageFixture;

/// Creates an empty store with a long timeout, so that a slow machine does not change the results.
fn in_memory() -> Arc<dyn Store> {
    Arc::new(MemoryStore::new(Duration::from_mins(1)))
}

mycars_testkit::store_contract!(in_memory);

mod images {
    use super::*;

    fn in_memory() -> ImageFixture {
        let clock = Arc::new(FixedClock(samples::now()));
        ImageFixture {
            store: Arc::new(MemoryImageStore::new(clock)),
            kept: Box::new(()),
        }
    }

    mycars_testkit::image_store_contract!(in_memory);
}
