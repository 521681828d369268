//! Logins: those of a user, and for admins the refresh tokens of all users, which can be listed and revoked one by one or
//! all of a user.

mod end;
mod end_all;
mod list;
mod of_user;
mod revoke;

pub(crate) use end::{drop_pending_email, end_recorded, update_and_end};
pub use end_all::end_all;
pub use list::{count, list, numbers, read_all};
pub(crate) use of_user::Current;
pub use of_user::{Login, LoginId, LoginKind, end, end_others, list_of};
pub use revoke::revoke;
