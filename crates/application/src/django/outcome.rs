//! The modes of an import, its progress, and its outcome.

use mycars_domain::Denied;

use super::convert::Problem;
use crate::ports::{BoxError, ImageStoreError, StoreError};

/// The mode of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Only lists the problems.
    Check,
    /// Does everything, but stores no picture and rolls the transaction back.
    DryRun,
    /// Imports.
    Run,
}

/// The progress of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// The check of this number of rows begins.
    Check(u64),
    /// Decoding and storing this number of pictures begins.
    Pictures(u64),
    /// The insertion of this number of rows begins.
    Insert(u64),
    /// This number of further rows or pictures is done.
    Done(u64),
}

/// Numbers of rows that were imported, or that would be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Imported {
    /// Number of users.
    pub users: u64,
    /// Number of cars.
    pub cars: u64,
    /// Number of pictures.
    pub pictures: u64,
    /// Number of refresh tokens that have not expired.
    pub tokens: u64,
    /// Number of these tokens that are blacklisted.
    pub blacklisted: u64,
}

/// The reason why nothing was imported.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The caller is not the program itself.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The database has users or cars.
    #[error("the database has {users} users and {cars} cars")]
    NotEmpty {
        /// Number of users.
        users: u64,
        /// Number of cars.
        cars: u64,
    },
    /// Rows can't be imported as they are.
    #[error("{} rows can't be imported as they are", .0.len())]
    Problems(Vec<Problem>),
    /// The database of the Django system could not be read.
    #[error("the Django system's database could not be read")]
    Source(#[source] BoxError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The image store failed.
    #[error(transparent)]
    Images(#[from] ImageStoreError),
}
