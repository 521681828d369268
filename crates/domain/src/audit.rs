//! The audit log: changes of users, cars and logins, with their actors and the old and new values.
//!
//! An entry is written once, in the transaction of the change. Later, only two things happen to it: the texts of an
//! erased user are removed ([`NewEntry::forget`]), and the oldest entries can be deleted. An entry can be read without
//! its object and actor, which may have been deleted since.

use std::net::IpAddr;

use chrono::{DateTime, Utc};

use crate::{Car, CarId, Field, User, UserId};

/// The kind of change.
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
    /// The object was created.
    Created,
    /// Fields of the object were changed.
    Changed,
    /// The object was deleted.
    Deleted,
    /// One login or all logins of a user were ended.
    Revoked,
    /// All texts of a user were removed from the audit log.
    Erased,
}

impl Action {
    /// All actions, in the order in which they are offered.
    pub const ALL: [Self; 5] = [
        Self::Created,
        Self::Changed,
        Self::Deleted,
        Self::Revoked,
        Self::Erased,
    ];

    /// Returns the name of the action as it is written and stored: the variant's name in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Created => "created",
            Self::Changed => "changed",
            Self::Deleted => "deleted",
            Self::Revoked => "revoked",
            Self::Erased => "erased",
        }
    }

    /// Returns the action with this name; `None` if there is none. Case and white space count.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str() == name)
    }
}

/// The type of the object of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ObjectType {
    /// A user.
    User,
    /// A car.
    Car,
    /// A refresh token.
    RefreshToken,
    /// The audit log itself.
    AuditLog,
}

impl ObjectType {
    /// All types, in the order in which they are offered.
    pub const ALL: [Self; 4] = [Self::User, Self::Car, Self::RefreshToken, Self::AuditLog];

    /// Returns the name of the type as it is written and stored: the variant's name in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Car => "car",
            Self::RefreshToken => "refresh_token",
            Self::AuditLog => "audit_log",
        }
    }

    /// Returns the type with this name; `None` if there is none. Case and white space count.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

/// The object of an entry: a user, a car or a token as it was when the entry was written.
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
    /// The type of the object.
    pub kind: ObjectType,
    /// The id of the user or car, the `jti` of the token, or the id of the last entry that was deleted from the log.
    pub id: String,
    /// The name of the object at the time of the change: a username, or a car's brand, model and plate.
    pub name: String,
    /// The owner of the object: a car's owner, the user themself, or the user of a token.
    pub owner: Option<UserId>,
}

impl Object {
    /// Returns the object for a user.
    #[must_use]
    pub fn user(user: &User) -> Self {
        Self {
            kind: ObjectType::User,
            id: user.id.to_string(),
            name: user.username.to_string(),
            owner: Some(user.id),
        }
    }

    /// Returns the object for a user whose texts are removed.
    #[must_use]
    pub fn erased_user(id: UserId) -> Self {
        Self {
            kind: ObjectType::User,
            id: id.to_string(),
            name: erased_name(id),
            owner: Some(id),
        }
    }

    /// Returns the object for a car.
    #[must_use]
    pub fn car(car: &Car) -> Self {
        Self {
            kind: ObjectType::Car,
            id: car.id.to_string(),
            name: format!("{} {} ({})", car.brand, car.model, car.license),
            owner: Some(car.owner),
        }
    }

    /// Returns the object for a refresh token, whose only name is its `jti` (RFC 7519, 4.1.7), and for its user.
    #[must_use]
    pub fn refresh_token(jti: &str, owner: Option<UserId>) -> Self {
        Self {
            kind: ObjectType::RefreshToken,
            id: jti.to_owned(),
            name: jti.to_owned(),
            owner,
        }
    }

    /// Returns the object for the audit log after its oldest entries were deleted: those from before `before`, the last
    /// of them with the id `last`.
    #[must_use]
    pub fn audit_log(last: i64, before: DateTime<Utc>) -> Self {
        Self {
            kind: ObjectType::AuditLog,
            id: last.to_string(),
            name: format!("entries before {}", before.date_naive()),
            owner: None,
        }
    }

