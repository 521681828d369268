//! The error responses of operations. Their statuses and examples are those of [`ApiError`].

use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use mycars_application::{
    accounts::{self, TokenError},
    cars::InvalidRow,
    ports::BoxError,
};
use mycars_domain::{Denied, Field, Violation, Violations};
use utoipa::openapi::{
    ContentBuilder, Header, HeaderBuilder, ObjectBuilder, Ref, RefOr, Response, ResponseBuilder, Schema,
    Type, example::ExampleBuilder, schema::AnyOfBuilder,
};

use super::schemas::reference;
use crate::{
    api::{
        endpoint::{Access, Endpoint, Method, Operation, RateClass},
        fields::FieldKind,
    },
    error::{ApiError, Resource},
};

/// An error response.
pub(super) struct ErrorResponse {
    /// Name in the document.
    name: &'static str,
    description: &'static str,
    is_possible: fn(&Endpoint, &Operation) -> bool,
    /// Examples by name: errors of one status, at least one.
    pub(super) examples: fn() -> Vec<(&'static str, ApiError)>,
    /// Name, type and description of a header.
    header: Option<(&'static str, Type, &'static str)>,
}

/// All error responses but that of an internal error.
pub(super) static ERROR_RESPONSES: [ErrorResponse; 14] = [
    ErrorResponse {
        name: "BadRequest",
        description: "Fields or parameters are invalid, or the body cannot be parsed.",
        is_possible: |endpoint, operation| {
            let has_filters = endpoint.list.is_some_and(|list| !list.filters.is_empty());
            let has_fields = operation.body.is_some() && !operation.takes_rows();
            has_fields || operation.method == Method::Get && has_filters
        },
        examples: || {
            let year = Violations::one(Field::Year, Violation::NotAnInteger);
            let no_object = "Invalid data. Expected a dictionary, but got list.";
            let no_json = "JSON parse error - the body is not valid JSON: line 1 column 11";
            vec![
                ("fields", ApiError::Fields(year)),
                (
                    "parameters",
                    ApiError::Parameters(vec![("year", "Enter a number.".into())]),
                ),
                ("no_object", ApiError::NonField(no_object.into())),
                ("no_json", ApiError::Malformed(no_json.into())),
            ]
        },
        header: None,
    },
    ErrorResponse {
        name: BAD_ROWS,
        description: "Rows are invalid, or the file cannot be read. Nothing was stored.",
        is_possible: |_, operation| operation.takes_rows(),
        examples: || {
            let file = |violation| ApiError::Fields(Violations::one(Field::File, violation));
            let mut violations = Violations::one(Field::Year, Violation::NotAnInteger);
            violations.add(Field::License, Violation::Taken);
            let row = InvalidRow { row: 3, violations };
            let column = "The column \"license\" is missing.";
            vec![
                ("rows", ApiError::Rows(vec![row])),
                ("column", ApiError::Parameters(vec![("file", column.into())])),
                ("no_file", file(Violation::NoFile)),
                ("empty_file", file(Violation::EmptyFile)),
            ]
        },
        header: None,
    },
    ErrorResponse {
        name: "Unauthorized",
        description: "The credentials are missing or invalid, or the user is inactive or deleted.",
        is_possible: |endpoint, _| endpoint.access != Access::Open,
        examples: || {
            vec![
                ("no_credentials", ApiError::NoCredentials),
                ("token_is_expired", ApiError::AccessToken(TokenError::Expired)),
                ("token_is_invalid", ApiError::AccessToken(TokenError::Invalid)),
                (
                    "token_has_wrong_type",
                    ApiError::AccessToken(TokenError::WrongType),
                ),
                ("token_without_user_id", ApiError::TokenWithoutUserId),
                ("header_is_malformed", ApiError::BadAuthorizationHeader),
                ("user_is_gone", ApiError::UserNotFound),
                ("user_is_inactive", ApiError::UserInactive),
            ]
        },
        header: Some(CHALLENGE),
    },
    ErrorResponse {
        name: "BadCredentials",
        description: "The username or the password is wrong, the user is inactive, or the email address must be verified \
                      first.",
        is_possible: |endpoint, operation| endpoint.access == Access::Open && takes_password(operation),
        examples: || {
            vec![
                ("no_active_account", ApiError::NoActiveAccount),
                ("email_not_verified", ApiError::EmailNotVerified),
            ]
        },
        header: Some(CHALLENGE),
    },
    ErrorResponse {
        name: "BadToken",
        description: "The token in the body is not valid.",
        is_possible: |endpoint, operation| endpoint.access == Access::Open && !takes_password(operation),
        examples: || {
            vec![
                ("user_is_gone_or_inactive", ApiError::NoActiveAccountForToken),
                ("token_is_invalid", ApiError::Token(TokenError::Invalid)),
                ("token_is_expired", ApiError::Token(TokenError::Expired)),
                ("token_has_wrong_type", ApiError::Token(TokenError::WrongType)),
                ("token_is_blacklisted", ApiError::Token(TokenError::Blacklisted)),
            ]
        },
        header: Some(CHALLENGE),
    },
    ErrorResponse {
        name: "Forbidden",
        description: "The caller lacks the permission, the CSRF check failed, or the server sends no mail.",
        is_possible: |endpoint, operation| match endpoint.access {
            Access::Admin | Access::Login => true,
            Access::Authenticated | Access::Optional => operation.method != Method::Get,
            Access::Open => endpoint.rate == RateClass::PasswordReset,
        },
        examples: || {
            vec![
                ("not_an_admin", Denied::Forbidden.into()),
                ("own_account", Denied::NotToOneself.into()),
                ("own_password", Denied::OldPasswordRequired.into()),
                ("superuser", Denied::SuperusersOnly.into()),
                ("api_key", Denied::LoginRequired.into()),
                ("read_only_api_key", Denied::ReadOnlyKey.into()),
                ("unknown_login", Denied::UnknownLogin.into()),
                ("last_superuser", Denied::LastSuperuser.into()),
                ("not_from_our_pages", ApiError::Csrf("CSRF token missing.".into())),
                ("no_mail", accounts::Error::NoMail.into()),
            ]
        },
        header: None,
    },
    ErrorResponse {
        name: "NotFound",
        description: "The object does not exist or belongs to another user, or the `format` is unknown.",
        is_possible: |_, _| true,
        examples: || {
            vec![
                ("car", ApiError::NotFound(Resource::Car)),
                ("user", ApiError::NotFound(Resource::User)),
                ("login", ApiError::NotFound(Resource::Login)),
                ("api_key", ApiError::NotFound(Resource::ApiKey)),
                ("path_or_format", ApiError::NotFound(Resource::Route)),
            ]
        },
        header: None,
    },
    ErrorResponse {
        name: "NotAcceptable",
        description: "The server has none of the media types that `Accept` allows.",
        is_possible: |_, _| true,
        examples: || vec![("not_acceptable", ApiError::NotAcceptable)],
        header: None,
    },
    ErrorResponse {
        name: "PreconditionFailed",
        description: "The object has another version than `If-Match` names.",
        is_possible: |endpoint, operation| endpoint.is_versioned() && operation.method != Method::Get,
        examples: || vec![("changed", ApiError::PreconditionFailed)],
        header: None,
    },
    ErrorResponse {
        name: "TooSlow",
        description: "The body did not arrive in time. The connection is closed.",
        is_possible: has_body,
        examples: || vec![("too_slow", ApiError::TooSlow)],
        header: None,
    },
    ErrorResponse {
        name: "TooLarge",
        description: "The body is larger than 1 MiB, or 8 MiB for uploads.",
        is_possible: has_body,
        examples: || vec![("too_large", ApiError::TooLarge(1024 * 1024))],
        header: None,
    },
    ErrorResponse {
        name: "UnsupportedMediaType",
        description: "The media type of the body is not supported.",
        is_possible: has_body,
        examples: || {
            let given = "text/plain".to_owned();
            vec![("unsupported_media_type", ApiError::UnsupportedMediaType(given))]
        },
        header: None,
    },
    ErrorResponse {
        name: "Throttled",
        description: "The client exceeded a rate limit.",
        is_possible: |_, _| true,
        examples: || vec![("throttled", ApiError::Throttled(42))],
        header: Some((
            "Retry-After",
            Type::Integer,
            "Seconds until the next request is allowed.",
        )),
    },
    ErrorResponse {
        name: "Unavailable",
        description: "The database is unavailable or cannot be written, or the queue of requests is full.",
        is_possible: |_, _| true,
        examples: || {
            vec![
                ("unavailable", ApiError::Unavailable(BoxError::from("away"))),
                ("not_writable", ApiError::NotWritable(BoxError::from("full"))),
            ]
        },
        header: Some(("Retry-After", Type::Integer, "Seconds after which to retry.")),
    },
];

/// Name of the response with errors of rows.
const BAD_ROWS: &str = "BadRows";

/// The header of a 401.
const CHALLENGE: (&str, Type, &str) = ("WWW-Authenticate", Type::String, "Always `Bearer realm=\"api\"`.");

fn takes_password(operation: &Operation) -> bool {
    operation
        .fields()
        .iter()
        .any(|spec| spec.kind == FieldKind::Password)
}

fn has_body(_: &Endpoint, operation: &Operation) -> bool {
    operation.body.is_some()
}

impl ErrorResponse {
    /// Returns the error responses of an operation.
    pub(super) fn of(endpoint: &Endpoint, operation: &Operation) -> impl Iterator<Item = &'static Self> {
        ERROR_RESPONSES
            .iter()
            .filter(|fault| (fault.is_possible)(endpoint, operation))
    }

