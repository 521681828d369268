//! The rule that an active superuser always remains.

use mycars_domain::{Action, Rank, Target, UserId, policy};

use crate::{
    Caller,
    ports::{StoreError, UnitOfWork},
};

/// Returns whether this user is a superuser and no other superuser is active. The answer holds until the transaction
/// ends, because all superusers are locked.
///
/// It locks nothing for a caller who may not change superusers.
///
/// It must be called before the user is locked alone: superusers are locked in the order of their ids, so that two
/// requests that concern two superusers cannot wait for each other.
pub(crate) fn is_last(unit: &mut dyn UnitOfWork, caller: &Caller, id: UserId) -> Result<bool, StoreError> {
    let is_superuser = unit.users().find(id)?.is_some_and(|user| user.is_superuser);
    let superuser = Target::user(id, Rank::Superuser);
    if !is_superuser || policy::check(&caller.actor, Action::ChangeUser, superuser).is_err() {
        return Ok(false);
    }
    let superusers = unit.users().superusers_for_update()?;
    Ok(!superusers.iter().any(|other| other.id != id && other.is_active))
}
