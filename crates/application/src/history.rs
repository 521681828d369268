//! Reading the audit log. It is written by the use-cases that change something, each beside its change.

mod list;
mod of_car;

pub use list::{counts, ids, list, newest, read_all};
pub use of_car::of_car;
