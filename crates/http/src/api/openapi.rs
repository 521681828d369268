//! The OpenAPI 3.1 document (wire contract, section 7). It is made from data that the server itself uses: the
//! endpoints, the descriptions of fields and lists, and the errors.
//!
//! - `operations`: operations of the endpoints.
//! - `schemas`: schemas of requests and responses, from the field descriptions.
//! - `responses`: error responses, from the errors.
//! - `examples`: examples for all these.
//! - `service_paths`: paths outside of the API.

mod examples;
mod operations;
mod responses;
mod schemas;
mod service_paths;

#[cfg(test)]
mod tests;

use std::sync::LazyLock;

use utoipa::openapi::{
    Components, ComponentsBuilder, Info, InfoBuilder, LicenseBuilder, OpenApi, OpenApiBuilder, Paths, Server,
    security::{ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityScheme},
    tag::{Tag as TagObject, TagBuilder},
};

use crate::{
    api::{ENDPOINTS, endpoint::Tag},
    request::cookies::SESSION_COOKIE,
};

/// Returns the document as indented JSON, with `server` as the base URL of its paths.
///
/// # Errors
/// The message of the JSON serializer.
pub fn json(server: &str) -> Result<String, String> {
    static JSON: LazyLock<Result<String, String>> =
        LazyLock::new(|| document().to_pretty_json().map_err(|error| error.to_string()));
    with_server(&JSON, server)
}

/// Returns the document as YAML, with `server` as the base URL of its paths.
///
/// # Errors
/// The message of the YAML serializer.
pub fn yaml(server: &str) -> Result<String, String> {
    static YAML: LazyLock<Result<String, String>> =
        LazyLock::new(|| document().to_yaml().map_err(|error| error.to_string()));
    with_server(&YAML, server)
}

/// Replaces the placeholder of the base URL, so that the document is serialized only once.
fn with_server(written: &Result<String, String>, server: &str) -> Result<String, String> {
    let written = written.as_ref().map_err(Clone::clone)?;
    Ok(written.replacen(SERVER_PLACEHOLDER, server, 1))
}

/// Base URL in a document that no server has sent: relative to where the document is read from.
pub const RELATIVE_SERVER: &str = "/";

/// Stands for the base URL in the serialized document. URLs need no quotes in JSON strings and YAML scalars.
const SERVER_PLACEHOLDER: &str = "http://server.invalid";

/// Path of the document.
pub(crate) const SCHEMA_PATH: &str = "/api/schema/";

/// Path of the interactive documentation.
pub(crate) const DOCS_PATH: &str = "/api/docs/";

/// Name of the security scheme for access tokens in the header `Authorization`.
const BEARER: &str = "bearer";

/// Name of the security scheme for API keys in the header `Authorization`.
const API_KEY: &str = "api_key";

/// Name of the security scheme for sessions of browsers.
const SESSION: &str = "session";

fn document() -> OpenApi {
    OpenApiBuilder::new()
        .info(info())
        .servers(Some([Server::new(SERVER_PLACEHOLDER)]))
        .tags(Some(
            TAGS.iter()
                .map(|tag| describe(*tag))
                .chain([service_paths::tag()]),
        ))
        .paths(paths())
        .components(Some(components()))
        .build()
}

fn info() -> Info {
    InfoBuilder::new()
        .title("My Cars API")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(include_str!("openapi/description.md").trim_end()))
        // openapi-generator 7 refuses an OpenAPI 3.1 document if its license has no identifier.
        .license(Some(
            LicenseBuilder::new().name("MIT").identifier(Some("MIT")).build(),
        ))
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

/// Returns the name and the description of a group.
fn named(tag: Tag) -> (&'static str, &'static str) {
    match tag {
        Tag::Root => ("root", "Links to the resources of the API."),
        Tag::Tokens => ("tokens", "Log in, stay logged in, log out."),
        Tag::Account => ("account", "Your own account."),
        Tag::Cars => ("cars", "Your own cars."),
        Tag::AdminUsers => ("admin-users", "All users, for admins."),
        Tag::AdminCars => ("admin-cars", "The cars of a user, for admins."),
        Tag::AdminHistory => (
            "admin-history",
            "The audit log of users, cars and logins, for admins.",
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
    paths.paths.extend(service_paths::path_items());
    paths
}

fn components() -> Components {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("JWT")
        .description(Some("The access token that `POST /api/token/` returns."))
        .build();
    let api_key = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("mck_")
        .description(Some(
            "An API key that `POST /api/me/keys/` returned. A key with the rights `read` is refused on methods that \
             change data.",
        ))
        .build();
    let session = ApiKeyValue::with_description(
        SESSION_COOKIE,
        "The session of a browser that logged in at `/api-auth/login/`. Unsafe methods must also \
         send the value of the cookie `csrftoken` in the header `X-CSRFToken`.",
    );
    let mut components = ComponentsBuilder::new()
        .security_scheme(BEARER, SecurityScheme::Http(bearer))
        .security_scheme(API_KEY, SecurityScheme::Http(api_key))
        .security_scheme(SESSION, SecurityScheme::ApiKey(ApiKey::Cookie(session)))
        .build();
    components.schemas = schemas::all();
    components.responses = responses::all();
    components
}
