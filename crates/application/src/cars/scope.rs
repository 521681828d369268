//! The cars that a use-case is about.

use mycars_domain::{Action, Denied, Target, UserId, policy};

use super::Error;
use crate::{Caller, ports::UnitOfWork};

/// The cars that a use-case is about, and the capacity in which the caller acts. A car outside the scope is not
/// found, for any rank of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarScope {
    /// The caller's own cars, as their owner (wire contract, section 5).
    Caller,
    /// The cars of this user, as an admin (wire contract, section 6).
    Owner(UserId),
    /// The cars of all users, as an admin.
    All,
}

impl CarScope {
    /// Returns the owner of the cars in this scope if `caller` may do `action` to them; `None` for all users' cars.
    pub(super) fn owner(self, caller: &Caller, action: Action) -> Result<Option<UserId>, Error> {
        let (of_scope, owner) = match self {
            Self::Caller => (action, Some(caller.user_id().ok_or(Denied::NotAuthenticated)?)),
            Self::Owner(owner) => (Action::ManageCars, Some(owner)),
            Self::All => (Action::ManageCars, None),
        };
        let target = owner.map_or(Target::NOTHING, Target::car_of);
        policy::check(&caller.actor, of_scope, target)?;
        policy::check_key(&caller.actor, action)?;
        Ok(owner)
    }

    /// [Rechecks](Caller::recheck) an admin who changes cars of others, and locks the user whose quota the change
    /// counts to, `charged`, in the order of their ids. Owners are not rechecked: they gain nothing by a last change of
    /// their own cars.
    pub(crate) fn recheck(
        self,
        unit: &mut dyn UnitOfWork,
        caller: &Caller,
        charged: Option<UserId>,
    ) -> Result<(), Error> {
        if self == Self::Caller {
            return Ok(());
        }
        policy::check(&caller.actor, Action::ManageCars, Target::NOTHING)?;
        match charged {
            Some(charged) => caller.recheck_with(unit, charged).map(drop),
            None => caller.recheck(unit),
        }
    }
}
