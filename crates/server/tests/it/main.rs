//! The black-box tests: the binary `mycars` itself, in a folder of its own, on SQLite and on PostgreSQL. One
//! test binary, so that it is linked once and there is one PostgreSQL server for all.
//!
//! - [`support`]: how to run the binary, and how to talk to it.
//! - [`contract`]: the recorded cases of `tests/contract/`, which say what clients rely on.
//! - [`start`], [`commands`], [`race`], [`protocol`]: what no recorded case can say.
//! - [`matrix`]: who is let in where.
//! - [`media`]: the folder of pictures, which no start deletes from.
//! - [`openapi`]: the OpenAPI document says what is served.
//! - [`session`]: browsers, and what protects them from other sites.
//! - [`history`]: what is written down of every change, and who may read it.
//! - [`panel`]: the admin panel, by the forms of its pages and by forms that somebody made up.
//! - [`property`]: no input makes the server fail.
//! - [`crash`], [`outage`]: what stays when the server is killed, and when its database is away.
//! - [`architecture`]: which crate may depend on what.
//! - [`module_imports`]: the modules of a crate import each other without circles.
//! - [`documents`]: what documents say, as far as a program can check it.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test, and all that helps it, ends with a panic where something is not as it should be"
)]

mod architecture;
mod commands;
mod contract;
mod crash;
mod documents;
mod history;
mod matrix;
mod media;
mod module_imports;
mod openapi;
mod outage;
mod panel;
mod property;
mod protocol;
mod race;
mod session;
mod start;
mod storage;
mod support;
