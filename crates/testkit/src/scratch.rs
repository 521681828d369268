//! Folders that tests leave behind for nobody: in memory where there is room, removed when they are no longer
//! needed, and swept by a later process where an earlier one was killed.

use std::{env, fs, path::PathBuf, sync::Once};

use tempfile::TempDir;

/// How the name of each folder begins; the id of the process that made it follows.
const PREFIX: &str = "mycars-test-";

/// How much room there must be in memory: for a database server and what a few tests add to it.
#[cfg(target_os = "linux")]
const ROOM: u64 = 512 << 20;

/// A new folder, removed when it is dropped.
pub(crate) fn folder() -> TempDir {
    static SWEPT: Once = Once::new();
    SWEPT.call_once(sweep);
    tempfile::Builder::new()
        .prefix(&format!("{PREFIX}{}-", std::process::id()))
        .tempdir_in(root())
        .expect("a folder for tests can be made")
}

/// Where the folders are: in memory, because tests write much and keep nothing.
fn root() -> PathBuf {
    memory_with_room().unwrap_or_else(env::temp_dir)
}

/// Removes the folders of processes that are gone.
fn sweep() {
    let Ok(entries) = fs::read_dir(root()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok());
        if pid.is_some_and(|pid| !is_alive(pid)) {
            // Another user's folder can't be removed, and two processes may sweep at once.
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

/// Whether there is a process with this id.
pub(crate) fn is_alive(pid: i32) -> bool {
    // SAFETY: signal 0 is never delivered; the call only checks.
    let found = unsafe { libc::kill(pid, 0) } == 0;
    // A process of another user is there, too.
    found || std::io::Error::last_os_error().raw_os_error() == Some(libc::EPERM)
}

/// The folder that Linux keeps in memory. A container's may be too small.
#[cfg(target_os = "linux")]
fn memory_with_room() -> Option<PathBuf> {
    // SAFETY: the struct is plain numbers, for which all zeros is a value.
    let mut stats: libc::statvfs = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid for the duration of the call.
    let known = unsafe { libc::statvfs(c"/dev/shm".as_ptr(), &raw mut stats) } == 0;
    let has_room = known && stats.f_bavail.saturating_mul(stats.f_frsize) >= ROOM;
    has_room.then(|| PathBuf::from("/dev/shm"))
}

/// Other systems have no such folder.
#[cfg(not(target_os = "linux"))]
fn memory_with_room() -> Option<PathBuf> {
    None
}