    /// Returns the id of the user, if the object is a user.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        (self.kind == ObjectType::User).then(|| self.id.parse().ok().map(UserId))?
    }

    /// Returns the id of the car, if the object is a car.
    #[must_use]
    pub fn car_id(&self) -> Option<CarId> {
        (self.kind == ObjectType::Car).then(|| self.id.parse().ok().map(CarId))?
    }
}

/// The interface through which a change was requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// The HTTP API, including its pages.
    Api,
    /// The admin panel.
    Panel,
    /// The operator's command line, or start-up tasks.
    CommandLine,
}

impl Channel {
    /// All channels.
    pub const ALL: [Self; 3] = [Self::Api, Self::Panel, Self::CommandLine];

    /// Returns the name of the channel as it is written and stored: the variant's name in snake case.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Panel => "panel",
            Self::CommandLine => "command_line",
        }
    }

    /// Returns the channel with this name; `None` if there is none. Case and white space count.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|channel| channel.as_str() == name)
    }
}

/// The origin of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Origin {
    /// The interface of the request.
    pub channel: Channel,
    /// The id of the request in the log; `None` on the command line.
    pub request_id: Option<String>,
    /// The client's address; `None` on the command line.
    pub address: Option<IpAddr>,
}

/// The author of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Author {
    /// The id of the user; `None` for an anonymous caller and for the program itself.
    pub id: Option<UserId>,
    /// The name of the author at the time of the change.
    pub name: String,
}

/// A value in an entry, independent of the field's type.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Value {
    /// No value.
    Nothing,
    /// Text.
    Text(String),
    /// A number.
    Number(i64),
    /// True or false.
    Flag(bool),
    /// The beginning of a text that is longer than [`Value::MAX_CHARACTERS`].
    Excerpt {
        /// The first [`Value::MAX_CHARACTERS`] characters.
        text: String,
        /// Number of characters of the whole text.
        length: u64,
        /// SHA-256 of the whole text in UTF-8, in hexadecimal, to compare two texts.
        sha256: String,
    },
    /// A value that is never shown, such as a password or the former text of an erased user.
    Hidden,
}

impl Value {
    /// Maximum number of characters of a text that an entry holds whole.
    pub const MAX_CHARACTERS: usize = 256;

    /// Removes the value, except that none stays none.
    fn hide(&mut self) {
        if *self != Self::Nothing {
            *self = Self::Hidden;
        }
    }

    /// Returns the value as an entry holds it: of a long text, an [`Excerpt`](Self::Excerpt). The audit log only grows,
    /// so the size of an entry must not be up to the caller. `sha256` hashes a text.
    ///
    /// ```
    /// use mycars_domain::audit::Value;
    ///
    /// let bounded = |text: &str| Value::from(text).bounded(|_| "9f86…".into());
    /// assert_eq!(bounded("short"), Value::from("short"));
    /// let Value::Excerpt { text, length, .. } = bounded(&"ö".repeat(10_000)) else { panic!("too long") };
    /// assert_eq!((text, length), ("ö".repeat(256), 10_000));
    /// ```
    #[must_use]
    pub fn bounded(self, sha256: impl FnOnce(&str) -> String) -> Self {
        match self {
            Self::Text(text) => match text.char_indices().nth(Self::MAX_CHARACTERS) {
                Some((end, _)) => Self::Excerpt {
                    text: text[..end].to_owned(),
                    length: text.chars().count() as u64,
                    sha256: sha256(&text),
                },
                None => Self::Text(text),
            },
            other => other,
        }
    }

