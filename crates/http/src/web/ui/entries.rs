//! Entries of the audit log.

use std::collections::HashMap;

use mycars_application::{App, Caller, history, lists::HistoryQuery, users};
use mycars_domain::{
    Field, User, UserId,
    audit::{Action, Change, Channel, Entry, Object, ObjectType, Value},
};

use super::text::Time;
use crate::{error::ApiError, messages};

/// An entry of the audit log.
pub(crate) struct LogEntry {
    pub(crate) at: Time,
    pub(crate) actor: String,
    pub(crate) actor_url: Option<String>,
    pub(crate) action: &'static str,
    pub(crate) object_type: &'static str,
    pub(crate) object: String,
    /// Leads to the object's history, which stays when the object is deleted.
    pub(crate) object_url: Option<String>,
    pub(crate) channel: &'static str,
    pub(crate) request_id: Option<String>,
    pub(crate) address: Option<String>,
    pub(crate) changes: Vec<FieldChange>,
    /// Whether the changes are all fields of an object that was created or deleted.
    pub(crate) is_whole: bool,
}

/// The old and the new value of a field.
pub(crate) struct FieldChange {
    pub(crate) field: String,
    /// `None` if there was no value.
    pub(crate) before: Option<String>,
    /// `None` if the object was deleted.
    pub(crate) after: Option<String>,
}

/// Usernames by user id.
type Names = HashMap<i64, String>;

/// Number of changes that are shown when a deletion has to be confirmed again.
const LATEST: u32 = 3;

/// Converts entries, with the usernames of the owners in them.
pub(crate) fn views(app: &App, caller: &Caller, entries: &[Entry]) -> Result<Vec<LogEntry>, ApiError> {
    let names = owner_names(app, caller, entries)?;
    Ok(entries.iter().map(|entry| LogEntry::new(entry, &names)).collect())
}

/// Returns the latest changes of a user (and of their cars) or of a car.
pub(crate) fn latest(
    app: &App,
    caller: &Caller,
    (object_type, id): (ObjectType, i64),
) -> Result<Vec<LogEntry>, ApiError> {
    let query = match object_type {
        ObjectType::User => HistoryQuery {
            owner: Some(UserId(id)),
            ..HistoryQuery::default()
        },
        _ => HistoryQuery {
            object_type: Some(object_type),
            object_id: Some(id.to_string()),
            ..HistoryQuery::default()
        },
    };
    views(app, caller, &history::newest(app, caller, &query, LATEST)?)
}

/// Reads the usernames of all owners that entries name, in one query.
fn owner_names(app: &App, caller: &Caller, entries: &[Entry]) -> Result<Names, ApiError> {
    let values = entries
        .iter()
        .flat_map(|entry| &entry.entry.changes)
        .filter(|change| change.field == Field::Owner)
        .flat_map(|change| [&change.before, &change.after]);
    let mut ids: Vec<UserId> = values
        .filter_map(|value| match value {
            Value::Number(id) => Some(UserId(*id)),
            _ => None,
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let owners = users::read_all(app, caller, &ids)?;
    let name = |owner: User| (owner.id.0, owner.username.to_string());
    Ok(owners.into_iter().map(name).collect())
}

impl LogEntry {
    fn new(Entry { entry, .. }: &Entry, names: &Names) -> Self {
        let change = |change| FieldChange::new(change, entry.action, names);
        Self {
            is_whole: matches!(entry.action, Action::Created | Action::Deleted),
            at: Time(entry.at),
            actor: entry.author.name.clone(),
            actor_url: entry.author.id.map(|id| format!("/admin/users/{id}/history/")),
            action: match (entry.action, entry.object.kind) {
                (Action::Created, _) => "added",
                (Action::Changed, _) => "changed",
                (Action::Deleted, _) => "deleted",
                (Action::Revoked, ObjectType::User) => "ended all logins of",
                (Action::Revoked, _) => "ended",
                (Action::Erased, _) => "erased",
            },
            object_type: object_type(entry.object.kind),
            object: entry.object.name.clone(),
            object_url: object_url(&entry.object),
            channel: match entry.origin.channel {
                Channel::Api => "API",
                Channel::Panel => "panel",
                Channel::CommandLine => "command line",
            },
            request_id: entry.origin.request_id.clone(),
            address: entry.origin.address.map(|address| address.to_string()),
            changes: entry.changes.iter().map(change).collect(),
        }
    }
}

fn object_url(object: &Object) -> Option<String> {
    let (user, car) = (object.user_id(), object.car_id());
    user.map(|id| format!("/admin/users/{id}/history/"))
        .or(car.map(|id| format!("/admin/cars/{id}/history/")))
        .or(object.owner.map(|id| format!("/admin/users/{id}/history/")))
}

pub(crate) fn object_type(kind: ObjectType) -> &'static str {
    match kind {
        ObjectType::User => "user",
        ObjectType::Car => "car",
        ObjectType::RefreshToken => "refresh token",
        ObjectType::AuditLog => "audit log",
    }
}

impl FieldChange {
    fn new(change: &Change, action: Action, names: &Names) -> Self {
        let text = |value: &Value| match value {
            Value::Number(id) if change.field == Field::Owner => names
                .get(id)
                .map_or_else(|| format!("user {id}"), |name| format!("{name} ({id})")),
            Value::Nothing => "–".to_owned(),
            Value::Text(text) if text.is_empty() => "(blank)".to_owned(),
            Value::Text(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            Value::Flag(true) => "yes".to_owned(),
            Value::Flag(false) => "no".to_owned(),
            Value::Excerpt { text, length, sha256 } => {
                format!("{text}… ({length} characters, SHA-256 {sha256})")
            }
            Value::Hidden => "••••••••".to_owned(),
        };
        Self {
            field: messages::name(change.field).replace('_', " "),
            before: (change.before != Value::Nothing && action != Action::Created)
                .then(|| text(&change.before)),
            after: (action != Action::Deleted).then(|| text(&change.after)),
        }
    }
}
