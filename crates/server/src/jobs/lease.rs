//! The lease of a running job: only one of the servers with the same database runs it.

use std::{
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use chrono::TimeDelta;
use mycars_application::ports::{Lease, Mode, Rollback, Store, StoreError, UnitOfWork};

/// The leases that this process can take.
#[derive(Clone)]
pub(super) struct Leases {
    pub(super) store: Arc<dyn Store>,
    /// The name of this process, which no other one has.
    pub(super) holder: String,
    /// Time after which another server can take a lease that is not renewed.
    pub(super) lifetime: Duration,
}

impl Leases {
    pub(super) fn list(&self) -> Result<Vec<Lease>, StoreError> {
        self.store.read(|unit| unit.leases().list())
    }

    /// Takes the lease of a job, if the job is due and no other server runs it.
    pub(super) fn take(&self, name: &'static str, every: Duration) -> Result<Option<HeldLease>, StoreError> {
        let asked = Instant::now();
        let (lifetime, interval) = (delta(self.lifetime), delta(every));
        let taken = self
            .store
            .write(|unit| unit.leases().take(name, &self.holder, lifetime, interval))?;
        Ok(taken.then(|| HeldLease {
            leases: self.clone(),
            name,
            every,
            ends: Mutex::new(Some(asked + self.lifetime)),
        }))
    }
}

/// A lease that this process has taken, and may have lost since.
pub(super) struct HeldLease {
    leases: Leases,
    name: &'static str,
    every: Duration,
    /// The end of the lease by the clock of this process, which is never later than that by the clock of the database.
    /// `None` if the lease was lost or released.
    ends: Mutex<Option<Instant>>,
}

impl HeldLease {
    /// Runs `work`, and renews the lease meanwhile on another thread.
    pub(super) fn renewed_during<T>(&self, work: impl FnOnce() -> T) -> T {
        let (running, finished) = mpsc::channel::<()>();
        let pause = self.leases.lifetime / 3;
        thread::scope(|scope| {
            let renew = move || {
                while finished.recv_timeout(pause) == Err(mpsc::RecvTimeoutError::Timeout) {
                    self.renew();
                }
            };
            if let Err(error) = thread::Builder::new()
                .name("lease".into())
                .spawn_scoped(scope, renew)
            {
                tracing::warn!(%error, "could not start the thread that renews the lease of job {}", self.name);
            }
            let result = work();
            drop(running);
            result
        })
    }

    /// Returns the store for the job: it refuses all work once the lease has ended, so that the job stops between two
    /// transactions.
    pub(super) fn guarded_store(self: &Arc<Self>) -> Arc<dyn Store> {
        Arc::new(GuardedStore(Arc::clone(self)))
    }

    /// Ends the lease; the job is due after its interval.
    pub(super) fn release(&self) {
        self.end(Some(delta(self.every)));
    }

    /// Ends the lease although the job has not ended; the job stays due, for other servers.
    pub(super) fn abandon(&self) {
        self.end(None);
    }

    fn renew(&self) {
        let asked = Instant::now();
        let Leases {
            store,
            holder,
            lifetime,
        } = &self.leases;
        let renewed = store.write(|unit| unit.leases().renew(self.name, holder, delta(*lifetime)));
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        match renewed {
            Ok(true) => *ends = ends.map(|_| asked + *lifetime),
            Ok(false) => *ends = None,
            // The lease may still be renewed in time.
            Err(error) => tracing::warn!(%error, "could not renew the lease of job {}", self.name),
        }
    }

    fn is_held(&self) -> bool {
        let ends = *self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        ends.is_some_and(|ends| Instant::now() < ends)
    }

    fn end(&self, due_in: Option<TimeDelta>) {
        *self.ends.lock().unwrap_or_else(PoisonError::into_inner) = None;
        let Leases { store, holder, .. } = &self.leases;
        let released = store.write(|unit| unit.leases().release(self.name, holder, due_in));
        if let Err(error) = released {
            tracing::warn!(%error, "could not release the lease of job {}, which ends by itself", self.name);
        }
    }
}

/// The store of a job under a lease.
struct GuardedStore(Arc<HeldLease>);

impl Store for GuardedStore {
    fn run(
        &self,
        mode: Mode,
        work: &mut dyn FnMut(&mut dyn UnitOfWork) -> Result<(), Rollback>,
    ) -> Result<(), StoreError> {
        if !self.0.is_held() {
            return Err(StoreError::Unavailable("the lease of the job has ended".into()));
        }
        self.0.leases.store.run(mode, work)
    }

    fn ping(&self) -> Result<(), StoreError> {
        self.0.leases.store.ping()
    }
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use mycars_testkit::TestDatabase;

    use super::*;

    const JOB: &str = "job";

    fn leases(database: &TestDatabase, holder: &str, lifetime: Duration) -> Leases {
        Leases {
            store: database.store(),
            holder: holder.into(),
            lifetime,
        }
    }

    fn can_work(lease: &Arc<HeldLease>) -> bool {
        lease
            .guarded_store()
            .read(|unit| unit.users().find(mycars_domain::UserId(1)))
            .is_ok()
    }

    #[test]
    fn job_that_lost_its_lease_can_use_no_store() {
        let database = TestDatabase::sqlite();
        let taken = leases(&database, "a", Duration::from_hours(1)).take(JOB, Duration::ZERO);
        let lease = Arc::new(taken.unwrap().unwrap());
        lease.renew();
        assert!(can_work(&lease));
        database.execute("UPDATE leases SET holder = 'b'");
        lease.renew();
        assert!(!can_work(&lease));
        lease.release();
        assert!(
            leases(&database, "c", Duration::ZERO)
                .take(JOB, Duration::ZERO)
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn lease_that_was_not_renewed_in_time_is_not_used() {
        let database = TestDatabase::sqlite();
        let taken = leases(&database, "a", Duration::ZERO).take(JOB, Duration::ZERO);
        assert!(!can_work(&Arc::new(taken.unwrap().unwrap())));
    }

    #[test]
    fn lease_is_renewed_while_the_job_runs() {
        let database = TestDatabase::sqlite();
        let leases = leases(&database, "a", Duration::from_millis(30));
        let lease = Arc::new(leases.take(JOB, Duration::ZERO).unwrap().unwrap());
        let first = leases.list().unwrap();
        let ends = || *lease.ends.lock().unwrap();
        let at_first = ends();
        lease.renewed_during(|| {
            while ends() == at_first {
                thread::yield_now();
            }
        });
        assert_eq!(first[0].holder, "a");
    }

    #[test]
    fn abandoned_job_stays_due() {
        let database = TestDatabase::sqlite();
        let leases = leases(&database, "a", Duration::from_hours(1));
        let take = || leases.take(JOB, Duration::ZERO).unwrap();
        take().unwrap().abandon();
        let lease = take().unwrap();
        assert!(take().is_none());
        lease.release();
    }
}
