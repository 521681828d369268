//! The servers: started, watched and stopped as an operator would.

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{Outcome, database::Database};

/// Signs the tokens, for My Cars and for the reference.
const SECRET_KEY: &str = "a key for the benchmark, which protects nothing at all";

/// How long a server may take to start or to stop.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How long it may take until all work is finished that nobody waits for.
const LONG_PATIENCE: Duration = Duration::from_mins(3);

/// The kernel counts time in hundredths of a second for programs, whatever it does inside.
const TICKS_PER_SECOND: f64 = 100.0;

/// A server that runs, until it is dropped.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    address: SocketAddr,
    log: PathBuf,
    /// How long it took from its start to its first good answer.
    pub(crate) ready_after: Duration,
}

/// The programs that are measured.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    pub(crate) mycars: PathBuf,
    pub(crate) reference: PathBuf,
    pub(crate) log_level: String,
}

impl Programs {
    /// A command of My Cars with the settings of a server in production, without the throttles: all requests come
    /// from here, and are to be answered. Tokens live as long as the benchmark may take.
    pub(crate) fn mycars(&self, database: &Database) -> Command {
        let mut command = Command::new(&self.mycars);
        command
            .current_dir(&database.folder)
            .env_clear()
            .env("MYCARS_ENVIRONMENT", "production")
            .env("SECRET_KEY", SECRET_KEY)
            .env("ALLOWED_HOSTS", "127.0.0.1")
            .env("DATABASE_URL", &database.url)
            .env("MYCARS__DATA_DIR", database.folder.join("data"))
            .env("MYCARS__LOG__LEVEL", &self.log_level)
            .env("MYCARS__THROTTLE__ENABLED", "false")
            .env("MYCARS__TOKENS__ACCESS_MINUTES", "1440");
        command
    }

    /// My Cars, serving.
    pub(crate) fn serve(&self, database: &Database) -> Outcome<Server> {
        let mut command = self.mycars(database);
        let address = free_address()?;
        command.env("MYCARS__SERVER__BIND", address.to_string());
        Server::start(
            &mut command,
            address,
            "/health/ready",
            &database.folder.join("mycars.log"),
        )
    }

    /// The reference, serving. It has no path that answers without a token.
    pub(crate) fn serve_reference(&self, database: &Database) -> Outcome<Server> {
        let mut command = Command::new(&self.reference);
        let address = free_address()?;
        command
            .current_dir(&database.folder)
            .env_clear()
            .env("SECRET_KEY", SECRET_KEY)
            .env("DATABASE_URL", &database.url)
            .env("BIND", address.to_string());
        Server::start(
            &mut command,
            address,
            "/cars/",
            &database.folder.join("reference.log"),
        )
    }
}

fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?)
}

