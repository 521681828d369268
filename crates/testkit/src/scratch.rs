//! Temporary folders: in memory if there is room, and removed on drop. If a process was killed, a later one removes
//! its folders.

use std::{env, fs, path::PathBuf, sync::Once};

use tempfile::TempDir;

use crate::process::is_alive;

/// Prefix of the folders' names; the id of the process follows.
const PREFIX: &str = "mycars-test-";

/// Minimum free memory, in bytes, for a folder in memory: enough for a database server and the data of a few tests.
#[cfg(target_os = "linux")]
const ROOM: u64 = 512 << 20;

/// Creates a folder that is removed on drop.
pub(crate) fn folder() -> TempDir {
    static SWEPT: Once = Once::new();
    SWEPT.call_once(sweep);
    tempfile::Builder::new()
        .prefix(&format!("{PREFIX}{}-", std::process::id()))
        .tempdir_in(root())
        .expect("a folder for tests can be made")
}

/// Returns the parent folder: in memory if possible, because tests write a lot and keep no data.
fn root() -> PathBuf {
    memory_with_room().unwrap_or_else(env::temp_dir)
}

/// Removes the folders of processes that have ended.
fn sweep() {
    let Ok(entries) = fs::read_dir(root()) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let pid = name
            .to_str()
            .and_then(|name| name.strip_prefix(PREFIX)?.split('-').next()?.parse().ok());
        if pid.is_some_and(|pid| !is_alive(pid)) {
            // Folders of other users can't be removed, and two processes may remove the same one.
            fs::remove_dir_all(entry.path()).ok();
        }
    }
}

/// Linux's folder in memory, if it is large enough. That of a container may be too small.
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
