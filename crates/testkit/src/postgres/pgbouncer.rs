//! PgBouncer in front of a PostgreSQL server, for tests of connection poolers.

use std::{fs, os::unix::fs::chown, process::Stdio, thread, time::Duration};

use diesel::{Connection as _, PgConnection};
use tempfile::TempDir;

use super::{
    PostgresServer,
    cluster::{command, unprivileged_user},
};
use crate::{
    process::{self, end_with_this_process, spawn},
    scratch,
};

/// Error message if PgBouncer is missing.
const MISSING: &str = "this test needs PgBouncer: run ./scripts/test, which installs it, install it \
    (`apt-get install pgbouncer`), or say in PGBOUNCER where its binary is";

/// The port in the name of the socket.
const PORT: u16 = 6432;

/// Maximum time for the start of PgBouncer, in steps of [`STEP`].
const STEPS: u32 = 1000;
const STEP: Duration = Duration::from_millis(10);

/// PgBouncer's `pool_mode`: the event after which a server connection returns to the pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PoolMode {
    /// The client disconnects.
    Session,
    /// The transaction ends.
    Transaction,
    /// The statement ends.
    Statement,
}

impl PoolMode {
    fn name(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Transaction => "transaction",
            Self::Statement => "statement",
        }
    }
}

/// A PgBouncer in front of a server; ends on drop.
pub struct PgBouncer {
    folder: TempDir,
    pid: i32,
}

impl PgBouncer {
    /// Starts PgBouncer in front of the server. `settings` are further lines of the section `pgbouncer`.
    #[must_use]
    pub fn start(server: &PostgresServer, mode: PoolMode, settings: &str) -> Self {
        Self::at(&server.url(), mode, settings)
    }

    /// Starts PgBouncer in front of the server with this URL.
    pub(super) fn at(url: &str, mode: PoolMode, settings: &str) -> Self {
        let folder = scratch::folder();
        let path = folder.path().display();
        let ini = format!(
            "[databases]\n* = {server}\n[pgbouncer]\nlisten_addr =\nlisten_port = {PORT}\n\
             unix_socket_dir = {path}\nauth_type = any\nlogfile = {path}/log\npool_mode = {mode}\n{settings}\n\
             [users]\n",
            server = connection_of(url),
            mode = mode.name(),
        );
        let file = folder.path().join("pgbouncer.ini");
        fs::write(&file, ini).expect("the settings can be written");
        let user = unprivileged_user();
        if let Some(user) = user {
            chown(folder.path(), Some(user.id), Some(user.group)).expect("the folder can be given away");
        }
        let mut pgbouncer = command(&process::find("PGBOUNCER", "pgbouncer").expect(MISSING), user);
        pgbouncer
            .arg(&file)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        end_with_this_process(&mut pgbouncer);
        let pid = spawn(pgbouncer).expect("PgBouncer can be run");
        let bouncer = Self { folder, pid };
        bouncer.wait_until_ready();
        bouncer
    }

    /// Returns the URL of the server's default database, through PgBouncer.
    #[must_use]
    pub fn url(&self) -> String {
        let socket = self.folder.path().display().to_string().replace('/', "%2F");
        format!("postgres://postgres@{socket}:{PORT}/postgres")
    }

    fn wait_until_ready(&self) {
        let mut last_error = String::new();
        for _ in 0..STEPS {
            match PgConnection::establish(&self.url()) {
                Ok(_) => return,
                Err(error) => last_error = error.to_string(),
            }
            thread::sleep(STEP);
        }
        let log = fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        panic!("PgBouncer does not start: {last_error}\n{log}");
    }

    /// Ends the process and removes its folder. Must not panic, because it may be called as the tests end.
    pub(super) fn remove(&self) {
        // SAFETY: a signal to a child process of ours.
        unsafe { libc::kill(self.pid, libc::SIGKILL) };
        fs::remove_dir_all(self.folder.path()).ok();
    }
}

impl Drop for PgBouncer {
    fn drop(&mut self) {
        self.remove();
    }
}

/// Returns PgBouncer's parameters of the connections to the server with this URL. With `auth_type = any`, they all have
/// the user of the URL.
fn connection_of(url: &str) -> String {
    let (_, rest) = url.split_once("://").expect("the URL has a scheme");
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let (login, address) = authority.rsplit_once('@').unwrap_or(("postgres", authority));
    let (user, password) = match login.split_once(':') {
        Some((user, password)) => (user, format!(" password={password}")),
        None => (login, String::new()),
    };
    let (host, port) = address.rsplit_once(':').unwrap_or((address, "5432"));
    let host = host.replace("%2F", "/");
    format!("host={host} port={port} user={user}{password}")
}
