//! The tests of the store against real databases: one binary, so that there is one PostgreSQL server for all.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "what tests share may panic as they do"
)]

mod connections;
mod contract;
mod migrations;
mod opening;
mod queries;
mod rows;
mod sqlite;