    pub(super) fn status(&self) -> StatusCode {
        let first = (self.examples)().into_iter().next();
        first.map_or(StatusCode::INTERNAL_SERVER_ERROR, |(_, error)| error.status())
    }

    /// Returns a reference to the response.
    pub(super) fn reference(&self) -> RefOr<Response> {
        Ref::from_response_name(self.name).into()
    }

    fn response(&self) -> Response {
        let examples = (self.examples)().into_iter().map(|(name, error)| {
            let example = ExampleBuilder::new().value(Some(error.json())).build();
            (name, RefOr::from(example))
        });
        let content = ContentBuilder::new()
            .schema(Some(self.schema()))
            .examples_from_iter(examples)
            .build();
        let mut response = ResponseBuilder::new()
            .description(self.description)
            .content("application/json", content);
        if let Some((name, schema_type, description)) = &self.header {
            response = response.header(*name, header(schema_type.clone(), description));
        }
        response.build()
    }

    fn schema(&self) -> RefOr<Schema> {
        if self.status() == StatusCode::BAD_REQUEST {
            // Generated clients use the first alternative that matches, and nearly everything matches field errors.
            let schemas = AnyOfBuilder::new().item(reference("Error"));
            let schemas = if self.name == BAD_ROWS {
                schemas.item(reference("RowErrors"))
            } else {
                schemas
            };
            schemas.item(reference("FieldErrors")).into()
        } else {
            reference("Error")
        }
    }
}

/// Returns every error response by its name.
pub(super) fn all() -> BTreeMap<String, RefOr<Response>> {
    ERROR_RESPONSES
        .iter()
        .map(|fault| (fault.name.to_owned(), fault.response().into()))
        .collect()
}

fn header(schema_type: Type, description: &str) -> Header {
    HeaderBuilder::new()
        .schema(Some(ObjectBuilder::new().schema_type(schema_type)))
        .description(Some(description))
        .build()
}
