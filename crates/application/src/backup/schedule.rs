//! Scheduled backups.

use chrono::TimeDelta;
use mycars_domain::{Action, Target, policy};

use super::{Backup, Error, back_up};
use crate::{App, Caller};

/// Divisor of the interval: a backup is due this share of it early, because the job that asks runs at its own times.
const EARLY: i32 = 20;

/// Makes a backup if the newest one is older than the interval, and then deletes the oldest ones. Returns `None` if none
/// is due, or backups are turned off.
///
/// # Errors
/// [`Error::Denied`] for all callers but the program itself; those of [`back_up`].
pub fn back_up_if_due(app: &App, caller: &Caller) -> Result<Option<Backup>, Error> {
    policy::check(&caller.actor, Action::BackUp, Target::NOTHING)?;
    let Some(schedule) = &app.backups else {
        return Ok(None);
    };
    let store = &schedule.store;
    let newest = store.list().map_err(Error::Archive)?.pop();
    let after = schedule.every - schedule.every / EARLY;
    // A backup from the future, of a clock that was wrong, delays no other.
    let is_recent = |age: TimeDelta| age >= TimeDelta::zero() && age < after;
    if newest.is_some_and(|newest| is_recent(app.now() - newest.created_at)) {
        return Ok(None);
    }
    app.disk_space.check()?;
    let mut archive = store.create(app.now()).map_err(Error::Archive)?;
    let backup = back_up(app, caller, &mut *archive, &mut |_| {})?;
    let mut backups = store.list().map_err(Error::Archive)?;
    backups.truncate(backups.len().saturating_sub(schedule.keep.max(1)));
    for old in backups {
        store.delete(&old).map_err(Error::Archive)?;
    }
    Ok(Some(backup))
}
