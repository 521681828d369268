//! The certificate of the server's own TLS, which is read at the start and on SIGHUP.

use std::io;

use actix_web::rt::signal::unix::{Signal, SignalKind, signal};
use chrono::TimeDelta;
use mycars_application::ports::Clock as _;
use mycars_http::Tls;
use mycars_security::SystemClock;

use crate::{error::CommandError, settings::Settings};

/// Time before the end of the validity in which renewal is overdue: certificates are renewed a month before.
pub(crate) const RENEWAL: TimeDelta = TimeDelta::days(14);

/// Returns TLS with the files in the settings, if they turn it on.
///
/// # Errors
/// If the files can't be used, or this build has no TLS.
pub(crate) fn load(settings: &Settings) -> Result<Option<Tls>, CommandError> {
    let Some(files) = settings.server.tls.files() else {
        return Ok(None);
    };
    let tls = Tls::load(files).map_err(|error| CommandError::Refused(error.to_string()))?;
    warn_of_expiry(&tls);
    Ok(Some(tls))
}

/// Receives SIGHUP from now on, which otherwise ends the process, if the settings turn TLS on. Must be called inside an
/// actix runtime.
///
/// # Errors
/// If the signal can't be received.
pub(crate) fn hangups(settings: &Settings) -> io::Result<Option<Signal>> {
    let files = settings.server.tls.files();
    files.map(|_| signal(SignalKind::hangup())).transpose()
}

/// Reads the files again on each SIGHUP, also on one that was received before. Must be called inside an actix runtime.
pub(crate) fn reload_on_hangup(tls: Tls, mut hangup: Signal) {
    actix_web::rt::spawn(async move {
        while hangup.recv().await.is_some() {
            match tls.reload() {
                Ok(()) => {
                    tracing::info!("the certificate was read again");
                    warn_of_expiry(&tls);
                }
                Err(error) => {
                    tracing::error!(%error, "the certificate in use stays, because the new one is refused");
                }
            }
        }
    });
}

fn warn_of_expiry(tls: &Tls) {
    if let Some(not_after) = tls.not_after()
        && not_after - SystemClock.now() <= RENEWAL
    {
        tracing::warn!("the certificate expires at {not_after}: renew it, then send SIGHUP");
    }
}
