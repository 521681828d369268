//! Schemas of requests and responses, made from the field descriptions.

use std::collections::BTreeMap;

use utoipa::openapi::{
    Object, ObjectBuilder, Ref, RefOr, Schema,
    schema::{ArrayBuilder, KnownFormat, OneOfBuilder, RefBuilder, SchemaFormat, SchemaType, Type},
};

use super::examples;
use crate::api::{
    ENDPOINTS,
    endpoint::{Endpoint, Method, Operation, ResponseSpec},
    fields::{self, FieldKind, FieldSpec},
};

/// Media type of response bodies, and of request bodies without a file.
pub(super) const JSON: &str = "application/json";

/// Returns the media type that clients should send. The server accepts forms as well, but with several media types,
/// client generators choose any of them, or none.
pub(super) fn body_media_type(operation: &Operation) -> &'static str {
    if operation.takes_file() {
        "multipart/form-data"
    } else {
        JSON
    }
}

/// Returns every schema by its name.
pub(super) fn all() -> BTreeMap<String, RefOr<Schema>> {
    let fixed = [
        ("Error", error()),
        ("TokenMessage", token_message()),
        ("FieldErrors", field_errors()),
        ("RowErrors", row_errors()),
        ("Links", links()),
        ("Health", health()),
    ];
    let fixed = fixed.map(|(name, schema)| (name.to_owned(), schema));
    let operations = ENDPOINTS
        .iter()
        .flat_map(|endpoint| endpoint.operations.iter())
        .flat_map(of_operation);
    fixed
        .into_iter()
        .chain(operations)
        .map(|(name, schema)| (name, schema.into()))
        .collect()
}

/// Returns the schemas that an operation needs, by name.
pub(super) fn of_operation(operation: &Operation) -> Vec<(String, Object)> {
    let mut schemas = Vec::new();
    if let Some(body) = operation.body {
        schemas.push((
            body_name(body, operation.method),
            body_schema(body, operation.method),
        ));
        schemas.extend(body.fields.iter().filter_map(choice));
    }
    if let ResponseSpec::One(shape)
    | ResponseSpec::Created(shape)
    | ResponseSpec::Many(shape)
    | ResponseSpec::All(shape) = operation.answer
    {
        let inner = shape.fields.iter().filter_map(|spec| match spec.kind {
            FieldKind::List(inner) => Some(inner),
            _ => None,
        });
        for shape in inner.chain([shape]) {
            schemas.push((shape.name.to_owned(), answer_schema(shape)));
            schemas.extend(shape.fields.iter().filter_map(choice));
        }
    }
    if let ResponseSpec::Many(shape) = operation.answer {
        schemas.push((page_name(shape), page_schema(shape)));
    }
    schemas
}

/// Returns the schema of a field with choices. It is separate and has the label as its name, so that generated clients
/// have one type for it.
fn choice(spec: &FieldSpec) -> Option<(String, Object)> {
    let values: Vec<&str> = match spec.kind {
        FieldKind::Choice(choices) => choices.iter().map(|(value, _)| *value).collect(),
        FieldKind::Code(codes) => codes.to_vec(),
        _ => return None,
    };
    let name = spec.label.split(' ').map(capitalized).collect();
    let schema = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(values));
    Some((name, schema.build()))
}

fn capitalized(word: &str) -> String {
    let mut letters = word.chars();
    let first = letters.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(letters).collect()
}

/// Returns the name of a body's schema. A PATCH requires no field, so that its body has another schema.
pub(super) fn body_name(body: &fields::Schema, method: Method) -> String {
    let partial = if method == Method::Patch { "Patched" } else { "" };
    format!("{partial}{}Request", body.name)
}

fn page_name(shape: &fields::Schema) -> String {
    format!("{}Page", shape.name)
}

pub(super) fn reference(name: &str) -> RefOr<Schema> {
    Ref::from_schema_name(name).into()
}

/// Returns the response schema of an operation; `None` if it has no body.
pub(super) fn answer(endpoint: &Endpoint, answer: ResponseSpec) -> Option<RefOr<Schema>> {
    Some(match answer {
        ResponseSpec::One(shape) | ResponseSpec::Created(shape) => reference(shape.name),
        ResponseSpec::Many(shape) if endpoint.always_has_pages() => reference(&page_name(shape)),
        // openapi-generator's typescript-fetch merges the alternatives of `anyOf`, and then fails on an array.
        ResponseSpec::Many(shape) => OneOfBuilder::new()
            .item(ArrayBuilder::new().items(reference(shape.name)))
            .item(reference(&page_name(shape)))
            .into(),
        ResponseSpec::All(shape) => ArrayBuilder::new().items(reference(shape.name)).into(),
        ResponseSpec::Links => reference("Links"),
        ResponseSpec::File(_) | ResponseSpec::Nothing => return None,
    })
}

