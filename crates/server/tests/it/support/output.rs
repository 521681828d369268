//! The output of a process.

use std::{
    io::{BufRead as _, BufReader, Read},
    sync::{Arc, Condvar, Mutex, MutexGuard},
    thread,
    time::Instant,
};

use super::PATIENCE;

/// The output of a process to one of its pipes. A thread reads it continuously: otherwise the pipe fills, and
/// the process blocks.
#[derive(Clone)]
pub(crate) struct Output(Arc<Shared>);

#[derive(Default)]
struct Shared {
    written: Mutex<Written>,
    changed: Condvar,
}

#[derive(Default)]
struct Written {
    text: String,
    is_complete: bool,
}

impl Output {
    pub(crate) fn of(pipe: impl Read + Send + 'static) -> Self {
        let shared = Arc::new(Shared::default());
        let output = Self(Arc::clone(&shared));
        thread::spawn(move || shared.read(pipe));
        output
    }

    /// Returns the result of `find` as soon as the text has one; `None` if the process ends without it.
    pub(crate) fn wait_for<T>(&self, find: impl Fn(&str) -> Option<T>) -> Option<T> {
        let deadline = Instant::now() + PATIENCE;
        let mut written = self.0.written();
        loop {
            let found = find(&written.text);
            if found.is_some() || written.is_complete {
                return found;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                !left.is_zero(),
                "waited in vain, and read only:\n{}",
                written.text
            );
            written = self.0.changed.wait_timeout(written, left).unwrap().0;
        }
    }

    /// Returns the complete output, after the process has ended.
    pub(crate) fn complete(&self) -> String {
        self.wait_for(|_| None::<()>);
        self.so_far()
    }

    /// Returns the output so far.
    pub(crate) fn so_far(&self) -> String {
        self.0.written().text.clone()
    }
}

impl Shared {
    fn read(&self, pipe: impl Read) {
        let mut reader = BufReader::new(pipe);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|length| length > 0) {
            self.written().text.push_str(&String::from_utf8_lossy(&line));
            self.changed.notify_all();
            line.clear();
        }
        self.written().is_complete = true;
        self.changed.notify_all();
    }

    fn written(&self) -> MutexGuard<'_, Written> {
        self.written.lock().unwrap()
    }
}
