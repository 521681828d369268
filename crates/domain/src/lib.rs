//! The rules of My Cars: value objects, entities and permissions.
//!
//! This crate does no I/O, reads no clock and depends on no framework, database or wire format: its functions are
//! deterministic. It can be reused in any other service.
//!
//! - [`values`]: one type for each field. A value of such a type is valid. Input is only accepted by `parse`, which
//!   returns violations as data ([`Violation`]), not as text.
//! - [`Car`] and [`User`]: the entities.
//! - [`audit`]: the audit log of all changes.
//! - [`policy`]: permissions on cars and users, as one table.
//! - [`fold`]: the form in which text is searched and compared for uniqueness. [`strip`], [`shows_nothing`] and
//!   [`decimal_digit`]: white space, invisible characters and digits of every script.
//! - [`password`]: the rules for passwords that users choose.
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
//! "Wire contract, section N" in this documentation refers to the file `docs/api.md` of the project, which describes
//! the guarantees to clients of its HTTP API.
//!
//! # Feature `serde`
//!
//! Without this feature, the crate does not depend on serde. With it, types can be serialised and deserialised, but
//! invalid values are rejected and secrets are never serialised:
//!
//! | types | out | in | why |
//! |---|---|---|---|
//! | texts of [`values`] that have a `parse`, [`Mileage`](values::Mileage), [`Role`] | yes | by `parse` | a value of such a type is always valid |
//! | [`UserId`], [`CarId`] | yes | yes | plain numbers |
//! | [`audit`]'s types, [`Field`], [`UnsupportedFormat`], [`Violation`], [`Violations`], [`Action`], [`Denied`] | yes | yes | data, for other services to store, check or translate |
//! | [`Year`](values::Year), [`ImagePath`](values::ImagePath), and [`Car`], which holds both | yes | no | they can't be checked: the latest allowed year depends on the current date, and only the application creates a path |
//! | [`User`] | without its `password` | no | the hash must not be disclosed, and a user stored again without it could not log in |
//! | [`EmailState`], [`PreviousEmail`] | yes | no | parts of a user |
//! | [`Actor`], [`KeyRights`], [`Rank`] | yes | no | the actor is the result of authentication; a client that could send one could send [`Actor::System`] |
//! | [`Password`](values::Password) | no | by `parse` | a secret; no error of its deserialisation holds it |
//! | [`PasswordHash`](values::PasswordHash), [`NewUser`], [`NewCar`], [`Target`], [`password::Owner`] | no | no | secrets, and values that never leave a process |
//!
//! Fields and variants have their Rust names. Only enums that have an `as_str` are serialised as that text. Names on
//! the wire are chosen by the adapter: in My Cars, the HTTP crate has views of its own and does not use this feature.
//!
//! An error of deserialisation holds the violations in Rust's notation, and reading ends at the first invalid field.
//! To report all violations as messages, read plain text and numbers and call `parse`. A value that was taken by
//! `from_storage` and breaks a rule can be serialised, but not deserialised.
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
mod email_state;
mod fold;
pub mod password;
pub mod policy;
#[cfg(feature = "serde")]
mod serialization;
mod user;
pub mod values;
mod violation;

pub use actor::{Actor, KeyRights, Rank};
pub use car::{Car, CarId, NewCar};
pub use characters::{decimal_digit, is_space, shows_nothing, strip};
pub use email_state::{EmailState, PreviousEmail};
pub use fold::fold;
pub use policy::{Action, Denied, Target};
pub use user::{NewUser, Role, User, UserId};
pub use violation::{Field, UnsupportedFormat, Violation, Violations};

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
