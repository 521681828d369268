//! Processes of servers that tests start.

use std::{
    env,
    os::unix::process::CommandExt as _,
    path::PathBuf,
    process::{Child, Command},
    sync::mpsc,
    thread,
};

/// Returns the path in a variable, or the first program of this name in `PATH` and in the folders of Debian and Homebrew.
pub(crate) fn find(variable: &str, name: &str) -> Option<PathBuf> {
    if let Some(named) = env::var_os(variable) {
        return Some(PathBuf::from(named));
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/bin"].map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

/// Returns whether a process with this id exists.
pub(crate) fn is_alive(pid: i32) -> bool {
    // SAFETY: signal 0 is never delivered; the call only checks.
    let found = unsafe { libc::kill(pid, 0) } == 0;
    // A process of another user exists as well.
    found || std::io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

/// Makes Linux stop the server if this process is killed.
#[cfg(target_os = "linux")]
pub(crate) fn end_with_this_process(command: &mut Command) {
    // SAFETY: between fork and exec, the closure only makes two system calls.
    unsafe {
        command.pre_exec(|| {
            // Shells turn this signal off for commands in the background.
            libc::signal(libc::SIGQUIT, libc::SIG_DFL);
            libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGQUIT);
            Ok(())
        });
    }
}

/// Other systems have no such signal: if the process is killed, its server keeps running.
#[cfg(not(target_os = "linux"))]
pub(crate) fn end_with_this_process(_command: &mut Command) {}

/// Starts the server and returns its process id. Linux stops it when the *thread* that started it ends, which the
/// threads of tests do. Therefore a thread that ends with the server starts it.
pub(crate) fn spawn(mut command: Command) -> Result<i32, String> {
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
        .map_err(|error| format!("the server does not start: {error}"))
}
