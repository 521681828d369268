//! Restore an archive into an empty database.

use std::io::{Read as _, Seek as _};

use mycars_domain::{Action, Target, policy, values::ImagePath};

use super::{Error, OnProgress, Progress, complete, require_empty};
use crate::{
    App, Caller,
    ports::{ArchiveReader, ImageStoreError, Row, Table},
};

/// Whether a restore keeps its changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restore {
    /// Keep them.
    Real,
    /// Write the rows and roll them back, and only compare the pictures.
    DryRun,
}

/// Checks that a database is empty, as [`restore`] does, so that nothing else is prepared for a restore that is refused.
///
/// # Errors
/// [`Error::Denied`] for all callers but the program itself; [`Error::NotEmpty`]; [`Error::Store`].
pub fn require_empty_database(app: &App, caller: &Caller) -> Result<(), Error> {
    policy::check(&caller.actor, Action::BackUp, Target::NOTHING)?;
    app.store.read(require_empty)
}

/// Restores an archive into an empty database: first the pictures, then all rows in one transaction. Pictures that exist
/// already are not written again, so that an interrupted restore can be repeated.
///
/// # Errors
/// [`Error::Denied`] for all callers but the program itself; [`Error::NotEmpty`]; [`Error::OtherImages`];
/// [`Error::ImageDiffers`]; [`Error::Store`]; [`Error::Images`]; [`Error::Archive`]; [`Error::Incomplete`]. Then the
/// database is unchanged.
pub fn restore(
    app: &App,
    caller: &Caller,
    archive: &mut dyn ArchiveReader,
    how: Restore,
    on_progress: &mut OnProgress<'_>,
) -> Result<(), Error> {
    require_empty_database(app, caller)?;
    let identity = identity(archive)?;
    require_own_images(app, identity.as_deref())?;

    on_progress(Progress::Images(archive.contents().images));
    let mut keep = |path: &ImagePath, content: &[u8]| {
        keep_image(app, path, content, how)?;
        on_progress(Progress::Done(1));
        Ok(())
    };
    archive.read_images(&mut keep).map_err(Error::of_archive)?;

    let done = write_rows(app, archive, how, on_progress);
    match (done, identity) {
        (Err(Stop::DryRun), _) | (Ok(()), None) => Ok(()),
        (Err(Stop::Failed(error)), _) => Err(error),
        // Not needed by the rows: after a kill before it, the next start of the server warns about the folder.
        (Ok(()), Some(id)) => Ok(app.images.set_owner(&id, true)?),
    }
}

/// The reason for rolling back.
enum Stop {
    DryRun,
    Failed(Error),
}

impl<E: Into<Error>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Failed(error.into())
    }
}

fn write_rows(
    app: &App,
    archive: &mut dyn ArchiveReader,
    how: Restore,
    on_progress: &mut OnProgress<'_>,
) -> Result<(), Stop> {
    let contents = archive.contents().clone();
    on_progress(Progress::Rows(contents.all_rows()));
    app.store.write(|unit| {
        require_empty(unit)?;
        for table in Table::ALL {
            let mut insert = |rows: &[Row]| {
                unit.rows().insert(rows).map_err(Error::Store)?;
                on_progress(Progress::Done(rows.len() as u64));
                Ok(())
            };
            archive.read_rows(table, &mut insert).map_err(Error::of_archive)?;
        }
        match how {
            Restore::Real => Ok(complete(unit, &contents.tables)?),
            Restore::DryRun => Err(Stop::DryRun),
        }
    })
}

/// Returns the id of the database that was backed up, if it had one.
fn identity(archive: &mut dyn ArchiveReader) -> Result<Option<String>, Error> {
    let mut id = None;
    let mut keep = |rows: &[Row]| {
        if let [Row::Installation(installation), ..] = rows {
            id = Some(installation.id.clone());
        }
        Ok(())
    };
    archive
        .read_rows(Table::Installation, &mut keep)
        .map_err(Error::of_archive)?;
    Ok(id)
}

/// Refuses an image store that belongs neither to the empty database nor to the one that was backed up.
fn require_own_images(app: &App, archived: Option<&str>) -> Result<(), Error> {
    let Some(owner) = app.images.owner()? else {
        return Ok(());
    };
    let own = app
        .store
        .read(|unit| unit.rows().list(Table::Installation, i64::MIN, 1))?;
    let is_own = matches!(&own[..], [Row::Installation(own)] if own.id == owner);
    if is_own || archived == Some(&owner) {
        Ok(())
    } else {
        Err(Error::OtherImages)
    }
}

/// Stores a picture, unless it exists with the same content.
fn keep_image(app: &App, path: &ImagePath, content: &[u8], how: Restore) -> Result<(), Error> {
    let Some(mut file) = app.images.open(path)? else {
        return match how {
            Restore::Real => Ok(app.images.put(path, content)?),
            Restore::DryRun => Ok(()),
        };
    };
    let mut existing = Vec::new();
    file.rewind()
        .and_then(|()| file.take(content.len() as u64 + 1).read_to_end(&mut existing))
        .map_err(ImageStoreError::from)?;
    if existing == content {
        Ok(())
    } else {
        Err(Error::ImageDiffers(path.clone()))
    }
}
