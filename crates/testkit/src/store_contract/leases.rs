//! Rules about leases. No rule waits: a lease with a lifetime of zero has ended, and a job with an interval of zero is
//! due.

use std::{sync::Barrier, thread};

use chrono::TimeDelta;
use mycars_application::ports::{Lease, LeaseRepository, Store, StoreError};

const JOB: &str = "job";
const HOUR: TimeDelta = TimeDelta::hours(1);
const NOW: TimeDelta = TimeDelta::zero();

fn write<T>(store: &dyn Store, work: impl FnOnce(&mut dyn LeaseRepository) -> Result<T, StoreError>) -> T {
    store
        .write(|unit| work(unit.leases()))
        .expect("leases can be written")
}

fn take(store: &dyn Store, holder: &str, lifetime: TimeDelta, every: TimeDelta) -> bool {
    write(store, |leases| leases.take(JOB, holder, lifetime, every))
}

fn renew(store: &dyn Store, holder: &str) -> bool {
    write(store, |leases| leases.renew(JOB, holder, HOUR))
}

fn release(store: &dyn Store, holder: &str, due_in: Option<TimeDelta>) {
    write(store, |leases| leases.release(JOB, holder, due_in));
}

fn only_lease(store: &dyn Store) -> Lease {
    let leases = store.read(|unit| unit.leases().list());
    let [lease] = leases
        .expect("leases can be read")
        .try_into()
        .expect("there is one lease");
    lease
}

/// A lease that is asked for the first time belongs to no server, and is due after the interval.
pub fn first_take_stores_lease_that_is_due_later(store: &dyn Store) {
    assert!(!take(store, "a", HOUR, HOUR));
    let lease = only_lease(store);
    assert_eq!((lease.name.as_str(), lease.holder.as_str()), (JOB, ""));
    assert!(lease.held_for <= NOW, "{lease:?}");
    assert!(lease.due_in > NOW && lease.due_in <= HOUR, "{lease:?}");
    assert!(!take(store, "b", HOUR, HOUR));
}

/// Only one server holds a lease, until it ends or is released.
pub fn held_lease_is_refused_to_others_until_it_ends(store: &dyn Store) {
    assert!(take(store, "a", HOUR, NOW));
    assert!(!take(store, "b", HOUR, NOW));
    assert!(!take(store, "a", HOUR, NOW), "its own, too");
    assert_eq!((renew(store, "a"), renew(store, "b")), (true, false));
    assert!(!only_lease(store).is_available(NOW));
    release(store, "a", Some(NOW));
    assert!(only_lease(store).is_available(NOW));
    assert!(take(store, "b", NOW, NOW), "with a lifetime of zero");
    assert!(renew(store, "b"), "no other server has taken it");
    release(store, "b", Some(NOW));
    assert!(take(store, "b", NOW, NOW));
    assert!(take(store, "a", HOUR, NOW));
    assert!(!renew(store, "b"), "it was taken over");
    release(store, "b", Some(NOW));
    assert_eq!(only_lease(store).holder, "a");
    assert!(
        !only_lease(store).is_available(NOW),
        "only the holder releases it"
    );
}

/// A released lease is available after the interval; without one, the job stays due.
pub fn released_lease_is_due_after_interval(store: &dyn Store) {
    assert!(take(store, "a", HOUR, NOW));
    release(store, "a", Some(HOUR));
    assert!(
        !take(store, "b", HOUR, HOUR - TimeDelta::seconds(30)),
        "the clock of the database is behind"
    );
    assert!(
        take(store, "b", HOUR, TimeDelta::minutes(1)),
        "the interval is shorter now"
    );
    release(store, "b", None);
    assert!(take(store, "a", HOUR, TimeDelta::minutes(1)), "the job stays due");
}

/// Of concurrent servers, one takes the lease.
pub fn concurrent_takers_get_lease_once(store: &dyn Store) {
    const AT_ONCE: usize = 8;
    let start = Barrier::new(AT_ONCE);
    let taken = thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE)
            .map(|number| {
                let start = &start;
                scope.spawn(move || {
                    start.wait();
                    take(store, &number.to_string(), HOUR, NOW)
                })
            })
            .collect();
        let taken = threads
            .into_iter()
            .map(|thread| thread.join().expect("no thread panics"));
        taken.filter(|taken| *taken).count()
    });
    assert_eq!(taken, 1);
}
