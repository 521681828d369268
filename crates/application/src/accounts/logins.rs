//! The logins of all users, for admins: listing and revoking refresh tokens, and ending all logins of a user.

mod end;
mod end_all;
mod list;
mod revoke;

pub(crate) use end::{end_recorded, update_and_end};
pub use end_all::end_all;
pub use list::{count, list, numbers, read_all};
pub use revoke::revoke;
