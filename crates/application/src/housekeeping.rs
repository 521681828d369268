//! Recurring jobs that keep the database and the image store from growing for ever.
//!
//! Each job is a use-case that can be repeated, and stopped between two transactions.

use chrono::TimeDelta;

use crate::{
    App, Caller, Error,
    accounts::{self, sessions},
    backup, history, images,
    ports::{BoxError, StoreError, UnitOfWork},
};

/// Maximum number of rows that one transaction deletes, so that other writers do not wait long: the thread of the jobs
/// has a low priority, also while it has SQLite's only write lock.
pub(crate) const BATCH: u32 = 1000;

/// A recurring job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Job {
    /// Delete the refresh tokens that have expired, and the old e-mail addresses whose links have.
    FlushExpiredTokens,
    /// Delete the sessions that have expired.
    ClearSessions,
    /// Delete the shared counts of requests that are whole again.
    FlushRates,
    /// Move the pictures that no car has to the trash.
    SweepImages,
    /// Delete the pictures that have been in the trash for more than 30 days.
    EmptyTrash,
    /// Record the sizes of pictures that are not recorded.
    MeasureImages,
    /// Delete the entries of the audit log that are older than the retention.
    PruneAudit,
    /// Delete the addresses in old entries of the audit log.
    ForgetAddresses,
    /// Make the scheduled backup, and delete the oldest ones.
    BackUp,
}

impl Job {
    /// All jobs, in the order in which they run.
    pub const ALL: [Self; 9] = [
        Self::FlushExpiredTokens,
        Self::ClearSessions,
        Self::FlushRates,
        Self::SweepImages,
        Self::EmptyTrash,
        Self::MeasureImages,
        Self::PruneAudit,
        Self::ForgetAddresses,
        Self::BackUp,
    ];

    /// Returns the name of the job in the log and in metrics.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FlushExpiredTokens => "flush_expired_tokens",
            Self::ClearSessions => "clear_sessions",
            Self::FlushRates => "flush_rates",
            Self::SweepImages => "sweep_images",
            Self::EmptyTrash => "empty_trash",
            Self::MeasureImages => "measure_images",
            Self::PruneAudit => "prune_audit",
            Self::ForgetAddresses => "forget_addresses",
            Self::BackUp => "back_up",
        }
    }
}

/// The time for which the audit log keeps data; `None` keeps them for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct AuditRetention {
    /// Whole entries.
    pub entries: Option<TimeDelta>,
    /// The addresses in entries.
    pub addresses: Option<TimeDelta>,
}

/// Runs a job as the program itself, and returns the number of rows or pictures that it deleted, moved, measured or
/// backed up.
/// Returns `None` if the job is turned off or not due.
///
/// # Errors
/// Those of the job's use-case.
pub fn run(app: &App, job: Job, audit: AuditRetention) -> Result<Option<u64>, BoxError> {
    let caller = Caller::system();
    Ok(Some(match job {
        Job::FlushExpiredTokens => accounts::flush_expired_tokens(app, &caller)? as u64,
        Job::ClearSessions => sessions::clear_expired(app, &caller)? as u64,
        Job::FlushRates => delete_in_batches(app, |unit, at_most| unit.rates().delete_whole(at_most))? as u64,
        Job::SweepImages => images::sweep(app, &caller, false)?.orphans.len() as u64,
        Job::EmptyTrash => images::empty_trash(app, &caller)?.len() as u64,
        Job::MeasureImages => images::measure(app, &caller)?,
        Job::PruneAudit => match audit.entries {
            Some(retention) => history::prune(app, &caller, retention)?,
            None => return Ok(None),
        },
        Job::ForgetAddresses => match audit.addresses {
            Some(retention) => history::forget_addresses(app, &caller, retention)?,
            None => return Ok(None),
        },
        Job::BackUp => match backup::back_up_if_due(app, &caller)? {
            Some(backup) => backup.contents.all_rows() + backup.contents.images,
            None => return Ok(None),
        },
    }))
}

/// Deletes rows, each [`BATCH`] in a transaction of its own, until less is left. Returns their number.
pub(crate) fn delete_in_batches(
    app: &App,
    delete: impl Fn(&mut dyn UnitOfWork, u32) -> Result<usize, StoreError>,
) -> Result<usize, Error> {
    let mut total = 0;
    loop {
        let deleted = app.store.write(|unit| Ok::<_, Error>(delete(unit, BATCH)?))?;
        total += deleted;
        if deleted < BATCH as usize {
            return Ok(total);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        mocks::{Mocks, samples},
        ports::PrunedEntries,
    };

    /// Mocks in which each job has something to do, once.
    fn mocks() -> Mocks {
        let mut mocks = Mocks::new();
        mocks.random.expect_hex().returning(|_| "id".into());
        mocks.images.expect_owner().returning(|| Ok(Some("id".into())));
        mocks.images.expect_list().returning(|| Ok(vec![]));
        mocks.images.expect_delete_unfinished().returning(|_| Ok(()));
        let unit = &mut mocks.unit;
        unit.installation
            .expect_find_or_insert()
            .returning(|new| Ok(new.clone()));
        unit.users.expect_forget_previous_emails().returning(|_, _| Ok(1));
        unit.refresh_tokens
            .expect_delete_expired()
            .returning(|_, _| Ok(2));
        unit.sessions.expect_delete_expired().returning(|_, _, _| Ok(3));
        unit.rates.expect_delete_whole().returning(|_| Ok(5));
        unit.cars.expect_unmeasured_images().returning(|_, _| Ok(vec![]));
        mocks.images.expect_list_trash().returning(|| Ok(vec![]));
        let mut pruned = [Some(PrunedEntries { count: 4, last: 9 }), None].into_iter();
        mocks
            .unit
            .audit_log
            .expect_delete_oldest()
            .withf(|before, _| samples::now() - *before < TimeDelta::days(31))
            .returning(move |_, _| Ok(pruned.next().flatten()));
        let mut forgotten = [5, 0].into_iter();
        mocks
            .unit
            .audit_log
            .expect_forget_addresses()
            .withf(|before, _| samples::now() - *before < TimeDelta::days(8))
            .returning(move |_, _| Ok(forgotten.next().unwrap_or_default()));
        mocks
    }

    #[test]
    fn each_job_reports_its_number() {
        let (app, _) = mocks().into_app();
        let retention = AuditRetention {
            entries: Some(TimeDelta::days(30)),
            addresses: Some(TimeDelta::days(7)),
        };
        let counts = Job::ALL.map(|job| run(&app, job, retention).unwrap());
        assert_eq!(
            counts,
            [
                Some(2),
                Some(3),
                Some(5),
                Some(0),
                Some(0),
                Some(0),
                Some(4),
                Some(5),
                None
            ]
        );
    }

    #[test]
    fn without_retention_the_audit_log_is_not_touched() {
        let (app, store) = Mocks::new().into_app();
        for job in [Job::PruneAudit, Job::ForgetAddresses] {
            assert_eq!(run(&app, job, AuditRetention::default()).unwrap(), None);
        }
        assert_eq!(store.commits(), 0);
    }

    #[test]
    fn failed_job_reports_its_error() {
        let (app, _) = Mocks::failing_store().into_app();
        assert!(run(&app, Job::ClearSessions, AuditRetention::default()).is_err());
    }

    #[test]
    fn names_of_jobs_differ() {
        let names: std::collections::BTreeSet<_> = Job::ALL.map(Job::as_str).into();
        assert_eq!(names.len(), Job::ALL.len());
    }
}
