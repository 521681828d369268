//! Archives: files with all rows and pictures, which can be restored into any database.

use std::{collections::BTreeMap, io::Read};

use chrono::{DateTime, Utc};
use mycars_domain::values::ImagePath;

use super::{BoxError, Row, Table};

/// The contents of an archive for one table, as the archive states them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableContents {
    /// Number of rows.
    pub rows: u64,
    /// The id that the next row gets.
    pub next_id: i64,
}

/// The contents of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ArchiveContents {
    /// The time of the backup.
    pub created_at: DateTime<Utc>,
    /// The tables.
    pub tables: BTreeMap<Table, TableContents>,
    /// Number of pictures.
    pub images: u64,
    /// Size of the pictures in bytes.
    pub image_bytes: u64,
}

impl ArchiveContents {
    /// Returns the number of rows of a table.
    #[must_use]
    pub fn rows(&self, table: Table) -> u64 {
        self.tables.get(&table).map_or(0, |contents| contents.rows)
    }

    /// Returns the number of rows of all tables.
    #[must_use]
    pub fn all_rows(&self) -> u64 {
        self.tables.values().map(|contents| contents.rows).sum()
    }
}

/// An archive that is being written. It MUST NOT be usable before [`finish`](Self::finish) has returned.
pub trait ArchiveWriter {
    /// Adds a picture, and returns its size in bytes. Pictures come before all tables.
    ///
    /// # Errors
    /// Those of writing, and of reading the picture.
    fn add_image(&mut self, path: &ImagePath, content: &mut dyn Read) -> Result<u64, BoxError>;

    /// Begins the next table of [`Table::ALL`].
    ///
    /// # Errors
    /// Those of writing.
    fn begin_table(&mut self, table: Table) -> Result<(), BoxError>;

    /// Adds rows of the table that was begun last.
    ///
    /// # Errors
    /// Those of writing.
    fn add_rows(&mut self, rows: &[Row]) -> Result<(), BoxError>;

    /// Completes the archive.
    ///
    /// # Errors
    /// Those of writing.
    fn finish(&mut self, contents: &ArchiveContents) -> Result<(), BoxError>;
}

/// Uses a picture of an archive, given its path and its content.
pub type EachImage<'a> = dyn FnMut(&ImagePath, &[u8]) -> Result<(), BoxError> + 'a;

/// Uses some rows of a table of an archive.
pub type EachRows<'a> = dyn FnMut(&[Row]) -> Result<(), BoxError> + 'a;

/// An archive that was verified: its hashes are right, all its rows can be read, and it contains what it states.
pub trait ArchiveReader {
    /// Returns what the archive contains.
    fn contents(&self) -> &ArchiveContents;

    /// Calls `each` for each picture, with its content.
    ///
    /// # Errors
    /// Those of reading, and of `each`.
    fn read_images(&mut self, each: &mut EachImage<'_>) -> Result<(), BoxError>;

    /// Calls `each` for the rows of a table, in pieces and in the order of their ids.
    ///
    /// # Errors
    /// Those of reading, and of `each`.
    fn read_rows(&mut self, table: Table, each: &mut EachRows<'_>) -> Result<(), BoxError>;
}

/// A scheduled backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredBackup {
    /// The name of its file.
    pub name: String,
    /// The time of the backup.
    pub created_at: DateTime<Utc>,
    /// Its size in bytes.
    pub bytes: u64,
}

/// The store of scheduled backups. It neither lists nor deletes other files.
pub trait BackupStore: Send + Sync {
    /// Begins a backup, which is listed after it is finished.
    ///
    /// # Errors
    /// Those of the store.
    fn create(&self, at: DateTime<Utc>) -> Result<Box<dyn ArchiveWriter>, BoxError>;

    /// Lists the finished backups, from the oldest to the newest.
    ///
    /// # Errors
    /// Those of the store.
    fn list(&self) -> Result<Vec<StoredBackup>, BoxError>;

    /// Deletes a backup; does nothing if it does not exist.
    ///
    /// # Errors
    /// Those of the store.
    fn delete(&self, backup: &StoredBackup) -> Result<(), BoxError>;
}
