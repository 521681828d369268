//! Tests of the store on real databases, in one binary so that they share one PostgreSQL server.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed helper fails its test"
)]

mod connections;
mod contract;
mod migrations;
mod opening;
mod queries;
mod rows;
mod sqlite;
