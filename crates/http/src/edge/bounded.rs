//! Streams with a time limit for all of their reads and writes together: a handshake has many.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
    os::unix::net::UnixStream,
    time::{Duration, Instant},
};

/// A stream whose reads and writes may have a time limit.
pub trait Limited: Read + Write {
    /// Makes each read and write wait for at most this time.
    ///
    /// # Errors
    /// Those of the operating system.
    fn limit(&self, time: Duration) -> io::Result<()>;
}

impl Limited for TcpStream {
    fn limit(&self, time: Duration) -> io::Result<()> {
        self.set_nonblocking(false)?;
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

impl Limited for UnixStream {
    fn limit(&self, time: Duration) -> io::Result<()> {
        self.set_nonblocking(false)?;
        self.set_read_timeout(Some(time))?;
        self.set_write_timeout(Some(time))
    }
}

/// A stream whose reads and writes fail from a point in time on.
pub struct Bounded<S> {
    stream: S,
    ends: Instant,
}

impl<S: Limited> Bounded<S> {
    /// Limits a stream until `ends`.
    pub fn new(stream: S, ends: Instant) -> Self {
        Self { stream, ends }
    }

    fn limit(&self) -> io::Result<()> {
        match self.ends.saturating_duration_since(Instant::now()) {
            Duration::ZERO => Err(ErrorKind::TimedOut.into()),
            left => self.stream.limit(left),
        }
    }
}

impl<S: Limited> Read for Bounded<S> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.limit()?;
        self.stream.read(buffer)
    }
}

impl<S: Limited> Write for Bounded<S> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.limit()?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}
