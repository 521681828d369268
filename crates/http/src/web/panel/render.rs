//! The pages of the panel, from the templates in `templates/panel/`.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use askama::Template;
use chrono::{DateTime, SecondsFormat, Utc};
use mycars_domain::{
    Field,
    audit::{self, Change, Entry, NewEntry, ObjectType, Value},
};

use super::{
    Context,
    lists::{Bulk, Column, Facet, Input, Pages},
    message::Message,
};
use crate::{
    messages,
    web::{
        bidi::isolated,
        browsable::{Control, Crumb, FormField, Link},
    },
};

/// What every page of the panel shows around its content.
pub(super) struct Frame<'a> {
    pub(super) username: Option<&'a str>,
    pub(super) csrf_token: &'a str,
    pub(super) message: Option<&'a Message>,
    pub(super) path: &'a str,
    /// Whether who looks may use the panel.
    pub(super) is_admin: bool,
}

impl<'a> Frame<'a> {
    pub(super) fn of(context: &Context<'a>) -> Self {
        Self {
            username: Some(context.user.username.as_str()),
            csrf_token: context.csrf_token,
            message: context.message,
            path: context.path,
            is_admin: true,
        }
    }

    /// The sections of the panel, and whether the page is in each.
    fn sections(&self) -> Vec<(&'static str, &'static str, bool)> {
        [
            ("Users", "/admin/users/"),
            ("Cars", "/admin/cars/"),
            ("History", "/admin/history/"),
            ("Logins", "/admin/tokens/"),
        ]
        .into_iter()
        .map(|(label, url)| (label, url, self.path.starts_with(url.trim_end_matches('/'))))
        .collect()
    }

    fn here(&self) -> &str {
        self.path
    }
}

/// The way to a page: each step but the last is a link.
pub(super) fn crumbs(steps: &[(&str, &str)], last: &str) -> Vec<Crumb> {
    let crumb = |label: &str, url: Option<&str>| Crumb {
        label: isolated(label).into_owned(),
        url: url.map(str::to_owned),
    };
    [("Panel", "/admin/")]
        .iter()
        .chain(steps)
        .map(|(label, url)| crumb(label, Some(url)))
        .chain([crumb(last, None)])
        .collect()
}

/// The HTML of a template.
pub(super) fn write(template: &impl Template) -> String {
    // Writing to a string fails only where a value's `Display` does, and none here does.
    template.render().unwrap_or_default()
}

/// A point in time for people.
pub(super) struct Time(pub(super) DateTime<Utc>);

impl Time {
    pub(super) fn iso(&self) -> String {
        self.0.to_rfc3339_opts(SecondsFormat::Micros, true)
    }

    pub(super) fn minute(&self) -> String {
        self.0.format("%Y-%m-%d %H:%M").to_string()
    }

    pub(super) fn short(&self) -> String {
        self.0.format("%Y-%m-%d %H:%M:%S").to_string()
    }

    pub(super) fn long(&self) -> String {
        self.0.format("%Y-%m-%d %H:%M:%S%.6f UTC").to_string()
    }
}

/// What stands in a cell of a table.
pub(super) enum Cell {
    Text(String),
    Number(i64),
    Link(Link),
    /// To the minute.
    Time(Option<Time>),
    /// To the second.
    Moment(Time),
    /// Yes or no.
    Flag(bool),
    Image(Option<String>),
    Changes(Vec<ChangeView>),
    /// Changes that are a whole thing, new or gone.
    Whole(Vec<ChangeView>),
}

/// A row of a table.
pub(super) struct Row {
    /// By which number actions know it; `None` where there is nothing to be done to it.
    pub(super) key: Option<i64>,
    /// What it is called.
    pub(super) name: String,
    pub(super) cells: Vec<Cell>,
}

/// A list.
#[derive(Template)]
#[template(path = "panel/list.html")]
pub(super) struct ListPage<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) crumbs: Vec<Crumb>,
    pub(super) title: &'a str,
    pub(super) add: Option<Link>,
    pub(super) searched: &'static str,
    pub(super) search: String,
    pub(super) inputs: Vec<Input>,
    pub(super) kept: Vec<(String, String)>,
    pub(super) facets: Vec<Facet>,
    /// The filters that count at the moment; each link takes one away.
    pub(super) active: Vec<Link>,
    pub(super) unfiltered: String,
    pub(super) columns: Vec<Column>,
    pub(super) rows: Vec<Row>,
    pub(super) total: u64,
    pub(super) plural: &'static str,
    pub(super) pages: Pages,
    pub(super) bulk: Bulk,
    pub(super) problems: Vec<String>,
}

/// A group of fields that belong together.
pub(super) struct Fieldset {
    pub(super) title: &'static str,
    pub(super) fields: Vec<FormField>,
}

/// One line of the summary of what is wrong.
pub(super) struct Problem {
    pub(super) id: String,
    pub(super) label: String,
    pub(super) message: String,
}

