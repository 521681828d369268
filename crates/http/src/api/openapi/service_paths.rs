//! Paths outside of the API: health checks, metrics, pictures, and the document itself. Pages are not documented.

use serde_json::json;
use utoipa::openapi::{
    ContentBuilder, HeaderBuilder, HttpMethod, ObjectBuilder, PathItem, Ref, Required, Response,
    ResponseBuilder, Type,
    path::{OperationBuilder, ParameterBuilder, ParameterIn},
    schema::{KnownFormat, SchemaFormat},
    security::SecurityRequirement,
    tag::{Tag, TagBuilder},
};

use super::{SCHEMA_PATH, schemas::reference};
use crate::{edge::metrics::MEDIA_TYPE, web::docs::RENDERERS};

/// The tag of these paths.
const TAG: &str = "service";

pub(super) fn tag() -> Tag {
    TagBuilder::new()
        .name(TAG)
        .description(Some("The server itself."))
        .build()
}

pub(super) fn path_items() -> [(String, PathItem); 5] {
    let items = [
        ("/health/live", live()),
        ("/health/ready", ready()),
        ("/metrics", metrics()),
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
    operation("get_liveness", "Check that the process runs")
        .description(Some("The header `Host` is not checked."))
        .response("200", is_ok())
}

fn ready() -> OperationBuilder {
    operation("get_readiness", "Check that the database answers")
        .description(Some("The header `Host` is not checked."))
        .response("200", is_ok())
        .response("503", Ref::from_response_name("Unavailable"))
}

fn is_ok() -> Response {
    let content = ContentBuilder::new()
        .schema(Some(reference("Health")))
        .example(Some(json!({"status": "ok"})))
        .build();
    ResponseBuilder::new()
        .description("The check passed.")
        .content("application/json", content)
        .build()
}

fn metrics() -> OperationBuilder {
    let text = ObjectBuilder::new().schema_type(Type::String);
    let content = ContentBuilder::new()
        .schema(Some(text))
        .example(Some("mycars_pool_waiting{pool=\"database\"} 0\n# EOF\n".into()))
        .build();
    operation("get_metrics", "Read the metrics")
        .description(Some(
            "For Prometheus, in OpenMetrics' text format. Clients outside of the networks that the settings allow \
             get 404. The header `Host` is not checked.",
        ))
        .response(
            "200",
            ResponseBuilder::new()
                .description("Number and duration of requests, lengths of queues, and more.")
                .content(MEDIA_TYPE, content),
        )
        .response("404", Ref::from_response_name("NotFound"))
}

fn media() -> OperationBuilder {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    let file = ParameterBuilder::new()
        .name("file")
        .parameter_in(ParameterIn::Path)
        .required(Required::True)
        .description(Some("The part of a car's `image` after `/media/cars/`."))
        .schema(Some(text()));
    let query = |name: &str, description: &str| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Query)
            .description(Some(description))
            .schema(Some(text()))
    };
    let header = |name: &str, description: &str, schema: ObjectBuilder| {
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Header)
            .description(Some(description))
            .schema(Some(schema))
    };
    let range = text().pattern(Some("^bytes=([0-9]+-[0-9]*|-[0-9]+)$"));
    // Client generators recognise bytes by this format.
    let jpeg = text()
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Binary)))
        .build();
    let picture = |description: &str| {
        let told = HeaderBuilder::new().schema(Some(text())).build();
        let content = ContentBuilder::new().schema(Some(jpeg.clone())).build();
        ResponseBuilder::new()
            .description(description)
            .content("image/jpeg", content)
            .header("ETag", told.clone())
            .header("Last-Modified", told)
    };
    let without_body = |description: &str| ResponseBuilder::new().description(description);
    operation("get_media", "Read a picture")
        .description(Some(
            "Needs no credentials: paths of pictures are random and cannot be guessed. If pictures are private, the URL in a \
             car's `image` has a signature, and expires after one to two hours.",
        ))
        .parameter(file)
        .parameter(query("expires", "Time at which the URL expires, in seconds since 1970."))
        .parameter(query("signature", "Signature of the path and the time."))
        .parameter(header("Range", "Range of bytes, such as `bytes=0-1023`.", range))
        .parameter(header("If-None-Match", "`ETag` of the client's copy.", text()))
        .response("200", picture("The picture."))
        .response("206", picture("The requested range of bytes."))
        .response("302", without_body("The picture is at the URL in `Location`."))
        .response("304", without_body("The client's copy is current."))
        .response("404", Ref::from_response_name("NotFound"))
        .response("412", without_body("A precondition of the request failed."))
        .response("416", without_body("The requested range is outside of the file."))
        .response("503", Ref::from_response_name("Unavailable"))
}

fn schema() -> OperationBuilder {
    let mut formats: Vec<&str> = RENDERERS.iter().map(|renderer| renderer.format).collect();
    formats.dedup();
    let format = ParameterBuilder::new()
        .name("format")
        .parameter_in(ParameterIn::Query)
        .description(Some("Format of the document; overrides `Accept`."))
        .schema(Some(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .enum_values(Some(formats)),
        ));
    let found = RENDERERS.iter().fold(
        ResponseBuilder::new().description("The document."),
        |found, renderer| {
            let document = ContentBuilder::new()
                .schema(Some(ObjectBuilder::new()))
                .example(Some(json!({"openapi": "3.1.0"})))
                .build();
            found.content(renderer.media_type, document)
        },
    );
    operation("get_schema", "Read this document")
        .description(Some("The OpenAPI document of this server."))
        .parameter(format)
        .response("200", found)
        .response("404", Ref::from_response_name("NotFound"))
        .response("406", Ref::from_response_name("NotAcceptable"))
}
