//! Writing the audit log: each use-case that changes something calls one of these, inside its transaction.

use mycars_domain::{
    Car, Field, User,
    audit::{self, Action, Change, NewEntry, Object, Value},
};

use crate::{
    App, Caller,
    ports::{Revocation, StoreError, UnitOfWork},
};

/// One entry, about whatever it is.
pub(crate) fn entry(
    app: &App,
    caller: &Caller,
    action: Action,
    object: Object,
    changes: Vec<Change>,
) -> NewEntry {
    NewEntry {
        at: app.now(),
        action,
        object,
        author: caller.author(),
        origin: caller.origin.clone(),
        changes,
    }
}

/// A car is new.
pub(crate) fn car_created(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    car: &Car,
) -> Result<(), StoreError> {
    let changes = audit::car_changes(None, Some(car));
    unit.audit_log()
        .append(&[entry(app, caller, Action::Created, Object::car(car), changes)])
}

/// A car is not what it was. If it is, nothing is written.
pub(crate) fn car_changed(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    before: &Car,
    after: &Car,
) -> Result<(), StoreError> {
    let changes = audit::car_changes(Some(before), Some(after));
    append_changes(app, unit, caller, Object::car(after), changes)
}

/// The entry that says of a car that it is gone.
pub(crate) fn car_deleted(app: &App, caller: &Caller, car: &Car) -> NewEntry {
    let changes = audit::car_changes(Some(car), None);
    entry(app, caller, Action::Deleted, Object::car(car), changes)
}

/// A user is new.
pub(crate) fn user_created(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    user: &User,
) -> Result<(), StoreError> {
    let changes = audit::user_changes(None, Some(user));
    unit.audit_log()
        .append(&[entry(app, caller, Action::Created, Object::user(user), changes)])
}

/// A user is not what they were. If they are, nothing is written.
pub(crate) fn user_changed(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    before: &User,
    after: &User,
) -> Result<(), StoreError> {
    let changes = audit::user_changes(Some(before), Some(after));
    append_changes(app, unit, caller, Object::user(after), changes)
}

/// The entry that says of a user that they are gone.
pub(crate) fn user_deleted(app: &App, caller: &Caller, user: &User) -> NewEntry {
    let changes = audit::user_changes(Some(user), None);
    entry(app, caller, Action::Deleted, Object::user(user), changes)
}

/// A refresh token is dead, for another reason than before.
pub(crate) fn token_revoked(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    token: Object,
    before: Option<Revocation>,
    after: Revocation,
) -> Result<(), StoreError> {
    let change = Change {
        field: Field::Revocation,
        before: before.map_or(Value::Nothing, |why| why.as_str().into()),
        after: after.as_str().into(),
    };
    unit.audit_log()
        .append(&[entry(app, caller, Action::Revoked, token, vec![change])])
}

/// All logins of a user were ended: so many refresh tokens, and so many browsers'. If there were none, nothing is
/// written but that they were.
pub(crate) fn logins_ended(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    user: &User,
    (tokens, sessions): (usize, usize),
) -> Result<(), StoreError> {
    let changes = [(Field::RefreshTokens, tokens), (Field::Sessions, sessions)]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(field, count)| Change {
            field,
            before: Value::Number(i64::try_from(count).unwrap_or(i64::MAX)),
            after: Value::Number(0),
        })
        .collect();
    unit.audit_log()
        .append(&[entry(app, caller, Action::Revoked, Object::user(user), changes)])
}

fn append_changes(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    object: Object,
    changes: Vec<Change>,
) -> Result<(), StoreError> {
    if changes.is_empty() {
        return Ok(());
    }
    unit.audit_log()
        .append(&[entry(app, caller, Action::Changed, object, changes)])
}
