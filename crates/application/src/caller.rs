//! The caller of a use-case, and the origin of the request.

use mycars_domain::{
    Actor, User, UserId,
    audit::{Author, Channel, Origin},
};

/// The caller of a use-case, with the data for the audit log. Use-cases take one, except those whose argument
/// authenticates the caller, such as a token.
///
/// Create one for a user only after authenticating them, as [`accounts::authenticate`](crate::accounts::authenticate)
/// and [`sessions::authenticate`](crate::accounts::sessions::authenticate) do.
///
/// ```
/// use mycars_application::{Caller, mocks::samples};
/// use mycars_domain::{Actor, UserId, audit::{Channel, Origin}};
///
/// let origin = Origin {
///     channel: Channel::Api,
///     request_id: Some("7f3c".into()),
///     address: Some([192, 0, 2, 1].into()),
/// };
/// let ann = Caller::user(&samples::user(), origin.clone());
/// assert_eq!((ann.user_id(), ann.name.as_str()), (Some(UserId(1)), "ann"));
/// assert_eq!(Caller::anonymous(origin).user_id(), None);
/// assert_eq!(Caller::system().actor, Actor::System);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The actor, on which alone policy decides.
    pub actor: Actor,
    /// The name in the audit log.
    pub name: String,
    /// The origin of the request.
    pub origin: Origin,
}

impl Caller {
    /// Returns an authenticated user as a caller, with their current rights.
    #[must_use]
    pub fn user(user: &User, origin: Origin) -> Self {
        Self {
            actor: user.actor(),
            name: user.username.to_string(),
            origin,
        }
    }

    /// Returns the anonymous caller.
    #[must_use]
    pub fn anonymous(origin: Origin) -> Self {
        Self {
            actor: Actor::Anonymous,
            name: "anonymous".to_owned(),
            origin,
        }
    }

    /// Returns the program itself: start-up tasks and the operator's command line.
    #[must_use]
    pub fn system() -> Self {
        Self {
            actor: Actor::System,
            name: "system".to_owned(),
            origin: Origin {
                channel: Channel::CommandLine,
                request_id: None,
                address: None,
            },
        }
    }

    /// Returns the id of the user; `None` for anonymous callers and the program itself.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        self.actor.user_id()
    }

    /// Returns the author of the audit log's entries.
    #[must_use]
    pub fn author(&self) -> Author {
        Author {
            id: self.user_id(),
            name: self.name.clone(),
        }
    }
}
