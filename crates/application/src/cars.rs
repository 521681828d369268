//! Cars: one's own (wire contract, section 5), and as an admin anybody's (section 6); for the panel, everybody's at
//! once.
//!
//! Each of them takes a [`CarScope`], which says whose cars it is about and in which capacity the caller asks.

mod bulk;
mod create;
mod delete;
mod fields;
mod list;
mod read;
mod scope;
mod update;

pub use bulk::{brands, count, ids, read_all};
pub use create::create;
pub use delete::delete;
pub use fields::CarInput;
pub use list::list;
pub use read::read;
pub use scope::CarScope;
pub use update::update;

use chrono::{DateTime, Utc};
use mycars_domain::{Action, Car, Denied, Violation, Violations};

use crate::{Caller, ports::StoreError};

/// Why a use-case about cars did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields are wrong; nothing was changed.
    #[error("fields are wrong: {0:?}")]
    Invalid(Violations),
    /// There is no such car for who asks.
    #[error("there is no such car for who asks")]
    NotFound,
    /// Who asks may not do this.
    #[error(transparent)]
    Denied(Denied),
    /// The user whose car it is, or was to be, was deleted meanwhile.
    #[error("the owner is gone")]
    OwnerGone,
    /// Somebody else changed the car since the version that was to be changed; nothing was changed.
    #[error("the car was changed meanwhile")]
    Conflict,
    /// The store failed.
    #[error(transparent)]
    Store(StoreError),
}

impl From<Denied> for Error {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NotFound => Self::NotFound,
            other => Self::Denied(other),
        }
    }
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
            StoreError::OwnerGone => Self::OwnerGone,
            other => Self::Store(other),
        }
    }
}

/// Returns [`Error::Conflict`] where a version is expected and a car, which is locked, has another one.
pub(crate) fn check_version(car: &Car, version: Option<DateTime<Utc>>) -> Result<(), Error> {
    match version {
        Some(version) if version != car.updated_at => Err(Error::Conflict),
        _ => Ok(()),
    }
}

/// Returns `car` if it exists and is in the scope, and `caller` may do `action` to it.
pub(crate) fn authorize_car(
    caller: &Caller,
    action: Action,
    scope: CarScope,
    car: Option<Car>,
) -> Result<Car, Error> {
    let owner = scope.owner(caller, action)?;
    car.filter(|car| owner.is_none_or(|owner| car.owner == owner))
        .ok_or(Error::NotFound)
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
