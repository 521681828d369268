//! A throw-away PostgreSQL server: made from the binaries that are installed, in a folder of its own, reached
//! through a socket there that only this user can open, and gone when this process is, however it ends.

use std::{
    env,
    ffi::{CString, OsStr},
    fs::{self, File},
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{
        OnceLock,
        atomic::{AtomicI32, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use diesel::{Connection as _, PgConnection};
use tempfile::TempDir;

use crate::scratch;

/// Settings of a server whose data nobody wants to keep.
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

/// How long the server may take to start, in steps of [`STEP`].
const STEPS: u32 = 2000;
const STEP: Duration = Duration::from_millis(10);

/// What to do where there is no PostgreSQL.
const MISSING: &str = "these tests need PostgreSQL's server binaries: run ./scripts/test, which installs them, \
    or install them (`apt-get install postgresql`), or say in PG_BIN where they are, or in TEST_DATABASE_URL \
    which server to use";

/// Whether what was committed survives the server.
#[derive(Clone, Copy)]
pub(super) enum Commits {
    /// The faster way, where the server is stopped once and for all.
    MayBeLost,
    /// Where the server is to be started again. A crash of the whole machine loses them all the same.
    OutliveTheServer,
}

impl Commits {
    fn setting(self) -> &'static str {
        match self {
            Self::MayBeLost => "synchronous_commit=off",
            Self::OutliveTheServer => "synchronous_commit=on",
        }
    }
}

/// How a server is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shutdown {
    /// It ends every session, writes down what it has in memory, and ends.
    Fast,
    /// It ends at once, as if it had crashed, and repairs its data when it starts.
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

/// A server, which runs or can be started again.
pub(super) struct Cluster {
    folder: TempDir,
    binaries: PathBuf,
    user: Option<User>,
    commits: Commits,
    /// Zero while it does not run.
    pid: AtomicI32,
}

impl Cluster {
    /// Makes a server and starts it.
    pub(super) fn start(commits: Commits) -> Result<Self, String> {
        let binaries = binaries().ok_or(MISSING)?;
        let folder = scratch::folder();
        let user = unprivileged_user();
        if let Some(user) = user {
            let owned = chown(folder.path(), Some(user.id), Some(user.group));
            owned.map_err(|error| format!("{}: {error}", folder.path().display()))?;
        }
        make_data(command(&binaries.join("initdb"), user), folder.path())?;
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

    /// Starts the server on the data that it has.
    pub(super) fn start_again(&self) -> Result<(), String> {
        let postgres = command(&self.binaries.join("postgres"), self.user);
        let pid = spawn(server(postgres, self.folder.path(), self.commits)?)?;
        self.pid.store(pid, Ordering::Relaxed);
        self.wait_until_ready().inspect_err(|_| self.remove())
    }

    /// The URL of the server's own database. The socket's folder stands where a host would, and its slashes
    /// are encoded.
    pub(super) fn url(&self) -> String {
        let socket = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{socket}/postgres")
    }

    /// The folder of the server's socket.
    pub(super) fn socket_folder(&self) -> &Path {
        self.folder.path()
    }

    /// Stops the server, and answers whether it has ended.
    pub(super) fn stop(&self, how: Shutdown) -> bool {
        let pid = self.pid.swap(0, Ordering::Relaxed);
        if pid == 0 {
            return true;
        }
        // SAFETY: a signal to a child process of ours.
        unsafe { libc::kill(pid, how.signal()) };
        for _ in 0..STEPS {
            if !scratch::is_alive(pid) {
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
            if !scratch::is_alive(self.pid.load(Ordering::Relaxed)) {
                break;
            }
            thread::sleep(STEP);
        }
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        Err(format!("PostgreSQL does not start: {last_error}\n{log}"))
    }
}

/// The folder with `initdb` and `postgres`: what `PG_BIN` says and nothing else, or where they usually are.
fn binaries() -> Option<PathBuf> {
    let has_initdb = |folder: &PathBuf| folder.join("initdb").is_file();
    match env::var_os("PG_BIN") {
        Some(folder) => Some(PathBuf::from(folder)).filter(has_initdb),
        None => told_by_pg_config().filter(has_initdb).or_else(newest_installed),
    }
}

fn told_by_pg_config() -> Option<PathBuf> {
    let output = Command::new("pg_config").arg("--bindir").output().ok()?;
    let folder = String::from_utf8(output.stdout).ok()?;
    Some(PathBuf::from(folder.trim()))
}

/// The newest version in the folders where Debian, Red Hat, Alpine and Homebrew keep one for each.
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

/// The number in `15`, `postgresql15`, `pgsql-15` and `postgresql@15`.
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

/// Whom to run PostgreSQL as, because it refuses to run as root.
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
    // SAFETY: the name is a C string. Only one thread ever asks, so nobody overwrites the answer, which is null
    // where there is no such user.
    let entry = unsafe { libc::getpwnam(name.as_ptr()).as_ref() }?;
    Some(User {
        id: entry.pw_uid,
        group: entry.pw_gid,
    })
}

pub(super) fn command(program: &Path, user: Option<User>) -> Command {
    let mut command = Command::new(program);
    // Some folder that the other user may enter, too.
    command.current_dir("/").env_remove("PGDATA");
    if let Some(user) = user {
        command.uid(user.id).gid(user.group);
    }
    command
}

fn make_data(mut initdb: Command, folder: &Path) -> Result<(), String> {
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
    let output = initdb.output().map_err(|error| format!("initdb: {error}"))?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!(
            "initdb failed: {}",
            String::from_utf8_lossy(&output.stderr)
        ))
    }
}

fn server(mut postgres: Command, folder: &Path, commits: Commits) -> Result<Command, String> {
    let log = File::create(folder.join("log")).map_err(|error| error.to_string())?;
    postgres.arg("-D").arg(folder.join("data")).arg("-k").arg(folder);
    for setting in SETTINGS.into_iter().chain([commits.setting()]) {
        postgres.args(["-c", setting]);
    }
    postgres.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    end_with_this_process(&mut postgres);
    Ok(postgres)
}

/// Makes the system stop the server if this process is killed.
#[cfg(target_os = "linux")]
pub(super) fn end_with_this_process(command: &mut Command) {
    // SAFETY: between fork and exec, the closure does nothing but one system call.
    unsafe {
        command.pre_exec(|| {
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGQUIT);
            Ok(())
        });
    }
}

/// Other systems know no such thing; there, a server whose process was killed stays.
#[cfg(not(target_os = "linux"))]
pub(super) fn end_with_this_process(_command: &mut Command) {}

/// Starts the server and answers its process id. Linux stops it when the *thread* that started it ends, and
/// the threads of tests do, so it is started by one that lives as long as the server.
pub(super) fn spawn(mut command: Command) -> Result<i32, String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let started = command.spawn();
        let pid = started.as_ref().map(Child::id).map_err(ToString::to_string);
        sender.send(pid).ok();
        if let Ok(mut child) = started {
            child.wait().ok();
        }
    });
    let pid = receiver.recv().map_err(|error| error.to_string())?;
    pid.and_then(|pid| i32::try_from(pid).map_err(|error| error.to_string()))
        .map_err(|error| format!("postgres: {error}"))
}
