//! The actor of an action.

use crate::{Role, UserId};

/// The actor of an action: the caller of a use-case. [`policy::check`](crate::policy::check) decides for an actor.
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
    /// An anonymous caller: no credentials were given.
    Anonymous,
    /// An authenticated user.
    User {
        /// The user's id.
        id: UserId,
        /// The user's rank, which decides about objects of other users.
        rank: Rank,
    },
    /// A program with an API key of a user.
    Key {
        /// The user's id.
        id: UserId,
        /// The user's rank.
        rank: Rank,
        /// The rights of the key, which never exceed those of the user.
        rights: KeyRights,
    },
    /// The program itself: start-up tasks and the operator's command line.
    System,
}

impl Actor {
    /// Returns the user's id; `None` for an anonymous caller and for the program itself.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        match self {
            Self::User { id, .. } | Self::Key { id, .. } => Some(*id),
            Self::Anonymous | Self::System => None,
        }
    }
}

/// The rights of an API key.
///
/// ```
/// use mycars_domain::KeyRights;
///
/// assert_eq!(KeyRights::Read.as_str(), "read");
/// assert_eq!(KeyRights::named("write"), Some(KeyRights::Write));
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub enum KeyRights {
    /// Only reading.
    Read,
    /// Reading and writing.
    Write,
}

impl KeyRights {
    /// All rights.
    pub const ALL: [Self; 2] = [Self::Read, Self::Write];

    /// Returns the name of the rights as it is written and stored: the variant's name in snake case.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
        }
    }

    /// Returns the rights with this name; `None` if there are none. Case and white space count.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rights| rights.as_str() == name)
    }
}

/// The extent of a user's rights (wire contract, section 6).
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
    /// Access to their own account and cars.
    Client,
    /// Access to all accounts and cars, except to the accounts of superusers.
    Admin,
    /// Access to all accounts and cars.
    Superuser,
}

impl Rank {
    /// Returns the rank for a role and the superuser flag (wire contract, section 6: an admin is a superuser or has
    /// the role).
    #[must_use]
    pub fn of(role: Role, is_superuser: bool) -> Self {
        match (is_superuser, role) {
            (true, _) => Self::Superuser,
            (false, Role::Admin) => Self::Admin,
            (false, Role::Client) => Self::Client,
        }
    }
}
