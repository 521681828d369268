//! The browsable API in a real browser: Chromium, driven as a person drives it, in front of the binary `mycars`
//! itself. Each test has a server, a database and a browser of its own. `scripts/test-browser` runs them.
//!
//! - [`support`]: how to run the server and the browser, and what a person does with them.
//! - [`logins`], [`links`], [`cars`], [`users`], [`tokens`]: what one can do.
//! - [`documentation`]: the interactive documentation.
//! - [`panel`]: what an admin does in the panel.
//! - [`panel_access`]: who can do it there, and who can't.
//! - [`hostile`], [`forgery`]: what nobody can do.
//! - [`accessibility`], [`panel_accessibility`]: who can do it, and on which screens.
//! - [`screenshots`]: makes the pictures of `docs/screenshots/`.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test, and all that helps it, ends with a panic where something is not as it should be"
)]

mod accessibility;
mod cars;
mod documentation;
mod forgery;
mod hostile;
mod links;
mod logins;
mod panel;
mod panel_access;
mod panel_accessibility;
mod screenshots;
mod support;
mod tokens;
mod users;
