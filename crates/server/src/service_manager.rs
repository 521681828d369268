//! The contract with a service manager such as systemd: it may pass on the socket, and it is told the state of the server.
//! Without one, nothing here has an effect.

use std::io;

use actix_web::rt::signal::unix::{SignalKind, signal};
use listenfd::ListenFd;
use mycars_http::Listener;
use sd_notify::NotifyState;

/// Returns the listening socket that the service manager has passed on (`LISTEN_FDS`), if there is one.
///
/// # Errors
/// If the first file descriptor is neither a TCP socket nor a Unix socket.
pub(crate) fn socket() -> io::Result<Option<Listener>> {
    let mut passed_on = ListenFd::from_env();
    match passed_on.take_tcp_listener(0) {
        Ok(listener) => Ok(listener.map(Listener::Tcp)),
        Err(_) => Ok(passed_on.take_unix_listener(0)?.map(Listener::Unix)),
    }
}

/// Reports that the server accepts requests, and later, on SIGTERM or SIGINT, that it stops. Must be called inside an
/// actix runtime.
///
/// # Errors
/// If the signals can't be received.
pub(crate) fn report_ready() -> io::Result<()> {
    let [mut terminate, mut interrupt] = [signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?];
    actix_web::rt::spawn(async move {
        futures_util::future::select(std::pin::pin!(terminate.recv()), std::pin::pin!(interrupt.recv()))
            .await;
        report(NotifyState::Stopping);
    });
    report(NotifyState::Ready);
    Ok(())
}

fn report(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "could not report the state to the service manager");
    }
}
