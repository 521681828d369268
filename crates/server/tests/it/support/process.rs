//! A run of the binary.

use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::{output::Output, wait_for};

/// A run of the binary, killed on drop.
pub(crate) struct Process {
    child: Child,
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
}

/// The result of a run.
#[derive(Debug)]
pub(crate) struct Finished {
    /// The exit code; `None` if a signal ended it.
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        Self::spawn_with(Stdio::null(), command)
    }

    /// Runs a command with this standard input.
    pub(crate) fn spawn_with(stdin: Stdio, command: &mut Command) -> Self {
        let mut child = command
            .stdin(stdin)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary can be run");
        Self {
            stdout: Output::of(child.stdout.take().expect("it is piped")),
            stderr: Output::of(child.stderr.take().expect("it is piped")),
            child,
        }
    }

    /// Returns the process id.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends SIGTERM, as service managers do.
    pub(crate) fn terminate(&self) {
        kill_process(Pid::from_child(&self.child), Signal::TERM).expect("it still runs");
    }

    /// Sends SIGHUP, after which the server reads its certificate again.
    pub(crate) fn hang_up(&self) {
        kill_process(Pid::from_child(&self.child), Signal::HUP).expect("it still runs");
    }

    /// Limits the size of the files of the process, in bytes. A write beyond that fails if the process ignores
    /// SIGXFSZ.
    #[cfg(target_os = "linux")]
    pub(crate) fn limit_file_size(&self, limit: Option<u64>) {
        use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

        let maximum = getrlimit(Resource::Fsize).maximum;
        let current = limit.or(maximum);
        let pid = Some(Pid::from_child(&self.child));
        prlimit(pid, Resource::Fsize, Rlimit { current, maximum }).expect("the limit can be set");
    }

    /// Kills the process, as a power cut does.
    pub(crate) fn kill(&mut self) {
        // It only fails if the process has ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }

    /// Waits until the process has ended.
    pub(crate) fn wait(mut self) -> Finished {
        let status = wait_for("the process to end", || self.child.try_wait().unwrap());
        Finished {
            code: status.code(),
            stdout: self.stdout.complete(),
            stderr: self.stderr.complete(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

impl Finished {
    /// Returns the standard output, if the command succeeded.
    #[track_caller]
    pub(crate) fn success(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.stdout
    }

    /// Returns the reason for a refusal: the only line on standard error.
    #[track_caller]
    pub(crate) fn refusal(self) -> String {
        assert!(self.code.is_some_and(|code| code != 0), "{self:?}");
        assert_eq!(self.stdout, "", "{self:?}");
        assert_eq!(self.stderr.lines().count(), 1, "{self:?}");
        self.stderr.trim_end().to_owned()
    }
}
