//! Common parts of the panel's pages.

use actix_web::http::StatusCode;
use askama::Template;

use super::{Context, message::Message};
use crate::web::ui::{
    self,
    bidi::isolated,
    entries::FieldChange,
    links::{Crumb, Link},
    text::Time,
};

/// The frame around the content of every page.
#[derive(Default)]
pub(super) struct Frame<'a> {
    pub(super) username: Option<&'a str>,
    pub(super) csrf_token: &'a str,
    pub(super) message: Option<&'a Message>,
    pub(super) path: &'a str,
    /// Whether the user may use the panel.
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

    /// Returns the sections of the panel, and whether the page is in each.
    pub(super) fn sections(&self) -> Vec<(&'static str, &'static str, bool)> {
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
}

/// Returns the breadcrumbs of a page: each but the last is a link.
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

/// The content of a table's cell.
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
    Changes(Vec<FieldChange>),
    /// All fields of an object that was created or deleted.
    Whole(Vec<FieldChange>),
}

/// A row of a table.
pub(super) struct Row {
    /// The number by which actions identify the row; `None` if there are no actions.
    pub(super) key: Option<i64>,
    /// The name of the object, for the label of the checkbox.
    pub(super) name: String,
    pub(super) cells: Vec<Cell>,
}

/// An error.
#[derive(Template)]
#[template(path = "panel/error.html")]
struct ErrorPage<'a> {
    frame: &'a Frame<'a>,
    status: u16,
    title: &'static str,
    text: &'a str,
}

pub(super) fn error(frame: &Frame<'_>, status: StatusCode, text: &str) -> String {
    ui::render(&ErrorPage {
        frame,
        status: status.as_u16(),
        title: status.canonical_reason().unwrap_or("Error"),
        text,
    })
}
