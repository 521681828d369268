//! The forms of a page, made from the field descriptions and from nothing else.
//!
//! What was refused comes back in them with what is wrong beside it, but for passwords and files: the former
//! should not travel twice, and the latter browsers don't let a page fill in.

use mycars_domain::Field;
use serde_json::{Map, Value, json};

use super::{Page, Sent};
use crate::api::{
    endpoint::{Method, Operation},
    fields::{FieldKind, FieldSpec, Schema},
};

/// The forms of one operation, or of the two that change a thing: one to fill in and one to write oneself.
pub(super) struct FormSet {
    /// With what all ids in it begin.
    pub(super) prefix: &'static str,
    pub(super) title: String,
    pub(super) verbs: Vec<&'static str>,
    pub(super) fields: Vec<FormField>,
    /// What is wrong with a form that was filled in, and with no field of it.
    pub(super) errors: Vec<String>,
    /// `None` where a file is sent, which nobody writes by hand.
    pub(super) raw: Option<RawForm>,
}

impl FormSet {
    /// Whether the verbs are others than the one that HTML forms have.
    pub(super) fn is_overridden(&self) -> bool {
        self.prefix != "post"
    }

    /// Whether the body that one writes oneself is shown first.
    pub(super) fn is_raw_open(&self) -> bool {
        self.raw.as_ref().is_some_and(|raw| raw.is_refused)
    }
}

/// A body that one writes oneself.
pub(super) struct RawForm {
    pub(super) content: String,
    pub(super) is_json: bool,
    /// Whether it was written and refused.
    pub(super) is_refused: bool,
    pub(super) errors: Vec<String>,
}

/// One field of a form.
pub(crate) struct FormField {
    pub(crate) id: String,
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    pub(crate) control: Control,
    pub(crate) value: String,
    pub(crate) required: bool,
    pub(crate) max_length: Option<usize>,
    pub(crate) autocomplete: &'static str,
    pub(crate) help: &'static str,
    pub(crate) errors: Vec<String>,
}

/// With what a field is filled in.
pub(crate) enum Control {
    /// `<input>` of a type.
    Input(&'static str),
    /// Text that is sent as it was typed: a browser's own field for numbers reads `125.000` by its user's language.
    Integer,
    TextArea,
    /// The value and the name of each choice.
    Select(Vec<(&'static str, &'static str)>),
    Checkbox,
    File,
}

impl FormField {
    pub(crate) fn is_chosen(&self, choice: &str) -> bool {
        self.value == choice
    }

    /// The ids of what explains the field: its help and its errors.
    pub(crate) fn described_by(&self) -> String {
        let help = (!self.help.is_empty()).then(|| format!("{}-help", self.id));
        let error = (!self.errors.is_empty()).then(|| format!("{}-error", self.id));
        help.into_iter().chain(error).collect::<Vec<_>>().join(" ")
    }
}

/// One line of the summary of what is wrong.
pub(super) struct Problem {
    /// Where it is put right.
    pub(super) id: String,
    pub(super) label: String,
    pub(super) message: String,
}

/// The form that adds, the forms that change, in this order.
pub(super) fn forms(page: &Page<'_>) -> Vec<FormSet> {
    let refusal = Refusal::of(page);
    [
        ("post", [Method::Post].as_slice()),
        ("change", &[Method::Put, Method::Patch]),
    ]
    .into_iter()
    .filter_map(|(prefix, verbs)| form_set(page, &refusal, prefix, verbs))
    .collect()
}

fn form_set(
    page: &Page<'_>,
    refusal: &Refusal<'_>,
    prefix: &'static str,
    verbs: &[Method],
) -> Option<FormSet> {
    let offered: Vec<&Operation> = page
        .operations
        .iter()
        .copied()
        .filter(|operation| verbs.contains(&operation.verb) && operation.body.is_some())
        .collect();
    let operation = offered.first()?;
    let is_filled_in = matches!(page.sent, Sent::Fields(verb, _) if verbs.contains(&verb));
    let filling = FormData {
        prefix,
        object: page.object.filter(|_| !verbs.contains(&Method::Post)),
        sent: match page.sent {
            Sent::Fields(_, fields) if is_filled_in => Some(fields),
            _ => None,
        },
        refusal,
        is_own_data: !page.path.starts_with("/api/admin/"),
    };
    Some(FormSet {
        prefix,
        title: join(&offered, " or "),
        verbs: offered.iter().map(|operation| operation.verb.as_str()).collect(),
        fields: writable(operation).map(|spec| filling.field(spec)).collect(),
        errors: if is_filled_in {
            refusal.of_no_field(operation)
        } else {
            Vec::new()
        },
        raw: (!operation.takes_file()).then(|| raw(page, refusal, operation, verbs, filling.object)),
    })
}

fn join(operations: &[&Operation], glue: &str) -> String {
    let verbs: Vec<&str> = operations
        .iter()
        .map(|operation| operation.verb.as_str())
        .collect();
    verbs.join(glue)
}

fn writable(operation: &Operation) -> impl Iterator<Item = &'static FieldSpec> {
    operation.body.into_iter().flat_map(Schema::writable)
}

