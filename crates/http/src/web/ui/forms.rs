//! Form fields, made from the descriptions of fields: see [`FieldSpec`].
//!
//! A refused form comes back with its values and with the errors beside the fields. Passwords and files are left out:
//! passwords should not be sent twice, and browsers don't let a page fill in files.

use std::{borrow::Cow, collections::BTreeMap};

use mycars_domain::{Field, strip};
use serde_json::{Map, Value};

use super::bidi::isolated;
use crate::api::fields::{FieldKind, FieldSpec};

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

/// The HTML element of a field.
pub(crate) enum Control {
    /// `<input>` of a type.
    Input(&'static str),
    /// A text input: `<input type="number">` reads `125.000` by the language of the user.
    Integer,
    TextArea,
    /// Value and label of each choice.
    Select(Vec<(&'static str, &'static str)>),
    Checkbox,
    /// `<input type="file">` with the types that it offers.
    File(&'static str),
}

impl FormField {
    pub(crate) fn is_chosen(&self, choice: &str) -> bool {
        self.value == choice
    }

    /// Returns the ids of the elements that describe the field: its help and its errors.
    pub(crate) fn described_by(&self) -> String {
        let help = (!self.help.is_empty()).then(|| format!("{}-help", self.id));
        let error = (!self.errors.is_empty()).then(|| format!("{}-error", self.id));
        help.into_iter().chain(error).collect::<Vec<_>>().join(" ")
    }
}

/// One line of the summary of errors.
pub(crate) struct Problem {
    /// Id of the element to correct.
    pub(crate) id: String,
    /// Label of the field; empty for errors of the whole form.
    pub(crate) label: String,
    pub(crate) message: String,
}

impl Problem {
    pub(crate) fn sentence(&self) -> String {
        if self.label.is_empty() {
            return self.message.clone();
        }
        format!("{}: {}", self.label, self.message)
    }
}

/// Returns the value that was sent under a name, or "".
pub(crate) type Sent<'a> = Box<dyn Fn(&str) -> &'a str + 'a>;

/// Values and errors of a form.
#[derive(Default)]
pub(crate) struct FormData<'a> {
    /// Prefix of the ids of its fields.
    pub(crate) prefix: &'static str,
    /// The stored object, as the API shows it.
    pub(crate) object: Cow<'a, Map<String, Value>>,
    /// The values that were sent, if the form was refused.
    pub(crate) sent: Option<Sent<'a>>,
    /// Error messages by the name of the field.
    pub(crate) errors: BTreeMap<&'static str, Vec<String>>,
    /// The object as it is stored now, if another user changed it while the form was open.
    pub(crate) current: Option<Map<String, Value>>,
    /// Maximum length of text that fits on one line, in characters.
    pub(crate) line: usize,
    /// Whether fields without a stored value offer "as the server decides" as a choice.
    pub(crate) has_defaults: bool,
    /// Whether the form is about the logged-in user, so that the browser may fill in their data.
    pub(crate) is_own_data: bool,
}

impl FormData<'_> {
    pub(crate) fn field(&self, spec: &FieldSpec) -> FormField {
        let errors = self.errors.get(spec.name).into_iter().flatten().cloned();
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
            errors: errors.chain(self.conflict(spec)).collect(),
        }
    }

    fn control(&self, spec: &FieldSpec) -> Control {
        let has_default = self.has_defaults && !self.object.contains_key(spec.name);
        match spec.kind {
            FieldKind::Password => Control::Input("password"),
            FieldKind::Email => Control::Input("email"),
            FieldKind::Integer => Control::Integer,
            FieldKind::Choice(choices) => select(choices, has_default && !spec.required),
            FieldKind::Boolean if has_default => select(&[("true", "Yes"), ("false", "No")], true),
            FieldKind::Boolean => Control::Checkbox,
            FieldKind::ImageUpload => Control::File("image/jpeg,image/png,image/webp,image/gif"),
            FieldKind::FileUpload => {
                Control::File(".csv,.tsv,.txt,.jsonl,.ndjson,text/csv,application/x-ndjson")
            }
            _ if spec.max_length.is_some_and(|max| max > self.line) => Control::TextArea,
            _ => Control::Input("text"),
        }
    }

    fn value(&self, spec: &FieldSpec) -> String {
        match &self.sent {
            _ if is_write_only(spec) => String::new(),
            Some(sent) => sent(spec.name).to_owned(),
            None => text(self.object.get(spec.name)),
        }
    }

    fn autocomplete(&self, spec: &FieldSpec) -> &'static str {
        match spec.field {
            // Only new passwords have a maximum length.
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

    /// Returns a message with the value that is stored now, if it differs from the one that was sent.
    fn conflict(&self, spec: &FieldSpec) -> Option<String> {
        let current = self.current.as_ref().filter(|_| !is_write_only(spec))?;
        let now = text(current.get(spec.name));
        // Browsers send other line breaks than programs.
        let compared = |text: &str| strip(text).replace("\r\n", "\n");
        (compared(&now) != compared(&self.value(spec))).then(|| match now.as_str() {
            "" => "The stored value is empty.".to_owned(),
            now => format!("The stored value is “{}”.", isolated(now)),
        })
    }
}

fn is_write_only(spec: &FieldSpec) -> bool {
    spec.kind == FieldKind::Password || spec.kind.is_upload()
}

fn select(choices: &[(&'static str, &'static str)], has_default: bool) -> Control {
    let default = has_default.then_some(("", "Default"));
    Control::Select(default.into_iter().chain(choices.iter().copied()).collect())
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
