//! The black-box tests: the binary `mycars` itself, in a folder of its own, on SQLite and on PostgreSQL. One
//! test binary, so that it is linked once and there is one PostgreSQL server for all.
//!
//! - [`support`]: running the binary, and sending requests to it.
//! - [`contract`]: the recorded cases of `tests/contract/`, on which clients rely.
//! - [`start`], [`commands`], [`race`], [`protocol`]: cases that cannot be recorded.
//! - [`checks`]: `mycars check`, `config show` and `healthcheck`.
//! - [`conditions`]: conditional requests, and compression.
//! - [`connections`]: clients that hang up, and clients that hold connections.
//! - [`matrix`]: authorization of every route for every kind of caller.
//! - [`media`]: the media folder, which no start changes.
//! - [`observation`]: slow statements, metrics, dashboards, and the service of systemd.
//! - [`openapi`]: the OpenAPI document matches the routes.
//! - [`keys`]: API keys.
//! - [`logins`]: the list and the end of logins, and the reuse of refresh tokens.
//! - [`sockets`]: Unix sockets.
//! - [`tls`]: TLS in the server itself.
//! - `traces`: spans for OpenTelemetry, with the feature `otel`.
//! - [`session`]: browser sessions, and the protection from other sites.
//! - [`history`]: the audit log.
//! - [`security_events`]: the log lines of security events.
//! - [`panel`]: the admin panel, by the forms of its pages and by forged forms.
//! - [`attacks`]: floods, guesses and probes, with the throttles on.
//! - [`property`]: no input makes the server fail.
//! - [`crash`], [`outage`]: kills of the server, and outages of its database.
//! - [`storage`]: a full disk, and a read-only database.
//! - [`s3`]: pictures on S3, private pictures, and moves between stores.
//! - [`quotas`]: quotas, free disk space, retention of the audit log, and recurring jobs.
//! - [`erasure`]: users that are erased from the database and the media folder.
//! - [`export`]: the export of all data about a user.
//! - [`mail`]: the outbox, and passwords that are reset by mail.
//! - [`emails`]: e-mail addresses that are verified, and changes of them that are undone.
//! - [`architecture`], [`module_imports`]: the dependencies between crates, and between the modules of a crate.
//! - [`dependencies`]: dependencies that nothing uses.
//! - [`documents`]: links and quotations in the documents.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test, and all that helps it, ends with a panic where something is not as it should be"
)]

mod architecture;
mod attacks;
mod backup;
mod checks;
mod cluster;
mod commands;
mod conditions;
mod connections;
mod contract;
mod crash;
mod dependencies;
mod documents;
mod emails;
mod erasure;
mod export;
mod failover;
mod import_django;
mod jobs;
mod keys;
mod logins;
mod mail;
mod matrix;
mod media;
mod module_imports;
mod observation;
mod openapi;
mod outage;
mod panel;
mod property;
mod protocol;
mod quotas;
mod race;
mod s3;
mod security_events;
mod session;
mod sockets;
mod start;
mod storage;
mod support;
mod throttles;
mod tls;
#[cfg(feature = "otel")]
mod traces;