/// What lists the cars of a user on their page.
pub(super) struct Related {
    pub(super) title: String,
    pub(super) add: Link,
    pub(super) all: Link,
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: Vec<Row>,
}

/// Adds or changes something.
#[derive(Template)]
#[template(path = "panel/form.html")]
pub(super) struct FormPage<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) crumbs: Vec<Crumb>,
    pub(super) title: String,
    /// Why nothing can be changed; without it there are buttons to save.
    pub(super) locked: Option<&'static str>,
    pub(super) tools: Vec<Link>,
    /// What would end with it, and is offered last.
    pub(super) delete: Option<String>,
    pub(super) fieldsets: Vec<Fieldset>,
    pub(super) problems: Vec<Problem>,
    /// Which version the form changes.
    pub(super) version: Option<String>,
    /// Who changed what meanwhile.
    pub(super) conflict: Option<Conflict>,
    /// The name of what is added or changed, on the buttons.
    pub(super) noun: &'static str,
    pub(super) takes_file: bool,
    /// Whether the picture is to go.
    pub(super) is_cleared: bool,
    /// Whether a file was chosen, which browsers forget.
    pub(super) lost_file: bool,
    pub(super) image: Option<String>,
    /// Whom the owner can be, where that is asked for.
    pub(super) owners: Option<Owners>,
    pub(super) facts: Vec<(&'static str, Cell)>,
    pub(super) related: Option<Related>,
    pub(super) action: String,
}

/// Somebody else's change of what the form changes.
pub(super) struct Conflict {
    pub(super) by: String,
    pub(super) at: Time,
    pub(super) reload: String,
}

/// The users whom a search for an owner found.
pub(super) struct Owners {
    pub(super) searched: String,
    pub(super) found: Vec<Owner>,
}

pub(super) struct Owner {
    pub(super) username: String,
    pub(super) name: String,
}

/// One form of passwords.
#[derive(Template)]
#[template(path = "panel/password.html")]
pub(super) struct PasswordPage<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) crumbs: Vec<Crumb>,
    pub(super) title: String,
    pub(super) lead: &'static str,
    /// Whose password it is, for managers of passwords.
    pub(super) whose: &'a str,
    pub(super) fields: Vec<FormField>,
    pub(super) problems: Vec<Problem>,
    pub(super) action: String,
    pub(super) back: String,
}

/// Asks before something is done that can't be undone.
#[derive(Template)]
#[template(path = "panel/confirm.html")]
pub(super) struct ConfirmPage<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) crumbs: Vec<Crumb>,
    pub(super) title: String,
    pub(super) lead: String,
    /// What is other than it was when it was asked before.
    pub(super) warning: Option<String>,
    /// The latest changes, where they are the reason to ask again.
    pub(super) changes: Vec<EntryView>,
    /// How many of what.
    pub(super) counts: Vec<(&'static str, u64)>,
    pub(super) items: Vec<Link>,
    /// How many more there are.
    pub(super) more: u64,
    pub(super) hidden: Vec<(&'static str, String)>,
    pub(super) button: String,
    pub(super) is_danger: bool,
    pub(super) action: String,
    pub(super) back: String,
}

/// What became of something.
#[derive(Template)]
#[template(path = "panel/object_history.html")]
pub(super) struct ObjectHistoryPage<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) crumbs: Vec<Crumb>,
    pub(super) title: String,
    pub(super) entries: Vec<EntryView>,
    pub(super) pages: Pages,
}

/// The first page.
#[derive(Template)]
#[template(path = "panel/index.html")]
pub(super) struct IndexPage<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) crumbs: Vec<Crumb>,
    pub(super) counts: Vec<(&'static str, String, &'static str)>,
    pub(super) health: Vec<Health>,
    /// `None` if they can't be read.
    pub(super) entries: Option<Vec<EntryView>>,
    pub(super) version: &'static str,
}

/// How one part is doing.
pub(super) struct Health {
    pub(super) part: &'static str,
    pub(super) is_good: bool,
    pub(super) text: String,
}

/// Says what is wrong.
#[derive(Template)]
#[template(path = "panel/error.html")]
struct ErrorPage<'a> {
    frame: &'a Frame<'a>,
    status: u16,
    title: &'static str,
    text: &'a str,
}

/// The page around what is told while something long is done; it is cut in two at [`PROGRESS`].
#[derive(Template)]
#[template(path = "panel/progress.html")]
pub(super) struct ProgressPage<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) crumbs: Vec<Crumb>,
    pub(super) title: String,
}

/// Where the page of progress is cut.
pub(super) const PROGRESS: &str = "<!-- progress -->";

pub(super) fn error(frame: &Frame<'_>, status: StatusCode, text: &str) -> String {
    write(&ErrorPage {
        frame,
        status: status.as_u16(),
        title: status.canonical_reason().unwrap_or("Error"),
        text,
    })
}

