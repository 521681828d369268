//! Who asks, and from where.

use mycars_domain::{
    Actor, User, UserId,
    audit::{Author, Channel, Origin},
};

/// Who asks for something to be done, and what the audit log will say of them. Every use-case takes one.
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
    /// A user who proved to be one.
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
    pub(crate) fn author(&self) -> Author {
        Author {
            id: self.user_id(),
            name: self.name.clone(),
        }
    }
}
