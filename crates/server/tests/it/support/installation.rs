//! An installation of My Cars, and its server.

use std::{
    collections::BTreeMap,
    ops::Deref,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    process::Command,
};

use mycars_testkit::TestDatabase;
use tempfile::TempDir;

use super::{
    Client,
    accounts::SUPERUSER_PASSWORD,
    process::{Finished, Process},
};

/// The signing key of every installation with a database.
pub(crate) const SECRET_KEY: &str = "the-key-of-the-black-box-tests-0123456789";

/// A folder, a database and settings, which stay when the server stops. Of the tests' environment, only `PATH` is
/// passed on.
pub(crate) struct Installation {
    folder: TempDir,
    variables: BTreeMap<String, String>,
    database: Option<TestDatabase>,
}

impl Installation {
    /// Creates an empty folder with the settings for tests: a free port, fast hashes, no throttles, and long
    /// timeouts of the database, so that a slow machine does not change the responses.
    pub(crate) fn empty() -> Self {
        let installation = Self {
            folder: TempDir::new().expect("a folder can be made"),
            variables: BTreeMap::new(),
            database: None,
        };
        installation
            .with("MYCARS__SERVER__BIND", "127.0.0.1:0")
            .with("MYCARS__PASSWORDS__BCRYPT_COST", "4")
            .with("MYCARS__DATABASE__TIMEOUT_SECONDS", "30")
            .with("MYCARS__DATABASE__STATEMENT_TIMEOUT_SECONDS", "60")
            .with("MYCARS__THROTTLE__ENABLED", "false")
    }

    /// Creates an installation with a database, a key and hosts, so that `DEBUG` is off.
    pub(crate) fn on(database: TestDatabase) -> Self {
        let url = database.url();
        Self {
            database: Some(database),
            ..Self::at(&url)
        }
    }

    /// Creates an installation with the database of this URL, which it does not own.
    pub(crate) fn at(url: &str) -> Self {
        Self::empty()
            .with("DATABASE_URL", url)
            .with("SECRET_KEY", SECRET_KEY)
            .with("ALLOWED_HOSTS", "127.0.0.1,localhost")
    }

    /// Sets an environment variable.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.variables.insert(name.to_owned(), value.to_owned());
        self
    }

    /// Returns a path inside the folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Returns the canonical path of the folder.
    pub(crate) fn folder(&self) -> PathBuf {
        Path::canonicalize(self.folder.path()).unwrap()
    }

    /// Returns the database.
    pub(crate) fn database(&self) -> &TestDatabase {
        self.database.as_ref().expect("a database is named")
    }

    /// Runs `mycars` with these arguments until it ends.
    pub(crate) fn run(&self, arguments: &[&str]) -> Finished {
        self.spawn(arguments).wait()
    }

    /// Runs `mycars` with these arguments and one more environment variable until it ends.
    pub(crate) fn run_with(&self, arguments: &[&str], name: &str, value: &str) -> Finished {
        Process::spawn(self.command().args(arguments).env(name, value)).wait()
    }

    /// Starts the server, and waits for its banner.
    pub(crate) fn start(&self) -> Server {
        Server::of(self.spawn(&[]))
    }

    /// Starts the server with one more environment variable.
    pub(crate) fn start_with(&self, name: &str, value: &str) -> Server {
        self.start_with_all(&[(name, value)])
    }

    /// The same with several environment variables for this one start.
    pub(crate) fn start_with_all(&self, variables: &[(&str, &str)]) -> Server {
        Server::of(Process::spawn(self.command().envs(variables.iter().copied())))
    }

    /// Starts the server so that [`Server::fill_disk`] makes its writes fail instead of ending it.
    #[cfg(target_os = "linux")]
    pub(crate) fn start_on_small_disk(&self) -> Server {
        self.start_by_shell("trap '' XFSZ; exec \"$0\"")
    }

    /// Starts the server with its standard error in its standard output, as on a terminal.
    pub(crate) fn start_on_terminal(&self) -> Server {
        self.start_by_shell("exec \"$0\" 2>&1")
    }

    /// Starts the server like systemd: with a listening socket as file descriptor 3, and the path of a socket to which
    /// it reports its state.
    pub(crate) fn start_as_service(&self, socket: OwnedFd, notify: &Path) -> Server {
        let script = "exec 3<&0 0</dev/null; LISTEN_FDS=1 LISTEN_PID=$$ exec \"$0\"";
        let mut command = shell(script);
        let command = self.prepare(&mut command).env("NOTIFY_SOCKET", notify);
        Server::of(Process::spawn_with(socket.into(), command))
    }

    fn start_by_shell(&self, script: &str) -> Server {
        Server::of(Process::spawn(self.prepare(&mut shell(script))))
    }

    /// Creates a superuser with this name and the password [`SUPERUSER_PASSWORD`].
    pub(crate) fn create_superuser(&self, username: &str) {
        let mut command = self.command();
        command
            .args(["createsuperuser", "--noinput", "--username", username, "--email"])
            .arg(format!("{username}@example.com"))
            .env("MYCARS_SUPERUSER_PASSWORD", SUPERUSER_PASSWORD);
        Process::spawn(&mut command).wait().success();
    }

    /// Starts `mycars` with these arguments.
    pub(crate) fn spawn(&self, arguments: &[&str]) -> Process {
        Process::spawn(self.command().args(arguments))
    }

    /// Sets the folder and the variables of a command.
    pub(crate) fn prepare<'c>(&self, command: &'c mut Command) -> &'c mut Command {
        command
            .current_dir(self.folder.path())
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(&self.variables)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mycars"));
        self.prepare(&mut command);
        command
    }
}

