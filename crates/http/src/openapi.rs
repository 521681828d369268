//! The OpenAPI 3.1 document (wire contract, section 7). It is made from what the server itself works with: the
//! endpoints, the descriptions of fields and lists, and the errors. So there is nothing in it that could be
//! forgotten when they change.
//!
//! - `operations`: what can be done, by the endpoints.
//! - `schemas`: what is sent and answered, by the field descriptions.
//! - `responses`: what is answered when something is wrong, by the errors.
//! - `examples`: good values of all these.
//! - `beside`: what is served and is no endpoint.

mod beside;
mod examples;
mod operations;
mod responses;
mod schemas;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use utoipa::openapi::{
    Components, ComponentsBuilder, Info, InfoBuilder, License, OpenApi, OpenApiBuilder, Paths,
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::{Tag as TagObject, TagBuilder},
};

use crate::{api::ENDPOINTS, browser::SESSION_COOKIE, endpoint::Tag};

/// The document as JSON, indented.
///
/// # Errors
/// What the writer of JSON said, in the same words at each call.
pub fn json() -> Result<&'static str, &'static str> {
    static JSON: LazyLock<Result<String, String>> =
        LazyLock::new(|| document().to_pretty_json().map_err(|error| error.to_string()));
    as_str(&JSON)
}

/// The document as YAML.
///
/// # Errors
/// What the writer of YAML said, in the same words at each call.
pub fn yaml() -> Result<&'static str, &'static str> {
    static YAML: LazyLock<Result<String, String>> =
        LazyLock::new(|| document().to_yaml().map_err(|error| error.to_string()));
    as_str(&YAML)
}

fn as_str(written: &'static Result<String, String>) -> Result<&'static str, &'static str> {
    written.as_deref().map_err(String::as_str)
}

/// Where the document is.
pub(crate) const SCHEMA_PATH: &str = "/api/schema/";

/// Where people read it.
pub(crate) const DOCS_PATH: &str = "/api/docs/";

/// Proof by an access token in the header `Authorization`.
const BEARER: &str = "bearer";

/// Proof by the session of a logged-in browser.
const SESSION: &str = "session";

fn document() -> OpenApi {
    OpenApiBuilder::new()
        .info(info())
        .tags(Some(TAGS.iter().map(|tag| describe(*tag)).chain([beside::tag()])))
        .paths(paths())
        .components(Some(components()))
        .build()
}

fn info() -> Info {
    InfoBuilder::new()
        .title("My Cars API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(include_str!("openapi/description.md").trim_end()))
        .license(Some(License::new("MIT")))
        .build()
}

const TAGS: [Tag; 7] = [
    Tag::Tokens,
    Tag::Account,
    Tag::Cars,
    Tag::AdminUsers,
    Tag::AdminCars,
    Tag::AdminHistory,
    Tag::Root,
];

/// What a group is called, and what is in it.
fn named(tag: Tag) -> (&'static str, &'static str) {
    match tag {
        Tag::Root => ("root", "Where everything is."),
        Tag::Tokens => ("tokens", "Log in, stay logged in, log out."),
        Tag::Account => ("account", "Your own account."),
        Tag::Cars => ("cars", "Your own cars, an admin's too."),
        Tag::AdminUsers => ("admin-users", "Everybody's accounts, for admins."),
        Tag::AdminCars => ("admin-cars", "The cars of a user, for admins."),
        Tag::AdminHistory => (
            "admin-history",
            "What became of users, cars and logins, for admins.",
        ),
    }
}

fn describe(tag: Tag) -> TagObject {
    let (name, description) = named(tag);
    TagBuilder::new()
        .name(name)
        .description(Some(description))
        .build()
}

fn paths() -> Paths {
    let mut paths = Paths::new();
    for endpoint in ENDPOINTS {
        paths
            .paths
            .insert(endpoint.path.to_owned(), operations::path_item(endpoint));
    }
    paths.paths.extend(beside::path_items());
    paths
}

fn components() -> Components {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The access token that `POST /api/token/` answers."))
        .build();
    let session = ApiKeyValue::with_description(
        SESSION_COOKIE,
        "The session of a browser that has logged in at `/api-auth/login/`. What changes something must also \
         send the value of the cookie `csrftoken` in the header `X-CSRFToken`.",
    );
    let mut components = ComponentsBuilder::new()
        .security_scheme(BEARER, SecurityScheme::Http(bearer))
        .security_scheme(SESSION, SecurityScheme::ApiKey(ApiKey::Cookie(session)))
        .build();
    components.schemas = schemas::all();
    components.responses = responses::all();
    components
}
