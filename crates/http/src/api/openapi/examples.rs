//! Examples, made from the field descriptions.

use serde_json::{Map, Value, json};

use crate::api::{
    endpoint::{Endpoint, ResponseSpec},
    fields::{self, FieldKind, FieldSpec},
};

/// Returns a valid body with all writable fields.
pub(super) fn body(shape: &fields::Schema) -> Value {
    object(shape.writable())
}

/// Returns the response of an operation; `None` if it has no body.
pub(super) fn answer(endpoint: &Endpoint, answer: ResponseSpec) -> Option<Value> {
    Some(match answer {
        ResponseSpec::One(shape) | ResponseSpec::Created(shape) => shown(shape),
        ResponseSpec::Many(shape) if endpoint.always_has_pages() => {
            json!({"count": 1, "next": null, "previous": null, "results": [shown(shape)]})
        }
        ResponseSpec::Many(shape) | ResponseSpec::All(shape) => json!([shown(shape)]),
        ResponseSpec::Links => json!({"cars": "http://127.0.0.1:8000/api/cars/"}),
        ResponseSpec::File(_) | ResponseSpec::Nothing => return None,
    })
}

fn shown(shape: &fields::Schema) -> Value {
    object(shape.readable())
}

fn object<'a>(fields: impl Iterator<Item = &'a FieldSpec>) -> Value {
    fields
        .map(|spec| (spec.name.to_owned(), value(spec)))
        .collect::<Map<_, _>>()
        .into()
}

/// Returns the example of a writable field; `None` for a file.
pub(super) fn of(spec: &FieldSpec) -> Option<Value> {
    (!spec.kind.is_upload()).then(|| value(spec))
}

/// Converts text to a JSON value of a type.
fn parsed(kind: FieldKind, text: &str) -> Value {
    match kind {
        FieldKind::Integer | FieldKind::Reference | FieldKind::Boolean | FieldKind::Any => {
            serde_json::from_str(text).unwrap_or_else(|_| text.into())
        }
        _ => text.into(),
    }
}

/// Returns the example of a field, or else one of its type.
fn value(spec: &FieldSpec) -> Value {
    match (spec.kind, spec.example) {
        (kind, Some(example)) => parsed(kind, example),
        (FieldKind::Integer | FieldKind::Reference | FieldKind::Any, None) => 1.into(),
        (FieldKind::Boolean, None) => true.into(),
        (FieldKind::Choice(choices), None) => {
            choices.first().map_or(Value::Null, |(value, _)| (*value).into())
        }
        (FieldKind::Code(codes), None) => codes.first().map_or(Value::Null, |value| (*value).into()),
        (FieldKind::DateTime, None) => "2026-11-23T12:00:00Z".into(),
        (FieldKind::Image, None) => "/media/cars/car_7_0f8fad5bd9cb469fa165.jpg".into(),
        (FieldKind::Password, None) => "correct horse battery staple".into(),
        (FieldKind::Email, None) => "ann@example.com".into(),
        (FieldKind::Texts, _) => vec![Value::from("colour")].into(),
        (FieldKind::List(shape), None) => vec![shown(shape)].into(),
        (FieldKind::Text | FieldKind::Computed | FieldKind::ImageUpload | FieldKind::FileUpload, None) => {
            "".into()
        }
    }
}
