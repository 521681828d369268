//! Cars: the caller's own (wire contract, section 5), those of a user for admins (section 6), and those of all users
//! for the panel.
//!
//! The use-cases take a [`CarScope`], which selects the owners of the cars.

mod bulk;
mod create;
mod delete;
pub(crate) mod fields;
mod import;
mod list;
mod read;
mod scope;
mod update;

pub use bulk::{brands, count, ids, read_all};
pub use create::create;
pub use delete::delete;
pub use fields::CarInput;
pub use import::{CarRow, ImportError, ImportMode, InvalidRow, MAX_ROWS, import};
pub use list::{list, list_chunked};
pub use read::{read, show};
pub use scope::CarScope;
pub use update::update;

use chrono::{DateTime, Utc};
use mycars_domain::{Action, Car, Denied, Violations};

use crate::{Caller, ports::StoreError};

/// The errors of use-cases about cars.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Fields are invalid; nothing was changed.
    #[error("fields are invalid: {0:?}")]
    Invalid(Violations),
    /// The car does not exist in the scope of the request.
    #[error("the car does not exist for the caller")]
    NotFound,
    /// The caller may not do this.
    #[error(transparent)]
    Denied(Denied),
    /// The owner of the car was deleted meanwhile.
    #[error("the owner does not exist")]
    OwnerGone,
    /// Another request changed the car since the given version; nothing was changed.
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

crate::error::convert_errors!(OwnerGone);

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
