//! The audit log: what became of users, cars and logins, by whom, and what it was before.
//!
//! An entry is written once, in the transaction of the change that it tells of, and never changed. It holds
//! everything that is needed to read it after what it is about, or whoever did it, is gone.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use crate::{Car, CarId, Field, User, UserId};

/// What was done.
///
/// ```
/// use mycars_domain::audit::Action;
///
/// assert_eq!(Action::Deleted.as_str(), "deleted");
/// assert_eq!(Action::named("deleted"), Some(Action::Deleted));
/// assert_eq!(Action::named("burnt"), None);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// It is new.
    Created,
    /// Some of its fields have other values.
    Changed,
    /// It is gone.
    Deleted,
    /// A login was ended, or all of a user's were.
    Revoked,
}

impl Action {
    /// Every action, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::Created, Self::Changed, Self::Deleted, Self::Revoked];

    /// The action's name, as it is written and kept: the variant's in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
            Self::Revoked => "revoked",
        }
    }

    /// The action of this name; `None` if there is none. Case and white space count.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}

/// What kind of thing an entry is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectType {
    /// A user.
    User,
    /// A car.
    Car,
    /// A refresh token.
    RefreshToken,
}

impl ObjectType {
    /// Every kind, in the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::User, Self::Car, Self::RefreshToken];

    /// The kind's name, as it is written and kept: the variant's in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Car => "car",
            Self::RefreshToken => "refresh_token",
        }
    }

    /// The kind of this name; `None` if there is none. Case and white space count.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// What an entry is about: made of a user, a car or a token as it is when the entry is written.
///
/// ```
/// use mycars_domain::{UserId, audit::Object};
///
/// let token = Object::refresh_token("3f2a", Some(UserId(1)));
/// assert_eq!((token.id.as_str(), token.user_id()), ("3f2a", None));
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Object {
    /// What kind of thing it is.
    pub kind: ObjectType,
    /// The number by which it is known, or a token's `jti`.
    pub id: String,
    /// What it was called when this happened: a username, or a car's brand, model and plate.
    pub name: String,
    /// Whose it was: a car's owner, the user themself, whose login a token was.
    pub owner: Option<UserId>,
}

impl Object {
    /// A user.
    #[must_use]
    pub fn user(user: &User) -> Self {
        Self {
            kind: ObjectType::User,
            id: user.id.to_string(),
            name: user.username.to_string(),
            owner: Some(user.id),
        }
    }

    /// A car.
    #[must_use]
    pub fn car(car: &Car) -> Self {
        Self {
            kind: ObjectType::Car,
            id: car.id.to_string(),
            name: format!("{} {} ({})", car.brand, car.model, car.license),
            owner: Some(car.owner),
        }
    }

    /// A refresh token, which has no name but its `jti` (RFC 7519, 4.1.7), and whose login it is.
    #[must_use]
    pub fn refresh_token(jti: &str, owner: Option<UserId>) -> Self {
        Self {
            kind: ObjectType::RefreshToken,
            id: jti.to_owned(),
            name: jti.to_owned(),
            owner,
        }
    }

    /// The user whom it is, if it is one.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        (self.kind == ObjectType::User).then(|| self.id.parse().ok().map(UserId))?
    }

    /// The car that it is, if it is one.
    #[must_use]
    pub fn car_id(&self) -> Option<CarId> {
        (self.kind == ObjectType::Car).then(|| self.id.parse().ok().map(CarId))?
    }
}

/// By which way a change was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The HTTP API, by a program or through its pages.
    Api,
    /// The admin panel.
    Panel,
    /// The command line of whoever runs the program, or its start-up tasks.
    CommandLine,
}

impl Channel {
    /// Every way.
    pub const ALL: [Self; 3] = [Self::Api, Self::Panel, Self::CommandLine];

    /// The way's name, as it is written and kept: the variant's in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Panel => "panel",
            Self::CommandLine => "command_line",
        }
    }

    /// The way of this name; `None` if there is none. Case and white space count.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == name)
    }
}

/// Where a change was asked from.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Origin {
    /// By which way.
    pub channel: Channel,
    /// The id under which the log knows the request; `None` on the command line.
    pub request_id: Option<String>,
    /// The address of who asked; `None` on the command line.
    pub address: Option<IpAddr>,
}

