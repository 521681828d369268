//! The forms of the panel, from the same descriptions of fields as everything else: see [`FieldSpec`].

use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};
use mycars_application::{history, lists::HistoryQuery};
use mycars_domain::{
    Field, Violations,
    audit::{Action, ObjectType},
    strip,
};
use serde_json::{Map, Value};

use super::{
    Context,
    render::{Conflict, Fieldset, Problem, Time},
};
use crate::{
    api::{
        fields::{FieldKind, FieldSpec},
        timestamp,
    },
    error::ApiError,
    messages,
    web::{
        bidi::isolated,
        browsable::{Control, FormField},
    },
};

/// The name of the hidden field that says which version a form changes.
pub(super) const VERSION: &str = "version";

/// Text that may have more characters than these has more than one line.
const LONGEST_LINE: usize = 200;

/// With what a form is filled.
pub(super) struct FormData<'a> {
    /// What is there, as the API shows it.
    pub(super) object: Map<String, Value>,
    /// What was sent and refused.
    pub(super) sent: Option<&'a Context<'a>>,
    /// What is wrong with it.
    pub(super) violations: Violations,
    /// What is there now, where somebody else changed it meanwhile.
    pub(super) current: Option<Map<String, Value>>,
}

impl<'a> FormData<'a> {
    /// A form as it is first seen.
    pub(super) fn with(object: Map<String, Value>) -> Self {
        Self {
            object,
            sent: None,
            violations: Violations::new(),
            current: None,
        }
    }

    /// A form that was refused.
    pub(super) fn refused(context: &'a Context<'a>, violations: Violations) -> Self {
        Self {
            object: Map::new(),
            sent: Some(context),
            violations,
            current: None,
        }
    }

    /// A group of these fields, as they are described.
    pub(super) fn fieldset(
        &self,
        title: &'static str,
        specs: &'static [FieldSpec],
        fields: &[Field],
    ) -> Fieldset {
        let described = |field: &Field| specs.iter().find(|spec| spec.field == Some(*field));
        Fieldset {
            title,
            fields: fields
                .iter()
                .filter_map(described)
                .map(|spec| self.field(spec))
                .collect(),
        }
    }

    pub(super) fn field(&self, spec: &FieldSpec) -> FormField {
        FormField {
            id: id(spec.name),
            name: spec.name,
            label: spec.label,
            control: Self::control(spec),
            value: self.value(spec),
            required: spec.required,
            max_length: spec.max_length,
            autocomplete: match spec.kind {
                FieldKind::Password if spec.max_length.is_some() => "new-password",
                FieldKind::Password => "current-password",
                _ => "off",
            },
            help: spec.help,
            errors: self.errors(spec),
        }
    }

    fn control(spec: &FieldSpec) -> Control {
        match spec.kind {
            FieldKind::Password => Control::Input("password"),
            FieldKind::Email => Control::Input("email"),
            FieldKind::Integer => Control::Integer,
            FieldKind::Choice(choices) => Control::Select(choices.to_vec()),
            FieldKind::Boolean => Control::Checkbox,
            FieldKind::ImageUpload => Control::File,
            _ if spec.max_length.is_some_and(|max| max > LONGEST_LINE) => Control::TextArea,
            _ => Control::Input("text"),
        }
    }

    /// Passwords don't travel twice, and files browsers don't let a page fill in.
    fn value(&self, spec: &FieldSpec) -> String {
        if matches!(spec.kind, FieldKind::Password | FieldKind::ImageUpload) {
            return String::new();
        }
        match self.sent {
            Some(context) => context.body.text_of(spec.name).unwrap_or_default().to_owned(),
            None => text(self.object.get(spec.name)),
        }
    }

    fn errors(&self, spec: &FieldSpec) -> Vec<String> {
        let wrong = spec.field.into_iter().flat_map(|field| {
            let violations = self.violations.of(field).iter();
            violations.map(move |violation| messages::violation(field, violation))
        });
        wrong.chain(self.meanwhile(spec)).collect()
    }

    /// What a field holds now, where that is something else than what was sent.
    fn meanwhile(&self, spec: &FieldSpec) -> Option<String> {
        if matches!(spec.kind, FieldKind::Password | FieldKind::ImageUpload) {
            return None;
        }
        let now = text(self.current.as_ref()?.get(spec.name));
        let sent = self.value(spec);
        (lines(&now) != lines(&sent)).then(|| match now.as_str() {
            "" => "It is empty now.".to_owned(),
            now => format!("It is “{}” now.", isolated(now)),
        })
    }

    /// Everything that is wrong, fields in their order.
    pub(super) fn problems(fieldsets: &[Fieldset]) -> Vec<Problem> {
        let fields = fieldsets.iter().flat_map(|set| &set.fields);
        fields
            .flat_map(|field| {
                field.errors.iter().map(|message| Problem {
                    id: field.id.clone(),
                    label: field.label.to_owned(),
                    message: message.clone(),
                })
            })
            .collect()
    }
}

/// Text as it is compared: browsers send other line breaks than programs.
fn lines(text: &str) -> String {
    strip(text).replace("\r\n", "\n")
}

fn id(name: &str) -> String {
    format!("field-{name}")
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

/// A view of the API as a map.
pub(super) fn object(view: &impl serde::Serialize) -> Result<Map<String, Value>, ApiError> {
    match serde_json::to_value(view) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ApiError::Internal("a view is no object".into())),
        Err(error) => Err(ApiError::Internal(error.into())),
    }
}

/// The version that a form changes. One that can't be read is none that there ever was.
pub(super) fn version(context: &Context<'_>) -> Option<DateTime<Utc>> {
    let text = context.body.text_of(VERSION)?;
    Some(text.parse().unwrap_or(DateTime::UNIX_EPOCH))
}

/// The version that a form is about: the one that was seen. After a conflict it is the one that is there, because now
/// that has been seen.
pub(super) fn shown_version(context: &Context<'_>, status: StatusCode, updated_at: DateTime<Utc>) -> String {
    match context.body.text_of(VERSION) {
        Some(version) if status != StatusCode::CONFLICT => version.to_owned(),
        _ => timestamp::write(updated_at),
    }
}

/// Who changed meanwhile what a form changes.
pub(super) fn conflict(
    context: &Context<'_>,
    (object_type, id): (ObjectType, i64),
    updated_at: DateTime<Utc>,
    own: &str,
) -> Result<Conflict, ApiError> {
    let query = HistoryQuery {
        action: Some(Action::Changed),
        object_type: Some(object_type),
        object_id: Some(id.to_string()),
        ..HistoryQuery::default()
    };
    let newest = history::newest(context.app, context.caller, &query, 1)?;
    Ok(Conflict {
        by: newest
            .into_iter()
            .next()
            .map_or_else(|| "somebody".to_owned(), |last| last.entry.author.name),
        at: Time(updated_at),
        reload: context.with_back(own),
    })
}

/// Where to go after something was saved: where the button says that was pressed.
pub(super) fn after_save(context: &Context<'_>, list: &str, own: &str) -> String {
    if context.body.text_of("_continue").is_some() {
        context.with_back(own)
    } else if context.body.text_of("_addanother").is_some() {
        context.with_back(&format!("{list}add/"))
    } else {
        context.back_to(list)
    }
}
