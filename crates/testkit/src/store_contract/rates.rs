//! The rule about shared counts of requests that only stores must keep: other places let counts expire.

use chrono::TimeDelta;
use mycars_application::ports::{RateLimit, Store};

/// Whole buckets are deleted, and no others.
pub fn whole_buckets_are_deleted(store: &dyn Store) {
    let kept = RateLimit {
        burst: 1,
        interval: TimeDelta::hours(1),
    };
    let short = RateLimit {
        burst: 1,
        interval: TimeDelta::microseconds(1),
    };
    let take = |key, limit| {
        store
            .write(|unit| unit.rates().take(key, limit))
            .expect("requests can be counted")
    };
    for key in ["a", "b", "c"] {
        assert!(take(key, short).is_ok());
    }
    assert!(take("kept", kept).is_ok());
    std::thread::sleep(std::time::Duration::from_millis(2));
    let delete = |at_most| {
        store
            .write(|unit| unit.rates().delete_whole(at_most))
            .expect("rows can be deleted")
    };
    assert_eq!((delete(2), delete(2), delete(2)), (2, 1, 0));
    assert!(take("kept", kept).is_err());
}
