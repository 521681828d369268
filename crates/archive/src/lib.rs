//! Archives: the adapters of the application's ports for backups, and for the zip files of exports.
//!
//! An archive is a zip file, the same for all databases:
//!
//! | member | contents |
//! |---|---|
//! | `manifest.json` | format, program, migrations, kind of database, time |
//! | `media/cars/…` | the pictures, not compressed |
//! | `secret_key` | the key that signs tokens, only if it was asked for |
//! | `tables/….jsonl` | the rows of each table as JSON lines, in the order of foreign keys; the fields are the columns |
//! | `contents.json` | number of rows and next id of each table, and the SHA-256 of each other member |
//!
//! The archive is written as a stream in one pass, also into a pipe. So the hashes, which are known at the end, are in
//! the last member. The zip comment, the last bytes of the file, is the SHA-256 of all bytes before it (the seal): it
//! covers the headers and the directory of the zip file as well. Without the seal, as after an interruption, a file is
//! no archive.
//!
//! - [`Writer`]: writes an archive.
//! - [`Archive`]: verifies and reads an archive.
//! - [`Folder`]: the store of scheduled backups.
//! - [`ZipPackager`]: makes other zip files, which are sent while they are written.
#![warn(missing_docs)]

mod folder;
mod layout;
mod output;
mod package;
mod reader;
mod records;
mod seal;
mod writer;

pub use folder::Folder;
pub use layout::Origin;
pub use output::{NewFile, Output, Pipe};
pub use package::ZipPackager;
pub use reader::{Archive, ArchiveError};
pub use writer::Writer;
