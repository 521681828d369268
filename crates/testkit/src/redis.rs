//! A Redis server for one test.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Command, Stdio},
    sync::atomic::{AtomicI32, Ordering},
    thread,
    time::Duration,
};

use tempfile::TempDir;

use crate::{
    process::{self, end_with_this_process, is_alive, spawn},
    scratch,
};

/// Error message if Redis is missing.
const MISSING: &str = "this test needs Redis: run ./scripts/test, which installs it, install it \
    (`apt-get install redis-server`), or say in REDIS_SERVER where its binary is";

/// Maximum time for the start or the end of the server, in steps of [`STEP`].
const STEPS: u32 = 2000;
const STEP: Duration = Duration::from_millis(10);

/// A Redis server that keeps nothing on disk; ends on drop, and with this process.
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    /// Process id; 0 while the server is stopped.
    pid: AtomicI32,
}

impl RedisServer {
    /// The password of all users.
    pub const PASSWORD: &'static str = "hunter2";

    /// Starts a server on a free port.
    #[must_use]
    pub fn start() -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        let server = Self {
            folder: scratch::folder(),
            port: free.expect("there is a free port").port(),
            pid: AtomicI32::new(0),
        };
        server.start_again();
        server
    }

    /// Starts the server again, on the same port and without keys.
    pub fn start_again(&self) {
        let binary = process::find("REDIS_SERVER", "redis-server").expect(MISSING);
        let log = File::create(self.log_file()).expect("a file can be made");
        let mut redis = Command::new(binary);
        redis
            .current_dir(self.folder.path())
            .args(["--bind", "127.0.0.1", "--port", &self.port.to_string()])
            .args([
                "--save",
                "",
                "--appendonly",
                "no",
                "--requirepass",
                Self::PASSWORD,
            ])
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(Stdio::null());
        end_with_this_process(&mut redis);
        self.pid
            .store(spawn(redis).expect("Redis can be run"), Ordering::SeqCst);
        self.wait_until_ready();
    }

    /// Returns the URL with the password.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://:{}@127.0.0.1:{}", Self::PASSWORD, self.port)
    }

    /// Ends the server at once. It loses all keys.
    pub fn kill(&self) {
        self.signal(libc::SIGKILL);
        let pid = self.pid.swap(0, Ordering::SeqCst);
        let has_ended = (0..STEPS).any(|_| {
            thread::sleep(STEP);
            !is_alive(pid)
        });
        assert!(has_ended, "Redis does not end");
    }

    /// Stops the process, so that the server accepts connections and does not respond.
    pub fn pause(&self) {
        self.signal(libc::SIGSTOP);
    }

    /// Continues the process.
    pub fn resume(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, signal: i32) {
        let pid = self.pid.load(Ordering::SeqCst);
        assert_ne!(pid, 0, "the server is stopped");
        // SAFETY: a signal to a child process of ours.
        unsafe { libc::kill(pid, signal) };
    }

    fn wait_until_ready(&self) {
        for _ in 0..STEPS {
            if self.responds() {
                return;
            }
            let pid = self.pid.load(Ordering::SeqCst);
            assert!(is_alive(pid), "Redis ended:\n{}", self.log());
            thread::sleep(STEP);
        }
        panic!("Redis does not start:\n{}", self.log());
    }

    /// Returns whether the server responds to a command, even if only that it needs a password.
    fn responds(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        stream.write_all(b"PING\r\n").is_ok() && stream.read_exact(&mut [0]).is_ok()
    }

    fn log_file(&self) -> std::path::PathBuf {
        self.folder.path().join("log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        if *self.pid.get_mut() != 0 {
            self.signal(libc::SIGKILL);
        }
    }
}
