//! Who asks for something to be done.

use crate::{Role, UserId};

/// Who asks for something to be done. [`policy::check`](crate::policy::check) is asked about one.
///
/// ```
/// use mycars_domain::{Actor, Rank, UserId};
///
/// let ann = Actor::User { id: UserId(1), rank: Rank::Client };
/// assert_eq!(ann.user_id(), Some(UserId(1)));
/// assert_eq!(Actor::Anonymous.user_id(), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Actor {
    /// Nobody that is known: no credentials were given.
    Anonymous,
    /// A user who proved to be one.
    User {
        /// Which user.
        id: UserId,
        /// What the user may do beyond their own things.
        rank: Rank,
    },
    /// The program itself: start-up tasks and the command line of whoever runs it.
    System,
}

impl Actor {
    /// The id of the user who asks; `None` for nobody and for the program itself.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        match self {
            Self::User { id, .. } => Some(*id),
            Self::Anonymous | Self::System => None,
        }
    }
}

/// How far a user's rights reach (wire contract, section 6).
///
/// ```
/// use mycars_domain::{Rank, Role};
///
/// assert_eq!(Rank::of(Role::Admin, false), Rank::Admin);
/// assert_eq!(Rank::of(Role::Client, true), Rank::Superuser);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum Rank {
    /// Their own account and cars.
    Client,
    /// Everybody's, except superusers' accounts.
    Admin,
    /// Everybody's.
    Superuser,
}

impl Rank {
    /// The rank that a role and the superuser mark give together (wire contract, section 6: an admin is who
    /// is a superuser or has the role).
    #[must_use]
    pub fn of(role: Role, is_superuser: bool) -> Self {
        match (is_superuser, role) {
            (true, _) => Self::Superuser,
            (false, Role::Admin) => Self::Admin,
            (false, Role::Client) => Self::Client,
        }
    }
}
