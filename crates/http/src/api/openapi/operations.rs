//! The operations of the endpoints.

use actix_web::http::StatusCode;
use mycars_application::lists::Search;
use serde_json::Value;
use utoipa::openapi::{
    Content, ContentBuilder, HeaderBuilder, HttpMethod, ObjectBuilder, PathItem, RefOr, Required, Response,
    ResponseBuilder, Schema, Type,
    link::{Link, LinkBuilder},
    path::{OperationBuilder, Parameter, ParameterBuilder, ParameterIn},
    request_body::{RequestBody, RequestBodyBuilder},
    schema::AnyOfBuilder,
    security::SecurityRequirement,
};

use super::{API_KEY, BEARER, SESSION, examples, named, responses::ErrorResponse, schemas};
use crate::{
    api::{
        ENDPOINTS,
        endpoint::{Access, Endpoint, Method, Operation, ResponseSpec},
        fields,
        imports::DRY_RUN,
    },
    request::query::{FilterKind, FilterSpec, ListSpec},
};

/// Returns the operations of an endpoint.
pub(super) fn path_item(endpoint: &Endpoint) -> PathItem {
    let mut item = PathItem::default();
    let main = endpoint.file().map_or("json", |file| file.format);
    let parameters = path_parameters(endpoint).chain([format(&[main])]);
    item.parameters = Some(parameters.map(RefOr::from).collect());
    for operation in endpoint.operations {
        item.merge_operations(PathItem::new(
            method(operation.method),
            describe(endpoint, operation),
        ));
    }
    item
}

fn method(method: Method) -> HttpMethod {
    match method {
        Method::Get => HttpMethod::Get,
        Method::Post => HttpMethod::Post,
        Method::Put => HttpMethod::Put,
        Method::Patch => HttpMethod::Patch,
        Method::Delete => HttpMethod::Delete,
    }
}

fn describe(endpoint: &Endpoint, operation: &Operation) -> OperationBuilder {
    let described = OperationBuilder::new()
        .operation_id(Some(operation.id))
        .tag(named(endpoint.tag).0)
        .summary(Some(operation.summary))
        .description(description(endpoint, operation))
        .securities(Some(security(endpoint.access)))
        .parameters(parameters(endpoint, operation))
        .request_body(operation.body.map(|body| request_body(body, operation)))
        .response(success(operation.answer).as_str(), response(endpoint, operation));
    let described = if endpoint.is_versioned() && operation.method == Method::Get {
        let unchanged = ResponseBuilder::new().description("The client's copy is current.");
        described.response("304", unchanged)
    } else {
        described
    };
    ErrorResponse::of(endpoint, operation).fold(described, |described, fault| {
        described.response(fault.status().as_str(), fault.reference())
    })
}

/// Returns the parameters of an operation, besides those of its path; `None` if it has none.
fn parameters(endpoint: &Endpoint, operation: &Operation) -> Option<Vec<Parameter>> {
    let asked = endpoint.list.filter(|_| operation.method == Method::Get);
    let mut parameters = asked.map(list_parameters).unwrap_or_default();
    if endpoint.is_versioned() {
        parameters.push(condition(operation.method));
    }
    if operation.takes_rows() {
        parameters.push(dry_run());
    }
    if is_table(endpoint, operation) {
        parameters.push(format(&["json", "csv"]));
    }
    Some(parameters).filter(|parameters| !parameters.is_empty())
}

fn description(endpoint: &Endpoint, operation: &Operation) -> Option<&'static str> {
    let may_leave_out = operation
        .body
        .is_some_and(|body| body.writable().any(|spec| !spec.required));
    match operation.method {
        Method::Get => Some(endpoint.description),
        Method::Put if may_leave_out => Some("Optional fields that are left out keep their values."),
        Method::Patch => Some("Fields that are left out keep their values."),
        Method::Post if operation.takes_image() => Some("Replaces the picture of the car, if it has one."),
        // The description of an endpoint with one operation is about that operation.
        Method::Post | Method::Put | Method::Delete if endpoint.operations.len() == 1 => {
            Some(endpoint.description)
        }
        Method::Post | Method::Put | Method::Delete => None,
    }
}

/// Returns the alternatives that authenticate a request; an empty one means no credentials.
fn security(access: Access) -> Vec<SecurityRequirement> {
    let anonymous = SecurityRequirement::default();
    let proof = |name| SecurityRequirement::new(name, [""; 0]);
    let logins = [BEARER, SESSION].map(proof);
    match access {
        Access::Open => vec![anonymous],
        Access::Optional => [anonymous].into_iter().chain(logins).collect(),
        Access::Login => logins.into(),
        Access::Authenticated | Access::Admin => logins.into_iter().chain([proof(API_KEY)]).collect(),
    }
}

