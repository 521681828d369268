//! The rules of My Cars: value objects, entities and who may do what.
//!
//! This crate does no I/O, reads no clock and knows no framework, database or wire format: the same inputs
//! give the same answer for ever. It can be reused in any other service.
//!
//! - [`values`]: one type for each field. A value of such a type is valid; `parse` is the only way in from
//!   outside, and answers what is wrong as [`Violation`]s: data, not text.
//! - [`Car`] and [`User`]: the entities.
//! - [`audit`]: what is kept of every change.
//! - [`policy`]: who may do what to which car or user, as one table.
//! - [`fold`]: the form in which text is searched and compared for uniqueness. [`strip`], [`shows_nothing`] and
//!   [`decimal_digit`]: white space, invisible characters and digits of every script.
//! - [`password`]: which passwords a person may choose.
//!
//! ```
//! use mycars_domain::{Violation, values::Vin};
//!
//! let vin = Vin::parse(" 1hgbh41jxmn109186 ")?;
//! assert_eq!(vin.as_str(), "1HGBH41JXMN109186");
//! assert_eq!(Vin::parse("1HGBH41JXMN10918O"), Err(vec![Violation::InvalidVin]));
//! # Ok::<(), Vec<Violation>>(())
//! ```
//!
//! "Wire contract, section N" in this documentation names where a rule comes from: the file `docs/api.md` of the
//! project, which says what clients of its HTTP API can rely on.
//!
//! # Feature `serde`
//!
//! Without it, this crate knows nothing of serde. With it, types can be serialised and deserialised, but never so
//! that something invalid gets in or a secret gets out:
//!
//! | types | out | in | why |
//! |---|---|---|---|
//! | texts of [`values`] that have a `parse`, [`Mileage`](values::Mileage), [`Role`] | yes | by `parse` | a value of such a type is always valid |
//! | [`UserId`], [`CarId`] | yes | yes | plain numbers |
//! | [`audit`]'s types, [`Field`], [`UnsupportedFormat`], [`Violation`], [`Violations`], [`Action`], [`Denied`] | yes | yes | data, for other services to keep, judge or word |
//! | [`Year`](values::Year), [`ImagePath`](values::ImagePath), and [`Car`], which holds both | yes | no | they can't be checked: how late a year may be depends on when it is asked, and a path is the application's to make |
//! | [`User`] | without its `password` | no | the hash must not leave, and who came back without it could not log in once they are kept |
//! | [`Actor`], [`Rank`] | yes | no | who asks is found out; whoever could send it would be [`Actor::System`] |
//! | [`Password`](values::Password) | no | by `parse` | a secret; no error of its deserialisation holds it |
//! | [`PasswordHash`](values::PasswordHash), [`NewUser`], [`NewCar`], [`Target`], [`password::Owner`] | no | no | secrets, and what never leaves a process |
//!
//! Names are those of Rust: of fields, and of the variants of enums. Only enums that have an `as_str` are written so.
//! What a thing is called on the wire is for the adapter to say; in My Cars, the crate that speaks HTTP has shapes of
//! its own and does not use this feature.
//!
//! An error tells the violations as they are in Rust, and the first field that is wrong ends the reading. Who wants to
//! say everything that is wrong, in words, reads plain text and numbers and calls `parse`. A value that was taken by
//! `from_storage` and breaks a rule goes out, but does not come back in.
//!
//! ```
//! use mycars_domain::values::Vin;
//!
//! let vin: Vin = serde_json::from_str("\" 1hgbh41jxmn109186 \"")?;
//! assert_eq!(serde_json::to_string(&vin)?, "\"1HGBH41JXMN109186\"");
//!
//! let refused = serde_json::from_str::<Vin>("\"1HGBH41JXMN10918O\"").unwrap_err();
//! assert!(refused.to_string().starts_with("Vin is not valid: [InvalidVin]"));
//! # Ok::<(), serde_json::Error>(())
//! ```
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(missing_docs)]

mod actor;
pub mod audit;
mod car;
mod characters;
mod fold;
pub mod password;
pub mod policy;
#[cfg(feature = "serde")]
mod serialization;
mod user;
pub mod values;
mod violation;

pub use actor::{Actor, Rank};
pub use car::{Car, CarId, NewCar};
pub use characters::{decimal_digit, is_space, shows_nothing, strip};
pub use fold::fold;
pub use policy::{Action, Denied, Target};
pub use user::{NewUser, Role, User, UserId};
pub use violation::{Field, UnsupportedFormat, Violation, Violations};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
