//! The store on PostgreSQL and SQLite: the adapter of the application's port [`Store`], and the only crate that
//! knows that there are two databases.
//!
//! The URL says which one it is. Everything else is the same from outside, and is held to be by
//! `mycars_testkit::store_contract`:
//!
//! ```no_run
//! use mycars_persistence::{Database, Options};
//!
//! let options = Options::default();
//! let database = Database::parse("sqlite://data/mycars.sqlite3")?;
//! database.migrate(&options)?;
//! let store = database.connect(&options)?;
//! # Ok::<(), mycars_persistence::OpenError>(())
//! ```
//!
//! The files in `shared/` are plain Diesel, compiled twice: once inside `postgres.rs` and once inside `sqlite.rs`,
//! which hold only what differs. Nothing is generic over the database, so errors of the compiler stay readable.
//!
//! [`Store`]: mycars_application::ports::Store
#![warn(missing_docs)]
#![expect(
    clippy::duplicate_mod,
    reason = "the shared files are compiled once for each database, on purpose"
)]

#[macro_use]
mod schema;

mod changes;
mod database;
mod error;
mod postgres;
mod requirements;
mod sqlite;

pub use database::{Database, OpenError, Options};
