//! The logins and API keys of a user.

use actix_web::http::StatusCode;
use askama::Template;
use mycars_application::{
    accounts::{
        keys,
        logins::{self, Login, LoginId, LoginKind},
    },
    ports::ApiKey,
};
use mycars_domain::Action;

use super::{
    Answer, Context,
    message::Message,
    render::{self, Cell, Frame, Row},
    users::{self, name, own_path},
};
use crate::{
    error::ApiError,
    request::authentication::Credentials,
    web::ui::{self, bidi::isolated, links::Crumb, text::Time},
};

/// Names of the fields with the number of what is to be ended.
const LOGIN: &str = "login";
const KEY: &str = "key";

#[derive(Template)]
#[template(path = "panel/access.html")]
struct AccessPage<'a> {
    frame: Frame<'a>,
    crumbs: Vec<Crumb>,
    title: String,
    tables: [Table; 2],
    action: String,
}

/// A table with a button in each row.
struct Table {
    title: &'static str,
    /// Name of the field that the button of a row sends.
    field: &'static str,
    columns: &'static [&'static str],
    rows: Vec<Row>,
    may_end: bool,
}

pub(super) fn show(context: &Context<'_>) -> Result<Answer, ApiError> {
    let user = users::read(context)?;
    let credential = Credentials::Session.sent(context.request.context)?;
    let logins = logins::list_of(context.app, context.caller, user.id, credential.as_ref())?;
    let keys = keys::list(context.app, context.caller, user.id)?;
    let target = users::target(&user);
    let page = AccessPage {
        frame: Frame::of(context),
        crumbs: render::crumbs(
            &[
                ("Users", &context.back_to(users::PATH)),
                (user.username.as_str(), &own_path(&user)),
            ],
            "Logins and keys",
        ),
        title: format!("Logins and keys of {}", name(&user)),
        tables: [
            Table {
                title: "Logins",
                field: LOGIN,
                columns: &[
                    "Program",
                    "Address",
                    "Since (UTC)",
                    "Last seen (UTC)",
                    "This login",
                ],
                rows: logins.iter().map(login_row).collect(),
                may_end: context.may(Action::EndLogin, target),
            },
            Table {
                title: "API keys",
                field: KEY,
                columns: &[
                    "Name",
                    "Key",
                    "Rights",
                    "Created (UTC)",
                    "Expires (UTC)",
                    "Last used (UTC)",
                ],
                rows: keys.iter().map(key_row).collect(),
                may_end: context.may(Action::EndKey, target),
            },
        ],
        action: context.with_back(context.path),
    };
    Ok(Answer::Page(StatusCode::OK, ui::render(&page)))
}

fn login_row(login: &Login) -> Row {
    let program = login.device.program.clone().unwrap_or_else(|| {
        match login.id.kind {
            LoginKind::Token => "Program",
            LoginKind::Session => "Browser",
        }
        .to_owned()
    });
    let address = login.device.address;
    Row {
        key: Some(login.id.number()),
        name: format!("the login of {}", isolated(&program)),
        cells: vec![
            Cell::Text(program),
            Cell::Text(address.map_or("–".to_owned(), |address| address.to_string())),
            Cell::Time(Some(Time(login.since))),
            Cell::Time(Some(Time(login.last_seen))),
            Cell::Flag(login.is_current),
        ],
    }
}

fn key_row(key: &ApiKey) -> Row {
    Row {
        key: Some(key.id),
        name: format!("the key {}", isolated(&key.name)),
        cells: vec![
            Cell::Text(key.name.clone()),
            Cell::Text(format!("{}…", key.prefix)),
            Cell::Text(key.rights.as_str().to_owned()),
            Cell::Time(Some(Time(key.created_at))),
            Cell::Time(key.expires_at.map(Time)),
            Cell::Time(key.last_used_at.map(Time)),
        ],
    }
}

pub(super) fn end(context: &Context<'_>) -> Result<Answer, ApiError> {
    let user = users::read(context)?;
    let number = |field| context.sent(field).parse::<i64>().ok();
    let (app, caller) = (context.app, context.caller);
    let (ended, what) = if let Some(id) = number(KEY) {
        (keys::end(app, caller, user.id, id), "The key")
    } else {
        let id = LoginId::of(number(LOGIN).unwrap_or_default());
        (logins::end(app, caller, user.id, id, None).map(drop), "The login")
    };
    let message = match ended {
        Ok(()) => Message::success(format!("{what} was ended.")),
        Err(mycars_application::Error::NotFound) => Message::warning(format!("{what} had ended already.")),
        Err(error) => return Err(error.into()),
    };
    Answer::redirect(context.with_back(context.path), message)
}
