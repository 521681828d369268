//! The accounts of all users, for admins (wire contract, section 6).

mod bulk;
mod create;
mod delete;
pub(crate) mod fields;
mod list;
mod read;
pub(crate) mod superusers;
mod update;

pub use bulk::{Belongings, belongings, counts, ids, read_all, search};
pub use create::create;
pub(crate) use create::make;
pub(crate) use delete::delete_locked;
pub use delete::{SeenUser, car_digests, delete, erase};
pub use fields::UserInput;
pub use list::{list, list_chunked};
pub use read::{find, read};
pub use update::update;

use mycars_domain::{Denied, Violations};

use crate::ports::{HashError, StoreError};

/// The errors of use-cases about users.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields are invalid; nothing was changed.
    #[error("fields are invalid: {0:?}")]
    Invalid(Violations),
    /// Another request changed the user since the given version; nothing was changed.
    #[error("the user was changed meanwhile")]
    Conflict,
    /// The user does not exist.
    #[error("the user does not exist")]
    NotFound,
    /// The caller may not do this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The password could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

crate::error::convert_errors!(NotFound);
