//! What the tests of My Cars share. Not published, and allowed to panic.
//!
//! - [`TestDatabase`]: a database of its own for one test, on SQLite or PostgreSQL, gone when it is dropped.
//! - [`PostgresServer`]: a server of its own for one test, which can be stopped and started again.
//! - [`store_contract!`]: the rules that every store keeps, one test for each.
//! - [`samples`]: users, cars and tokens for tests that do not care what they look like.

mod database;
mod postgres;
pub mod samples;
mod scratch;
pub mod store_contract;

pub use database::TestDatabase;
pub use postgres::{PostgresServer, Session, Shutdown};
