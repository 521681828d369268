//! A PostgreSQL server for the benchmark, with its defaults: `fsync` and `synchronous_commit` are on, and the data
//! are on a real disk. Only this machine reaches it, through a socket.

use std::{
    env,
    fs::{self, File},
    os::unix::{fs::chown, process::CommandExt as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use diesel::{Connection as _, PgConnection};
use rustix::process::Signal;
use tempfile::TempDir;

use crate::{
    Outcome,
    load::output,
    process::{PATIENCE, Usage, send},
};

/// A server that runs, until it is dropped.
pub(crate) struct Cluster {
    server: Option<Child>,
    pub(crate) binaries: PathBuf,
    data: PathBuf,
    log: PathBuf,
    /// Not below the data: the name of a socket must be short.
    socket: TempDir,
    user: Option<User>,
}

/// Whom PostgreSQL runs as, because it refuses to run as root.
#[derive(Clone, Copy)]
struct User {
    id: u32,
    group: u32,
}

impl Cluster {
    /// Starts a server on the data in a folder. If `anew`, they are made anew.
    pub(crate) fn start(folder: &Path, anew: bool) -> Outcome<Self> {
        let mut cluster = Self {
            server: None,
            binaries: binaries()?,
            data: folder.join("data"),
            log: folder.join("log"),
            socket: tempfile::Builder::new().prefix("mycars-bench-").tempdir()?,
            user: unprivileged_user()?,
        };
        // One may have been left behind by a run that was killed; most often this fails.
        let mut stop = cluster.command("pg_ctl");
        output(stop.arg("stop").arg("-D").arg(&cluster.data)).ok();
        if anew {
            fs::remove_dir_all(folder).or_else(|error| match error.kind() {
                std::io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })?;
        }
        fs::create_dir_all(folder)?;
        for folder in [folder, cluster.socket.path()] {
            if let Some(user) = cluster.user {
                chown(folder, Some(user.id), Some(user.group))?;
            }
        }
        if !cluster.data.exists() {
            let mut initdb = cluster.command("initdb");
            initdb.arg("-D").arg(&cluster.data);
            initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]);
            output(&mut initdb).map_err(|error| {
                format!(
                    "{error}\nPostgreSQL's user must be able to enter {}; --folder names another place",
                    folder.display()
                )
            })?;
        }
        cluster.run()?;
        Ok(cluster)
    }

    /// Runs the server in the same group of processes, so that whoever interrupts the benchmark stops it, too.
    fn run(&mut self) -> Outcome<()> {
        let mut postgres = self.command("postgres");
        postgres
            .arg("-D")
            .arg(&self.data)
            .args(["-c", "listen_addresses=", "-k"])
            .arg(self.socket.path());
        postgres
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&self.log)?);
        let url = self.url("postgres");
        let server = self.server.insert(postgres.spawn()?);
        let started = Instant::now();
        loop {
            let Err(error) = PgConnection::establish(&url) else {
                return Ok(());
            };
            if server.try_wait()?.is_some() || started.elapsed() > PATIENCE {
                return Err(format!("PostgreSQL does not start: {error}\n{}", self.log()?).into());
            }
            thread::sleep(Duration::from_millis(10));
        }
    }

    /// The URL of one of its databases.
    pub(crate) fn url(&self, database: &str) -> String {
        let socket = self.socket.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{socket}/{database}")
    }

    /// All that it has logged.
    pub(crate) fn log(&self) -> Outcome<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.log)?).into_owned())
    }

    /// The processor time that all its processes have used.
    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        Usage::of_family(self.server.as_ref().ok_or("PostgreSQL does not run")?.id())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.join(program));
        // Some folder that the other user may enter, too.
        command.current_dir("/").env_remove("PGDATA");
        if let Some(user) = self.user {
            command.uid(user.id).gid(user.group);
        }
        command
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Some(mut server) = self.server.take() {
            // It ends every session, writes down what it has in memory, and ends.
            send(&server, Signal::INT);
            server.wait().ok();
        }
    }
}

/// The folder of the server's programs: what `PG_BIN` says, or where they usually are.
fn binaries() -> Outcome<PathBuf> {
    if let Some(folder) = env::var_os("PG_BIN") {
        return Ok(folder.into());
    }
    let told = output(Command::new("pg_config").arg("--bindir")).unwrap_or_default();
    let newest = || {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
        let number = |path: &PathBuf| path.file_name()?.to_str()?.parse::<u32>().ok();
        let newest = versions.flatten().map(|entry| entry.path()).max_by_key(number)?;
        Some(newest.join("bin"))
    };
    Some(PathBuf::from(told.trim()))
        .into_iter()
        .chain(newest())
        .find(|folder| folder.join("initdb").is_file())
        .ok_or_else(|| "PostgreSQL's server is not installed, or PG_BIN must say where it is".into())
}

fn unprivileged_user() -> Outcome<Option<User>> {
    if !rustix::process::geteuid().is_root() {
        return Ok(None);
    }
    let id = |option| -> Outcome<u32> {
        Ok(output(Command::new("id").args([option, "postgres"]))?
            .trim()
            .parse()?)
    };
    Ok(Some(User {
        id: id("-u")?,
        group: id("-g")?,
    }))
}
