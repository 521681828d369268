//! Tests over HTTP of a server in this process, on the store in memory: whatever does not depend on the database, and
//! needs neither the settings nor the command line of the binary.

#![expect(
    clippy::unwrap_used,
    reason = "a test, and all that helps it, ends with a panic where something is not as it should be"
)]

mod history;
mod imports;
mod panel;
mod session;
mod support;
