//! Backups of all rows and pictures, restoring them, and copies to another database.
//!
//! All three move [`Row`]s between [`RowRepository`](crate::ports::RowRepository) and archives in pieces, so that the
//! memory does not depend on the number of rows, and do not depend on the kind of database.
//!
//! The order of effects keeps every row valid. A backup holds the pictures before it takes the snapshot of the rows: a
//! picture is only deleted after the commit of a row that no longer names it. A restore stores the pictures before the
//! rows, in one transaction: a kill leaves at most pictures without a car, and the same restore can be repeated.

mod back_up;
mod copy;
mod restore;
mod schedule;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

pub use back_up::{Backup, back_up};
pub use copy::copy;
pub use restore::{Restore, require_empty_database, restore};
pub use schedule::back_up_if_due;

use mycars_domain::{Denied, values::ImagePath};

use crate::ports::{BoxError, ImageStoreError, Row, StoreError, Table, TableContents, UnitOfWork};

/// Maximum number of rows in memory. The notes of a car may have 10,000 characters. Reading fewer rows at once delays
/// other requests less.
const ROWS_AT_ONCE: u32 = 50;

/// The errors of backups, restores and copies.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Only the program itself may do this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The image store failed.
    #[error(transparent)]
    Images(#[from] ImageStoreError),
    /// The archive could not be written or read.
    #[error("the archive failed")]
    Archive(#[source] BoxError),
    /// The target has rows, in these tables.
    #[error("the database is not empty: it has {}", counted(.0))]
    NotEmpty(Vec<(Table, u64)>),
    /// The image store has pictures of another database.
    #[error("the pictures belong to another database")]
    OtherImages,
    /// The image store has another picture with this path.
    #[error("there is another picture `{0}`")]
    ImageDiffers(ImagePath),
    /// A table does not have the rows that were written.
    #[error("the table {} has {found} rows instead of {expected}", .table.as_str())]
    Incomplete {
        /// The table.
        table: Table,
        /// The number of rows that were written.
        expected: u64,
        /// The number of rows that it has.
        found: u64,
    },
}

impl Error {
    /// Returns the error that passed an archive, or that of the archive itself.
    fn of_archive(error: BoxError) -> Self {
        match error.downcast::<Self>() {
            Ok(error) => *error,
            Err(error) => Self::Archive(error),
        }
    }
}

/// Returns numbers of rows as text, such as `3 users, 10 cars`.
fn counted(counts: &[(Table, u64)]) -> String {
    let counts = counts.iter().map(|(table, count)| match table {
        Table::Installation => format!("{count} identity"),
        Table::Users => format!("{count} users"),
        Table::Cars => format!("{count} cars"),
        Table::RefreshTokens => format!("{count} refresh tokens"),
        Table::Sessions => format!("{count} sessions"),
        Table::ApiKeys => format!("{count} API keys"),
        Table::AuditLog => format!("{count} entries of the audit log"),
    });
    counts.collect::<Vec<_>>().join(", ")
}

/// The progress of a backup, a restore or a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Pictures come next: as many as this.
    Images(u64),
    /// Rows come next: as many as this.
    Rows(u64),
    /// This many more of them are done.
    Done(u64),
}

/// A function that is told about progress.
pub type OnProgress<'a> = dyn FnMut(Progress) + 'a;

/// Calls `each` for the rows of a table in pieces, and returns their number and the next id.
fn read_table(
    unit: &mut dyn UnitOfWork,
    table: Table,
    on_progress: &mut OnProgress<'_>,
    each: &mut dyn FnMut(&[Row]) -> Result<(), Error>,
) -> Result<TableContents, Error> {
    let next_id = unit.rows().next_id(table)?;
    let mut contents = TableContents { rows: 0, next_id };
    let mut after = i64::MIN;
    loop {
        let rows = unit.rows().list(table, after, ROWS_AT_ONCE)?;
        let Some(last) = rows.last() else {
            return Ok(contents);
        };
        after = last.id();
        each(&rows)?;
        contents.rows += rows.len() as u64;
        on_progress(Progress::Done(rows.len() as u64));
    }
}

/// Returns the number of rows of all tables.
fn count_rows(unit: &mut dyn UnitOfWork) -> Result<u64, StoreError> {
    let mut all = 0;
    for table in Table::ALL {
        all += unit.rows().count(table)?;
    }
    Ok(all)
}

/// Refuses a database that has rows. The identity does not count: each database gets one at its first use.
fn require_empty(unit: &mut dyn UnitOfWork) -> Result<(), Error> {
    let mut counts = Vec::new();
    for table in Table::ALL
        .into_iter()
        .filter(|table| *table != Table::Installation)
    {
        counts.push((table, unit.rows().count(table)?));
    }
    counts.retain(|(_, count)| *count > 0);
    if counts.is_empty() {
        Ok(())
    } else {
        Err(Error::NotEmpty(counts))
    }
}

/// Checks that the tables have the rows that were written, and sets the next ids.
fn complete(unit: &mut dyn UnitOfWork, tables: &BTreeMap<Table, TableContents>) -> Result<(), Error> {
    for (&table, contents) in tables {
        let found = unit.rows().count(table)?;
        // An archive without an identity leaves that of the database.
        if found != contents.rows && table != Table::Installation {
            let expected = contents.rows;
            return Err(Error::Incomplete {
                table,
                expected,
                found,
            });
        }
        unit.rows().set_next_id(table, contents.next_id)?;
    }
    Ok(())
}
