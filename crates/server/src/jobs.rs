//! The thread that runs the recurring jobs while the server serves.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use mycars_application::{
    App,
    housekeeping::{self, Job},
    ports::BoxError,
};
use mycars_http::JobMetrics;

use crate::settings::Settings;

/// Starts the thread, if the settings turn the jobs on. Their first run is one interval after the start. The thread is
/// never joined: each job is made of transactions, so that the process can end at any moment.
///
/// # Errors
/// If the operating system can't start a thread.
pub(crate) fn start(app: App, settings: &Settings, metrics: JobMetrics) -> io::Result<()> {
    if !settings.jobs.enabled {
        return Ok(());
    }
    if let Some(newest) = newest_backup(&app) {
        metrics.last_succeeded(Job::BackUp, newest);
    }
    let every = Duration::from_secs(settings.jobs.every_seconds);
    let retention = settings.audit.retention();
    thread::Builder::new().name("jobs".into()).spawn(move || {
        mycars_http::lower_priority();
        loop {
            thread::sleep(every);
            for job in Job::ALL {
                run(&app, job, retention, &metrics);
            }
        }
    })?;
    Ok(())
}

/// Returns the time of the newest scheduled backup.
fn newest_backup(app: &App) -> Option<DateTime<Utc>> {
    let backups = app.backups.as_ref()?.store.list().ok()?;
    backups.last().map(|newest| newest.created_at)
}

/// Runs a job, counts its result, and logs it if it processed items or failed. A panic ends the job, not the thread.
fn run(app: &App, job: Job, retention: Option<TimeDelta>, metrics: &JobMetrics) {
    let name = job.as_str();
    let result = catch_unwind(AssertUnwindSafe(|| housekeeping::run(app, job, retention)));
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
