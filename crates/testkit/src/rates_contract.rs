//! The rules for every place of counts that servers share: one function for each, which panics if the given place breaks
//! the rule. Each needs a place without counts. Only the rule about refilling waits, for two milliseconds.
//!
//! [`rates_contract!`](crate::rates_contract!) makes one test of each rule.

use std::{
    sync::{Arc, Barrier},
    thread,
};

use chrono::{DateTime, TimeDelta, Utc};
use mycars_application::ports::{RateLimit, SharedRates, StoredRates};

use crate::store_contract::Fixture;

/// The fixture of a test: a place without counts, and all resources that must live as long as it.
pub trait RatesFixture {
    /// Returns the place.
    fn rates(&self) -> Arc<dyn SharedRates>;
}

impl<F: Fixture> RatesFixture for F {
    fn rates(&self) -> Arc<dyn SharedRates> {
        Arc::new(StoredRates(self.store()))
    }
}

/// Generates one test for each rule. The argument is the name of a function that creates a [`RatesFixture`].
#[macro_export]
macro_rules! rates_contract {
    ($fixture:path) => {
        $crate::rates_contract! { $fixture:
            bucket_has_requests_of_its_limit
            bucket_refills_with_time
            request_is_given_back_once
            concurrent_callers_share_a_bucket
        }
    };
    ($fixture:path: $($rule:ident)+) => {
        $(
            #[test]
            fn $rule() {
                let fixture = $fixture();
                $crate::rates_contract::$rule(&*$crate::rates_contract::RatesFixture::rates(&fixture));
            }
        )+
    };
}

/// Requests are given back after such a long time that no rule sees it.
const LIMIT: RateLimit = RateLimit {
    burst: 3,
    interval: TimeDelta::hours(1),
};

fn take(rates: &dyn SharedRates, key: &str, limit: RateLimit) -> Result<DateTime<Utc>, TimeDelta> {
    let mut taken = None;
    rates
        .run(&mut |rates| {
            taken = Some(rates.take(key, limit)?);
            Ok(())
        })
        .expect("requests can be counted");
    taken.expect("the work was called")
}

fn give_back(rates: &dyn SharedRates, key: &str, whole_at: DateTime<Utc>) {
    rates
        .run(&mut |rates| rates.give_back(key, LIMIT, whole_at))
        .expect("requests can be given back");
}

/// A bucket has as many requests as its limit says, and refusals say how long to wait.
pub fn bucket_has_requests_of_its_limit(rates: &dyn SharedRates) {
    for _ in 0..LIMIT.burst {
        assert!(take(rates, "a", LIMIT).is_ok());
    }
    let wait = take(rates, "a", LIMIT).expect_err("the bucket is empty");
    assert!(wait > TimeDelta::minutes(50) && wait <= LIMIT.interval, "{wait}");
    assert!(take(rates, "b", LIMIT).is_ok(), "another bucket");
    let only = RateLimit { burst: 1, ..LIMIT };
    assert!(take(rates, "b", only).is_err(), "the bucket is not whole");
}

/// Time gives requests back.
pub fn bucket_refills_with_time(rates: &dyn SharedRates) {
    let short = RateLimit {
        burst: 1,
        interval: TimeDelta::microseconds(1),
    };
    assert!(take(rates, "a", short).is_ok());
    thread::sleep(std::time::Duration::from_millis(2));
    assert!(take(rates, "a", short).is_ok());
}

/// A request that is given back can be taken again, unless time has given it back.
pub fn request_is_given_back_once(rates: &dyn SharedRates) {
    let taken: Vec<_> = (0..LIMIT.burst)
        .filter_map(|_| take(rates, "a", LIMIT).ok())
        .collect();
    give_back(rates, "a", taken[2]);
    assert!(take(rates, "a", LIMIT).is_ok());
    assert!(take(rates, "a", LIMIT).is_err());
    give_back(rates, "a", DateTime::UNIX_EPOCH);
    assert!(take(rates, "a", LIMIT).is_err(), "time has given it back");
    give_back(rates, "missing", taken[0]);
}

/// Of concurrent callers, as many succeed as the bucket has requests.
pub fn concurrent_callers_share_a_bucket(rates: &dyn SharedRates) {
    const AT_ONCE: usize = 8;
    let start = Barrier::new(AT_ONCE);
    let taken = thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|_| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    take(rates, "a", LIMIT).is_ok()
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

#[cfg(test)]
mod tests {
    #[test]
    fn macro_lists_every_rule() {
        let text = include_str!("rates_contract.rs");
        for rule in text.lines().filter_map(|line| line.strip_prefix("pub fn ")) {
            let rule = rule.split('(').next().unwrap_or_default();
            assert!(text.contains(&format!("            {rule}\n")), "{rule}");
        }
    }
}
