//! Starts, watches and stops the servers that are measured.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Outcome, client::Client, request::Request};

/// Maximum time for the start of a program.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Maximum time that a measurement waits for the work of the one before.
const IDLE_TIMEOUT: Duration = Duration::from_mins(3);

/// Unit of processor time in `/proc`, in seconds.
const TICK: f64 = 0.01;

/// A running server, which is stopped when it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) client: Client,
    log: PathBuf,
    /// Time from the start of the program to the first successful response, in milliseconds.
    pub(crate) ready_ms: f64,
}

impl Server {
    /// Starts My Cars or the reference server, and waits until it is ready.
    pub(crate) fn start(mut command: Command, log: PathBuf) -> Outcome<Self> {
        let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        command.env("MYCARS__SERVER__BIND", address.to_string());
        let started = Instant::now();
        let mut server = Self {
            child: spawn(command, &log)?,
            client: Client::new(format!("http://{address}")),
            log,
            ready_ms: f64::NAN,
        };
        let request = Request::get("/health/ready");
        let is_ready = || server.client.json(&request, 0).is_ok();
        wait_until_ready(&mut server.child, &server.log, is_ready)?;
        server.ready_ms = started.elapsed().as_secs_f64() * 1000.0;
        Ok(server)
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the processor time of all threads, in seconds.
    pub(crate) fn cpu(&self) -> Outcome<f64> {
        cpu(self.child.id())
    }

    /// Returns the resident memory and its peak, in MB.
    pub(crate) fn memory(&self) -> Outcome<[f64; 2]> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let megabytes = |name| -> Option<f64> {
            let value = status.lines().find_map(|line| line.strip_prefix(name))?;
            Some(value.trim().strip_suffix(" kB")?.parse::<f64>().ok()? * 1024.0 / 1e6)
        };
        let memory = Option::zip(megabytes("VmRSS:"), megabytes("VmHWM:"));
        Ok(memory.ok_or("/proc has no memory statistics")?.into())
    }

    /// Truncates the log, which would fill the disk.
    pub(crate) fn truncate_log(&self) -> Outcome<()> {
        Ok(File::options().write(true).open(&self.log)?.set_len(0)?)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        stop(&mut self.child, Signal::TERM);
    }
}

/// Starts a program whose standard error is a log. The program appends to it, so that it can be truncated meanwhile.
pub(crate) fn spawn(mut command: Command, log: &Path) -> Outcome<Child> {
    let file = File::options().create(true).append(true).open(log)?;
    file.set_len(0)?;
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(file);
    Ok(command.spawn().map_err(|error| format!("{command:?}: {error}"))?)
}

/// Waits until a program is ready. Fails with the log if the program exits or exceeds [`START_TIMEOUT`].
pub(crate) fn wait_until_ready(child: &mut Child, log: &Path, is_ready: impl Fn() -> bool) -> Outcome<()> {
    let started = Instant::now();
    while !is_ready() {
        let status = child.try_wait()?;
        if status.is_some() || started.elapsed() > START_TIMEOUT {
            let (log, text) = (log.display(), fs::read_to_string(log)?);
            return Err(format!("a program did not start (exit status: {status:?}); {log}:\n{text}").into());
        }
        thread::sleep(Duration::from_micros(500));
    }
    Ok(())
}

/// Sends a signal to a program and waits until it has ended.
pub(crate) fn stop(child: &mut Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).ok();
    child.wait().ok();
}

/// Waits until processes use at most 5 % of a core: queries and hashes go on after their clients have disconnected.
/// Returns after [`IDLE_TIMEOUT`] in any case.
pub(crate) fn wait_until_idle(cpu: impl Fn() -> Outcome<f64>) -> Outcome<()> {
    let started = Instant::now();
    let mut before = f64::NEG_INFINITY;
    while started.elapsed() < IDLE_TIMEOUT {
        let now = cpu()?;
        if now - before < 1.5 * TICK {
            break;
        }
        before = now;
        thread::sleep(Duration::from_millis(200));
    }
    Ok(())
}

/// Returns the processor time of a process and of its children that have ended, in seconds.
fn cpu(pid: u32) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program is in parentheses and may contain spaces. Four times follow.
    let fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
    let ticks = fields.skip(11).take(4).map(str::parse::<f64>);
    Ok(ticks.sum::<Result<f64, _>>()? * TICK)
}

/// Returns the processor time of a process and of all its children, in seconds.
pub(crate) fn cpu_of_family(child: &Child) -> Outcome<f64> {
    let pid = child.id();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    // A child may end before it is counted.
    let children = children.split(' ').filter_map(|pid| cpu(pid.parse().ok()?).ok());
    Ok(children.sum::<f64>() + cpu(pid)?)
}