    /// Hides a text.
    fn forget(&mut self) {
        if matches!(self, Self::Text(_) | Self::Excerpt { .. }) {
            *self = Self::Hidden;
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// The change of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Change {
    /// The field.
    pub field: Field,
    /// The old value.
    pub before: Value,
    /// The new value.
    pub after: Value,
}

/// An entry that is not stored yet, and so has no id. Its changes are computed by [`car_changes`] and
/// [`user_changes`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct NewEntry {
    /// The time of the change, to the microsecond.
    pub at: DateTime<Utc>,
    /// The kind of change.
    pub action: Action,
    /// The object of the change.
    pub object: Object,
    /// The author of the change.
    pub author: Author,
    /// The origin of the change.
    pub origin: Origin,
    /// The changes of fields.
    pub changes: Vec<Change>,
}

/// Returns the name of an erased user in the audit log.
///
/// ```
/// use mycars_domain::{UserId, audit::erased_name};
///
/// assert_eq!(erased_name(UserId(17)), "erased user 17");
/// ```
#[must_use]
pub fn erased_name(user: UserId) -> String {
    format!("erased user {user}")
}

impl NewEntry {
    /// Removes the texts of a user. The action, the time, ids, numbers and flags stay, and so do roles and the reasons
    /// of revocations, which are words of the program.
    ///
    /// - In entries about the user or an object of theirs, names and values are removed.
    /// - In entries of which the user is the author, the author's name is removed, and so are the address and the id of
    ///   the request. These also go from entries about the user without an author, such as a registration.
    ///
    /// ```
    /// # use chrono::DateTime;
    /// use mycars_domain::{Field, UserId, audit::*};
    ///
    /// let ann = UserId(17);
    /// let mut entry = NewEntry {
    ///     at: DateTime::UNIX_EPOCH,
    ///     action: Action::Changed,
    ///     object: Object { kind: ObjectType::User, id: "17".into(), name: "ann".into(), owner: Some(ann) },
    ///     author: Author { id: Some(ann), name: "ann".into() },
    ///     origin: Origin { channel: Channel::Api, request_id: None, address: Some([192, 0, 2, 1].into()) },
    ///     changes: vec![Change { field: Field::Phone, before: Value::Nothing, after: "555".into() }],
    /// };
    /// entry.forget(ann);
    /// assert_eq!((entry.object.name.as_str(), entry.author.name.as_str()), ("erased user 17", "erased user 17"));
    /// assert_eq!((&entry.changes[0].before, &entry.changes[0].after), (&Value::Nothing, &Value::Hidden));
    /// assert_eq!(entry.origin.address, None);
    /// ```
    pub fn forget(&mut self, user: UserId) {
        let is_author = self.author.id == Some(user);
        let is_owner = self.object.owner == Some(user);
        if is_author {
            self.author.name = erased_name(user);
        }
        if is_author || (is_owner && self.author.id.is_none()) {
            self.origin.address = None;
            self.origin.request_id = None;
        }
        if is_owner {
            self.object.name = erased_name(user);
            let texts = |change: &&mut Change| !matches!(change.field, Field::Role | Field::Revocation);
            for change in self.changes.iter_mut().filter(texts) {
                change.before.forget();
                change.after.forget();
            }
        }
    }
}

/// The name of other users in an entry that is [restricted](NewEntry::restrict_to) to one user.
pub const OTHER_USER: &str = "another user";

impl NewEntry {
    /// Removes the data of other users from an entry about or by `user`, for a copy of the data about that user. The
    /// action, the time, the object's id and the names of the fields stay.
    ///
    /// - Of another author, the id, the name, the address and the id of the request are removed.
    /// - If the object is not the user's, its name and all values are removed.
    /// - Of the former owners of a car, the ids are removed.
    ///
    /// ```
    /// # use chrono::DateTime;
    /// use mycars_domain::{Field, UserId, audit::*};
    ///
    /// let (ann, admin) = (UserId(17), UserId(1));
    /// let mut entry = NewEntry {
    ///     at: DateTime::UNIX_EPOCH,
    ///     action: Action::Changed,
    ///     object: Object { kind: ObjectType::User, id: "17".into(), name: "ann".into(), owner: Some(ann) },
    ///     author: Author { id: Some(admin), name: "root".into() },
    ///     origin: Origin { channel: Channel::Panel, request_id: None, address: Some([192, 0, 2, 1].into()) },
    ///     changes: vec![Change { field: Field::Phone, before: Value::Nothing, after: "555".into() }],
    /// };
    /// entry.restrict_to(ann);
    /// assert_eq!((entry.author.id, entry.author.name.as_str()), (None, "another user"));
    /// assert_eq!(entry.origin.address, None);
    /// assert_eq!(entry.changes[0].after, "555".into());
    /// ```
    pub fn restrict_to(&mut self, user: UserId) {
        let is_owner = self.object.owner == Some(user);
        // Without an author, an address is that of the user: see `forget`.
        if self.author.id.is_some_and(|author| author != user) {
            self.author = Author {
                id: None,
                name: OTHER_USER.to_owned(),
            };
            self.origin.address = None;
            self.origin.request_id = None;
        }
        if !is_owner {
            OTHER_USER.clone_into(&mut self.object.name);
        }
        for Change { field, before, after } in &mut self.changes {
            for value in [before, after] {
                let is_theirs = is_owner && (*field != Field::Owner || *value == Value::Number(user.0));
                if !is_theirs {
                    value.hide();
                }
            }
        }
    }

