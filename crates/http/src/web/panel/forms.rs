//! Forms of the panel.

use actix_web::http::StatusCode;
use askama::Template;
use chrono::{DateTime, Utc};
use mycars_application::{
    history,
    lists::{HistoryQuery, Search},
    users,
};
use mycars_domain::{
    Field, User, Violations,
    audit::{Action, ObjectType},
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{
    Context,
    render::{self, Cell, Frame, Row},
};
use crate::{
    api::{fields::FieldSpec, timestamp},
    error::ApiError,
    messages,
    web::ui::{
        bidi::isolated,
        forms::{Control, FormData, FormField, Problem},
        links::{Crumb, Link},
        text::Time,
    },
};

/// Name of the hidden field that holds the version of the object.
pub(super) const VERSION: &str = "version";

/// Maximum length of text that fits on one line, in characters.
const LINE: usize = 200;

/// Number of users that a search for an owner returns.
const FOUND: u32 = 20;

/// A group of fields.
pub(super) struct Fieldset {
    pub(super) title: &'static str,
    pub(super) fields: Vec<FormField>,
}

/// The table of a user's cars on their page.
pub(super) struct Related {
    pub(super) title: String,
    pub(super) tools: Vec<Link>,
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: Vec<Row>,
}

/// The form that adds or changes an object.
#[derive(Default, Template)]
#[template(path = "panel/form.html")]
pub(super) struct FormPage<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) crumbs: Vec<Crumb>,
    pub(super) title: String,
    /// Why the object can't be changed; `None` shows the buttons that save.
    pub(super) locked: Option<&'static str>,
    pub(super) tools: Vec<Link>,
    /// URL that deletes the object.
    pub(super) delete: Option<String>,
    pub(super) fieldsets: Vec<Fieldset>,
    pub(super) problems: Vec<Problem>,
    /// The version of the object that the form changes.
    pub(super) version: Option<String>,
    pub(super) conflict: Option<Conflict>,
    /// Noun for the object, in messages.
    pub(super) noun: &'static str,
    pub(super) takes_file: bool,
    /// Whether the picture is to be removed.
    pub(super) is_cleared: bool,
    /// Whether a file was chosen, which browsers don't fill in again.
    pub(super) lost_file: bool,
    pub(super) image: Option<String>,
    /// The result of a search for the owner.
    pub(super) owners: Option<Owners>,
    pub(super) facts: Vec<(&'static str, Cell)>,
    pub(super) related: Option<Related>,
    pub(super) action: String,
}

impl<'a> FormPage<'a> {
    /// Makes the form of a `noun`, below the page `list`. The last breadcrumb is `name`.
    pub(super) fn new(
        context: &Context<'a>,
        list: (&str, &str),
        name: &str,
        noun: &'static str,
        fieldsets: Vec<Fieldset>,
    ) -> Self {
        Self {
            frame: Frame::of(context),
            crumbs: render::crumbs(&[(list.0, &context.back_to(list.1))], name),
            title: name.to_owned(),
            problems: problems(&fieldsets),
            fieldsets,
            noun,
            action: context.with_back(context.path),
            ..Self::default()
        }
    }

    /// Sets the version that the form changes: the one that was sent, or after a conflict the stored one, which the form
    /// shows now.
    pub(super) fn with_version(
        self,
        context: &Context<'_>,
        status: StatusCode,
        object: (ObjectType, i64),
        updated_at: DateTime<Utc>,
        own: &str,
    ) -> Result<Self, ApiError> {
        let is_conflict = status == StatusCode::CONFLICT;
        let sent = context.body.text_of(VERSION).filter(|_| !is_conflict);
        Ok(Self {
            version: Some(sent.map_or_else(|| timestamp::write(updated_at), str::to_owned)),
            conflict: if is_conflict {
                Some(Conflict::new(context, object, updated_at, own)?)
            } else {
                None
            },
            ..self
        })
    }
}

/// A change by another user while the form was open.
pub(super) struct Conflict {
    by: String,
    at: Time,
    reload: String,
}

impl Conflict {
    fn new(
        context: &Context<'_>,
        (object_type, id): (ObjectType, i64),
        updated_at: DateTime<Utc>,
        own: &str,
    ) -> Result<Self, ApiError> {
        let query = HistoryQuery {
            action: Some(Action::Changed),
            object_type: Some(object_type),
            object_id: Some(id.to_string()),
            ..HistoryQuery::default()
        };
        let newest = history::newest(context.app, context.caller, &query, 1)?;
        let last = newest.into_iter().next();
        Ok(Self {
            by: last.map_or_else(|| "another user".to_owned(), |last| last.entry.author.name),
            at: Time(updated_at),
            reload: context.with_back(own),
        })
    }
}

