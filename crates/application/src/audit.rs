//! Writing the audit log: each use-case that makes a change calls one of these functions, inside its transaction.

use mycars_domain::{
    Car, CarId, Field, NewCar, User, UserId,
    audit::{self, Action, Change, NewEntry, Object, Value},
};

use crate::{
    App, Caller,
    accounts::sessions::hash,
    ports::{ApiKey, Revocation, StoreError, UnitOfWork},
};

/// Creates an entry about an object. Every entry is created here, so that none contains a long text as a whole.
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
        changes: changes.into_iter().map(bounded).collect(),
    }
}

fn bounded(change: Change) -> Change {
    Change {
        before: change.before.bounded(hash),
        after: change.after.bounded(hash),
        ..change
    }
}

/// Records that cars were created.
pub(crate) fn cars_created(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    cars: &[Car],
) -> Result<(), StoreError> {
    let entries: Vec<NewEntry> = cars
        .iter()
        .map(|car| {
            let changes = audit::car_changes(None, Some(car));
            entry(app, caller, Action::Created, Object::car(car), changes)
        })
        .collect();
    unit.audit_log().append(&entries)
}

/// Stores a new car and records that it was created.
pub(crate) fn create_car(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    new: &NewCar,
) -> Result<Car, StoreError> {
    // The store replaces the id.
    let car = new.clone().with_id(CarId(0));
    let changes = audit::car_changes(None, Some(&car));
    let entry = entry(app, caller, Action::Created, Object::car(&car), changes);
    unit.audit_log().append_with_car(&entry, new)
}

/// Records the changes of a car; nothing if there are none. A change of the owner is an entry of its own: the other
/// changes belong to the time of the old owner and are not shown to the new one.
pub(crate) fn car_changed(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    before: &Car,
    after: &Car,
) -> Result<(), StoreError> {
    let (transfer, others): (Vec<Change>, Vec<Change>) = audit::car_changes(Some(before), Some(after))
        .into_iter()
        .partition(|change| change.field == Field::Owner);
    // The new plate is the new owner's.
    let named = if transfer.is_empty() { after } else { before };
    let of_old_owner = Object {
        owner: Some(before.owner),
        ..Object::car(named)
    };
    append_changes(app, unit, caller, of_old_owner, others)?;
    append_changes(app, unit, caller, Object::car(after), transfer)
}

/// Returns the entry about a deleted car.
pub(crate) fn car_deleted(app: &App, caller: &Caller, car: &Car) -> NewEntry {
    let changes = audit::car_changes(Some(car), None);
    entry(app, caller, Action::Deleted, Object::car(car), changes)
}

/// Records that a user was created.
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

/// Records the changes of a user and the logins that ended with them; nothing if there are neither. That an address is
/// verified is only recorded where it must be: servers of the version before, which run beside this one during an update,
/// can't read such a change.
pub(crate) fn user_changed(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    before: &User,
    after: &User,
    ended: EndedLogins,
) -> Result<(), StoreError> {
    let mut changes = audit::user_changes(Some(before), Some(after));
    changes.retain(|change| change.field != Field::EmailVerified || app.requires_verified_email());
    changes.extend(ended.changes());
    append_changes(app, unit, caller, Object::user(after), changes)
}

/// Numbers of a user's logins that were ended, and the API keys that ended with them.
#[derive(Debug, Clone, Default)]
pub(crate) struct EndedLogins {
    pub(crate) tokens: usize,
    pub(crate) sessions: usize,
    pub(crate) keys: Vec<ApiKey>,
}

impl EndedLogins {
    /// Returns the changes of the numbers that were not zero, and one for each key.
    fn changes(self) -> impl Iterator<Item = Change> {
        [
            (Field::RefreshTokens, self.tokens),
            (Field::Sessions, self.sessions),
        ]
        .into_iter()
        .filter(|(_, count)| *count > 0)
        .map(|(field, count)| Change {
            field,
            before: Value::Number(i64::try_from(count).unwrap_or(i64::MAX)),
            after: Value::Number(0),
        })
        .chain(self.keys.into_iter().map(|key| key_change(&key, false)))
    }
}

/// Returns the entry about a deleted user and the logins that ended with them.
pub(crate) fn user_deleted(app: &App, caller: &Caller, user: &User, ended: EndedLogins) -> NewEntry {
    let mut changes = audit::user_changes(Some(user), None);
    changes.extend(ended.changes());
    entry(app, caller, Action::Deleted, Object::user(user), changes)
}

/// Records that a user is erased, and removes the user's texts from all entries, also from those of this transaction.
/// Returns the number of entries that were about or by the user.
pub(crate) fn user_erased(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    user: UserId,
) -> Result<u64, StoreError> {
    // The security event of the entry must not name the user, either.
    let mut entry = entry(app, caller, Action::Erased, Object::erased_user(user), Vec::new());
    entry.forget(user);
    unit.audit_log().append(&[entry])?;
    let count = unit.audit_log().forget_user(user)?;
    Ok(count.saturating_sub(1))
}

/// Records that a refresh token was revoked, for another reason than before.
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

/// Records that all logins of a user were ended, also if there were none.
pub(crate) fn logins_ended(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    user: &User,
    ended: EndedLogins,
) -> Result<(), StoreError> {
    let changes = ended.changes().collect();
    unit.audit_log()
        .append(&[entry(app, caller, Action::Revoked, Object::user(user), changes)])
}