impl Server {
    fn start(command: &mut Command, address: SocketAddr, path: &str, log: &Path) -> Outcome<Self> {
        // Appended to, so that it can be emptied meanwhile.
        let log_file = File::options().create(true).append(true).open(log)?;
        log_file.set_len(0)?;
        let started = Instant::now();
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log_file)
            .spawn()
            .map_err(|error| format!("{}: {error}", command.get_program().display()))?;
        let mut server = Self {
            child,
            url: format!("http://{address}"),
            address,
            log: log.to_owned(),
            ready_after: Duration::ZERO,
        };
        while !server.answers(path) {
            if server.child.try_wait()?.is_some() || started.elapsed() > PATIENCE {
                let log = fs::read_to_string(log).unwrap_or_default();
                return Err(format!("{} does not start:\n{log}", command.get_program().display()).into());
            }
            thread::sleep(Duration::from_micros(500));
        }
        server.ready_after = started.elapsed();
        Ok(server)
    }

    /// Whether it answers, and not with a failure of its own.
    fn answers(&self, path: &str) -> bool {
        let ask = || -> Outcome<bool> {
            let mut stream = TcpStream::connect(self.address)?;
            write!(stream, "GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer)?;
            Ok(answer.starts_with(b"HTTP/1.0 200") || answer.starts_with(b"HTTP/1.0 401"))
        };
        ask().unwrap_or(false)
    }

    /// The processor time that all its threads have used.
    pub(crate) fn cpu(&self) -> Outcome<Duration> {
        Ok(Usage::of(self.child.id())?.own)
    }

    /// The memory that it has now, in bytes.
    pub(crate) fn rss(&self) -> Outcome<u64> {
        self.memory("VmRSS:")
    }

    /// The most memory that it had since [`Self::forget_peak`], in bytes.
    pub(crate) fn peak(&self) -> Outcome<u64> {
        self.memory("VmHWM:")
    }

    pub(crate) fn forget_peak(&self) -> Outcome<()> {
        Ok(fs::write(format!("/proc/{}/clear_refs", self.child.id()), "5")?)
    }

    fn memory(&self, name: &str) -> Outcome<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kibibytes: u64 = line
            .and_then(|line| line.split_whitespace().next())
            .ok_or("the kernel does not say how much memory a process has")?
            .parse()?;
        Ok(kibibytes * 1024)
    }

    /// Empties its log, which would fill the disk.
    pub(crate) fn empty_log(&self) -> Outcome<()> {
        Ok(File::options().write(true).open(&self.log)?.set_len(0)?)
    }

    /// Stops it as an operator does, and waits until it has ended.
    pub(crate) fn stop(mut self) -> Outcome<()> {
        send(&self.child, Signal::TERM);
        let since = Instant::now();
        while self.child.try_wait()?.is_none() {
            if since.elapsed() > PATIENCE {
                return Err("a server does not stop".into());
            }
            thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Waits until no more processor time is used than what runs in the background takes: queries and hashes that nobody
/// waits for any more are finished all the same. After some minutes it waits no longer.
pub(crate) fn wait_until_idle(cpu: impl Fn() -> Outcome<Duration>) -> Outcome<()> {
    let since = Instant::now();
    let mut before = cpu()?;
    while since.elapsed() < LONG_PATIENCE {
        thread::sleep(Duration::from_millis(200));
        let now = cpu()?;
        if now.saturating_sub(before) <= Duration::from_millis(10) {
            return Ok(());
        }
        before = now;
    }
    println!("  it does not come to rest, and goes on");
    Ok(())
}

/// Sends a signal to a child.
pub(crate) fn send(child: &Child, signal: Signal) {
    let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // It fails only where there is nobody left.
    pid.and_then(|pid| kill_process(pid, signal).ok());
}

/// The processor time that a process has used.
pub(crate) struct Usage {
    parent: u32,
    pub(crate) own: Duration,
    /// Of its children that have ended.
    pub(crate) of_the_gone: Duration,
}

impl Usage {
    pub(crate) fn of(pid: u32) -> Outcome<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        Self::parse(&stat).ok_or_else(|| format!("/proc/{pid}/stat can't be read: {stat}").into())
    }

    /// That of a process, its children, and those of its children that have ended.
    pub(crate) fn of_family(pid: u32) -> Outcome<Duration> {
        let parent = Self::of(pid)?;
        let mut sum = parent.own + parent.of_the_gone;
        for entry in fs::read_dir("/proc")? {
            let Ok(other) = entry?.file_name().to_string_lossy().parse() else {
                continue;
            };
            // Processes may end while they are counted.
            sum += Self::of(other)
                .ok()
                .filter(|usage| usage.parent == pid)
                .map_or(Duration::ZERO, |usage| usage.own);
        }
        Ok(sum)
    }

    fn parse(stat: &str) -> Option<Self> {
        // The name of the program comes before, in parentheses, and may hold anything.
        let (_, rest) = stat.rsplit_once(") ")?;
        let fields: Vec<&str> = rest.split(' ').collect();
        let ticks = |user: usize, system: usize| -> Option<Duration> {
            let ticks = fields.get(user)?.parse::<u32>().ok()? + fields.get(system)?.parse::<u32>().ok()?;
            Some(Duration::from_secs_f64(f64::from(ticks) / TICKS_PER_SECOND))
        };
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            own: ticks(11, 12)?,
            of_the_gone: ticks(13, 14)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_times_of_a_process_are_found_whatever_its_name() {
        let stat = "42 (a (b) c) S 7 42 42 0 -1 4194304 100 0 0 0 250 50 30 20 20 0 9 0 1 2 3";
        let usage = Usage::parse(stat).unwrap();
        assert_eq!(usage.parent, 7);
        assert_eq!(usage.own, Duration::from_secs(3));
        assert_eq!(usage.of_the_gone, Duration::from_millis(500));
        assert!(Usage::of(std::process::id()).is_ok());
    }
}
