//! End all logins of a user inside another change.

use mycars_domain::{User, UserId};

use crate::{
    App, Caller,
    audit::{self, EndedLogins},
    ports::{Revocation, StoreError, UnitOfWork},
};

/// Updates a locked user, ends all their logins and returns their number: the refresh tokens that are
/// recorded, those of other systems that were issued before now (`logins_ended_at`), and the sessions. A pending e-mail
/// address is dropped, as by [`drop_pending_email`].
pub(crate) fn update_and_end(
    app: &App,
    unit: &mut dyn UnitOfWork,
    user: &mut User,
    why: Revocation,
) -> Result<EndedLogins, StoreError> {
    user.logins_ended_at = Some(app.now());
    user.email_state.pending = None;
    unit.users().update(user)?;
    end_recorded(app, unit, user.id, why)
}

/// Drops the pending e-mail address of a locked user of whom a login was ended: a thief with that login may have set it.
pub(crate) fn drop_pending_email(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    user: &mut User,
) -> Result<(), StoreError> {
    let before = user.clone();
    if user.email_state.pending.take().is_some() {
        user.updated_at = app.now_after(before.updated_at);
        unit.users().update(user)?;
        audit::user_changed(app, unit, caller, &before, user, EndedLogins::default())?;
    }
    Ok(())
}

/// Deletes the sessions and revokes the recorded refresh tokens of a locked user, and returns their numbers.
pub(crate) fn end_recorded(
    app: &App,
    unit: &mut dyn UnitOfWork,
    user: UserId,
    why: Revocation,
) -> Result<EndedLogins, StoreError> {
    Ok(EndedLogins {
        sessions: unit.sessions().delete_all_of(user, None)?,
        tokens: unit.refresh_tokens().revoke_all_of(user, None, why, app.now())?,
        keys: Vec::new(),
    })
}
