//! The thread that runs the recurring jobs while the server serves. Of several servers with one database, one runs each
//! job that is due.

mod lease;

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use mycars_application::{
    App,
    housekeeping::{self, AuditRetention, Job},
    ports::{BoxError, StoreError},
};
use mycars_http::JobMetrics;

use self::lease::{HeldLease, Leases};
use crate::settings::{self, Settings};

/// The recurring jobs of this process.
pub(crate) struct Jobs {
    app: App,
    schedule: Vec<(Job, Duration)>,
    retention: AuditRetention,
    metrics: JobMetrics,
    leases: Leases,
    /// The lease of the job that runs.
    held: Mutex<Option<Arc<HeldLease>>>,
}

/// Starts the thread, if the settings turn the jobs on. The thread is never joined: each job is made of transactions,
/// so that the process can end at any moment.
///
/// # Errors
/// If the operating system can't start a thread.
pub(crate) fn start(app: App, settings: &Settings, metrics: JobMetrics) -> io::Result<Option<Arc<Jobs>>> {
    if !settings.jobs.enabled {
        return Ok(None);
    }
    if let Some(newest) = newest_backup(&app) {
        metrics.last_succeeded(Job::BackUp, newest);
    }
    let lifetime = Duration::from_secs(settings.jobs.lease_seconds);
    let leases = Leases {
        store: Arc::clone(&app.store),
        holder: format!("{}-{}", std::process::id(), app.random.hex(8)),
        lifetime,
    };
    tracing::debug!("this process takes leases of recurring jobs as {}", leases.holder);
    let jobs = Arc::new(Jobs {
        schedule: schedule(&settings.jobs),
        retention: settings.audit.retention(),
        app,
        metrics,
        leases,
        held: Mutex::default(),
    });
    let pause = lifetime.min(Duration::from_secs(settings.jobs.every_seconds)) / 10;
    let running = Arc::clone(&jobs);
    thread::Builder::new().name("jobs".into()).spawn(move || {
        mycars_http::lower_priority();
        let mut has_failed = false;
        loop {
            thread::sleep(pause);
            let run = running.run_available();
            // Once for each outage of the database.
            if let (Err(error), false) = (&run, has_failed) {
                tracing::warn!(%error, "could not take the lease of a recurring job");
            }
            has_failed = run.is_err();
        }
    })?;
    Ok(Some(jobs))
}

/// Returns the jobs that are turned on, with their intervals.
fn schedule(settings: &settings::Jobs) -> Vec<(Job, Duration)> {
    let hour = 60 * 60;
    let seconds = |job| match job {
        Job::SweepImages => settings.sweep_hours * hour,
        _ => settings.every_seconds,
    };
    let on = Job::ALL.into_iter().filter(|job| seconds(*job) > 0);
    on.map(|job| (job, Duration::from_secs(seconds(job)))).collect()
}

/// Returns the time of the newest scheduled backup.
fn newest_backup(app: &App) -> Option<DateTime<Utc>> {
    let backups = app.backups.as_ref()?.store.list().ok()?;
    backups.last().map(|newest| newest.created_at)
}

impl Jobs {
    /// Lets other servers run the job that runs in this process at once, because the process ends.
    pub(crate) fn abandon(&self) {
        if let Some(lease) = self.held().take() {
            lease.abandon();
        }
    }

    /// Runs each job that is due and that no other server runs.
    fn run_available(&self) -> Result<(), StoreError> {
        let leases = self.leases.list()?;
        for (job, every) in &self.schedule {
            let interval = TimeDelta::from_std(*every).unwrap_or(TimeDelta::MAX);
            let lease = leases.iter().find(|lease| lease.name == job.as_str());
            if let Some(lease) = lease {
                self.metrics.due_in(*job, lease.due_in);
            }
            if lease.is_none_or(|lease| lease.is_available(interval))
                && let Some(lease) = self.leases.take(job.as_str(), *every)?
            {
                self.run_under(&Arc::new(lease), *job);
            }
        }
        Ok(())
    }

    fn run_under(&self, lease: &Arc<HeldLease>, job: Job) {
        *self.held() = Some(Arc::clone(lease));
        let app = lease.guard(&self.app);
        lease.renewed_during(|| self.run(&app, job));
        if self.held().take().is_some() {
            lease.release();
        }
    }

    /// Runs a job, counts its result, and logs it if it processed items or failed. A panic ends the job, not the thread.
    fn run(&self, app: &App, job: Job) {
        let (name, metrics) = (job.as_str(), &self.metrics);
        let result = catch_unwind(AssertUnwindSafe(|| housekeeping::run(app, job, self.retention)));
        match result.unwrap_or_else(|_| Err(BoxError::from("the job panicked"))) {
            Ok(None) => {}
            Ok(Some(count)) => {
                metrics.succeeded(job, count, app.clock.now());
                if count > 0 {
                    tracing::info!(job = name, count, "job {name} processed {count} items");
                }
            }
            Err(error) => {
                metrics.failed(job);
                let error = crate::error::with_causes(&*error);
                tracing::warn!(job = name, %error, "job {name} failed and is repeated at the next interval");
            }
        }
    }

    fn held(&self) -> std::sync::MutexGuard<'_, Option<Arc<HeldLease>>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
