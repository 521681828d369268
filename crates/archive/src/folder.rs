//! The folder of scheduled backups.

use std::{
    fs::{self, DirBuilder},
    io,
    os::unix::fs::DirBuilderExt as _,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, NaiveDateTime, SubsecRound as _, Utc};
use mycars_application::ports::{ArchiveWriter, BackupStore, BoxError, StoredBackup};

use crate::{NewFile, Origin, Writer, output::TEMPORARY};

/// The form of the names of scheduled backups. Files with other names are neither listed nor deleted.
const NAME: &str = "mycars-auto-%Y%m%dT%H%M%SZ.zip";

/// Age of a temporary file after which its backup was interrupted.
const ABANDONED: Duration = Duration::from_hours(24);

/// The folder of scheduled backups. It is created with the first backup, for its owner only.
#[derive(Debug, Clone)]
pub struct Folder {
    path: PathBuf,
    origin: Origin,
}

impl Folder {
    /// Returns the store of backups in a folder.
    #[must_use]
    pub fn new(path: PathBuf, origin: Origin) -> Self {
        Self { path, origin }
    }

    /// Deletes the temporary files of interrupted backups.
    fn delete_abandoned(&self, at: DateTime<Utc>) -> io::Result<()> {
        for entry in fs::read_dir(&self.path)? {
            let entry = entry?;
            let is_temporary = entry.file_name().to_string_lossy().starts_with(TEMPORARY);
            let age = SystemTime::from(at).duration_since(entry.metadata()?.modified()?);
            if is_temporary && age.is_ok_and(|age| age > ABANDONED) {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    fn at(&self, error: &io::Error) -> BoxError {
        format!("`{}`: {error}", self.path.display()).into()
    }

    fn try_list(&self) -> io::Result<Vec<StoredBackup>> {
        let entries = match fs::read_dir(&self.path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let mut backups = Vec::new();
        for entry in entries {
            let entry = entry?;
            let Ok(name) = entry.file_name().into_string() else {
                continue;
            };
            let metadata = entry.metadata()?;
            if let (Some(created_at), true) = (time_of(&name), metadata.is_file()) {
                backups.push(StoredBackup {
                    name,
                    created_at,
                    bytes: metadata.len(),
                });
            }
        }
        backups.sort_by_key(|backup| backup.created_at);
        Ok(backups)
    }
}

/// Returns the time in the name of a scheduled backup.
fn time_of(name: &str) -> Option<DateTime<Utc>> {
    let at = NaiveDateTime::parse_from_str(name, NAME).ok()?.and_utc();
    (name == name_at(at)).then_some(at)
}

fn name_at(at: DateTime<Utc>) -> String {
    at.format(NAME).to_string()
}

impl BackupStore for Folder {
    fn create(&self, at: DateTime<Utc>) -> Result<Box<dyn ArchiveWriter>, BoxError> {
        let mut folder = DirBuilder::new();
        let file = folder
            .recursive(true)
            .mode(0o700)
            .create(&self.path)
            .and_then(|()| self.delete_abandoned(at))
            .and_then(|()| NewFile::create(&self.path.join(name_at(at))))
            .map_err(|error| self.at(&error))?;
        Ok(Box::new(Writer::new(
            file,
            &self.origin,
            None,
            at.trunc_subsecs(6),
        )?))
    }

    fn list(&self) -> Result<Vec<StoredBackup>, BoxError> {
        self.try_list().map_err(|error| self.at(&error))
    }

    fn delete(&self, backup: &StoredBackup) -> Result<(), BoxError> {
        match fs::remove_file(self.path.join(&backup.name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(self.at(&error)),
            _ => Ok(()),
        }
    }
}
