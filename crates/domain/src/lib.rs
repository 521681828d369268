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
//! - [`fold`]: how text is compared whatever its case.
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
#![warn(missing_docs)]

mod actor;
pub mod audit;
mod car;
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
pub use fold::fold;
pub use policy::{Action, Denied, Target};
pub use user::{NewUser, Role, User, UserId};
pub use violation::{Field, Violation, Violations};
