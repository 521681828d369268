//! Everybody's logins, for admins: the refresh tokens that are known, and ending them.

mod end;
mod end_all;
mod list;
mod revoke;

pub(crate) use end::{end_recorded, update_and_end};
pub use end_all::end_all;
pub use list::{count, list, numbers, read_all};
pub use revoke::revoke;
