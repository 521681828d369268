//! `/api/me/logins/`: the caller's logins, those of programs and of browsers.

use chrono::{DateTime, Utc};
use mycars_application::{
    Error,
    accounts::logins::{self, Login, LoginId},
};
use mycars_domain::UserId;
use serde::Serialize;

use crate::{
    api::{
        endpoint::{Access, Endpoint, Method, Operation, RateClass, Reply, Request, ResponseSpec, Tag},
        fields::{FieldKind, FieldSpec, Schema},
        timestamp,
    },
    error::{ApiError, Resource},
    request::authentication::Credentials,
};

pub(crate) static LIST: Endpoint = Endpoint {
    path: "/api/me/logins/",
    name: "Login List",
    description: "Your own logins that have not ended, the last used first: those of programs and those of browsers.",
    tag: Tag::Account,
    access: Access::Login,
    rate: RateClass::Standard,
    list: None,
    operations: &[
        Operation::plain(
            "list_logins",
            "List your own logins",
            Method::Get,
            ResponseSpec::All(&LOGIN),
            list,
        ),
        Operation::plain(
            "end_other_logins",
            "End all your other logins",
            Method::Delete,
            ResponseSpec::Nothing,
            end_others,
        ),
    ],
};

pub(crate) static DETAIL: Endpoint = Endpoint {
    path: "/api/me/logins/{login_id}/",
    name: "Login Detail",
    description: "End one of your own logins: its refresh token or its session stops working at once.",
    tag: Tag::Account,
    access: Access::Login,
    rate: RateClass::Standard,
    list: None,
    operations: &[Operation::plain(
        "end_login",
        "End one of your own logins",
        Method::Delete,
        ResponseSpec::Nothing,
        end,
    )],
};

static LOGIN: Schema = Schema {
    name: "Login",
    fields: &[
        FieldSpec::read_only("id", "ID", FieldKind::Reference).example("14"),
        FieldSpec::read_only("kind", "Kind", FieldKind::Code(&["token", "session"]))
            .help("`token` for a program with a refresh token, `session` for a browser."),
        FieldSpec::read_only("since", "Since", FieldKind::DateTime),
        FieldSpec::read_only("last_seen", "Last seen", FieldKind::DateTime)
            .help("For a program, the last use of its refresh token."),
        FieldSpec::read_only("address", "Address", FieldKind::Text)
            .nullable()
            .help("The address from which the login was made.")
            .example("192.0.2.1"),
        FieldSpec::read_only("program", "Program", FieldKind::Text)
            .nullable()
            .help("The program that logged in, as it named itself.")
            .example("curl/8.14.1"),
        FieldSpec::read_only("current", "Current", FieldKind::Boolean)
            .help("Whether this request was made with the login."),
    ],
};

#[derive(Serialize)]
pub(super) struct LoginView<'a> {
    id: i64,
    kind: &'static str,
    #[serde(serialize_with = "timestamp::serialize")]
    since: DateTime<Utc>,
    #[serde(serialize_with = "timestamp::serialize")]
    last_seen: DateTime<Utc>,
    address: Option<String>,
    program: Option<&'a str>,
    current: bool,
}

impl<'a> From<&'a Login> for LoginView<'a> {
    fn from(login: &'a Login) -> Self {
        Self {
            id: login.id.number(),
            kind: login.id.kind.as_str(),
            since: login.since,
            last_seen: login.last_seen,
            address: login.device.address.map(|address| address.to_string()),
            program: login.device.program.as_deref(),
            current: login.is_current,
        }
    }
}

fn list(request: &Request<'_>) -> Result<Reply, ApiError> {
    let credential = Credentials::All.sent(request.context)?;
    let logins = logins::list_of(request.app, request.caller, own(request)?, credential.as_ref())?;
    Reply::ok(&logins.iter().map(LoginView::from).collect::<Vec<_>>())
}

fn end_others(request: &Request<'_>) -> Result<Reply, ApiError> {
    let credential = Credentials::All.sent(request.context)?;
    logins::end_others(request.app, request.caller, credential.as_ref())?;
    Ok(Reply::no_content())
}

fn end(request: &Request<'_>) -> Result<Reply, ApiError> {
    let credential = Credentials::All.sent(request.context)?;
    let id = LoginId::of(request.id("login_id").unwrap_or_default());
    let ended = logins::end(
        request.app,
        request.caller,
        own(request)?,
        id,
        credential.as_ref(),
    );
    let was_current = ended.map_err(|error| match error {
        Error::NotFound => ApiError::NotFound(Resource::Login),
        other => other.into(),
    })?;
    Ok(Reply {
        ends_session: was_current,
        ..Reply::no_content()
    })
}

fn own(request: &Request<'_>) -> Result<UserId, ApiError> {
    Ok(request.user()?.id)
}
