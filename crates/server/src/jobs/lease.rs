//! The lease of a running job: only one of the servers with the same database runs it.

use std::{
    io::Read,
    sync::{Arc, Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use chrono::{DateTime, TimeDelta, Utc};
use mycars_application::{
    App, BackupSettings,
    ports::{
        ArchiveContents, ArchiveWriter, BackupStore, BoxError, Lease, Mode, Rollback, Row, Store, StoreError,
        StoredBackup, Table, UnitOfWork,
    },
};
use mycars_domain::values::ImagePath;

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

    /// Returns the use-cases for the job. Once the lease has ended, the store refuses all work and commits nothing, and no
    /// backup is written, finished or deleted, so that the job stops. The images are not guarded: jobs ask the store before
    /// each change of them.
    pub(super) fn guard(self: &Arc<Self>, app: &App) -> App {
        let backups = app.backups.clone().map(|settings| BackupSettings {
            store: Arc::new(Guarded {
                lease: Arc::clone(self),
                of_lease: settings.store,
            }),
            ..settings
        });
        App {
            store: Arc::new(GuardedStore(Arc::clone(self))),
            backups,
            ..app.clone()
        }
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
        let lifetime = self.leases.lifetime;
        let renewed = self.leases.store.write(|unit| self.renew_in(unit));
        let mut ends = self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        match renewed {
            Ok(true) => *ends = ends.map(|_| asked + lifetime),
            Ok(false) => *ends = None,
            // The lease may still be renewed in time.
            Err(error) => tracing::warn!(%error, "could not renew the lease of job {}", self.name),
        }
    }

    /// Renews the lease in a transaction, which then commits before another server can take the lease.
    fn renew_in(&self, unit: &mut dyn UnitOfWork) -> Result<bool, StoreError> {
        let Leases { holder, lifetime, .. } = &self.leases;
        unit.leases().renew(self.name, holder, delta(*lifetime))
    }

    fn require(&self) -> Result<(), Ended> {
        let ends = *self.ends.lock().unwrap_or_else(PoisonError::into_inner);
        if ends.is_some_and(|ends| Instant::now() < ends) {
            Ok(())
        } else {
            Err(Ended)
        }
    }

    /// Fails if the lease has ended by the database: the clock of this process stands still while the machine is suspended.
    fn confirm(&self) -> Result<(), StoreError> {
        if !self.leases.store.write(|unit| self.renew_in(unit))? {
            return Err(Ended.into());
        }
        Ok(self.require()?)
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

/// The lease of a job has ended.
#[derive(Debug, thiserror::Error)]
#[error("the lease of the job has ended")]
struct Ended;

impl From<Ended> for StoreError {
    fn from(error: Ended) -> Self {
        Self::Unavailable(error.into())
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
        let lease = &self.0;
        lease.require()?;
        if matches!(mode, Mode::Read | Mode::Snapshot) {
            return lease.leases.store.run(mode, work);
        }
        let mut fenced = Ok(());
        lease.leases.store.run(mode, &mut |unit| {
            work(unit)?;
            // The work may have taken longer than the lease.
            fenced = match lease.renew_in(unit) {
                Ok(true) => lease.require().map_err(StoreError::from),
                Ok(false) => Err(Ended.into()),
                Err(error) => Err(error),
            };
            if fenced.is_ok() { Ok(()) } else { Err(Rollback) }
        })?;
        fenced
    }

    fn ping(&self) -> Result<(), StoreError> {
        self.0.leases.store.ping()
    }
}

/// A part of the backups of a job under a lease.
struct Guarded<T> {
    lease: Arc<HeldLease>,
    of_lease: T,
}

impl BackupStore for Guarded<Arc<dyn BackupStore>> {
    fn create(&self, at: DateTime<Utc>) -> Result<Box<dyn ArchiveWriter>, BoxError> {
        self.lease.require()?;
        Ok(Box::new(Guarded {
            lease: Arc::clone(&self.lease),
            of_lease: self.of_lease.create(at)?,
        }))
    }

    fn list(&self) -> Result<Vec<StoredBackup>, BoxError> {
        self.of_lease.list()
    }

    fn delete(&self, backup: &StoredBackup) -> Result<(), BoxError> {
        self.lease.confirm()?;
        self.of_lease.delete(backup)
    }
}

impl ArchiveWriter for Guarded<Box<dyn ArchiveWriter>> {
    fn add_image(&mut self, path: &ImagePath, content: &mut dyn Read) -> Result<u64, BoxError> {
        self.lease.require()?;
        self.of_lease.add_image(path, content)
    }

    fn begin_table(&mut self, table: Table) -> Result<(), BoxError> {
        self.lease.require()?;
        self.of_lease.begin_table(table)
    }

    fn add_rows(&mut self, rows: &[Row]) -> Result<(), BoxError> {
        self.lease.require()?;
        self.of_lease.add_rows(rows)
    }

    fn finish(&mut self, contents: &ArchiveContents) -> Result<(), BoxError> {
        self.lease.confirm()?;
        self.of_lease.finish(contents)
    }
}

fn delta(duration: Duration) -> TimeDelta {
    TimeDelta::from_std(duration).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use mycars_application::mocks::{Mocks, samples};
    use mycars_archive::{Folder, Origin};
    use mycars_testkit::TestDatabase;
    use tempfile::TempDir;

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
        let (app, _) = Mocks::new().into_app();
        let guarded = lease.guard(&app).store;
        guarded
            .read(|unit| unit.users().find(mycars_domain::UserId(1)))
            .is_ok()
    }

    /// Returns mocks of a lease that is taken, and lost before it is renewed.
    fn lost() -> Mocks {
        let mut mocks = Mocks::new();
        mocks.unit.leases.expect_take().returning(|_, _, _, _| Ok(true));
        mocks.unit.leases.expect_renew().returning(|_, _, _| Ok(false));
        mocks
    }

    fn taken(app: &App) -> Arc<HeldLease> {
        let leases = Leases {
            store: Arc::clone(&app.store),
            holder: "a".into(),
            lifetime: Duration::from_hours(1),
        };
        Arc::new(leases.take(JOB, Duration::ZERO).unwrap().unwrap())
    }

    #[test]
    fn write_is_rolled_back_if_the_lease_is_lost_before_its_commit() {
        let (app, store) = lost().into_app();
        let guarded = taken(&app).guard(&app);
        let before = (store.commits(), store.rollbacks());
        let written = guarded.store.write(|_| Ok::<_, StoreError>(()));
        assert!(matches!(written, Err(StoreError::Unavailable(_))), "{written:?}");
        assert_eq!((store.commits(), store.rollbacks()), (before.0, before.1 + 1));
    }

    #[test]
    fn backup_stops_when_its_lease_is_lost() {
        let folder = TempDir::new().unwrap();
        let origin = Origin {
            version: String::new(),
            database: String::new(),
            migrations: Vec::new(),
        };
        let (app, _) = lost().into_app();
        let app = App {
            backups: Some(BackupSettings {
                every: TimeDelta::hours(1),
                keep: 1,
                store: Arc::new(Folder::new(folder.path().join("backups"), origin)),
            }),
            ..app
        };
        let lease = taken(&app);
        let backups = lease.guard(&app).backups.unwrap().store;
        let mut archive = backups.create(samples::now()).unwrap();
        let image = ImagePath::from_storage("cars/a.jpg".into());
        archive.add_image(&image, &mut &b"first"[..]).unwrap();

        let contents = ArchiveContents {
            created_at: samples::now(),
            tables: std::collections::BTreeMap::new(),
            images: 1,
            image_bytes: 5,
        };
        assert!(archive.finish(&contents).is_err(), "the database knows first");
        lease.renew();
        assert!(archive.add_image(&image, &mut &b"second"[..]).is_err());
        assert!(archive.begin_table(Table::Users).is_err());
        assert!(archive.add_rows(&[]).is_err());
        assert!(archive.finish(&contents).is_err());
        drop(archive);
        assert_eq!(backups.list().unwrap(), []);
        assert!(backups.create(samples::now()).is_err());
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