/// Who did it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Author {
    /// The user; `None` for nobody that is known and for the program itself.
    pub id: Option<UserId>,
    /// What they were called when they did it.
    pub name: String,
}

/// A value as an entry keeps it: enough to show it, whatever type it had.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Value {
    /// None.
    Nothing,
    /// Text.
    Text(String),
    /// A number.
    Number(i64),
    /// True or false.
    Flag(bool),
    /// A value that nobody is told, such as a password.
    Hidden,
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// What became of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Change {
    /// Which field.
    pub field: Field,
    /// What it was.
    pub before: Value,
    /// What it is.
    pub after: Value,
}

/// An entry that is not kept yet, and so has no number. [`car_changes`] and [`user_changes`] make its changes.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NewEntry {
    /// When it happened, to the microsecond.
    pub at: DateTime<Utc>,
    /// What was done.
    pub action: Action,
    /// To what.
    pub object: Object,
    /// By whom.
    pub author: Author,
    /// From where.
    pub origin: Origin,
    /// What became of the fields.
    pub changes: Vec<Change>,
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Entry {
    /// Its number: later entries have greater ones.
    pub id: i64,
    /// What it says.
    pub entry: NewEntry,
}

/// What a car was before and is after, as the fields that differ: one of the two is `None` where it is new or gone.
/// Points in time that only say when it was changed are left out.
///
/// ```
/// # use chrono::DateTime;
/// # use mycars_domain::{Car, CarId, UserId, values::*};
/// use mycars_domain::{Field, audit::{self, Change, Value}};
///
/// # let before = Car {
/// #     id: CarId(1), owner: UserId(1), brand: Brand::from_storage("VW".into()),
/// #     model: Model::from_storage("Golf".into()), year: Year::from_storage(2020), color: None,
/// #     license: LicensePlate::from_storage("B 1".into()), vin: None, mileage: Mileage::from_storage(5),
/// #     image: None, notes: None, created_at: DateTime::UNIX_EPOCH, updated_at: DateTime::UNIX_EPOCH,
/// # };
/// let after = Car { mileage: Mileage::from_storage(900), ..before.clone() };
/// let change = Change { field: Field::Mileage, before: Value::Number(5), after: Value::Number(900) };
/// assert_eq!(audit::car_changes(Some(&before), Some(&after)), [change]);
/// ```
#[must_use]
pub fn car_changes(before: Option<&Car>, after: Option<&Car>) -> Vec<Change> {
    differences(car_values(before), car_values(after))
}

/// What a user was before and is after, as [`car_changes`] says it of a car. Of a password nothing is told but
/// that it changed ([`Value::Hidden`]). When they last logged in, and when their logins were ended, is left out, too.
#[must_use]
pub fn user_changes(before: Option<&User>, after: Option<&User>) -> Vec<Change> {
    let mut changes = differences(user_values(before), user_values(after));
    let password = |user: Option<&User>| user.map_or(Value::Nothing, |_| Value::Hidden);
    if before.map(|user| &user.password) != after.map(|user| &user.password) {
        changes.push(Change {
            field: Field::Password,
            before: password(before),
            after: password(after),
        });
    }
    changes
}

type Values<const N: usize> = [(Field, Value); N];

fn differences<const N: usize>(before: Values<N>, after: Values<N>) -> Vec<Change> {
    before
        .into_iter()
        .zip(after)
        .map(|((field, before), (_, after))| Change { field, before, after })
        .filter(|change| change.before != change.after)
        .collect()
}

fn text(value: Option<&str>) -> Value {
    value.map_or(Value::Nothing, Value::from)
}

fn number<T: Into<i64>>(value: Option<T>) -> Value {
    value.map_or(Value::Nothing, |number| Value::Number(number.into()))
}

fn flag(value: Option<bool>) -> Value {
    value.map_or(Value::Nothing, Value::Flag)
}

