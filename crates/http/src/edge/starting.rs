//! The responses of a server that applies migrations before it can serve: it is live, and not ready.

use std::{
    io::{self, ErrorKind, Read, Write},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crate::edge::{
    bounded::{Bounded, Limited},
    sockets::Listener,
    tls::Tls,
};

/// Time between two looks for a new connection.
const PAUSE: Duration = Duration::from_millis(20);

/// Maximum time of a connection. Requests are answered one by one.
const PATIENCE: Duration = Duration::from_secs(1);

const LIVE: &str = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\
    Connection: close\r\n\r\n{\"status\":\"ok\"}";

const UNAVAILABLE: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 5\r\n\
    Connection: close\r\n\r\n";

/// A thread that only answers health checks.
pub struct Starting {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// Answers `/health/live` with 200 and all other requests with 503 on another thread, until it is
/// [stopped](Starting::stop).
///
/// # Errors
/// If the listener can't be shared, or the operating system can't start a thread.
pub fn serve_while_starting(listener: &Listener, tls: Option<&Tls>) -> io::Result<Starting> {
    let tls = tls.cloned();
    // A client that hangs up needs no response.
    let mut accept_one: Box<dyn FnMut() -> io::Result<()> + Send> = match listener {
        Listener::Tcp(listener) => {
            let listener = listener.try_clone()?;
            listener.set_nonblocking(true)?;
            Box::new(move || {
                listener
                    .accept()
                    .map(|(stream, _)| drop(answer(stream, tls.as_ref())))
            })
        }
        Listener::Unix(listener) => {
            let listener = listener.try_clone()?;
            listener.set_nonblocking(true)?;
            Box::new(move || {
                listener
                    .accept()
                    .map(|(stream, _)| drop(answer(stream, tls.as_ref())))
            })
        }
    };
    let is_over = Arc::new(AtomicBool::new(false));
    let ends = Arc::clone(&is_over);
    let serve = move || {
        while !ends.load(Ordering::Relaxed) {
            match accept_one() {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => thread::sleep(PAUSE),
                Err(error) => {
                    tracing::warn!(%error, "could not accept a connection");
                    thread::sleep(PAUSE);
                }
            }
        }
    };
    let thread = thread::Builder::new().name("starting".into()).spawn(serve)?;
    Ok(Starting { is_over, thread })
}

impl Starting {
    /// Leaves the listener to the server.
    pub fn stop(self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().ok();
    }
}

fn answer(stream: impl Limited, tls: Option<&Tls>) -> io::Result<()> {
    let stream = Bounded::new(stream, Instant::now() + PATIENCE);
    match tls {
        Some(tls) => respond(tls.accept_blocking(stream)?),
        None => respond(stream),
    }
}

fn respond(mut stream: impl Read + Write) -> io::Result<()> {
    let mut head = [0; 4096];
    let length = stream.read(&mut head)?;
    let is_live = head[..length].starts_with(b"GET /health/live ");
    stream.write_all(if is_live { LIVE } else { UNAVAILABLE }.as_bytes())?;
    stream.flush()
}

#[cfg(all(test, feature = "tls"))]
mod tests {
    use std::net::{TcpListener, TcpStream};

    use super::*;
    use crate::edge::tls::tests::tls;

    #[test]
    fn handshake_that_drips_is_closed() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let starting = serve_while_starting(&Listener::Tcp(listener), Some(&tls())).unwrap();
        // The beginning of a record of 16 KiB.
        client.write_all(b"\x16\x03\x01\x40\x00").unwrap();
        while client.write_all(&[1]).is_ok() {
            thread::sleep(PAUSE);
        }
        starting.stop();
    }
}
