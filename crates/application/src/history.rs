//! Reading and pruning the audit log. Use-cases that make changes write it, in the same transaction.

mod list;
mod of_car;
mod prune;

pub use list::{counts, ids, list, newest, read_all};
pub use of_car::{of_car, read_all_of_car};
pub use prune::{forget_addresses, prune};