/// Returns the parameters in a path.
fn path_parameters(endpoint: &Endpoint) -> impl Iterator<Item = Parameter> {
    names(endpoint.path).map(|name| {
        let id = ObjectBuilder::new()
            .schema_type(Type::Integer)
            .format(Some(schemas::custom("int64")))
            .minimum(Some(1));
        let object = name.trim_end_matches("_id");
        ParameterBuilder::new()
            .name(name)
            .parameter_in(ParameterIn::Path)
            .required(Required::True)
            .description(Some(format!("The {object}'s id.")))
            .schema(Some(id))
            .build()
    })
}

/// Returns the parameter `format`. It does not list pages, because they are not for programs.
fn format(formats: &[&str]) -> Parameter {
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(formats.iter().copied()));
    let names: Vec<String> = formats.iter().map(|name| name.to_uppercase()).collect();
    let description = format!(
        "Restricts the media type of the response to {}; `Accept` must still match it.",
        names.join(" or ")
    );
    query("format", description, schema).build()
}

/// Returns whether an operation also returns CSV.
fn is_table(endpoint: &Endpoint, operation: &Operation) -> bool {
    operation.method == Method::Get && endpoint.csv().is_some()
}

/// Returns the parameter with which a file is checked without being stored.
fn dry_run() -> Parameter {
    let schema = ObjectBuilder::new().schema_type(Type::Boolean);
    let description = "Whether all checks are made and nothing is stored.".to_owned();
    query(DRY_RUN, description, schema).build()
}

/// Returns the header that makes a request conditional.
fn condition(method: Method) -> Parameter {
    let (name, description) = match method {
        Method::Get => ("If-None-Match", "`ETag` of the client's copy."),
        _ => ("If-Match", "`ETag` of the version that is changed."),
    };
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .description(Some(description))
        .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
        .build()
}

/// Returns the names in braces.
fn names(path: &'static str) -> impl Iterator<Item = &'static str> {
    let in_braces = |part: &'static str| part.strip_prefix('{')?.strip_suffix('}');
    path.split('/').filter_map(in_braces)
}

/// Returns the query parameters of a list.
fn list_parameters(list: &'static ListSpec) -> Vec<Parameter> {
    let search = (!list.searched.is_empty()).then(|| search(list.searched));
    let ordering = (!list.orderings.is_empty()).then(|| ordering(list.orderings));
    search
        .into_iter()
        .chain(list.filters.iter().map(filter))
        .chain(ordering)
        .chain(page_parameters(list))
        .collect()
}

fn query(name: &str, description: String, schema: impl Into<RefOr<Schema>>) -> ParameterBuilder {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .description(Some(description))
        .schema(Some(schema))
}

fn search(searched: &str) -> Parameter {
    let text = ObjectBuilder::new()
        .schema_type(Type::String)
        .max_length(Some(Search::MAX_LENGTH));
    let description = format!("Search terms, ignoring case; all of them must occur in {searched}.");
    query("search", description, text).build()
}

fn filter(filter: &FilterSpec) -> Parameter {
    let schema: RefOr<Schema> = match filter.kind {
        FilterKind::Text => ObjectBuilder::new().schema_type(Type::String).into(),
        // Any number is accepted, but all filtered fields are integers.
        FilterKind::Number => ObjectBuilder::new().schema_type(Type::Integer).into(),
        FilterKind::Choice(["true", "false"]) => ObjectBuilder::new().schema_type(Type::Boolean).into(),
        FilterKind::Choice(choices) => ObjectBuilder::new()
            .schema_type(Type::String)
            .enum_values(Some(choices.iter().copied()))
            .default(filter.default.map(Into::into))
            .into(),
        FilterKind::Moment => AnyOfBuilder::new()
            .item(schemas::string("date"))
            .item(schemas::string("date-time"))
            .into(),
    };
    let how = match filter.kind {
        FilterKind::Text => ", exact match, case-sensitive",
        FilterKind::Moment => {
            ": a date, which is the whole day, or a date and time, in UTC unless it says otherwise"
        }
        FilterKind::Number | FilterKind::Choice(_) => "",
    };
    query(filter.name, format!("{}{how}.", filter.label), schema)
        .example((filter.kind == FilterKind::Moment).then(|| "2026-11-24".into()))
        .build()
}

/// Returns the parameter `ordering`. It is text and not an array: generated clients write arrays as several parameters,
/// of which only the last counts.
fn ordering(orderings: &[&str]) -> Parameter {
    let description = format!(
        "Fields to order by, separated by commas; `-` before a field means descending. Allowed are {}.",
        orderings
            .iter()
            .map(|name| format!("`{name}`"))
            .collect::<Vec<_>>()
            .join(", ")
    );
    let name = format!("-?({})", orderings.join("|"));
    let names = ObjectBuilder::new()
        .schema_type(Type::String)
        .pattern(Some(format!("^{name}(,{name})*$")));
    query("ordering", description, names)
        .example(orderings.first().map(|name| format!("-{name}").into()))
        .build()
}

fn page_parameters(list: &ListSpec) -> [Parameter; 2] {
    let number = |least: i32| {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(least))
    };
    let (without, counts) = match list.page_size {
        Some(size) => (format!("by default {size}"), ""),
        None => (
            "without it all items are returned".to_owned(),
            " Only used with `limit`.",
        ),
    };
    let limit = format!(
        "Number of items per page, at most 1000; {without}. The server's settings may change these numbers."
    );
    let offset = format!("Number of items to skip before the page.{counts}");
    [
        query("limit", limit, number(1)).build(),
        query("offset", offset, number(0)).build(),
    ]
}

