//! Who asks, and from where.

use mycars_domain::{
    Actor, User, UserId,
    audit::{Author, Channel, Origin},
};

/// Who asks for something to be done, and what the audit log will say of them. Use-cases take one, except those whose
/// argument itself proves who asks, such as a token.
///
/// Whoever makes one of a user has found out that it is them, and that they may log in:
/// [`accounts::authenticate`](crate::accounts::authenticate) and
/// [`sessions::authenticate`](crate::accounts::sessions::authenticate) do.
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
    /// Who asks, as far as rights go.
    pub actor: Actor,
    /// What they are called.
    pub name: String,
    /// Where they ask from.
    pub origin: Origin,
}

impl Caller {
    /// A user who proved to be one, with the rights that they have now.
    #[must_use]
    pub fn user(user: &User, origin: Origin) -> Self {
        Self {
            actor: user.actor(),
            name: user.username.to_string(),
            origin,
        }
    }

    /// Nobody that is known.
    #[must_use]
    pub fn anonymous(origin: Origin) -> Self {
        Self {
            actor: Actor::Anonymous,
            name: "anonymous".to_owned(),
            origin,
        }
    }

    /// The program itself: start-up tasks and the command line of whoever runs it.
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

    /// The id of the user who asks; `None` for nobody and for the program itself.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        self.actor.user_id()
    }

    /// Who asks, as the audit log keeps it.
    #[must_use]
    pub fn author(&self) -> Author {
        Author {
            id: self.user_id(),
            name: self.name.clone(),
        }
    }
}