fn raw(
    page: &Page<'_>,
    refusal: &Refusal<'_>,
    operation: &Operation,
    verbs: &[Method],
    object: Option<&Map<String, Value>>,
) -> RawForm {
    match page.sent {
        Sent::Raw(verb, text, media_type) if verbs.contains(&verb) => RawForm {
            content: text.to_owned(),
            is_json: !media_type.contains("urlencoded"),
            is_refused: true,
            errors: refusal
                .all(operation)
                .into_iter()
                .map(|problem| problem.sentence())
                .collect(),
        },
        _ => RawForm {
            content: template(operation, object),
            is_json: true,
            is_refused: false,
            errors: Vec::new(),
        },
    }
}

/// What a body looks like: with what is there, or with what stands for nothing. Optional fields of which
/// nothing is known are left out.
fn template(operation: &Operation, object: Option<&Map<String, Value>>) -> String {
    let lines: Vec<String> = writable(operation)
        .filter_map(|spec| {
            let known = object.and_then(|object| object.get(spec.name)).cloned();
            let value = known.or_else(|| blank(spec))?;
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

/// With what the fields of one form are filled.
struct FormData<'a> {
    prefix: &'static str,
    object: Option<&'a Map<String, Value>>,
    sent: Option<&'a [(String, String)]>,
    refusal: &'a Refusal<'a>,
    /// Whether who fills the form in writes about themselves, which their browser may know.
    is_own_data: bool,
}

impl FormData<'_> {
    fn field(&self, spec: &FieldSpec) -> FormField {
        FormField {
            id: format!("{}-{}", self.prefix, spec.name),
            name: spec.name,
            label: spec.label,
            control: self.control(spec),
            value: self.value(spec),
            required: spec.required,
            max_length: spec.max_length,
            autocomplete: self.autocomplete(spec),
            help: spec.help,
            errors: match self.sent {
                Some(_) => self.refusal.of_field(spec.name),
                None => Vec::new(),
            },
        }
    }

    /// A checkbox says yes or no. Where nothing is there yet, "as the server decides" is a third answer.
    fn control(&self, spec: &FieldSpec) -> Control {
        let has_value = self.object.is_some_and(|object| object.contains_key(spec.name));
        match spec.kind {
            FieldKind::Password => Control::Input("password"),
            FieldKind::Email => Control::Input("email"),
            FieldKind::Integer => Control::Integer,
            FieldKind::Choice(choices) => {
                Control::Select(with_default(choices, !spec.required && !has_value))
            }
            FieldKind::Boolean if has_value => Control::Checkbox,
            FieldKind::Boolean => Control::Select(with_default(&[("true", "Yes"), ("false", "No")], true)),
            FieldKind::ImageUpload => Control::File,
            _ if spec.max_length.is_some_and(|max| max > LONGEST_LINE) => Control::TextArea,
            _ => Control::Input("text"),
        }
    }

    fn value(&self, spec: &FieldSpec) -> String {
        if matches!(spec.kind, FieldKind::Password | FieldKind::ImageUpload) {
            return String::new();
        }
        if let Some(sent) = self.sent {
            let last = sent.iter().rev().find(|(name, _)| name == spec.name);
            return last.map(|(_, value)| value.clone()).unwrap_or_default();
        }
        match self.object.and_then(|object| object.get(spec.name)) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        }
    }

    fn autocomplete(&self, spec: &FieldSpec) -> &'static str {
        match spec.field {
            // Only a password that is to be kept has a greatest length; any other is one that is known.
            _ if spec.kind == FieldKind::Password && spec.max_length.is_some() => "new-password",
            _ if spec.kind == FieldKind::Password => "current-password",
            _ if !self.is_own_data => "off",
            Some(Field::Username) => "username",
            Some(Field::Email) => "email",
            Some(Field::FirstName) => "given-name",
            Some(Field::LastName) => "family-name",
            Some(Field::Phone) => "tel",
            Some(Field::Address) => "street-address",
            _ => "off",
        }
    }
}

