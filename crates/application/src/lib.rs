//! The use-cases of My Cars, and the ports that they need.
//!
//! A use-case is a plain function: it takes the [`App`] with its ports, the [`Caller`], and its input. It asks
//! [`policy`](mycars_domain::policy) first, owns its transaction, and returns a domain entity or an error that is data.
//! It does not depend on HTTP or databases: its tests run without either.
//!
//! - [`accounts`], [`backup`], [`cars`], [`history`], [`housekeeping`], [`images`], [`quotas`], [`status`], [`users`]: the use-cases, one file for each.
//! - [`ports`]: the interfaces that adapters implement.
//! - [`lists`]: queries of lists.
//! - [`security_log`]: log lines of security events.
//! - `mocks` (with the feature of that name): a mock of each port, for the tests of other crates.
//!
//! ```
//! use mycars_application::{cars::{self, CarInput, CarScope}, mocks::{Mocks, samples}};
//! use mycars_domain::{Field, Violation};
//!
//! // A program wires its adapters once; this app has a mock of each.
//! let (app, _) = Mocks::new().into_app();
//!
//! // An adapter makes the caller and the input, and words the result.
//! let refused = cars::create(&app, &samples::ann(), CarScope::Caller, &CarInput::default());
//! let Err(cars::Error::Invalid(violations)) = refused else { panic!("nothing was sent") };
//! assert_eq!(violations.of(Field::Brand), [Violation::Required]);
//! ```
//!
//! # How to read it
//!
//! "Wire contract, section N" names the source of a rule: the file `docs/api.md` of the project, which describes the
//! guarantees to clients of its HTTP API.
//!
//! An error `Store`, `Images`, `Hash` or `Unsignable` means that a port failed. Its cause is for the log. After
//! [`StoreError::Unavailable`](ports::StoreError::Unavailable), a later attempt may succeed. After an error nothing
//! is changed, unless the store failed after it had committed.
//!
//! # Feature `mocks`
//!
//! Adds the module `mocks` and, with mockall, the mock of each port in it. Turn it on under `[dev-dependencies]`.
//!
//! # Feature `reference`
//!
//! Adds `select` to each query in [`lists`]: the definition of the query on all rows in memory, for fakes of ports
//! and for tests of stores.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs)]

pub mod accounts;
mod app;
mod audit;
pub mod backup;
mod caller;
pub mod cars;
pub mod django;
mod error;
pub mod history;
pub mod housekeeping;
pub mod images;
mod input;
pub mod lists;
pub mod mail;
#[cfg(feature = "mocks")]
pub mod mocks;
mod outbox;
pub mod ports;
pub mod quotas;
pub mod security_log;
pub mod status;
pub mod users;

pub use app::{App, BackupSettings, MailSettings, SessionSettings, TokenSettings};
pub use caller::Caller;
pub use error::Error;
pub use input::{Input, Secret, UpdateMode};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
