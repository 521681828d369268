//! Everybody's accounts, for admins (wire contract, section 6).

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
pub(crate) use delete::erase;
pub use delete::{SeenUser, delete};
pub use fields::UserInput;
pub use list::list;
pub use read::{find, read, read_with_cars};
pub use update::update;

use mycars_domain::{Denied, Violation, Violations};

use crate::ports::{HashError, StoreError};

/// Why a use-case about users did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields are wrong; nothing was changed.
    #[error("fields are wrong: {0:?}")]
    Invalid(Violations),
    /// Somebody else changed the user since the version that was to be changed; nothing was changed.
    #[error("the user was changed meanwhile")]
    Conflict,
    /// There is no such user.
    #[error("there is no such user")]
    NotFound,
    /// Who asks may not do this.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The password could not be hashed.
    #[error(transparent)]
    Hash(#[from] HashError),
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl From<Violations> for Error {
    fn from(violations: Violations) -> Self {
        Self::Invalid(violations)
    }
}

impl From<StoreError> for Error {
    /// A unique value that is taken is a wrong field, also when another request took it a moment ago.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Taken(field) => Self::Invalid(Violations::one(field, Violation::Taken)),
            StoreError::OwnerGone => Self::NotFound,
            other => Self::Store(other),
        }
    }
}

#[cfg(test)]
impl Error {
    /// Returns the violations; panics if the error is another one.
    pub(crate) fn violations(self) -> Violations {
        match self {
            Self::Invalid(violations) => violations,
            other => panic!("must be Invalid: {other:?}"),
        }
    }
}
