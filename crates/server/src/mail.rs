//! The thread that sends the mails in the outbox while the server serves.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    thread,
    time::Duration,
};

use mycars_application::{App, Caller, mail};

/// Time between two looks into the outbox, which is one query by an index.
const EVERY: Duration = Duration::from_secs(1);

/// The same after a failure, so that a mail server that is not available is not asked once a second.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Starts the thread, if mail is turned on. It is never joined: a mail that was not sent stays in the outbox.
///
/// # Errors
/// If the operating system can't start a thread.
pub(crate) fn start(app: App) -> io::Result<()> {
    if app.mail.is_none() {
        return Ok(());
    }
    thread::Builder::new().name("mail".into()).spawn(move || {
        loop {
            thread::sleep(if send(&app) { EVERY } else { AFTER_FAILURE });
        }
    })?;
    Ok(())
}

/// Sends all mails that are due. Returns whether nothing failed. A panic ends the attempt, not the thread.
fn send(app: &App) -> bool {
    let attempt = AssertUnwindSafe(|| mail::send_due(app, &Caller::system()));
    match catch_unwind(attempt) {
        Ok(Ok(report)) => {
            if report.sent > 0 {
                tracing::info!(count = report.sent, "sent {} mails", report.sent);
            }
            !report.has_failed
        }
        Ok(Err(error)) => {
            let error = crate::error::with_causes(&error);
            tracing::warn!(%error, "the outbox could not be read or changed, and is read again");
            false
        }
        Err(_) => {
            tracing::error!("sending mail panicked, and is tried again");
            false
        }
    }
}
