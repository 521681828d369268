//! Runs the server in a temporary folder.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::Instant,
};

use mycars_testkit::ReceivedMail;
use tempfile::TempDir;

use super::{MAX_WAIT, named_path};

/// A process, ended on drop.
pub(crate) struct Process(Child);

impl Process {
    /// Starts a program. Returns the result of `find` for the first line of its standard output that has one, or the
    /// output if the program ends or nothing is found within [`MAX_WAIT`].
    pub(crate) fn start<T>(
        command: &mut Command,
        find: impl Fn(&str) -> Option<T>,
    ) -> Result<(Self, T), String> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?} can't be run: {error}"));
        let output = child.stdout.take().expect("it is piped");
        let process = Self(child);
        let (sender, lines) = mpsc::channel();
        // The output is read to its end, because a process blocks when the pipe is full.
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                // Errors are ignored: the receiver is gone after the first result.
                sender.send(line).ok();
            }
        });
        let deadline = Instant::now() + MAX_WAIT;
        let mut seen = String::new();
        while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            if let Some(found) = find(&line) {
                return Ok((process, found));
            }
            seen.push_str(&line);
            seen.push('\n');
        }
        Err(format!("{command:?} did not start:\n{seen}"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Errors are ignored, because the process may have ended already.
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

/// A server with SQLite in a temporary folder and one superuser.
pub(crate) struct Server {
    // Ended before its folder is deleted.
    _process: Process,
    folder: TempDir,
    /// The base URL, `http://127.0.0.1:port`.
    pub(crate) url: String,
}

impl Server {
    /// Creates the superuser and starts the server.
    pub(crate) fn start(superuser: &str, password: &str) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        let command = || {
            let mut command = Command::new(named_path("BROWSER_TESTS_SERVER"));
            command
                .current_dir(folder.path())
                .env_clear()
                .env("MYCARS__SERVER__BIND", "127.0.0.1:0")
                .env("MYCARS__PASSWORDS__BCRYPT_COST", "4")
                .env("MYCARS__DATABASE__TIMEOUT_SECONDS", "30")
                .env("MYCARS__THROTTLE__ENABLED", "false");
            command
        };
        let made = command()
            .args(["createsuperuser", "--noinput", "--username", superuser, "--email"])
            .arg(format!("{superuser}@example.com"))
            .env("MYCARS_SUPERUSER_PASSWORD", password)
            .output()
            .expect("the server's binary can be run");
        assert!(made.status.success(), "{made:?}");
        let (process, url) = Process::start(&mut command(), |line| {
            let word = line.split_whitespace().find(|word| word.ends_with("/api/"))?;
            word.strip_suffix("/api/").map(str::to_owned)
        })
        .unwrap_or_else(|error| panic!("{error}"));
        Self {
            _process: process,
            folder,
            url,
        }
    }

    /// Returns the links in the mails of the server, which are files.
    pub(crate) fn mailed_links(&self) -> Vec<String> {
        let Ok(mails) = fs::read_dir(self.folder.path().join("data/mail")) else {
            return Vec::new();
        };
        let mails =
            mails.map(|mail| fs::read_to_string(mail.expect("it is listed").path()).expect("it is text"));
        mails.flat_map(|mail| ReceivedMail::read(mail).links()).collect()
    }
}