fn car_values(car: Option<&Car>) -> Values<10> {
    [
        (Field::Brand, text(car.map(|car| car.brand.as_str()))),
        (Field::Model, text(car.map(|car| car.model.as_str()))),
        (Field::Year, number(car.map(|car| car.year.get()))),
        (
            Field::Color,
            text(car.and_then(|car| Some(car.color.as_ref()?.as_str()))),
        ),
        (Field::License, text(car.map(|car| car.license.as_str()))),
        (
            Field::Vin,
            text(car.and_then(|car| Some(car.vin.as_ref()?.as_str()))),
        ),
        (Field::Mileage, number(car.map(|car| car.mileage.get()))),
        (Field::Owner, number(car.map(|car| car.owner.0))),
        (
            Field::Image,
            text(car.and_then(|car| Some(car.image.as_ref()?.as_str()))),
        ),
        (
            Field::Notes,
            text(car.and_then(|car| Some(car.notes.as_ref()?.as_str()))),
        ),
    ]
}

fn user_values(user: Option<&User>) -> Values<9> {
    [
        (Field::Username, text(user.map(|user| user.username.as_str()))),
        (Field::Email, text(user.map(|user| user.email.as_str()))),
        (Field::FirstName, text(user.map(|user| user.first_name.as_str()))),
        (Field::LastName, text(user.map(|user| user.last_name.as_str()))),
        (Field::Role, text(user.map(|user| user.role.as_str()))),
        (Field::IsActive, flag(user.map(|user| user.is_active))),
        (Field::IsSuperuser, flag(user.map(|user| user.is_superuser))),
        (
            Field::Phone,
            text(user.and_then(|user| Some(user.phone.as_ref()?.as_str()))),
        ),
        (
            Field::Address,
            text(user.and_then(|user| Some(user.address.as_ref()?.as_str()))),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Role,
        values::{Email, FirstName, LastName, PasswordHash, Phone, Username},
    };

    fn ann() -> User {
        User {
            id: UserId(1),
            username: Username::from_storage("ann".into()),
            email: Email::from_storage("ann@example.com".into()),
            first_name: FirstName::from_storage("Ann".into()),
            last_name: LastName::from_storage("Lee".into()),
            role: Role::Client,
            phone: None,
            address: None,
            is_active: true,
            is_superuser: false,
            password: PasswordHash::from_storage("old".into()),
            logins_ended_at: None,
            date_joined: DateTime::UNIX_EPOCH,
            last_login: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn only_what_differs_is_a_change() {
        let changed = User {
            role: Role::Admin,
            phone: Some(Phone::from_storage("555".into())),
            last_login: Some(DateTime::UNIX_EPOCH),
            ..ann()
        };
        let change = |field, before, after| Change { field, before, after };
        assert_eq!(
            user_changes(Some(&ann()), Some(&changed)),
            [
                change(Field::Role, "client".into(), "admin".into()),
                change(Field::Phone, Value::Nothing, "555".into()),
            ]
        );
        assert_eq!(user_changes(Some(&ann()), Some(&ann())), []);
    }

    #[test]
    fn a_password_is_told_to_nobody() {
        let changed = User {
            password: PasswordHash::from_storage("new".into()),
            ..ann()
        };
        let change = Change {
            field: Field::Password,
            before: Value::Hidden,
            after: Value::Hidden,
        };
        assert_eq!(user_changes(Some(&ann()), Some(&changed)), [change]);
    }

    #[test]
    fn what_is_new_or_gone_is_told_whole() {
        let fields =
            |changes: Vec<Change>| -> Vec<Field> { changes.into_iter().map(|change| change.field).collect() };
        let told = [
            Field::Username,
            Field::Email,
            Field::FirstName,
            Field::LastName,
            Field::Role,
            Field::IsActive,
            Field::IsSuperuser,
            Field::Password,
        ];
        assert_eq!(fields(user_changes(None, Some(&ann()))), told);
        assert_eq!(fields(user_changes(Some(&ann()), None)), told);
    }

    #[test]
    fn every_name_leads_back_to_what_it_names() {
        for action in Action::ALL {
            assert_eq!(Action::named(action.as_str()), Some(action));
        }
        for kind in ObjectType::ALL {
            assert_eq!(ObjectType::named(kind.as_str()), Some(kind));
        }
        for channel in Channel::ALL {
            assert_eq!(Channel::named(channel.as_str()), Some(channel));
        }
        assert_eq!(Action::named("burnt"), None);
    }

    #[test]
    fn an_object_knows_what_it_is() {
        assert_eq!(Object::user(&ann()).user_id(), Some(UserId(1)));
        assert_eq!(Object::user(&ann()).car_id(), None);
        assert_eq!(Object::refresh_token("7", None).user_id(), None);
    }
}