/// The users that a search for an owner found.
pub(super) struct Owners {
    pub(super) searched: String,
    pub(super) found: Vec<Owner>,
}

#[derive(Serialize)]
pub(super) struct Owner {
    username: String,
    /// Full name and e-mail address.
    name: String,
}

/// A form of passwords.
#[derive(Template)]
#[template(path = "panel/password.html")]
pub(super) struct PasswordPage<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) crumbs: Vec<Crumb>,
    pub(super) title: String,
    pub(super) lead: &'static str,
    /// The username, for password managers.
    pub(super) username: &'a str,
    pub(super) fields: Vec<FormField>,
    pub(super) problems: Vec<Problem>,
    pub(super) action: String,
    pub(super) back: String,
}

/// Returns the data of a form when it is opened.
pub(super) fn filled<'a>(object: Map<String, Value>) -> FormData<'a> {
    FormData {
        prefix: "field",
        object: std::borrow::Cow::Owned(object),
        line: LINE,
        ..FormData::default()
    }
}

/// Returns the data of a form that was sent and not accepted.
pub(super) fn refused<'a>(context: &'a Context<'_>, violations: &Violations) -> FormData<'a> {
    let errors = violations.iter().map(|(field, violations)| {
        let messages = violations
            .iter()
            .map(|violation| messages::violation(field, violation));
        (messages::name(field), messages.collect())
    });
    FormData {
        sent: Some(Box::new(|name| context.body.text_of(name).unwrap_or_default())),
        errors: errors.collect(),
        ..filled(Map::new())
    }
}

/// Returns the data of a form with refused fields. Other errors are returned.
pub(super) fn refused_by<'a>(
    context: &'a Context<'_>,
    error: impl Into<ApiError>,
) -> Result<FormData<'a>, ApiError> {
    match error.into() {
        ApiError::Fields(violations) => Ok(refused(context, &violations)),
        error => Err(error),
    }
}

/// Returns a group of these fields.
pub(super) fn fieldset(
    data: &FormData<'_>,
    title: &'static str,
    specs: &'static [FieldSpec],
    fields: &[Field],
) -> Fieldset {
    let spec = |field: &Field| specs.iter().find(|spec| spec.field == Some(*field));
    let specs = fields.iter().filter_map(spec);
    Fieldset {
        title,
        fields: specs.map(|spec| data.field(spec)).collect(),
    }
}

/// Returns all errors, in the order of the fields.
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

/// Searches for users by a part of their names or e-mail address.
pub(super) fn search_owners(context: &Context<'_>, typed: &str) -> Result<Vec<Owner>, ApiError> {
    let letters = typed.chars().filter(|letter| *letter != '\0');
    let short: String = letters.take(Search::MAX_LENGTH).collect();
    let found = users::search(context.app, context.caller, Search::parse(&short), FOUND)?;
    let owner = |user: &User| Owner {
        username: user.username.to_string(),
        name: format!(
            "{} · {}",
            isolated(&user.full_name()),
            isolated(user.email.as_str())
        ),
    };
    Ok(found.iter().map(owner).collect())
}

/// Converts a view of the API to a map.
pub(super) fn object(view: &impl Serialize) -> Result<Map<String, Value>, ApiError> {
    match serde_json::to_value(view) {
        Ok(Value::Object(object)) => Ok(object),
        Ok(_) => Err(ApiError::Internal("a view is no object".into())),
        Err(error) => Err(ApiError::Internal(error.into())),
    }
}

/// Returns the version of the object when the form was opened. An invalid one matches no version.
pub(super) fn version(context: &Context<'_>) -> Option<DateTime<Utc>> {
    let text = context.body.text_of(VERSION)?;
    Some(text.parse().unwrap_or(DateTime::UNIX_EPOCH))
}

/// Returns the URL to which the pressed button leads after saving.
pub(super) fn after_save(context: &Context<'_>, list: &str, own: &str) -> String {
    if context.body.text_of("_continue").is_some() {
        context.with_back(own)
    } else if context.body.text_of("_addanother").is_some() {
        context.with_back(&format!("{list}add/"))
    } else {
        context.back_to(list)
    }
}
