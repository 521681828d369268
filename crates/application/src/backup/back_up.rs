//! Write all pictures and rows into an archive.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    thread,
    time::{Duration, Instant},
};

use mycars_domain::{Action, Target, policy, values::ImagePath};

use super::{Error, OnProgress, Progress, count_rows, read_table};
use crate::{
    App, Caller,
    ports::{ArchiveContents, ArchiveWriter, Row, Table, TableContents, UnitOfWork},
};

/// A finished backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The contents of the archive.
    pub contents: ArchiveContents,
    /// The pictures that a car names and that the image store does not have.
    pub missing: Vec<ImagePath>,
}

/// Writes all pictures and rows into an archive. The rows are those of one moment, after the start; writers do not wait.
///
/// # Errors
/// [`Error::Denied`] for all callers but the program itself; [`Error::Store`]; [`Error::Images`]; [`Error::Archive`].
pub fn back_up(
    app: &App,
    caller: &Caller,
    archive: &mut dyn ArchiveWriter,
    on_progress: &mut OnProgress<'_>,
) -> Result<Backup, Error> {
    policy::check(&caller.actor, Action::BackUp, Target::NOTHING)?;
    let created_at = app.now();
    let mut images = Images {
        app,
        archive,
        added: HashSet::new(),
        bytes: 0,
        pace: Pace(Instant::now()),
    };
    let stored = app.images.list()?;
    on_progress(Progress::Images(stored.len() as u64));
    for image in stored {
        images.add(&image.path)?;
        on_progress(Progress::Done(1));
    }

    let mut missing = BTreeSet::new();
    let tables = loop {
        let attempt = app.store.snapshot(|unit| {
            let missing_before = std::mem::replace(&mut missing, images.add_named(unit)?);
            // A picture that was replaced since the last attempt is no longer named by this snapshot.
            if !missing.is_subset(&missing_before) {
                return Ok(None);
            }
            write_tables(unit, &mut images, on_progress).map(Some)
        });
        if let Some(tables) = attempt? {
            break tables;
        }
    };
    let contents = ArchiveContents {
        created_at,
        tables,
        images: images.added.len() as u64,
        image_bytes: images.bytes,
    };
    images.archive.finish(&contents).map_err(Error::of_archive)?;
    let missing = missing.into_iter().map(ImagePath::from_storage).collect();
    Ok(Backup { contents, missing })
}

fn write_tables(
    unit: &mut dyn UnitOfWork,
    Images { archive, pace, .. }: &mut Images<'_>,
    on_progress: &mut OnProgress<'_>,
) -> Result<BTreeMap<Table, TableContents>, Error> {
    on_progress(Progress::Rows(count_rows(unit)?));
    let mut tables = BTreeMap::new();
    for table in Table::ALL {
        archive.begin_table(table).map_err(Error::of_archive)?;
        let contents = read_table(unit, table, on_progress, &mut |rows| {
            archive.add_rows(rows).map_err(Error::of_archive)?;
            pace.rest();
            Ok(())
        })?;
        tables.insert(table, contents);
    }
    Ok(tables)
}

/// The pictures in an archive.
struct Images<'a> {
    app: &'a App,
    archive: &'a mut dyn ArchiveWriter,
    added: HashSet<String>,
    bytes: u64,
    pace: Pace,
}

impl Images<'_> {
    /// Adds a picture, and returns whether it exists.
    fn add(&mut self, path: &ImagePath) -> Result<bool, Error> {
        if self.added.contains(path.as_str()) {
            return Ok(true);
        }
        let Some(mut file) = self.app.images.open(path)? else {
            return Ok(false);
        };
        self.bytes += self
            .archive
            .add_image(path, &mut file)
            .map_err(Error::of_archive)?;
        self.added.insert(path.to_string());
        self.pace.rest();
        Ok(true)
    }

    /// Adds the pictures that cars name and that were stored after the others, and returns the missing ones.
    fn add_named(&mut self, unit: &mut dyn UnitOfWork) -> Result<BTreeSet<String>, Error> {
        let mut missing = BTreeSet::new();
        read_table(unit, Table::Cars, &mut |_| {}, &mut |rows| {
            for row in rows {
                if let Row::Car { car, .. } = row
                    && let Some(image) = &car.image
                    && !self.add(image)?
                {
                    missing.insert(image.to_string());
                }
            }
            self.pace.rest();
            Ok(())
        })?;
        Ok(missing)
    }
}

/// Length of a pause, as a multiple of the work before it.
const PAUSE: u32 = 3;

/// Maximum length of a pause. Work that takes longer mostly waits for another machine.
const MAX_PAUSE: Duration = Duration::from_millis(10);

/// The pauses of a backup, which let requests go first: work in pieces of up to 3 ms takes about a quarter of a processor,
/// also from a database whose priority it can't lower.
struct Pace(Instant);

impl Pace {
    /// Pauses in proportion to the time since the last pause.
    fn rest(&mut self) {
        thread::sleep((self.0.elapsed() * PAUSE).min(MAX_PAUSE));
        self.0 = Instant::now();
    }
}
