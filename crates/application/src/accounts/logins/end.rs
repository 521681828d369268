//! End all logins of a user inside another change.

use mycars_domain::{User, UserId};

use crate::{
    App,
    audit::EndedLogins,
    ports::{Revocation, StoreError, UnitOfWork},
};

/// Updates a locked user, ends all their logins and returns their number: the refresh tokens that are
/// recorded, those of other systems that were issued before now (`logins_ended_at`), and the sessions.
pub(crate) fn update_and_end(
    app: &App,
    unit: &mut dyn UnitOfWork,
    user: &mut User,
    why: Revocation,
) -> Result<EndedLogins, StoreError> {
    user.logins_ended_at = Some(app.now());
    unit.users().update(user)?;
    end_recorded(app, unit, user.id, why)
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
