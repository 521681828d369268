//! A temporary PostgreSQL server, started from the installed binaries in a temporary folder. It is reached through a
//! socket there that only this user can open, and ends with this process, even if that is killed.

use std::{
    env,
    ffi::{CString, OsStr},
    fs::{self, File},
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicI32, Ordering},
    },
    thread,
    time::Duration,
};

use diesel::{Connection as _, PgConnection};
use tempfile::TempDir;

use crate::{
    process::{end_with_this_process, is_alive, spawn},
    scratch,
};

/// Settings of a server whose data need not be durable.
const SETTINGS: [&str; 8] = [
    "listen_addresses=",
    "fsync=off",
    "full_page_writes=off",
    "wal_level=minimal",
    "max_wal_senders=0",
    "autovacuum=off",
    "max_connections=300",
    "shared_buffers=32MB",
];

/// Maximum time for the start of the server, in steps of [`STEP`].
const STEPS: u32 = 2000;
const STEP: Duration = Duration::from_millis(10);

/// Error message if the binaries of PostgreSQL are missing.
const MISSING: &str = "these tests need PostgreSQL's server binaries: run ./scripts/test, which installs them, \
    or install them (`apt-get install postgresql`), or say in PG_BIN where they are, or in TEST_DATABASE_URL \
    which server to use";

/// Durability of commits when the server stops.
#[derive(Clone, Copy)]
pub(super) enum Commits {
    /// Commits may be lost. Faster, for servers that are never started again.
    MayBeLost,
    /// Commits survive a crash of the server, but not of the machine. For servers that are started again.
    OutliveTheServer,
    /// The same, and standby servers can receive them.
    Replicated,
}

impl Commits {
    /// Returns settings that override [`SETTINGS`].
    fn settings(self) -> &'static [&'static str] {
        match self {
            Self::MayBeLost => &["synchronous_commit=off"],
            Self::OutliveTheServer => &["synchronous_commit=on"],
            Self::Replicated => &["synchronous_commit=on", "wal_level=replica", "max_wal_senders=4"],
        }
    }
}

/// PostgreSQL's shutdown modes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// Ends every session, writes a checkpoint, and ends.
    Fast,
    /// Ends at once, as in a crash; the next start recovers the data.
    Immediate,
}

impl Shutdown {
    fn signal(self) -> i32 {
        match self {
            Self::Fast => libc::SIGINT,
            Self::Immediate => libc::SIGQUIT,
        }
    }
}

/// A server that is running or can be started again.
pub(super) struct Cluster {
    folder: TempDir,
    binaries: PathBuf,
    user: Option<User>,
    commits: Commits,
    /// Process id; 0 while the server is stopped.
    pid: AtomicI32,
}

impl Cluster {
    /// Initialises a server and starts it.
    pub(super) fn start(commits: Commits) -> Result<Self, String> {
        Self::start_on(commits, make_data)
    }

    /// Copies a running server, and starts the copy as its standby, which receives all commits.
    pub(super) fn start_standby(&self) -> Result<Self, String> {
        Self::start_on(Commits::Replicated, |binaries, user, folder| {
            let mut copy = command(&binaries.join("pg_basebackup"), user);
            copy.args(["-U", "postgres", "-c", "fast", "-R", "--no-sync", "-h"]);
            copy.arg(self.folder.path()).arg("-D").arg(folder.join("data"));
            run(copy)
        })
    }

    /// Starts a server with the data that `make` creates.
    fn start_on(
        commits: Commits,
        make: impl FnOnce(&Path, Option<User>, &Path) -> Result<(), String>,
    ) -> Result<Self, String> {
        let binaries = binaries().ok_or(MISSING)?;
        let folder = scratch::folder();
        let user = unprivileged_user();
        if let Some(user) = user {
            let owned = chown(folder.path(), Some(user.id), Some(user.group));
            owned.map_err(|error| format!("{}: {error}", folder.path().display()))?;
        }
        make(&binaries, user, folder.path())?;
        let cluster = Self {
            folder,
            binaries,
            user,
            commits,
            pid: AtomicI32::new(0),
        };
        cluster.start_again()?;
        Ok(cluster)
    }

    /// Starts the server again with its existing data.
    pub(super) fn start_again(&self) -> Result<(), String> {
        let postgres = command(&self.binaries.join("postgres"), self.user);
        let pid = spawn(server(postgres, self.folder.path(), self.commits)?)?;
        self.pid.store(pid, Ordering::Relaxed);
        self.wait_until_ready().inspect_err(|_| self.remove())
    }

    /// Returns the URL of the server's default database.
    pub(super) fn url(&self) -> String {
        format!("postgres://postgres@{}/postgres", self.host())
    }

    /// Returns the host in URLs: the folder of the socket, with encoded slashes.
    pub(super) fn host(&self) -> String {
        self.folder.path().display().to_string().replace('/', "%2F")
    }

