//! Import of all data of the Django system that My Cars replaces, with its ids, into an empty database.
//!
//! The rows are read twice from one snapshot: first all are checked, by the rules of the API, and pictures are
//! stored; then all are inserted in one transaction. So a refused or interrupted import leaves no row, and at most
//! pictures, which the next attempt uses.

mod convert;
mod import;
mod outcome;
mod pictures;
#[cfg(test)]
mod tests;

pub use convert::{Choices, Problem, Reason};
pub use import::import;
pub use outcome::{Error, Imported, Mode, Progress};
pub use pictures::{OpenPicture, Pictures};
