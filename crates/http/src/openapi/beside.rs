//! What is served and is no endpoint of the API: signs of life, pictures, and the document itself. Pages for people
//! are in no document.

use serde_json::json;
use utoipa::openapi::{
    ContentBuilder, HttpMethod, ObjectBuilder, PathItem, Ref, Required, Response, ResponseBuilder, Type,
    path::{OperationBuilder, ParameterBuilder, ParameterIn},
    schema::{KnownFormat, SchemaFormat},
    security::SecurityRequirement,
    tag::{Tag, TagBuilder},
};

use super::{SCHEMA_PATH, schemas::reference};

/// The group that all of it is in.
const TAG: &str = "service";

pub(super) fn tag() -> Tag {
    TagBuilder::new()
        .name(TAG)
        .description(Some("The server itself."))
        .build()
}

pub(super) fn path_items() -> [(String, PathItem); 4] {
    let items = [
        ("/health/live", live()),
        ("/health/ready", ready()),
        ("/media/cars/{file}", media()),
        (SCHEMA_PATH, schema()),
    ];
    items.map(|(path, operation)| (path.to_owned(), PathItem::new(HttpMethod::Get, operation)))
}

fn operation(id: &str, summary: &str) -> OperationBuilder {
    OperationBuilder::new()
        .operation_id(Some(id))
        .tag(TAG)
        .summary(Some(summary))
        .security(SecurityRequirement::default())
}

fn live() -> OperationBuilder {
    operation("get_liveness", "Whether the process runs")
        .description(Some("Answers whatever the `Host`."))
        .response("200", is_ok())
}

fn ready() -> OperationBuilder {
    operation("get_readiness", "Whether the database answers")
        .description(Some("Answers whatever the `Host`."))
        .response("200", is_ok())
        .response("503", Ref::from_response_name("Unavailable"))
}

fn is_ok() -> Response {
    let content = ContentBuilder::new()
        .schema(Some(reference("Health")))
        .example(Some(json!({"status": "ok"})))
        .build();
    ResponseBuilder::new()
        .description("It is.")
        .content("application/json", content)
        .build()
}

fn media() -> OperationBuilder {
    let file = ParameterBuilder::new()
        .name("file")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("What follows `/media/cars/` in a car's `image`."))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)));
    // Generators of clients know bytes by this format.
    let jpeg = ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)));
    let picture = ResponseBuilder::new()
        .description("The picture. Ranges and conditions are served, too.")
        .content("image/jpeg", ContentBuilder::new().schema(Some(jpeg)).build());
    operation("get_media", "A picture")
        .description(Some("Open to whoever knows the path, which nobody can guess."))
        .parameter(file)
        .response("200", picture)
        .response("404", Ref::from_response_name("NotFound"))
        .response("503", Ref::from_response_name("Unavailable"))
}

fn schema() -> OperationBuilder {
    let format = ParameterBuilder::new()
        .name("format")
        .parameter_in(ParameterIn::Query)
        .description(Some("What to write it in; else `Accept` says."))
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some(["json", "yaml"])),
        ));
    let document = || ContentBuilder::new().schema(Some(ObjectBuilder::new())).build();
    let found = ResponseBuilder::new()
        .description("The document.")
        .content("application/json", document())
        .content("application/yaml", document());
    operation("get_schema", "This document")
        .description(Some("The OpenAPI document of this server."))
        .parameter(format)
        .response("200", found)
        .response("404", Ref::from_response_name("NotFound"))
        .response("406", Ref::from_response_name("NotAcceptable"))
}