fn body_schema(shape: &fields::Schema, method: Method) -> Object {
    let mut schema = ObjectBuilder::new();
    for spec in shape.writable() {
        schema = schema.property(spec.name, taken(spec));
        if spec.required && method != Method::Patch {
            schema = schema.required(spec.name);
        }
    }
    schema.build()
}

fn answer_schema(shape: &fields::Schema) -> Object {
    let mut schema = ObjectBuilder::new();
    for spec in shape.readable() {
        schema = schema.property(spec.name, shown(spec));
        if !spec.may_be_missing {
            schema = schema.required(spec.name);
        }
    }
    schema.build()
}

/// Returns the schema of a page in Django REST framework's envelope.
fn page_schema(shape: &fields::Schema) -> Object {
    let link = || {
        ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .format(Some(custom("uri")))
    };
    let count = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(0))
        .description(Some("Number of items on all pages."));
    ObjectBuilder::new()
        .property("count", count)
        .property("next", link().description(Some("URL of the next page.")))
        .property("previous", link().description(Some("URL of the previous page.")))
        .property("results", ArrayBuilder::new().items(reference(shape.name)))
        .required("count")
        .required("next")
        .required("previous")
        .required("results")
        .build()
}

/// Returns the schema of a writable field.
fn taken(spec: &FieldSpec) -> RefOr<Schema> {
    let description = Some(description(spec)).filter(|description| !description.is_empty());
    if let Some((name, _)) = choice(spec) {
        return RefBuilder::new()
            .ref_location_from_schema_name(name)
            .description(description)
            .into();
    }
    let mut schema = plain(spec);
    if matches!(
        spec.kind,
        FieldKind::Text | FieldKind::Password | FieldKind::Email
    ) {
        schema = schema
            .min_length(spec.min_length.or((!spec.may_be_blank).then_some(1)))
            .max_length(spec.max_length)
            .pattern(pattern(spec));
    }
    schema
        .description(description)
        .minimum(spec.min)
        .maximum(spec.max)
        .examples(examples::of(spec))
        .into()
}

/// Returns the description of a writable field, with its default. The keyword `default` is not used: client generators
/// interpret it differently, and some make such a field required.
fn description(spec: &FieldSpec) -> String {
    match spec.default {
        Some(default) => format!("{} Default of new objects: `{default}`.", spec.help)
            .trim_start()
            .to_owned(),
        None => spec.help.to_owned(),
    }
}

/// Returns the regular expression of text: the described one or, without one, that of text that is not blank.
fn pattern(spec: &FieldSpec) -> Option<String> {
    match (spec.pattern, spec.may_be_blank) {
        (Some(pattern), true) => Some(format!("^({pattern})?$")),
        (Some(pattern), false) => Some(format!("^{pattern}$")),
        (None, true) => None,
        (None, false) if spec.kind == FieldKind::Email => None,
        (None, false) => Some(r"\S".to_owned()),
    }
}

/// Returns the schema of a readable field, without bounds: values that another system stored may violate them.
fn shown(spec: &FieldSpec) -> RefOr<Schema> {
    match spec.kind {
        FieldKind::List(shape) => ArrayBuilder::new().items(reference(shape.name)).into(),
        FieldKind::Texts => ArrayBuilder::new()
            .items(ObjectBuilder::new().schema_type(Type::String))
            .title(Some(spec.label))
            .description((!spec.help.is_empty()).then_some(spec.help))
            .into(),
        _ => choice(spec).map_or_else(|| plain(spec).into(), |(name, _)| reference(&name)),
    }
}

/// Returns the properties that writable and readable fields share.
fn plain(spec: &FieldSpec) -> ObjectBuilder {
    let (one, format) = type_and_format(spec);
    let schema_type = match (spec.kind, spec.nullable) {
        (FieldKind::Any, _) => SchemaType::from_iter([
            Type::String,
            Type::Integer,
            Type::Boolean,
            Type::Object,
            Type::Null,
        ]),
        (_, true) => SchemaType::from_iter([one, Type::Null]),
        (_, false) => one.into(),
    };
    ObjectBuilder::new()
        .schema_type(schema_type)
        .format(format)
        .title(Some(spec.label))
        .description((!spec.help.is_empty()).then_some(spec.help))
}

