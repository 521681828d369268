//! Watches the free space of disks.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use mycars_application::ports::{DiskSpace, StoreError};

/// Maximum age at which a result is returned again.
const HOLDS: Duration = Duration::from_secs(1);

/// Requires free space on the disks of some folders, and logs when there is less and when there is enough again.
#[derive(Debug)]
pub struct FreeSpace {
    folders: Vec<PathBuf>,
    min_bytes: u64,
    /// The time of the last check, and the problem that it found.
    last: Mutex<Option<(Instant, Option<String>)>>,
}

impl FreeSpace {
    /// Requires `min_bytes` on the disk of each folder. The folders need not exist yet. With 0, nothing is checked.
    #[must_use]
    pub fn new(folders: Vec<PathBuf>, min_bytes: u64) -> Self {
        Self {
            folders,
            min_bytes,
            last: Mutex::new(None),
        }
    }

    /// Returns the problem of the first folder that has one. Unknown space is no problem.
    fn problem(&self) -> Option<String> {
        self.folders.iter().find_map(|folder| {
            let free = free_bytes(folder).filter(|free| *free < self.min_bytes)?;
            let (path, min) = (folder.display(), self.min_bytes);
            Some(format!(
                "the disk of `{path}` has {free} bytes free, less than {min} (storage.min_free_bytes)"
            ))
        })
    }
}

impl DiskSpace for FreeSpace {
    fn check(&self) -> Result<(), StoreError> {
        if self.min_bytes == 0 {
            return Ok(());
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let problem = match last.take() {
            Some((at, problem)) if at.elapsed() < HOLDS => {
                last.replace((at, problem.clone()));
                problem
            }
            before => {
                let problem = self.problem();
                log_change(before.and_then(|(_, problem)| problem).as_ref(), problem.as_ref());
                last.replace((Instant::now(), problem.clone()));
                problem
            }
        };
        match problem {
            Some(problem) => Err(StoreError::NotWritable(problem.into())),
            None => Ok(()),
        }
    }
}

fn log_change(before: Option<&String>, now: Option<&String>) {
    match (before, now) {
        (None, Some(problem)) => {
            tracing::error!("{problem}: requests that add data get status 503 until space is freed");
        }
        (Some(_), None) => tracing::info!("the disks have enough free space again"),
        _ => {}
    }
}

/// Returns the number of free bytes at a folder that exists or will exist; `None` if it is unknown.
pub(crate) fn free_bytes(folder: &Path) -> Option<u64> {
    // The parents of a relative path end in the empty path, which is the current folder.
    let here = Some(Path::new("."));
    let present = folder.ancestors().find(|folder| folder.is_dir()).or(here)?;
    let disk = rustix::fs::statvfs(present).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn space(folder: &str, min_bytes: u64) -> Result<(), StoreError> {
        FreeSpace::new(vec![std::env::temp_dir(), folder.into()], min_bytes).check()
    }

    #[test]
    fn too_little_space_is_not_writable_and_named() {
        for folder in ["/", "/not/there/yet", "not/there/yet"] {
            assert!(matches!(space(folder, 1), Ok(())), "{folder}");
            let Err(StoreError::NotWritable(cause)) = space(folder, u64::MAX) else {
                panic!("no disk is so large")
            };
            assert!(cause.to_string().contains("storage.min_free_bytes"), "{cause}");
        }
    }

    #[test]
    fn zero_checks_nothing() {
        assert!(space("/", 0).is_ok());
    }

    #[test]
    fn result_is_returned_again_for_a_while() {
        let space = FreeSpace::new(vec!["/".into()], u64::MAX);
        let later = Instant::now() + Duration::from_hours(1);
        *space.last.lock().unwrap() = Some((later, None));
        assert!(space.check().is_ok());
        assert!(space.check().is_ok());
    }
}
