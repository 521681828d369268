//! The caller's own cars (wire contract, section 5).

mod create;
mod delete;
mod fields;
mod list;
mod read;
mod update;

pub use create::create;
pub use delete::delete;
pub use fields::CarInput;
pub use list::list;
pub use read::read;
pub use update::update;

use mycars_domain::{Action, Actor, Car, Denied, Target, UserId, Violation, Violations, policy};

use crate::ports::StoreError;

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
    /// The user who asks was deleted meanwhile.
    #[error("who asks is gone")]
    OwnerGone,
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

/// The caller, as the owner of cars that `action` is about.
fn owner(actor: &Actor, action: Action) -> Result<UserId, Error> {
    let owner = actor.user_id().ok_or(Denied::NotAuthenticated)?;
    policy::check(actor, action, Target::car_of(owner))?;
    Ok(owner)
}

/// `car`, if it is there and `actor` may do `action` to it.
fn permitted(actor: &Actor, action: Action, car: Option<Car>) -> Result<Car, Error> {
    let target = car
        .as_ref()
        .map_or(Target::NOTHING, |car| Target::car_of(car.owner));
    policy::check(actor, action, target)?;
    car.ok_or(Error::NotFound)
}
