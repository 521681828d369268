//! The use-cases of My Cars, and the ports that they need.
//!
//! A use-case is a plain function: it takes the [`App`] with its ports, the [`Caller`] who asks, and what is
//! asked for. It asks [`policy`](mycars_domain::policy) first, owns its transaction, and
//! answers a domain entity or an error that says what is wrong as data. It knows nothing of HTTP and of
//! databases: its tests run without either.
//!
//! - [`accounts`], [`cars`], [`history`], [`images`], [`logins`], [`sessions`], [`status`], [`users`]: the
//!   use-cases, one file for each.
//! - [`ports`]: what the use-cases need of the world.
//! - `mocks` (with the feature of that name): a mock of each port, for the tests of other crates.
#![warn(missing_docs)]

pub mod accounts;
mod app;
mod audit;
mod caller;
pub mod cars;
pub mod history;
pub mod images;
mod input;
pub mod lists;
pub mod logins;
#[cfg(feature = "mocks")]
pub mod mocks;
pub mod ports;
pub mod sessions;
pub mod status;
pub mod users;

pub use app::{App, SessionSettings, TokenSettings};
pub use caller::Caller;
pub use input::{Completeness, Input};
