//! API keys: credentials of programs that act for a user. A key is shown once, and only its hash is stored. It has the
//! rights of its user at most, and never those that need a login: see [`policy`](mycars_domain::policy).

mod authenticate;
mod create;
mod end;
mod list;

pub use authenticate::{PREFIX, authenticate};
pub use create::{CreatedKey, KeyInput, MAX_KEYS, MAX_NAME, create};
pub use end::end;
pub(crate) use end::end_all_of;
pub use list::list;
