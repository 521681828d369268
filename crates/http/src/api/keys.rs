//! `/api/me/keys/`: the caller's API keys.

use chrono::{DateTime, Utc};
use mycars_application::{
    Error,
    accounts::keys::{self, KeyInput, MAX_NAME},
    ports::ApiKey,
};
use mycars_domain::Field;
use serde::Serialize;

use crate::{
    api::{
        endpoint::{Access, Endpoint, Method, Operation, RateClass, Reply, Request, ResponseSpec, Tag},
        fields::{FieldKind, FieldSpec, Schema},
        timestamp,
    },
    error::{ApiError, Resource},
};

pub(crate) static LIST: Endpoint = Endpoint {
    path: "/api/me/keys/",
    name: "Api Key List",
    description: "Your API keys, for programs that act for you. A key is shown once, when it is created.",
    tag: Tag::Account,
    access: Access::Login,
    rate: RateClass::Standard,
    list: None,
    operations: &[
        Operation::plain(
            "list_api_keys",
            "List your API keys",
            Method::Get,
            ResponseSpec::All(&API_KEY),
            list,
        ),
        Operation {
            id: "create_api_key",
            summary: "Create an API key",
            method: Method::Post,
            body: Some(&API_KEY),
            answer: ResponseSpec::Created(&CREATED),
            handle: create,
        },
    ],
};

pub(crate) static DETAIL: Endpoint = Endpoint {
    path: "/api/me/keys/{key_id}/",
    name: "Api Key Detail",
    description: "End one of your API keys: it stops working at once.",
    tag: Tag::Account,
    access: Access::Login,
    rate: RateClass::Standard,
    list: None,
    operations: &[Operation::plain(
        "end_api_key",
        "End one of your API keys",
        Method::Delete,
        ResponseSpec::Nothing,
        end,
    )],
};

const ID: FieldSpec = FieldSpec::read_only("id", "ID", FieldKind::Reference).example("3");
const NAME: FieldSpec = FieldSpec::required(Field::Name, "Name", FieldKind::Text)
    .at_most(MAX_NAME)
    .example("Dashboard");
const PREFIX: FieldSpec = FieldSpec::read_only("prefix", "Prefix", FieldKind::Text)
    .help("The beginning of the key.")
    .example("mck_1a2b3c4d");
const RIGHTS: FieldSpec = FieldSpec::required(
    Field::Rights,
    "Rights",
    FieldKind::Choice(&[("read", "Read"), ("write", "Write")]),
)
.help("`read` refuses all methods that change data.");
const CREATED_AT: FieldSpec = FieldSpec::read_only("created_at", "Created at", FieldKind::DateTime);
const EXPIRES_AT: FieldSpec = FieldSpec::optional(Field::ExpiresAt, "Expires at", FieldKind::Text)
    .nullable()
    .help("Date and time (RFC 3339) from which the key is refused. Without it, the key does not expire.")
    .example("2099-12-31T12:00:00Z");
const LAST_USED_AT: FieldSpec =
    FieldSpec::read_only("last_used_at", "Last used at", FieldKind::DateTime).nullable();

const PASSWORD: FieldSpec =
    FieldSpec::required(Field::Password, "Password", FieldKind::Password).help("Your current password.");

static API_KEY: Schema = Schema {
    name: "ApiKey",
    fields: &[
        ID,
        NAME,
        PREFIX,
        RIGHTS,
        CREATED_AT,
        EXPIRES_AT,
        LAST_USED_AT,
        PASSWORD,
    ],
};

static CREATED: Schema = Schema {
    name: "CreatedApiKey",
    fields: &[
        ID,
        NAME,
        PREFIX,
        RIGHTS,
        CREATED_AT,
        EXPIRES_AT,
        LAST_USED_AT,
        FieldSpec::read_only("key", "Key", FieldKind::Text)
            .help("The key, for the header `Authorization: Bearer …`. It is shown only here.")
            .example("mck_1a2b3c4d_00112233445566778899aabbccddeeff0011223344556677"),
    ],
};

#[derive(Serialize)]
pub(super) struct KeyView<'a> {
    id: i64,
    name: &'a str,
    prefix: &'a str,
    rights: &'static str,
    #[serde(serialize_with = "timestamp::serialize")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "timestamp::serialize_option")]
    expires_at: Option<DateTime<Utc>>,
    #[serde(serialize_with = "timestamp::serialize_option")]
    last_used_at: Option<DateTime<Utc>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
}

impl<'a> From<&'a ApiKey> for KeyView<'a> {
    fn from(key: &'a ApiKey) -> Self {
        Self {
            id: key.id,
            name: &key.name,
            prefix: &key.prefix,
            rights: key.rights.as_str(),
            created_at: key.created_at,
            expires_at: key.expires_at,
            last_used_at: key.last_used_at,
            key: None,
        }
    }
}

fn list(request: &Request<'_>) -> Result<Reply, ApiError> {
    let keys = keys::list(request.app, request.caller, request.user()?.id)?;
    Reply::ok(&keys.iter().map(KeyView::from).collect::<Vec<_>>())
}

fn create(request: &Request<'_>) -> Result<Reply, ApiError> {
    let form = request.form()?;
    let input = KeyInput {
        name: form.text(Field::Name),
        rights: form.text(Field::Rights),
        expires_at: form.text(Field::ExpiresAt),
        password: form.secret(Field::Password),
    };
    let created = keys::create(request.app, request.caller, &input)?;
    let view = KeyView {
        key: Some(created.key.reveal()),
        ..KeyView::from(&created.record)
    };
    let location = format!("{}{}/", request.canonical_path(), created.record.id);
    Reply::created(&view, location)
}

fn end(request: &Request<'_>) -> Result<Reply, ApiError> {
    let id = request.id("key_id").unwrap_or_default();
    let ended = keys::end(request.app, request.caller, request.user()?.id, id);
    ended.map_err(|error| match error {
        Error::NotFound => ApiError::NotFound(Resource::ApiKey),
        other => other.into(),
    })?;
    Ok(Reply::no_content())
}