fn type_and_format(spec: &FieldSpec) -> (Type, Option<SchemaFormat>) {
    let known = |format| Some(SchemaFormat::KnownFormat(format));
    match spec.kind {
        FieldKind::Text
        | FieldKind::Choice(_)
        | FieldKind::Code(_)
        | FieldKind::Computed
        | FieldKind::Any => (Type::String, None),
        FieldKind::Password => (Type::String, known(KnownFormat::Password)),
        FieldKind::Email => (Type::String, known(KnownFormat::Email)),
        // Ids have no bounds of their own.
        FieldKind::Integer if spec.min.is_none() => (Type::Integer, known(KnownFormat::Int64)),
        FieldKind::Integer => (Type::Integer, known(KnownFormat::Int32)),
        FieldKind::Reference => (Type::Integer, known(KnownFormat::Int64)),
        FieldKind::DateTime => (Type::String, known(KnownFormat::DateTime)),
        FieldKind::Boolean => (Type::Boolean, None),
        FieldKind::Image => (Type::String, Some(custom("uri-reference"))),
        FieldKind::ImageUpload | FieldKind::FileUpload => (Type::String, known(KnownFormat::Binary)),
        FieldKind::Texts | FieldKind::List(_) => (Type::Array, None),
    }
}

pub(super) fn custom(format: &str) -> SchemaFormat {
    SchemaFormat::Custom(format.to_owned())
}

/// Returns the schema of text in a format.
pub(super) fn string(format: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(Type::String)
        .format(Some(custom(format)))
}

/// Returns the schema of URLs by name.
fn links() -> Object {
    ObjectBuilder::new()
        .additional_properties(Some(string("uri")))
        .build()
}

/// Returns the schema of a health check.
fn health() -> Object {
    let status = ObjectBuilder::new()
        .schema_type(Type::String)
        .enum_values(Some(["ok"]));
    ObjectBuilder::new()
        .property("status", status)
        .required("status")
        .build()
}

/// Returns the schema of an error that belongs to no field.
fn error() -> Object {
    let text = || ObjectBuilder::new().schema_type(Type::String);
    ObjectBuilder::new()
        .property(
            "detail",
            text().description(Some("Description of the error, for people.")),
        )
        .property(
            "code",
            text().description(Some("Code of the error, for programs; not all errors have one.")),
        )
        .property(
            "messages",
            ArrayBuilder::new()
                .items(reference("TokenMessage"))
                .description(Some("Reasons why the access token was refused.")),
        )
        .required("detail")
        .build()
}

fn token_message() -> Object {
    let names = ["token_class", "token_type", "message"];
    let property = |schema: ObjectBuilder, name: &str| {
        let text = ObjectBuilder::new().schema_type(Type::String);
        schema.property(name, text).required(name)
    };
    names.into_iter().fold(ObjectBuilder::new(), property).build()
}

/// Returns the schema of the errors of a file's rows.
fn row_errors() -> Object {
    let number = |description: &str| {
        ObjectBuilder::new()
            .schema_type(Type::Integer)
            .minimum(Some(1))
            .description(Some(description))
    };
    let messages = ArrayBuilder::new()
        .items(ObjectBuilder::new().schema_type(Type::String))
        .min_items(Some(1));
    let row = ObjectBuilder::new()
        .property(
            "row",
            number("Number of the row. In CSV, the first row with the names is row 1."),
        )
        .additional_properties(Some(messages))
        .required("row");
    let rows = ArrayBuilder::new()
        .items(row)
        .min_items(Some(1))
        .description(Some(
            "The errors of the first 1000 invalid rows, by the name of each field.",
        ));
    ObjectBuilder::new()
        .property("errors", rows)
        .property("invalid_rows", number("Number of all invalid rows."))
        .required("errors")
        .required("invalid_rows")
        .build()
}

/// Returns the schema of error messages by field or parameter.
fn field_errors() -> Object {
    let messages = ArrayBuilder::new()
        .items(ObjectBuilder::new().schema_type(Type::String))
        .min_items(Some(1));
    ObjectBuilder::new()
        .description(Some(
            "Messages by the name of the field or parameter. Errors that belong to no field are under \
             `non_field_errors`.",
        ))
        .additional_properties(Some(messages))
        .build()
}