/// Returns the body in the one media type that clients should send.
fn request_body(shape: &fields::Schema, operation: &Operation) -> RequestBody {
    let example = (!operation.takes_file()).then(|| examples::body(shape));
    let schema = schemas::reference(&schemas::body_name(shape, operation.method));
    RequestBodyBuilder::new()
        .required(Some(is_needed(shape, operation.method)))
        .content(schemas::body_media_type(operation), content(schema, example))
        .build()
}

/// Returns whether the body is required. A missing body has no fields, which is valid for PATCH.
fn is_needed(shape: &fields::Schema, method: Method) -> Required {
    let has_required = shape.writable().any(|spec| spec.required);
    if has_required && method != Method::Patch {
        Required::True
    } else {
        Required::False
    }
}

fn content(schema: RefOr<Schema>, example: Option<Value>) -> Content {
    ContentBuilder::new()
        .schema(Some(schema))
        .example(example)
        .build()
}

fn success(answer: ResponseSpec) -> StatusCode {
    match answer {
        ResponseSpec::One(_)
        | ResponseSpec::Many(_)
        | ResponseSpec::All(_)
        | ResponseSpec::Links
        | ResponseSpec::File(_) => StatusCode::OK,
        ResponseSpec::Created(_) => StatusCode::CREATED,
        ResponseSpec::Nothing => StatusCode::NO_CONTENT,
    }
}

fn response(endpoint: &Endpoint, operation: &Operation) -> Response {
    let answer = operation.answer;
    let description = match answer {
        ResponseSpec::One(_) | ResponseSpec::Many(_) | ResponseSpec::All(_) | ResponseSpec::Links => {
            "The requested data."
        }
        ResponseSpec::File(_) => "The file.",
        ResponseSpec::Created(_) => "The created object.",
        ResponseSpec::Nothing => "Success, without a body.",
    };
    let mut response = ResponseBuilder::new().description(description);
    if let Some(schema) = schemas::answer(endpoint, answer) {
        response = response.content(schemas::JSON, content(schema, examples::answer(endpoint, answer)));
    }
    if let ResponseSpec::File(file) = answer {
        let name = HeaderBuilder::new()
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .description(Some("`attachment`, with the name of the file."));
        response = response
            .content(file.media_type, content(schemas::string("binary").into(), None))
            .header("Content-Disposition", name.build());
    }
    if is_table(endpoint, operation) {
        let csv: RefOr<Schema> = ObjectBuilder::new().schema_type(Type::String).into();
        response = response.content("text/csv", content(csv, None));
    }
    if let (ResponseSpec::One(_), true) = (answer, endpoint.is_versioned()) {
        let tag = HeaderBuilder::new()
            .schema(Some(ObjectBuilder::new().schema_type(Type::String)))
            .description(Some("Version of the object. Very long bodies have none."));
        response = response.header("ETag", tag.build());
    }
    if let ResponseSpec::Created(_) = answer {
        let location = HeaderBuilder::new()
            .schema(Some(schemas::string("uri-reference")))
            .description(Some("URL of the created object."));
        response = response.header("Location", location.build());
        for (id, link) in links(endpoint) {
            response = response.link(id, link);
        }
    }
    response.build()
}

/// Returns links from a created object to its operations: those of all endpoints with one more id in the path.
fn links(endpoint: &Endpoint) -> Vec<(&'static str, Link)> {
    let known = names(endpoint.path).count();
    let below = ENDPOINTS.into_iter().filter_map(|other| {
        let rest = other.path.strip_prefix(endpoint.path)?;
        let id = names(rest).next().filter(|_| rest.starts_with('{'))?;
        (names(other.path).count() == known + 1).then_some((other, id))
    });
    let mut links = Vec::new();
    for (other, id) in below {
        for operation in other.operations {
            let link = names(endpoint.path)
                .fold(LinkBuilder::new(), |link, name| {
                    link.parameter(name, format!("$request.path.{name}"))
                })
                .operation_id(operation.id)
                .parameter(id, "$response.body#/id");
            links.push((operation.id, link.build()));
        }
    }
    links
}
