//! Entries of the audit log as clients see them.

use std::net::IpAddr;

use chrono::{DateTime, Utc};
use mycars_domain::{
    Field,
    audit::{Change, Entry, Value},
};
use serde::{Serialize, Serializer};

use super::cars::image_url;
use crate::{api::timestamp, messages};

/// The placeholder of a hidden value.
const HIDDEN: &str = "********";

/// An entry.
#[derive(Serialize)]
pub(crate) struct EntryView<'a> {
    id: i64,
    #[serde(serialize_with = "timestamp::serialize")]
    at: DateTime<Utc>,
    action: &'static str,
    object_type: &'static str,
    object_id: &'a str,
    object: &'a str,
    actor: Option<i64>,
    actor_name: &'a str,
    channel: &'static str,
    #[serde(flatten)]
    request: Option<RequestView<'a>>,
    changes: Vec<ChangeView<'a>>,
}

/// The request that made the change, for admins only.
#[derive(Serialize)]
struct RequestView<'a> {
    request_id: Option<&'a str>,
    address: Option<IpAddr>,
}

#[derive(Serialize)]
struct ChangeView<'a> {
    field: &'static str,
    before: ValueView<'a>,
    after: ValueView<'a>,
}

/// A value of a field, as in the representation of the object.
struct ValueView<'a>(Field, &'a Value);

/// Excerpt of a long text, with its length and hash.
#[derive(Serialize)]
struct ExcerptView<'a> {
    excerpt: &'a str,
    length: u64,
    sha256: &'a str,
}

impl<'a> EntryView<'a> {
    /// Returns all data of an entry, for admins, or of one without the data of other users, for its user.
    pub(crate) fn whole(entry: &'a Entry) -> Self {
        let origin = &entry.entry.origin;
        Self {
            request: Some(RequestView {
                request_id: origin.request_id.as_deref(),
                address: origin.address,
            }),
            changes: entry.entry.changes.iter().map(ChangeView::from).collect(),
            ..Self::without_request(entry)
        }
    }

    /// Returns what the owner of the object may see: without the addresses from which other users changed it.
    pub(crate) fn without_request(Entry { id, entry }: &'a Entry) -> Self {
        Self {
            id: *id,
            at: entry.at,
            action: entry.action.as_str(),
            object_type: entry.object.kind.as_str(),
            object_id: &entry.object.id,
            object: &entry.object.name,
            actor: entry.author.id.map(|user| user.0),
            actor_name: &entry.author.name,
            channel: entry.origin.channel.as_str(),
            request: None,
            changes: entry.changes.iter().map(ChangeView::for_owner).collect(),
        }
    }
}

impl<'a> ChangeView<'a> {
    /// Returns a change for the present owner, without the previous owner.
    fn for_owner(change: &'a Change) -> Self {
        let view = Self::from(change);
        match change.field {
            Field::Owner if change.before != Value::Nothing => Self {
                before: ValueView(change.field, &Value::Hidden),
                ..view
            },
            _ => view,
        }
    }
}

impl<'a> From<&'a Change> for ChangeView<'a> {
    fn from(change: &'a Change) -> Self {
        Self {
            field: messages::name(change.field),
            before: ValueView(change.field, &change.before),
            after: ValueView(change.field, &change.after),
        }
    }
}

impl Serialize for ValueView<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.1 {
            Value::Nothing => serializer.serialize_none(),
            Value::Text(path) if self.0 == Field::Image => serializer.serialize_str(&image_url(path)),
            Value::Text(text) => serializer.serialize_str(text),
            Value::Number(number) => serializer.serialize_i64(*number),
            Value::Flag(flag) => serializer.serialize_bool(*flag),
            Value::Excerpt { text, length, sha256 } => ExcerptView {
                excerpt: text,
                length: *length,
                sha256,
            }
            .serialize(serializer),
            Value::Hidden => serializer.serialize_str(HIDDEN),
        }
    }
}

#[cfg(test)]
mod tests {
    use mycars_domain::{
        UserId,
        audit::{Action, Author, Channel, NewEntry, Object, ObjectType, Origin},
    };

    use super::*;

    fn entry() -> Entry {
        let change = |field, before, after| Change { field, before, after };
        Entry {
            id: 42,
            entry: NewEntry {
                at: DateTime::from_timestamp_micros(1_795_435_200_250_000).unwrap(),
                action: Action::Changed,
                object: Object {
                    kind: ObjectType::Car,
                    id: "10".into(),
                    name: "Toyota Camry (AB 123)".into(),
                    owner: Some(UserId(1)),
                },
                author: Author {
                    id: Some(UserId(2)),
                    name: "bob".into(),
                },
                origin: Origin {
                    channel: Channel::Api,
                    request_id: Some("3f-7".into()),
                    address: Some([192, 0, 2, 7].into()),
                },
                changes: vec![
                    change(Field::Mileage, Value::Number(5), Value::Number(900)),
                    change(Field::Color, "Red".into(), Value::Nothing),
                    change(Field::IsActive, Value::Flag(true), Value::Flag(false)),
                    change(Field::Image, Value::Nothing, "cars/a.jpg".into()),
                    change(Field::PasswordConfirmation, Value::Hidden, Value::Hidden),
                ],
            },
        }
    }

    const HEAD: &str = r#"{"id":42,"at":"2026-11-23T12:00:00.250000Z","action":"changed","object_type":"car","object_id":"10","object":"Toyota Camry (AB 123)","actor":2,"actor_name":"bob","channel":"api","#;
    const CHANGES: &str = r#""changes":[{"field":"mileage","before":5,"after":900},{"field":"color","before":"Red","after":null},{"field":"is_active","before":true,"after":false},{"field":"image","before":null,"after":"/media/cars/a.jpg"},{"field":"password2","before":"********","after":"********"}]}"#;

    #[test]
    fn admin_entry_has_all_keys_in_contract_order() {
        let json = serde_json::to_string(&EntryView::whole(&entry())).unwrap();
        let request = r#""request_id":"3f-7","address":"192.0.2.7","#;
        assert_eq!(json, format!("{HEAD}{request}{CHANGES}"));
    }

    #[test]
    fn owner_entry_has_no_request() {
        let json = serde_json::to_string(&EntryView::without_request(&entry())).unwrap();
        assert_eq!(json, format!("{HEAD}{CHANGES}"));
    }

    #[test]
    fn long_text_is_an_object_with_excerpt_length_and_hash() {
        let value = Value::Excerpt {
            text: "Rust".into(),
            length: 300,
            sha256: "ab12".into(),
        };
        let json = serde_json::to_string(&ValueView(Field::Notes, &value)).unwrap();
        assert_eq!(json, r#"{"excerpt":"Rust","length":300,"sha256":"ab12"}"#);
    }

    #[test]
    fn unknown_values_are_null() {
        let mut entry = entry();
        entry.entry.author.id = None;
        entry.entry.origin = Origin {
            channel: Channel::CommandLine,
            request_id: None,
            address: None,
        };
        entry.entry.changes.clear();
        let json = serde_json::to_value(EntryView::whole(&entry)).unwrap();
        for key in ["actor", "request_id", "address"] {
            assert_eq!(json.get(key), Some(&serde_json::Value::Null), "{key}");
        }
        assert_eq!(json["channel"], "command_line");
        assert_eq!(json["changes"], serde_json::json!([]));
    }
}
