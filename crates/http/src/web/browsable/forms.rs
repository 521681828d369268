//! The forms of a page, made from the descriptions of the fields.

use std::borrow::Cow;

use serde_json::{Map, Value, json};

use super::{Page, Sent};
use crate::{
    api::{
        endpoint::{Method, Operation},
        fields::{FieldKind, FieldSpec, Schema},
    },
    web::ui::forms::{FormData, FormField, Problem},
};

/// The HTML form and the raw body of one operation, or of the two that change an object.
pub(super) struct FormSet {
    /// Prefix of all ids in it.
    pub(super) prefix: &'static str,
    pub(super) title: String,
    pub(super) methods: Vec<&'static str>,
    pub(super) fields: Vec<FormField>,
    /// Errors of a refused HTML form that belong to no field.
    pub(super) errors: Vec<String>,
    /// `None` if the operation takes a file.
    pub(super) raw: Option<RawForm>,
}

impl FormSet {
    /// Returns whether the methods are other than POST, the one that HTML forms have.
    pub(super) fn is_overridden(&self) -> bool {
        self.prefix != "post"
    }

    /// Returns whether the raw body is shown first.
    pub(super) fn is_raw_open(&self) -> bool {
        self.raw.as_ref().is_some_and(|raw| raw.is_refused)
    }
}

/// A body that the user writes as text.
pub(super) struct RawForm {
    pub(super) content: String,
    pub(super) is_json: bool,
    pub(super) is_refused: bool,
    pub(super) errors: Vec<String>,
}

/// Maximum length of text that fits on one line, in characters.
const LINE: usize = 500;

/// Returns the form that creates and the forms that change, in this order.
pub(super) fn forms(page: &Page<'_>) -> Vec<FormSet> {
    let refusal = Refusal::of(page);
    [
        ("post", [Method::Post].as_slice()),
        ("change", &[Method::Put, Method::Patch]),
    ]
    .into_iter()
    .filter_map(|(prefix, methods)| form_set(page, &refusal, prefix, methods))
    .collect()
}

fn form_set(
    page: &Page<'_>,
    refusal: &Refusal<'_>,
    prefix: &'static str,
    methods: &[Method],
) -> Option<FormSet> {
    let offered: Vec<&Operation> = page
        .operations
        .iter()
        .copied()
        .filter(|operation| methods.contains(&operation.method) && operation.body.is_some())
        .collect();
    let operation = offered.first()?;
    let is_filled_in = matches!(page.sent, Sent::Fields(method, _) if methods.contains(&method));
    let object = match page.object {
        Some(object) if prefix == "change" => Cow::Borrowed(object),
        _ => Cow::default(),
    };
    let errors = writable(operation).map(|spec| (spec.name, refusal.of_field(spec.name)));
    let data = FormData {
        prefix,
        object,
        sent: match page.sent {
            Sent::Fields(_, fields) if is_filled_in => Some(Box::new(move |name| last(fields, name))),
            _ => None,
        },
        errors: errors.filter(|_| is_filled_in).collect(),
        line: LINE,
        has_defaults: true,
        is_own_data: !page.path.starts_with("/api/admin/"),
        ..FormData::default()
    };
    let names: Vec<&str> = offered
        .iter()
        .map(|operation| operation.method.as_str())
        .collect();
    Some(FormSet {
        prefix,
        title: names.join(" or "),
        methods: names,
        fields: writable(operation).map(|spec| data.field(spec)).collect(),
        errors: if is_filled_in {
            refusal.of_no_field(operation)
        } else {
            Vec::new()
        },
        raw: (!operation.takes_file()).then(|| raw(page, refusal, operation, methods, &data.object)),
    })
}

/// Returns the last value under a name, or "".
fn last<'a>(fields: &'a [(String, String)], name: &str) -> &'a str {
    let last = fields.iter().rev().find(|(known, _)| known == name);
    last.map_or("", |(_, value)| value)
}

fn writable(operation: &Operation) -> impl Iterator<Item = &'static FieldSpec> {
    operation.body.into_iter().flat_map(Schema::writable)
}

fn raw(
    page: &Page<'_>,
    refusal: &Refusal<'_>,
    operation: &Operation,
    methods: &[Method],
    object: &Map<String, Value>,
) -> RawForm {
    match page.sent {
        Sent::Raw(method, text, media_type) if methods.contains(&method) => RawForm {
            content: text.to_owned(),
            is_json: !media_type.contains("urlencoded"),
            is_refused: true,
            errors: refusal.all(operation).iter().map(Problem::sentence).collect(),
        },
        _ => RawForm {
            content: template(operation, object),
            is_json: true,
            is_refused: false,
            errors: Vec::new(),
        },
    }
}