/// An entry of the audit log.
pub(super) struct EntryView {
    pub(super) at: Time,
    pub(super) actor: String,
    pub(super) actor_url: Option<String>,
    pub(super) action: &'static str,
    pub(super) object_type: &'static str,
    pub(super) object: String,
    pub(super) object_url: Option<String>,
    pub(super) channel: &'static str,
    pub(super) request_id: Option<String>,
    pub(super) address: Option<String>,
    pub(super) changes: Vec<ChangeView>,
    /// Whether the changes are the whole thing, new or gone.
    pub(super) is_whole: bool,
}

impl EntryView {
    pub(super) fn new(Entry { entry, .. }: &Entry, names: &Names) -> Self {
        Self {
            is_whole: matches!(entry.action, audit::Action::Created | audit::Action::Deleted),
            at: Time(entry.at),
            actor: entry.author.name.clone(),
            actor_url: entry.author.id.map(|id| format!("/admin/users/{id}/history/")),
            action: action(entry.action, entry.object.kind),
            object_type: object_type(entry.object.kind),
            object: entry.object.name.clone(),
            object_url: object_url(&entry.object),
            channel: channel(entry.origin.channel),
            request_id: entry.origin.request_id.clone(),
            address: entry.origin.address.map(|address| address.to_string()),
            changes: ChangeView::all(entry, names),
        }
    }
}

/// Where the history of an object is: it is there even if the object is not.
pub(super) fn object_url(object: &audit::Object) -> Option<String> {
    let (user, car) = (object.user_id(), object.car_id());
    user.map(|id| format!("/admin/users/{id}/history/"))
        .or(car.map(|id| format!("/admin/cars/{id}/history/")))
        .or(object.owner.map(|id| format!("/admin/users/{id}/history/")))
}

pub(super) fn action(action: audit::Action, kind: ObjectType) -> &'static str {
    match (action, kind) {
        (audit::Action::Created, _) => "added",
        (audit::Action::Changed, _) => "changed",
        (audit::Action::Deleted, _) => "deleted",
        (audit::Action::Revoked, ObjectType::User) => "ended all logins of",
        (audit::Action::Revoked, _) => "ended",
    }
}

pub(super) fn object_type(kind: ObjectType) -> &'static str {
    match kind {
        ObjectType::User => "user",
        ObjectType::Car => "car",
        ObjectType::RefreshToken => "refresh token",
    }
}

pub(super) fn channel(channel: audit::Channel) -> &'static str {
    match channel {
        audit::Channel::Api => "API",
        audit::Channel::Panel => "panel",
        audit::Channel::CommandLine => "command line",
    }
}

/// A field, and what it was and is.
pub(super) struct ChangeView {
    pub(super) field: String,
    /// `None` where there was nothing.
    pub(super) before: Option<String>,
    /// `None` where the whole thing is gone.
    pub(super) after: Option<String>,
}

/// What the users are called whom entries name by their ids.
pub(super) type Names = HashMap<i64, String>;

impl ChangeView {
    fn new(change: &Change, action: audit::Action, names: &Names) -> Self {
        let value = |value: &Value| match value {
            Value::Number(id) if change.field == Field::Owner => names
                .get(id)
                .map_or_else(|| format!("user {id}"), |name| format!("{name} ({id})")),
            value => self::value(value),
        };
        Self {
            field: messages::name(change.field).replace('_', " "),
            before: (change.before != Value::Nothing && action != audit::Action::Created)
                .then(|| value(&change.before)),
            after: (action != audit::Action::Deleted).then(|| value(&change.after)),
        }
    }

    /// What an entry says became of the fields.
    pub(super) fn all(entry: &NewEntry, names: &Names) -> Vec<Self> {
        let view = |change| Self::new(change, entry.action, names);
        entry.changes.iter().map(view).collect()
    }
}

/// A value of the audit log for people.
pub(super) fn value(value: &Value) -> String {
    match value {
        Value::Nothing => "–".to_owned(),
        Value::Text(text) if text.is_empty() => "(blank)".to_owned(),
        Value::Text(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Flag(true) => "yes".to_owned(),
        Value::Flag(false) => "no".to_owned(),
        Value::Hidden => "••••••••".to_owned(),
    }
}

/// A number of bytes for people.
pub(super) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["bytes", "KiB", "MiB", "GiB", "TiB"];
    let mut whole = count;
    let mut tenths = 0;
    let mut unit = 0;
    while whole >= 1024 && unit + 1 < UNITS.len() {
        tenths = whole % 1024 * 10 / 1024;
        whole /= 1024;
        unit += 1;
    }
    let unit = UNITS.get(unit).unwrap_or(&"");
    if tenths == 0 {
        format!("{whole} {unit}")
    } else {
        format!("{whole}.{tenths} {unit}")
    }
}

/// “1 car”, “2 cars”.
pub(super) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_told_in_the_largest_unit_that_fits() {
        assert_eq!(bytes(0), "0 bytes");
        assert_eq!(bytes(1023), "1023 bytes");
        assert_eq!(bytes(1536), "1.5 KiB");
        assert_eq!(bytes(5 * 1024 * 1024), "5 MiB");
        assert_eq!(bytes(u64::MAX), "16777215.9 TiB");
    }
}
