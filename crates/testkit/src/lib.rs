//! Shared parts of My Cars' tests. Not published, and allowed to panic.
//!
//! - [`store_contract!`]: the rules for every store, one test for each. [`Rows`](store_contract::Rows) generates rows of
//!   all tables.
//! - [`rates_contract!`]: the rules for every place of shared counts; [`store_contract!`] includes them.
//! - [`image_store_contract!`]: the rules for every image store.
//! - [`samples`]: users, cars and tokens for tests that do not depend on their values.
//! - [`SmtpSink`]: a mail server that keeps all mails in memory.
//! - [`TraceSink`]: a collector of traces that keeps all spans in memory.
//! - [`random`]: repeatable random numbers, for tests that generate their input.
//!
//! With the feature `http`:
//!
//! - `http`: a client, users and cars made through it, a browser's cookies and forms, and the panel.
//!
//! With the feature `s3`:
//!
//! - `S3Server`: an S3 server for tests of the image store.
//!
//! With the feature `redis`:
//!
//! - `RedisServer`: a Redis server for one test, which can be killed, paused and started again.
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
pub mod image_store_contract;
#[cfg(feature = "databases")]
mod postgres;
#[cfg(any(feature = "databases", feature = "redis"))]
mod process;
pub mod random;
pub mod rates_contract;
#[cfg(feature = "redis")]
mod redis;
#[cfg(feature = "s3")]
mod s3;
pub mod samples;
#[cfg(any(feature = "databases", feature = "redis"))]
mod scratch;
mod smtp_sink;
pub mod store_contract;
mod trace_sink;

pub use smtp_sink::{ReceivedMail, SmtpSink};
pub use trace_sink::{ReceivedSpan, TraceSink};

#[cfg(feature = "databases")]
pub use database::TestDatabase;
#[cfg(feature = "databases")]
pub use postgres::{PgBouncer, PoolMode, PostgresServer, Session, Shutdown};
#[cfg(feature = "redis")]
pub use redis::RedisServer;
#[cfg(feature = "s3")]
pub use s3::{S3Program, S3Server};
