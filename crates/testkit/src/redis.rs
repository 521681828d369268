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
    has_tls: bool,
    /// Process id; 0 while the server is stopped.
    pid: AtomicI32,
}

impl RedisServer {
    /// The password of all users.
    pub const PASSWORD: &'static str = "hunter2";

    /// Starts a server on a free port.
    #[must_use]
    pub fn start() -> Self {
        let server = Self::new(false);
        server.start_again();
        server
    }

    /// Starts a server with TLS on a free port, with a certificate and its key as PEM.
    #[must_use]
    pub fn start_with_tls(certificate: &str, key: &str) -> Self {
        let server = Self::new(true);
        for (name, pem) in [("certificate.pem", certificate), ("key.pem", key)] {
            fs::write(server.folder.path().join(name), pem).expect("a file can be made");
        }
        server.start_again();
        server
    }

    fn new(has_tls: bool) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
        Self {
            folder: scratch::folder(),
            port: free.expect("there is a free port").port(),
            has_tls,
            pid: AtomicI32::new(0),
        }
    }

    /// Starts the server again, on the same port and without keys.
    pub fn start_again(&self) {
        let binary = process::find("REDIS_SERVER", "redis-server").expect(MISSING);
        let log = File::create(self.log_file()).expect("a file can be made");
        let mut redis = Command::new(binary);
        redis
            .current_dir(self.folder.path())
            .args(["--bind", "127.0.0.1"])
            .args(self.ports())
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

    fn ports(&self) -> Vec<String> {
        let arguments = if self.has_tls {
            "--port 0 --tls-cert-file certificate.pem --tls-key-file key.pem --tls-ca-cert-file certificate.pem \
             --tls-auth-clients no --tls-port"
        } else {
            "--port"
        };
        let arguments = arguments.split_whitespace().map(str::to_owned);
        arguments.chain([self.port.to_string()]).collect()
    }

    /// Returns the URL with the password.
    #[must_use]
    pub fn url(&self) -> String {
        let scheme = if self.has_tls { "rediss" } else { "redis" };
        format!("{scheme}://:{}@127.0.0.1:{}", Self::PASSWORD, self.port)
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

    /// Returns whether the server responds to a command, even if only that it needs a password. With TLS, it is ready as
    /// soon as it accepts connections.
    fn responds(&self) -> bool {
        let Ok(mut stream) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        self.has_tls || stream.write_all(b"PING\r\n").is_ok() && stream.read_exact(&mut [0]).is_ok()
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
