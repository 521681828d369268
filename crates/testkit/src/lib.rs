//! What the tests of My Cars share. Not published, and allowed to panic.
//!
//! - [`store_contract!`]: the rules that every store keeps, one test for each.
//! - [`samples`]: users, cars and tokens for tests that do not care what they look like.
//! - [`random`]: chance that can be repeated, for tests that make up what they try.
//!
//! With the feature `http`:
//!
//! - `http`: a client, users and cars made through it, a browser's cookies and forms, and the panel.
//!
//! And with the feature `databases`, which is on by default:
//!
//! - `TestDatabase`: a database of its own for one test, on SQLite or PostgreSQL, gone when it is dropped.
//! - `PostgresServer`: a server of its own for one test, which can be stopped and started again.
//! - `PgBouncer`: a connection pooler before such a server.

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
