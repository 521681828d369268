//! Putting mails into the outbox: use-cases call [`enqueue`] in the transaction of the change that the mail is about.

use mycars_domain::{User, UserId, values::Email};

use crate::{
    App,
    ports::{MailKind, StoreError, UnitOfWork},
};

/// Puts a mail to a user, with their present address, into the outbox, unless mail is turned off.
pub(crate) fn enqueue(
    app: &App,
    unit: &mut dyn UnitOfWork,
    kind: MailKind,
    user: Option<&User>,
) -> Result<(), StoreError> {
    enqueue_to(app, unit, kind, user.map(|user| (user.id, user.email.clone())))
}

/// Puts a mail to an address into the outbox, unless mail is turned off.
pub(crate) fn enqueue_to(
    app: &App,
    unit: &mut dyn UnitOfWork,
    kind: MailKind,
    to: Option<(UserId, Email)>,
) -> Result<(), StoreError> {
    match app.mail {
        Some(_) => unit.outbox().insert(kind, to, app.now()),
        None => Ok(()),
    }
}
