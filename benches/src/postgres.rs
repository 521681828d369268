//! A PostgreSQL server for the benchmark with its default settings, so with `fsync` and `synchronous_commit`. The data
//! are on a real disk, and the server listens on a socket only. The programs of PostgreSQL must be in the PATH.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Child, Command},
};

use diesel::{Connection as _, PgConnection};
use rustix::process::{Signal, geteuid};
use tempfile::TempDir;

use crate::{
    Outcome,
    load::output,
    server::{cpu_of_family, spawn, stop, wait_until_ready},
};

/// A running server, which is stopped when it is dropped.
pub(crate) struct Cluster {
    server: Child,
    log: PathBuf,
    /// Not in the folder of the data, because the path of a socket is limited to about 100 bytes.
    socket: TempDir,
}

impl Cluster {
    /// Starts a server on the data in a folder, or on new data.
    pub(crate) fn start(folder: &Path, keeps_data: bool) -> Outcome<Self> {
        let (data, log) = (folder.join("data"), folder.join("log"));
        let socket = tempfile::Builder::new().prefix("mycars-bench-").tempdir()?;
        if folder.exists() && !keeps_data {
            fs::remove_dir_all(folder)?;
        }
        fs::create_dir_all(folder)?;
        if geteuid().is_root() {
            output(
                Command::new("chown")
                    .arg("postgres")
                    .args([folder, socket.path()]),
            )?;
        }
        if !data.exists() {
            let mut initdb = command("initdb");
            initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "-D"]);
            output(initdb.arg(&data)).map_err(|error| {
                format!(
                    "{error}\nThe user `postgres` must be able to enter the folder; --folder names another."
                )
            })?;
        }
        let mut postgres = command("postgres");
        postgres
            .args(["-c", "listen_addresses=", "-k"])
            .arg(socket.path());
        postgres.arg("-D").arg(data);
        let server = spawn(postgres, &log)?;
        let mut cluster = Self { server, log, socket };
        let url = cluster.url("postgres");
        let is_ready = || PgConnection::establish(&url).is_ok();
        wait_until_ready(&mut cluster.server, &cluster.log, is_ready)?;
        Ok(cluster)
    }

    /// Returns the URL of one of the databases.
    pub(crate) fn url(&self, database: &str) -> String {
        let socket = self.socket.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{socket}/{database}")
    }

    /// Returns the log of the server.
    pub(crate) fn log(&self) -> Outcome<String> {
        Ok(String::from_utf8_lossy(&fs::read(&self.log)?).into_owned())
    }

    /// Returns the processor time of all processes of the server, in seconds.
    pub(crate) fn cpu(&self) -> Outcome<f64> {
        cpu_of_family(&self.server)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // A fast shutdown: PostgreSQL ends all sessions and writes a checkpoint.
        stop(&mut self.server, Signal::INT);
    }
}

/// Returns a command of PostgreSQL, which refuses to run as root.
fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    if geteuid().is_root() {
        command = Command::new("setpriv");
        command.args(["--reuid=postgres", "--regid=postgres", "--clear-groups", program]);
    }
    command.current_dir("/").env_remove("PGDATA");
    command
}