/// Returns an example body, with the stored or with blank values. Optional fields without a value are left out.
fn template(operation: &Operation, object: &Map<String, Value>) -> String {
    let lines: Vec<String> = writable(operation)
        .filter_map(|spec| {
            let value = object.get(spec.name).cloned().or_else(|| blank(spec))?;
            Some(format!("    \"{}\": {value}", spec.name))
        })
        .collect();
    format!("{{\n{}\n}}", lines.join(",\n"))
}

fn blank(spec: &FieldSpec) -> Option<Value> {
    match spec.kind {
        _ if spec.nullable => Some(Value::Null),
        _ if !spec.required => None,
        FieldKind::Integer => Some(Value::Null),
        FieldKind::Boolean => Some(json!(false)),
        _ => Some(json!("")),
    }
}

/// The errors in a response: of each field for a 400, otherwise of the whole request.
pub(super) struct Refusal<'a> {
    page: &'a Page<'a>,
    body: Map<String, Value>,
}

impl<'a> Refusal<'a> {
    /// Reads the errors of a page; none if the request succeeded.
    pub(super) fn of(page: &'a Page<'a>) -> Self {
        let mut body: Map<String, Value> = match page.status {
            400..500 => serde_json::from_slice(page.json).unwrap_or_default(),
            _ => Map::new(),
        };
        if page.status != 400 {
            // Other keys, such as `code`, are for programs.
            body.retain(|name, _| name == "detail");
        }
        Self { page, body }
    }

    /// Reads the errors of the page's query; none if the request had a body.
    pub(super) fn of_query(page: &'a Page<'a>) -> Self {
        match page.method {
            "GET" | "HEAD" => Self::of(page),
            _ => Self {
                page,
                body: Map::new(),
            },
        }
    }

    /// Returns the errors of one field.
    pub(super) fn of_field(&self, name: &str) -> Vec<String> {
        self.body.get(name).map(messages).unwrap_or_default()
    }

    /// Returns the errors that belong to no field of an operation.
    fn of_no_field(&self, operation: &Operation) -> Vec<String> {
        let is_field = |name: &str| writable(operation).any(|spec| spec.name == name);
        self.body
            .iter()
            .filter(|(name, _)| !is_field(name))
            .flat_map(|(_, value)| messages(value))
            .collect()
    }

    /// Returns all errors, those of fields first and in the order of the fields.
    fn all(&self, operation: &Operation) -> Vec<Problem> {
        let at = |name: &str| match self.page.sent {
            Sent::Raw(method, ..) => format!("{}-raw-content", prefix(method)),
            Sent::Fields(method, _) => format!("{}-{name}", prefix(method)),
            Sent::Nothing => String::new(),
        };
        let of_fields = writable(operation).flat_map(|spec| {
            let id = at(spec.name);
            self.of_field(spec.name).into_iter().map(move |message| Problem {
                id: id.clone(),
                label: spec.label.to_owned(),
                message,
            })
        });
        let of_none = self.of_no_field(operation).into_iter().map(|message| Problem {
            id: at("form"),
            label: String::new(),
            message,
        });
        of_fields.chain(of_none).collect()
    }

    /// Returns all errors of the body that was sent.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let (Sent::Fields(method, _) | Sent::Raw(method, ..)) = self.page.sent else {
            return Vec::new();
        };
        let sent_to = self
            .page
            .operations
            .iter()
            .find(|operation| operation.method == method);
        sent_to.map(|operation| self.all(operation)).unwrap_or_default()
    }
}

/// Returns the prefix of the ids in the form of a method.
fn prefix(method: Method) -> &'static str {
    match method {
        Method::Put | Method::Patch => "change",
        _ => "post",
    }
}

/// Returns the messages in an error: one, or a list. A number, such as that of invalid rows, is no message.
fn messages(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().map(message).collect(),
        Value::Number(_) => Vec::new(),
        other => vec![message(other)],
    }
}

/// Returns one message; an object holds those about a row.
fn message(value: &Value) -> String {
    let of_field = |(name, value): (&String, &Value)| match value {
        Value::Array(_) => format!("{name}: {}", messages(value).join(" ")),
        other => format!("{name} {other}"),
    };
    match value {
        Value::String(text) => text.clone(),
        Value::Object(fields) => fields.iter().map(of_field).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
