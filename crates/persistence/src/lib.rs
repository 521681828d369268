//! The store on PostgreSQL and SQLite: the adapter of the application's port [`Store`]. Only this crate depends on
//! the two databases.
//!
//! The URL selects the database. Both behave the same, which `mycars_testkit::store_contract` tests:
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
//! The files in `shared/` are plain Diesel code that is compiled twice: once in `postgres.rs` and once in
//! `sqlite.rs`, which contain only the differences. No code is generic over the database, so compiler errors stay
//! readable.
//!
//! [`Store`]: mycars_application::ports::Store
#![warn(missing_docs)]
#![expect(
    clippy::duplicate_mod,
    reason = "the shared files are compiled once for each database"
)]

#[macro_use]
mod schema;

mod changes;
mod database;
mod django;
mod error;
mod inspection;
mod instrumentation;
mod options;
mod postgres;
mod requirements;
mod sqlite;

pub use database::{Database, OpenError};
pub use inspection::Inspection;
pub use options::{Options, Pooler};
