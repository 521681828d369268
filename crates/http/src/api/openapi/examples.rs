//! Good values, made from the field descriptions.

use serde_json::{Map, Value, json};

use crate::api::{
    endpoint::{Answer, Endpoint},
    fields::{FieldSpec, Kind, Shape},
};

/// A body that is taken, with every field that can be sent.
pub(super) fn body(shape: &Shape) -> Value {
    object(shape.writable())
}

/// What an operation answers; nothing where it answers without a body.
pub(super) fn answer(endpoint: &Endpoint, answer: Answer) -> Option<Value> {
    Some(match answer {
        Answer::One(shape) | Answer::Created(shape) => shown(shape),
        Answer::Many(shape) if endpoint.always_has_pages() => {
            json!({"count": 1, "next": null, "previous": null, "results": [shown(shape)]})
        }
        Answer::Many(shape) => json!([shown(shape)]),
        Answer::Links => json!({"cars": "http://127.0.0.1:8000/api/cars/"}),
        Answer::Nothing => return None,
    })
}

fn shown(shape: &Shape) -> Value {
    object(shape.readable())
}

fn object<'a>(fields: impl Iterator<Item = &'a FieldSpec>) -> Value {
    fields
        .map(|spec| (spec.name.to_owned(), value(spec)))
        .collect::<Map<_, _>>()
        .into()
}

/// The example of a field that can be sent; none for a file.
pub(super) fn of(spec: &FieldSpec) -> Option<Value> {
    (spec.kind != Kind::ImageUpload).then(|| value(spec))
}

/// What a text is as a value of a kind.
fn parsed(kind: Kind, text: &str) -> Value {
    match kind {
        Kind::Integer | Kind::Reference | Kind::Boolean | Kind::Any => {
            serde_json::from_str(text).unwrap_or_else(|_| text.into())
        }
        _ => text.into(),
    }
}

/// The example of a field, or else one of its kind.
fn value(spec: &FieldSpec) -> Value {
    match (spec.kind, spec.example) {
        (kind, Some(example)) => parsed(kind, example),
        (Kind::Integer | Kind::Reference | Kind::Any, None) => 1.into(),
        (Kind::Boolean, None) => true.into(),
        (Kind::Choice(choices), None) => choices.first().map_or(Value::Null, |(value, _)| (*value).into()),
        (Kind::Code(codes), None) => codes.first().map_or(Value::Null, |value| (*value).into()),
        (Kind::DateTime, None) => "2026-11-23T12:00:00Z".into(),
        (Kind::Image, None) => "/media/cars/car_7_0f8fad5bd9cb469fa165.jpg".into(),
        (Kind::Password, None) => "correct horse battery staple".into(),
        (Kind::Email, None) => "ann@example.com".into(),
        (Kind::List(shape), None) => vec![shown(shape)].into(),
        (Kind::Text | Kind::Computed | Kind::ImageUpload, None) => "".into(),
    }
}
