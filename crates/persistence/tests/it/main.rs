//! The tests of the store against real databases: one binary, so that there is one PostgreSQL server for all.

mod connections;
mod contract;
mod migrations;
mod opening;
mod rows;