    /// Removes all new values, for the copy of a former owner: an admin may have changed a car and its owner at once.
    pub fn hide_new_values(&mut self) {
        for change in &mut self.changes {
            change.after.hide();
        }
    }
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Entry {
    /// The id: later entries have greater ids.
    pub id: i64,
    /// The content of the entry.
    pub entry: NewEntry,
}

/// Returns the fields that differ between the old and the new state of a car. `before` is `None` for a new car,
/// `after` for a deleted one. Timestamps of the car itself are left out.
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

/// Returns the fields that differ between two states of a user, like [`car_changes`]. Of a password, the entry only
/// holds that it changed ([`Value::Hidden`]), and of an e-mail address whether it was verified since. The time of the last
/// login and the time at which logins were ended are left out.
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
    if let (Some(before), Some(after)) = (before, after) {
        let is_verified = |user: &User| user.email_state.verified_at.is_some();
        if before.email == after.email && is_verified(before) != is_verified(after) {
            changes.push(Change {
                field: Field::EmailVerified,
                before: Value::Flag(is_verified(before)),
                after: Value::Flag(is_verified(after)),
            });
        }
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

fn user_values(user: Option<&User>) -> Values<10> {
    [
        (Field::Username, text(user.map(|user| user.username.as_str()))),
        (Field::Email, text(user.map(|user| user.email.as_str()))),
        (
            Field::PendingEmail,
            text(user.and_then(|user| Some(user.email_state.pending.as_ref()?.as_str()))),
        ),
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
        EmailState, Role,
        values::{Email, FirstName, LastName, PasswordHash, Phone, Username},
    };

    fn ann() -> User {
        User {
            id: UserId(1),
            username: Username::from_storage("ann".into()),
            email: Email::from_storage("ann@example.com".into()),
            email_state: EmailState::default(),
            first_name: FirstName::from_storage("Ann".into()),
            last_name: LastName::from_storage("Lee".into()),
            role: Role::Client,
            phone: None,
            address: None,
            is_active: true,
            is_superuser: false,
            password: PasswordHash::from_storage("old".into()),
            logins_ended_at: None,
            access_ended_at: None,
            date_joined: DateTime::UNIX_EPOCH,
            last_login: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    #[test]
    fn changes_hold_only_fields_that_differ() {
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
    fn changes_hide_the_password() {
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
    fn verification_is_a_change_unless_the_email_changes() {
        let verified = EmailState {
            verified_at: Some(DateTime::UNIX_EPOCH),
            ..EmailState::default()
        };
        let after = User {
            email_state: verified,
            ..ann()
        };
        let change = Change {
            field: Field::EmailVerified,
            before: Value::Flag(false),
            after: Value::Flag(true),
        };
        assert_eq!(user_changes(Some(&ann()), Some(&after)), [change]);
        let moved = User {
            email: Email::from_storage("ann@example.org".into()),
            ..after
        };
        let fields =
            |changes: Vec<Change>| changes.into_iter().map(|change| change.field).collect::<Vec<_>>();
        assert_eq!(fields(user_changes(Some(&ann()), Some(&moved))), [Field::Email]);
        assert!(!fields(user_changes(None, Some(&moved))).contains(&Field::EmailVerified));
    }

    #[test]
    fn changes_of_new_or_deleted_objects_hold_all_fields() {
        let fields =
            |changes: Vec<Change>| -> Vec<Field> { changes.into_iter().map(|change| change.field).collect() };
        let expected = [
            Field::Username,
            Field::Email,
            Field::FirstName,
            Field::LastName,
            Field::Role,
            Field::IsActive,
            Field::IsSuperuser,
            Field::Password,
        ];
        assert_eq!(fields(user_changes(None, Some(&ann()))), expected);
        assert_eq!(fields(user_changes(Some(&ann()), None)), expected);
    }

    #[test]
    fn every_name_is_parsed_to_its_variant() {
        for action in Action::ALL {
            assert_eq!(Action::named(action.as_str()), Some(action));
        }
        for kind in ObjectType::ALL {
            assert_eq!(ObjectType::named(kind.as_str()), Some(kind));
        }
        for channel in Channel::ALL {
            assert_eq!(Channel::named(channel.as_str()), Some(channel));
        }
        for field in Field::ALL {
            assert_eq!(Field::named(field.as_str()), Some(field));
        }
        assert_eq!(Action::named("burnt"), None);
        assert_eq!(Field::named("Username"), None);
    }

    /// Returns an entry about an object of `owner` by `author`, from an address, that changes each kind of value.
    fn entry(owner: i64, author: Option<i64>) -> NewEntry {
        let change = |field, before, after| Change { field, before, after };
        NewEntry {
            at: DateTime::UNIX_EPOCH,
            action: Action::Changed,
            object: Object {
                kind: ObjectType::Car,
                id: "7".into(),
                name: "VW Golf (B 1)".into(),
                owner: Some(UserId(owner)),
            },
            author: Author {
                id: author.map(UserId),
                name: "author".into(),
            },
            origin: Origin {
                channel: Channel::Api,
                request_id: Some("3f".into()),
                address: Some([192, 0, 2, 1].into()),
            },
            changes: vec![
                change(Field::Brand, Value::Nothing, "VW".into()),
                change(Field::Mileage, Value::Number(5), Value::Number(9)),
                change(Field::Owner, Value::Number(2), Value::Number(1)),
            ],
        }
    }

    fn restricted(mut entry: NewEntry) -> NewEntry {
        entry.restrict_to(UserId(1));
        entry
    }

    #[test]
    fn own_entry_is_restricted_only_in_former_owners() {
        for author in [Some(1), None] {
            let mut expected = entry(1, author);
            expected.changes[2].before = Value::Hidden;
            assert_eq!(restricted(entry(1, author)), expected);
        }
    }

    #[test]
    fn entry_by_another_author_is_restricted_to_the_change() {
        let mut expected = entry(1, None);
        expected.author.name = OTHER_USER.into();
        expected.origin.address = None;
        expected.origin.request_id = None;
        expected.changes[2].before = Value::Hidden;
        assert_eq!(restricted(entry(1, Some(2))), expected);
    }

    #[test]
    fn entry_about_another_user_is_restricted_to_the_action() {
        let mut expected = entry(2, Some(1));
        expected.object.name = OTHER_USER.into();
        for change in &mut expected.changes {
            change.after = Value::Hidden;
            if change.field != Field::Brand {
                change.before = Value::Hidden;
            }
        }
        assert_eq!(restricted(entry(2, Some(1))), expected);
    }

    #[test]
    fn new_values_are_hidden_and_old_ones_stay() {
        let mut hidden = entry(1, Some(2));
        hidden.hide_new_values();
        for (change, original) in hidden.changes.iter().zip(entry(1, Some(2)).changes) {
            assert_eq!(change.before, original.before);
            assert!(
                matches!(change.after, Value::Hidden | Value::Nothing),
                "{change:?}"
            );
        }
    }

    #[test]
    fn only_texts_over_the_maximum_become_excerpts() {
        let whole = Value::Text("🚗".repeat(Value::MAX_CHARACTERS));
        assert_eq!(whole.clone().bounded(|_| unreachable!()), whole);
        let long = "🚗".repeat(Value::MAX_CHARACTERS) + "!";
        let excerpt = Value::Excerpt {
            text: "🚗".repeat(Value::MAX_CHARACTERS),
            length: Value::MAX_CHARACTERS as u64 + 1,
            sha256: format!("hash of {} bytes", long.len()),
        };
        let hash = |text: &str| format!("hash of {} bytes", text.len());
        assert_eq!(Value::Text(long).bounded(hash), excerpt);
        for value in [
            Value::Nothing,
            Value::Number(1),
            Value::Flag(true),
            Value::Hidden,
            excerpt,
        ] {
            assert_eq!(value.clone().bounded(|_| unreachable!()), value);
        }
    }

    #[test]
    fn object_has_type_id_name_and_owner() {
        assert_eq!(Object::user(&ann()).user_id(), Some(UserId(1)));
        assert_eq!(Object::user(&ann()).car_id(), None);
        assert_eq!(Object::refresh_token("7", None).user_id(), None);
    }
}