    /// Stops the server, and returns whether it has ended.
    pub(super) fn stop(&self, how: Shutdown) -> bool {
        let pid = self.pid.swap(0, Ordering::Relaxed);
        if pid == 0 {
            return true;
        }
        // SAFETY: a signal to a child process of ours.
        unsafe { libc::kill(pid, how.signal()) };
        for _ in 0..STEPS {
            if !is_alive(pid) {
                return true;
            }
            thread::sleep(STEP);
        }
        false
    }

    /// Stops the server at once and removes its data.
    pub(super) fn remove(&self) {
        self.stop(Shutdown::Immediate);
        fs::remove_dir_all(self.folder.path()).ok();
    }

    fn wait_until_ready(&self) -> Result<(), String> {
        let mut last_error = String::new();
        for _ in 0..STEPS {
            match PgConnection::establish(&self.url()) {
                Ok(_) => return Ok(()),
                Err(error) => last_error = error.to_string(),
            }
            if !is_alive(self.pid.load(Ordering::Relaxed)) {
                break;
            }
            thread::sleep(STEP);
        }
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        Err(format!("PostgreSQL does not start: {last_error}\n{log}"))
    }
}

/// Returns the folder with `initdb` and `postgres`: only that of `PG_BIN` if it is set, otherwise that of `pg_config`
/// or a usual one.
fn binaries() -> Option<PathBuf> {
    let has_initdb = |folder: &PathBuf| folder.join("initdb").is_file();
    match env::var_os("PG_BIN") {
        Some(folder) => Some(PathBuf::from(folder)).filter(has_initdb),
        None => from_pg_config().filter(has_initdb).or_else(newest_installed),
    }
}

fn from_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(folder.trim()))
}

/// Returns the newest version in the folders where Debian, Red Hat, Alpine and Homebrew install PostgreSQL.
fn newest_installed() -> Option<PathBuf> {
    let parents = [
        "/usr/lib/postgresql",
        "/usr/local/opt",
        "/opt/homebrew/opt",
        "/usr/libexec",
        "/usr",
    ];
    let versions = parents
        .iter()
        .filter_map(|parent| fs::read_dir(parent).ok())
        .flatten()
        .flatten();
    versions
        .filter(|version| version.path().join("bin/initdb").is_file())
        .max_by_key(|version| version_number(&version.file_name()))
        .map(|version| version.path().join("bin"))
}

/// Returns the version in `15`, `postgresql15`, `pgsql-15` and `postgresql@15`.
fn version_number(folder: &OsStr) -> u32 {
    let digits: String = folder
        .to_string_lossy()
        .chars()
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().unwrap_or_default()
}

#[derive(Clone, Copy)]
pub(super) struct User {
    pub(super) id: u32,
    pub(super) group: u32,
}

/// Returns the user that runs PostgreSQL if this process belongs to root, because PostgreSQL refuses to run as root.
pub(super) fn unprivileged_user() -> Option<User> {
    static USER: OnceLock<Option<User>> = OnceLock::new();
    // SAFETY: the call has no preconditions.
    if unsafe { libc::geteuid() } != 0 {
        return None;
    }
    *USER.get_or_init(|| ["postgres", "nobody"].into_iter().find_map(user_named))
}

fn user_named(name: &str) -> Option<User> {
    let name = CString::new(name).ok()?;
    // SAFETY: the name is a C string. Only one thread calls this function, so that the result is not overwritten. It
    // is null if there is no such user.
    let entry = unsafe { libc::getpwnam(name.as_ptr()).as_ref() }?;
    Some(User {
        id: entry.pw_uid,
        group: entry.pw_gid,
    })
}

pub(super) fn command(program: &Path, user: Option<User>) -> Command {
    let mut command = Command::new(program);
    // A folder that the other user can enter as well.
    command.current_dir("/").env_remove("PGDATA");
    if let Some(user) = user {
        command.uid(user.id).gid(user.group);
    }
    command
}

fn make_data(binaries: &Path, user: Option<User>, folder: &Path) -> Result<(), String> {
    let mut initdb = command(&binaries.join("initdb"), user);
    initdb.arg("-D").arg(folder.join("data"));
    initdb.args([
        "-U",
        "postgres",
        "-A",
        "trust",
        "-E",
        "UTF8",
        "--locale=C",
        "--no-sync",
        "--no-instructions",
    ]);
    run(initdb)
}

fn run(mut command: Command) -> Result<(), String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!(
            "{command:?} failed: {}",
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}

fn server(mut postgres: Command, folder: &Path, commits: Commits) -> Result<Command, String> {
    let log = File::create(folder.join("log")).map_err(|error| error.to_string())?;
    postgres.arg("-D").arg(folder.join("data")).arg("-k").arg(folder);
    for setting in SETTINGS.iter().chain(commits.settings()) {
        postgres.args(["-c", setting]);
    }
    postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    end_with_this_process(&mut postgres);
    Ok(postgres)
}
