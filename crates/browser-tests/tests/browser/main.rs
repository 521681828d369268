//! Tests of the pages in a real browser: Chromium, controlled through `WebDriver`, against the binary `mycars`. Each
//! test has its own server, database and browser. `scripts/test-browser` runs them.
//!
//! - [`support`]: runs the server and the browser, and provides the actions of users.
//! - [`logins`], [`keys`], [`links`], [`cars`], [`users`], [`tokens`]: functions of the pages.
//! - [`documentation`]: the interactive documentation.
//! - [`panel`]: functions of the admin panel.
//! - [`panel_access`]: access to the panel.
//! - [`hostile`], [`forgery`]: attacks.
//! - [`accessibility`], [`panel_accessibility`]: accessibility and window sizes.
//! - [`screenshots`]: takes the screenshots in `docs/screenshots/`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a failed test or helper panics"
)]

mod accessibility;
mod cars;
mod documentation;
mod forgery;
mod hostile;
mod keys;
mod links;
mod logins;
mod panel;
mod panel_access;
mod panel_accessibility;
mod screenshots;
mod support;
mod tokens;
mod users;