/// Records that a user got or lost an API key.
pub(crate) fn key_changed(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    owner: &User,
    key: &ApiKey,
    is_new: bool,
) -> Result<(), StoreError> {
    append_changes(
        app,
        unit,
        caller,
        Object::user(owner),
        vec![key_change(key, is_new)],
    )
}

fn key_change(key: &ApiKey, is_new: bool) -> Change {
    let key = Value::Text(format!("{} ({}, {})", key.name, key.prefix, key.rights.as_str()));
    let (before, after) = if is_new {
        (Value::Nothing, key)
    } else {
        (key, Value::Nothing)
    };
    Change {
        field: Field::ApiKey,
        before,
        after,
    }
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

/// The expected entries about the samples, for tests.
#[cfg(test)]
pub(crate) mod expected {
    use mycars_domain::{
        Field, UserId,
        audit::{Action, Author, Change, NewEntry, Object, ObjectType, Value},
    };

    use crate::{Caller, mocks::samples};

    /// A field, its old value and its new value.
    pub(crate) type Told = (Field, Value, Value);

    pub(crate) const PASSWORD: Told = (Field::Password, Value::Hidden, Value::Hidden);

    /// Returns the changes of a new password of a user with one login of each kind.
    pub(crate) const NEW_PASSWORD: [(Field, Value, Value); 3] = [
        PASSWORD,
        (Field::RefreshTokens, Value::Number(1), Value::Number(0)),
        (Field::Sessions, Value::Number(1), Value::Number(0)),
    ];

    /// Returns the change of the key of the samples that was ended.
    pub(crate) fn key_ended() -> Told {
        (Field::ApiKey, "sync (mck_ab, read)".into(), Value::Nothing)
    }

    /// Returns the changes that count the ended logins.
    pub(crate) fn ended_logins(tokens: i64, sessions: i64) -> [Change; 2] {
        [(Field::RefreshTokens, tokens), (Field::Sessions, sessions)].map(|(field, count)| Change {
            field,
            before: Value::Number(count),
            after: Value::Number(0),
        })
    }

    pub(crate) fn ann_is_new(caller: &Caller) -> NewEntry {
        entry(caller, Action::Created, ann(), ann_values().map(is_new))
    }

    pub(crate) fn ann_changed(caller: &Caller, changes: impl IntoIterator<Item = Told>) -> NewEntry {
        entry(caller, Action::Changed, ann(), changes)
    }

    pub(crate) fn ann_is_gone(caller: &Caller) -> NewEntry {
        entry(caller, Action::Deleted, ann(), ann_values().map(is_gone))
    }

    pub(crate) fn car_is_new(caller: &Caller) -> NewEntry {
        entry(caller, Action::Created, car(), car_values().map(is_new))
    }

    pub(crate) fn car_changed(caller: &Caller, changes: impl IntoIterator<Item = Told>) -> NewEntry {
        entry(caller, Action::Changed, car(), changes)
    }

    pub(crate) fn car_is_gone(caller: &Caller) -> NewEntry {
        entry(caller, Action::Deleted, car(), car_values().map(is_gone))
    }

    pub(crate) fn token_died(caller: &Caller, jti: &str, before: Value, after: &str) -> NewEntry {
        let token = object(ObjectType::RefreshToken, jti, jti);
        let change = (Field::Revocation, before, after.into());
        entry(caller, Action::Revoked, token, [change])
    }

    fn ann() -> Object {
        object(ObjectType::User, "1", "ann")
    }

    fn car() -> Object {
        object(ObjectType::Car, "10", "Toyota Camry (AB 123)")
    }

    fn object(kind: ObjectType, id: &str, name: &str) -> Object {
        Object {
            kind,
            id: id.into(),
            name: name.into(),
            owner: Some(UserId(1)),
        }
    }

    fn ann_values() -> [(Field, Value); 8] {
        [
            (Field::Username, "ann".into()),
            (Field::Email, "ann@example.com".into()),
            (Field::FirstName, "Ann".into()),
            (Field::LastName, "Lee".into()),
            (Field::Role, "client".into()),
            (Field::IsActive, Value::Flag(true)),
            (Field::IsSuperuser, Value::Flag(false)),
            (Field::Password, Value::Hidden),
        ]
    }

    fn car_values() -> [(Field, Value); 6] {
        [
            (Field::Brand, "Toyota".into()),
            (Field::Model, "Camry".into()),
            (Field::Year, Value::Number(2023)),
            (Field::License, "AB 123".into()),
            (Field::Mileage, Value::Number(0)),
            (Field::Owner, Value::Number(1)),
        ]
    }

    fn is_new((field, value): (Field, Value)) -> Told {
        (field, Value::Nothing, value)
    }

    fn is_gone((field, value): (Field, Value)) -> Told {
        (field, value, Value::Nothing)
    }

    fn entry(
        caller: &Caller,
        action: Action,
        object: Object,
        changes: impl IntoIterator<Item = Told>,
    ) -> NewEntry {
        NewEntry {
            at: samples::now(),
            action,
            object,
            author: Author {
                id: caller.user_id(),
                name: caller.name.clone(),
            },
            origin: caller.origin.clone(),
            changes: changes
                .into_iter()
                .map(|(field, before, after)| Change { field, before, after })
                .collect(),
        }
    }
}
