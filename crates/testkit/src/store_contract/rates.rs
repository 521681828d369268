//! Rules about shared counts of requests. Only the rule about refilling waits, for a millisecond.

use std::{sync::Barrier, thread};

use chrono::{DateTime, TimeDelta, Utc};
use mycars_application::ports::{RateLimit, Store};

/// Requests are given back after such a long time that no rule sees it.
const LIMIT: RateLimit = RateLimit {
    burst: 3,
    interval: TimeDelta::hours(1),
};

fn take(store: &dyn Store, key: &str, limit: RateLimit) -> Result<DateTime<Utc>, TimeDelta> {
    store
        .write(|unit| unit.rates().take(key, limit))
        .expect("requests can be counted")
}

fn give_back(store: &dyn Store, key: &str, whole_at: DateTime<Utc>) {
    store
        .write(|unit| unit.rates().give_back(key, LIMIT, whole_at))
        .expect("requests can be given back");
}

/// A bucket has as many requests as its limit says, and refusals say how long to wait.
pub fn bucket_has_requests_of_its_limit(store: &dyn Store) {
    for _ in 0..LIMIT.burst {
        assert!(take(store, "a", LIMIT).is_ok());
    }
    let wait = take(store, "a", LIMIT).expect_err("the bucket is empty");
    assert!(wait > TimeDelta::minutes(50) && wait <= LIMIT.interval, "{wait}");
    assert!(take(store, "b", LIMIT).is_ok(), "another bucket");
    let only = RateLimit { burst: 1, ..LIMIT };
    assert!(take(store, "b", only).is_err(), "the bucket is not whole");
}

/// Time gives requests back.
pub fn bucket_refills_with_time(store: &dyn Store) {
    let short = RateLimit {
        burst: 1,
        interval: TimeDelta::microseconds(1),
    };
    assert!(take(store, "a", short).is_ok());
    thread::sleep(std::time::Duration::from_millis(2));
    assert!(take(store, "a", short).is_ok());
}

/// A request that is given back can be taken again, unless time has given it back.
pub fn request_is_given_back_once(store: &dyn Store) {
    let taken: Vec<_> = (0..LIMIT.burst)
        .filter_map(|_| take(store, "a", LIMIT).ok())
        .collect();
    give_back(store, "a", taken[2]);
    assert!(take(store, "a", LIMIT).is_ok());
    assert!(take(store, "a", LIMIT).is_err());
    give_back(store, "a", DateTime::UNIX_EPOCH);
    assert!(take(store, "a", LIMIT).is_err(), "time has given it back");
    give_back(store, "missing", taken[0]);
}

/// Whole buckets are deleted, and no others.
pub fn whole_buckets_are_deleted(store: &dyn Store) {
    let short = RateLimit {
        burst: 1,
        interval: TimeDelta::microseconds(1),
    };
    for key in ["a", "b", "c"] {
        assert!(take(store, key, short).is_ok());
    }
    assert!(take(store, "kept", LIMIT).is_ok());
    thread::sleep(std::time::Duration::from_millis(2));
    let delete = |at_most| {
        store
            .write(|unit| unit.rates().delete_whole(at_most))
            .expect("rows can be deleted")
    };
    assert_eq!((delete(2), delete(2), delete(2)), (2, 1, 0));
    assert!(take(store, "kept", RateLimit { burst: 1, ..LIMIT }).is_err());
}

/// Of concurrent callers, as many succeed as the bucket has requests.
pub fn concurrent_callers_share_a_bucket(store: &dyn Store) {
    const AT_ONCE: usize = 8;
    let start = Barrier::new(AT_ONCE);
    let taken = thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    take(store, "a", LIMIT).is_ok()
                })
            })
            .collect();
        let taken = threads
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics"));
        taken.filter(|taken| *taken).count()
    });
    assert_eq!(taken, LIMIT.burst as usize);
}