/// Returns a shell that runs a script with the binary as `$0`.
fn shell(script: &str) -> Command {
    let mut command = Command::new("sh");
    command.args(["-c", script, env!("CARGO_BIN_EXE_mycars")]);
    command
}

/// A running server, killed on drop, with a client of it.
pub(crate) struct Server {
    process: Process,
    client: Client,
    /// Its banner.
    pub(crate) banner: String,
}

impl Server {
    /// Waits for the banner of a process that starts the server.
    pub(crate) fn of(process: Process) -> Self {
        let banner = process
            .stdout
            .wait_for(|text| text.contains("Stop with").then(|| text.to_owned()))
            .unwrap_or_else(|| panic!("the server did not start: {}", process.stderr.complete()));
        let address = banner
            .split_whitespace()
            .find_map(
                |word| match word.strip_prefix("http://").or(word.strip_prefix("https://")) {
                    Some(rest) => rest.strip_suffix("/api/"),
                    None => word.starts_with("unix:").then_some(word),
                },
            )
            .unwrap_or_else(|| panic!("the banner names no URL: {banner}"));
        let stderr = process.stderr.clone();
        Self {
            client: Client::with_log(address, move || stderr.so_far()),
            process,
            banner,
        }
    }

    /// Makes each write to a file fail, as on a full disk, or ends that.
    #[cfg(target_os = "linux")]
    pub(crate) fn fill_disk(&self, is_full: bool) {
        self.process.limit_file_size(is_full.then_some(0));
    }

    /// Returns the process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Sends SIGTERM, without waiting.
    pub(crate) fn terminate(&self) {
        self.process.terminate();
    }

    /// Sends SIGHUP.
    pub(crate) fn hang_up(&self) {
        self.process.hang_up();
    }

    /// Waits until the process has ended.
    pub(crate) fn wait(self) -> Finished {
        self.process.wait()
    }

    /// Sends SIGTERM, and waits until the process has ended.
    pub(crate) fn stop(self) -> Finished {
        self.terminate();
        self.wait()
    }

    /// Kills the process.
    pub(crate) fn kill(mut self) {
        self.process.kill();
    }
}

impl Deref for Server {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}