/// Text that may have more characters than these has more than one line.
const LONGEST_LINE: usize = 500;

fn with_default(
    choices: &'static [(&'static str, &'static str)],
    has_default: bool,
) -> Vec<(&'static str, &'static str)> {
    let default = has_default.then_some(("", "Default"));
    default.into_iter().chain(choices.iter().copied()).collect()
}

/// What an answer says is wrong with what was sent: a 400 of each field, any other of the whole.
pub(super) struct Refusal<'a> {
    page: &'a Page<'a>,
    body: Map<String, Value>,
}

impl<'a> Refusal<'a> {
    /// Of a page; empty where nothing was refused.
    pub(super) fn of(page: &'a Page<'a>) -> Self {
        let mut body: Map<String, Value> = match page.status {
            400..500 => serde_json::from_slice(page.json).unwrap_or_default(),
            _ => Map::new(),
        };
        if page.status != 400 {
            // Beside it stands only what is for programs.
            body.retain(|name, _| name == "detail");
        }
        Self { page, body }
    }

    /// Of the page's query; empty where it was a body that was refused.
    pub(super) fn of_query(page: &'a Page<'a>) -> Self {
        match page.method {
            "GET" | "HEAD" => Self::of(page),
            _ => Self {
                page,
                body: Map::new(),
            },
        }
    }

    /// What is said of one field.
    pub(super) fn of_field(&self, name: &str) -> Vec<String> {
        self.body.get(name).map(messages).unwrap_or_default()
    }

    /// What is said of none of an operation's fields.
    fn of_no_field(&self, operation: &Operation) -> Vec<String> {
        let is_field = |name: &str| writable(operation).any(|spec| spec.name == name);
        self.body
            .iter()
            .filter(|(name, _)| !is_field(name))
            .flat_map(|(_, value)| messages(value))
            .collect()
    }

    /// Everything that is said, fields first and in their order.
    fn all(&self, operation: &Operation) -> Vec<Problem> {
        let at = |name: &str| match self.page.sent {
            Sent::Raw(verb, ..) => format!("{}-raw-content", prefix(verb)),
            Sent::Fields(verb, _) => format!("{}-{name}", prefix(verb)),
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

    /// Everything that is wrong with what was sent.
    pub(super) fn problems(&self) -> Vec<Problem> {
        let (Sent::Fields(verb, _) | Sent::Raw(verb, ..)) = self.page.sent else {
            return Vec::new();
        };
        let sent_to = self
            .page
            .operations
            .iter()
            .find(|operation| operation.verb == verb);
        sent_to.map(|operation| self.all(operation)).unwrap_or_default()
    }
}

impl Problem {
    fn sentence(&self) -> String {
        if self.label.is_empty() {
            return self.message.clone();
        }
        format!("{}: {}", self.label, self.message)
    }
}

/// With what the ids of the form of a verb begin.
fn prefix(verb: Method) -> &'static str {
    match verb {
        Method::Put | Method::Patch => "change",
        _ => "post",
    }
}

/// The texts in what is said: one, or a list.
fn messages(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) => items
            .iter()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        other => vec![other.to_string()],
    }
}
