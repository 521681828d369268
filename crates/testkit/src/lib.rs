//! Shared parts of My Cars' tests. Not published, and allowed to panic.
//!
//! - [`store_contract!`]: the rules for every store, one test for each. [`Rows`](store_contract::Rows) generates rows of
//!   all tables.
//! - [`samples`]: users, cars and tokens for tests that do not depend on their values.
//! - [`random`]: repeatable random numbers, for tests that generate their input.
//!
//! With the feature `http`:
//!
//! - `http`: a client, users and cars made through it, a browser's cookies and forms, and the panel.
//!
//! And with the feature `databases`, which is on by default:
//!
//! - `TestDatabase`: a database for one test, on SQLite or PostgreSQL, deleted on drop.
//! - `PostgresServer`: a server for one test, which can be stopped and started again.
//! - `PgBouncer`: a connection pooler in front of such a server.

#[cfg(feature = "databases")]
mod database;
#[cfg(feature = "http")]
pub mod http;
#[cfg(feature = "databases")]
mod postgres;
pub mod random;
pub mod samples;
#[cfg(feature = "databases")]
mod scratch;
pub mod store_contract;

#[cfg(feature = "databases")]
pub use database::TestDatabase;
#[cfg(feature = "databases")]
pub use postgres::{PgBouncer, PoolMode, PostgresServer, Session, Shutdown};
