//! Change an e-mail address: the own one at once or, where addresses must be verified, as soon as the new one is, and that
//! of another user as an admin.

use mycars_domain::{User, UserId, values::Email};

use crate::{
    App, outbox,
    ports::{MailKind, StoreError, UnitOfWork},
};

/// Changes the caller's own address in `user`, which is locked and stored by the use-case, and puts the mails about it into
/// the outbox.
pub(crate) fn change_own_email(
    app: &App,
    unit: &mut dyn UnitOfWork,
    user: &mut User,
    email: Email,
) -> Result<(), StoreError> {
    if app.requires_verified_email() && !user.has_email(&email) {
        user.email_state.pending = Some(email.clone());
        return send_verification(app, unit, user.id, email);
    }
    user.email_state.pending = None;
    let before = user.clone();
    if user.change_email(email, app.now()) {
        outbox::enqueue(app, unit, MailKind::EmailChanged, Some(&before))?;
    }
    if app.mail.is_none() {
        // No link can undo the change, so the old address is not reserved.
        user.email_state.previous = None;
    }
    Ok(())
}

/// Changes the address of another user in `user`, like [`change_own_email`].
pub(crate) fn assign_email(
    app: &App,
    unit: &mut dyn UnitOfWork,
    user: &mut User,
    email: Email,
) -> Result<(), StoreError> {
    if !user.has_email(&email) {
        outbox::enqueue(app, unit, MailKind::EmailChanged, Some(&*user))?;
    }
    user.assign_email(email, app.now());
    Ok(())
}

/// Puts a mail with a link that verifies an address of a user into the outbox.
pub(crate) fn send_verification(
    app: &App,
    unit: &mut dyn UnitOfWork,
    user: UserId,
    email: Email,
) -> Result<(), StoreError> {
    outbox::enqueue_to(app, unit, MailKind::EmailVerification, Some((user, email)))
}
