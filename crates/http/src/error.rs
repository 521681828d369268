//! All errors that clients can see, and their conversion to a status and a body (wire contract, section 2).

use actix_web::{
    HttpResponse,
    http::{StatusCode, header},
};
use mycars_application::{
    accounts::{self, AuthenticationError, TokenError},
    cars::{self, ImportError, InvalidRow},
    images,
    ports::{BoxError, ImageStoreError, StoreError},
    users,
};
use mycars_domain::{Denied, Field, Violation, Violations};
use serde::{Serialize, Serializer};

use crate::messages;

/// The reason why a request failed.
#[derive(Debug)]
pub(crate) enum ApiError {
    /// Fields are invalid.
    Fields(Violations),
    /// Rows of a file are invalid.
    Rows(Vec<InvalidRow>),
    /// Query parameters or a file are invalid; holds their names and messages.
    Parameters(Vec<(&'static str, String)>),
    /// An error that belongs to no field.
    NonField(String),
    /// The body is malformed; holds the message.
    Malformed(String),
    /// The host in the request is not allowed.
    HostNotAllowed,
    /// The origin of the request is not allowed.
    OriginNotAllowed,
    /// The request needs credentials and has none.
    NoCredentials,
    /// The header `Authorization` is malformed.
    BadAuthorizationHeader,
    /// The access token is invalid.
    AccessToken(TokenError),
    /// The access token has no user id.
    TokenWithoutUserId,
    /// The user of the access token does not exist.
    UserNotFound,
    /// The user of the access token is inactive.
    UserInactive,
    /// The credentials of a login are wrong.
    NoActiveAccount,
    /// The credentials of a login are right, but the e-mail address is not verified.
    EmailNotVerified,
    /// The owner of a refresh token does not exist or is inactive.
    NoActiveAccountForToken,
    /// A token in the body is invalid.
    Token(TokenError),
    /// The CSRF check failed; holds the reason.
    Csrf(String),
    /// The user lacks the permission.
    Forbidden(&'static str),
    /// The object does not exist.
    NotFound(Resource),
    /// Another user changed the object in the meantime.
    Conflict,
    /// The object has another version than the client expects.
    PreconditionFailed,
    /// The endpoint does not serve the method.
    MethodNotAllowed(String),
    /// No renderer satisfies the header `Accept`.
    NotAcceptable,
    /// The media type of the body is not supported.
    UnsupportedMediaType(String),
    /// The body is too large; holds the limit in bytes.
    TooLarge(usize),
    /// The body did not arrive in time.
    TooSlow,
    /// The client exceeds its rate; holds the time to wait, in seconds.
    Throttled(u64),
    /// The service is temporarily unavailable.
    Unavailable(BoxError),
    /// The service temporarily cannot save changes.
    NotWritable(BoxError),
    /// An internal error.
    Internal(BoxError),
}

/// The missing object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Resource {
    Car,
    User,
    Login,
    ApiKey,
    Route,
}

/// The response to requests that need mail, if the server sends none.
const NO_MAIL: &str = "This server sends no mail: ask an administrator for a new password.";

/// Maximum number of invalid rows in a response.
const MAX_ROWS: usize = 1000;

/// Value of `Retry-After`, in seconds.
const RETRY_AFTER: &str = "2";

impl ApiError {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::Fields(_)
            | Self::Rows(_)
            | Self::Parameters(_)
            | Self::NonField(_)
            | Self::Malformed(_)
            | Self::HostNotAllowed => StatusCode::BAD_REQUEST,
            Self::NoCredentials
            | Self::BadAuthorizationHeader
            | Self::AccessToken(_)
            | Self::TokenWithoutUserId
            | Self::UserNotFound
            | Self::UserInactive
            | Self::NoActiveAccount
            | Self::EmailNotVerified
            | Self::NoActiveAccountForToken
            | Self::Token(_) => StatusCode::UNAUTHORIZED,
            Self::Csrf(_) | Self::Forbidden(_) | Self::OriginNotAllowed => StatusCode::FORBIDDEN,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::Conflict => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Self::UnsupportedMediaType(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Throttled(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable(_) | Self::NotWritable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns the error of a failed login. Logs a password hash that cannot be verified, because only the operator can
    /// help that user.
    pub(crate) fn of_login(error: accounts::Error) -> Self {
        if let accounts::Error::UnsupportedHash { user, algorithm } = &error {
            tracing::warn!(
                user = user.0,
                algorithm,
                "login refused: the password hash of user {} cannot be verified (algorithm {algorithm}): set a new \
                 password",
                user.0
            );
        }
        error.into()
    }

    /// Returns the response. The cause of a 5xx is logged here and nowhere else.
    pub(crate) fn response(&self) -> HttpResponse {
        let status = self.status();
        match self {
            Self::Unavailable(cause) | Self::NotWritable(cause) => {
                tracing::warn!(error = %causes(cause), "service unavailable");
            }
            Self::Internal(cause) => tracing::error!(error = %causes(cause), "internal error"),
            _ => {}
        }
        let mut response = HttpResponse::build(status);
        match self {
            Self::TooSlow => {
                response.force_close();
            }
            Self::Throttled(seconds) => {
                response.insert_header((header::RETRY_AFTER, seconds.to_string()));
            }
            Self::Unavailable(_) | Self::NotWritable(_) => {
                response.insert_header((header::RETRY_AFTER, RETRY_AFTER));
            }
            _ if status == StatusCode::UNAUTHORIZED => {
                response.insert_header((header::WWW_AUTHENTICATE, "Bearer realm=\"api\""));
            }
            _ => {}
        }
        response.json(self.body())
    }

    /// Returns the body of the response.
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::to_value(self.body()).unwrap_or_default()
    }

    /// Returns the messages in one line, for pages.
    pub(crate) fn sentence(&self) -> String {
        let body = self.json();
        match &body["detail"] {
            serde_json::Value::String(detail) => detail.clone(),
            _ => body
                .as_object()
                .into_iter()
                .flatten()
                .filter_map(|(name, messages)| {
                    let messages: Vec<&str> =
                        messages.as_array()?.iter().filter_map(|it| it.as_str()).collect();
                    Some(format!("{name}: {}", messages.join(" ")))
                })
                .collect::<Vec<_>>()
                .join(" "),
        }
    }

    fn body(&self) -> ErrorBody {
        match self {
            Self::Fields(violations) => ErrorBody::Fields(FieldErrors(violations.clone())),
            Self::Rows(rows) => ErrorBody::Rows {
                errors: rows.iter().take(MAX_ROWS).map(RowErrors::from).collect(),
                invalid_rows: rows.len(),
            },
            Self::Parameters(errors) => ErrorBody::Parameters(ParameterErrors(errors.clone())),
            Self::NonField(message) => ErrorBody::NonField {
                non_field_errors: [message.clone()],
            },
            Self::Malformed(detail) => detail.clone().into(),
            Self::HostNotAllowed => {
                "This host is not allowed. If it should be, add it to ALLOWED_HOSTS.".into()
            }
            Self::OriginNotAllowed => {
                "This origin or method is not allowed. If the origin should be, add it to \
                 MYCARS__CORS__ALLOWED_ORIGINS."
                    .into()
            }
            Self::NoCredentials => "Authentication credentials were not provided.".into(),
            Self::BadAuthorizationHeader => ErrorBody::coded(
                "Authorization header must contain two space-delimited values",
                "bad_authorization_header",
            ),
            Self::AccessToken(error) => ErrorBody::Token {
                detail: "Given token not valid for any token type",
                code: "token_not_valid",
                messages: [TokenMessage {
                    token_class: "AccessToken",
                    token_type: "access",
                    message: token_message(*error),
                }],
            },
            Self::TokenWithoutUserId => ErrorBody::coded(
                "Token contained no recognizable user identification",
                "token_not_valid",
            ),
            Self::UserNotFound => ErrorBody::coded("User not found", "user_not_found"),
            Self::UserInactive => ErrorBody::coded("User is inactive", "user_inactive"),
            Self::NoActiveAccount => "No active account found with the given credentials".into(),
            Self::EmailNotVerified => ErrorBody::coded(
                "The email address of this account is not verified. Use the link in the mail, or request another one at \
                 /api/email/verify/resend/.",
                "email_not_verified",
            ),
            Self::NoActiveAccountForToken => "No active account found for the given token.".into(),
            Self::Token(error) => ErrorBody::coded(token_message(*error), "token_not_valid"),
            Self::Csrf(why) => format!("CSRF Failed: {why}").into(),
            Self::Forbidden(detail) => (*detail).into(),
            Self::NotFound(Resource::Car) => "No Car matches the given query.".into(),
            Self::NotFound(Resource::User) => "No User matches the given query.".into(),
            Self::NotFound(Resource::Login) => "No Login matches the given query.".into(),
            Self::NotFound(Resource::ApiKey) => "No ApiKey matches the given query.".into(),
            Self::NotFound(Resource::Route) => "Not found.".into(),
            Self::Conflict => "It was changed by another user meanwhile.".into(),
            Self::PreconditionFailed => "It was changed since you read it. Read it again.".into(),
            Self::MethodNotAllowed(method) => format!("Method \"{method}\" not allowed.").into(),
            Self::NotAcceptable => "Could not satisfy the request Accept header.".into(),
            Self::UnsupportedMediaType(given) => {
                format!("Unsupported media type \"{given}\" in request.").into()
            }
            Self::TooLarge(limit) => {
                format!("The request body is too large: at most {} KiB.", limit / 1024).into()
            }
            Self::TooSlow => "The request body did not arrive in time.".into(),
            Self::Throttled(seconds) => {
                let plural = if *seconds == 1 { "" } else { "s" };
                format!("Request was throttled. Expected available in {seconds} second{plural}.").into()
            }
            Self::Unavailable(_) => "The service is not available right now. Please try again later.".into(),
            Self::NotWritable(_) => {
                "The service cannot save changes right now. Please try again later.".into()
            }
            Self::Internal(_) => "A server error occurred.".into(),
        }
    }
}

/// Returns simplejwt's message for an error of a token.
pub(crate) fn token_message(error: TokenError) -> &'static str {
    match error {
        TokenError::Invalid => "Token is invalid",
        TokenError::Expired => "Token is expired",
        TokenError::NoExpiry => "Token has no 'exp' claim",
        TokenError::NoId => "Token has no id",
        TokenError::NoType => "Token has no type",
        TokenError::WrongType => "Token has wrong type",
        TokenError::Blacklisted => "Token is blacklisted",
    }
}

/// Formats an error and all its causes in one line.
fn causes(error: &BoxError) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        line.push_str(": ");
        line.push_str(&cause.to_string());
        source = cause.source();
    }
    line
}

#[derive(Serialize)]
#[serde(untagged)]
enum ErrorBody {
    Detail {
        detail: String,
    },
    Coded {
        detail: &'static str,
        code: &'static str,
    },
    Token {
        detail: &'static str,
        code: &'static str,
        messages: [TokenMessage; 1],
    },
    NonField {
        non_field_errors: [String; 1],
    },
    Rows {
        errors: Vec<RowErrors>,
        invalid_rows: usize,
    },
    Fields(FieldErrors),
    Parameters(ParameterErrors),
}

impl ErrorBody {
    fn coded(detail: &'static str, code: &'static str) -> Self {
        Self::Coded { detail, code }
    }
}

impl<T: Into<String>> From<T> for ErrorBody {
    fn from(detail: T) -> Self {
        Self::Detail {
            detail: detail.into(),
        }
    }
}

#[derive(Serialize)]
struct TokenMessage {
    token_class: &'static str,
    token_type: &'static str,
    message: &'static str,
}

/// The errors of a row.
#[derive(Serialize)]
struct RowErrors {
    row: u64,
    #[serde(flatten)]
    fields: FieldErrors,
}

impl From<&InvalidRow> for RowErrors {
    fn from(invalid: &InvalidRow) -> Self {
        Self {
            row: invalid.row,
            fields: FieldErrors(invalid.violations.clone()),
        }
    }
}

struct FieldErrors(Violations);

impl Serialize for FieldErrors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let say_all = |field: Field, violations: &[Violation]| -> Vec<String> {
            violations
                .iter()
                .map(|violation| messages::violation(field, violation))
                .collect()
        };
        serializer.collect_map(
            self.0
                .iter()
                .map(|(field, violations)| (messages::name(field), say_all(field, violations))),
        )
    }
}

struct ParameterErrors(Vec<(&'static str, String)>);

impl Serialize for ParameterErrors {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, message)| (name, [message])))
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) => Self::Unavailable(error.into()),
            StoreError::NotWritable(_) => Self::NotWritable(error.into()),
            StoreError::Taken(field) => Self::Fields(Violations::one(field, Violation::Taken)),
            StoreError::OwnerGone => Self::UserNotFound,
            StoreError::Other(_) => Self::Internal(error.into()),
        }
    }
}

impl From<Denied> for ApiError {
    fn from(denied: Denied) -> Self {
        match denied {
            Denied::NotAuthenticated => Self::NoCredentials,
            Denied::NotFound => Self::NotFound(Resource::Route),
            Denied::Forbidden => Self::Forbidden("You do not have permission to perform this action."),
            Denied::NotToOneself => Self::Forbidden("You can't do this to your own account."),
            Denied::OldPasswordRequired => Self::Forbidden(
                "Change your own password at /api/change-password/, which asks for the old one.",
            ),
            Denied::LoginRequired => {
                Self::Forbidden("An API key cannot do this. Log in with a username and a password.")
            }
            Denied::ReadOnlyKey => Self::Forbidden("This API key can only read."),
            Denied::UnknownLogin => Self::Forbidden("This access token names no login. Log in again."),
            Denied::SuperusersOnly => Self::Forbidden("Only a superuser can do this to a superuser."),
            Denied::LastSuperuser => Self::Forbidden("The last active superuser has to stay."),
        }
    }
}

impl From<AuthenticationError> for ApiError {
    fn from(error: AuthenticationError) -> Self {
        match error {
            AuthenticationError::Token(error) => Self::AccessToken(error),
            AuthenticationError::NoUserId => Self::TokenWithoutUserId,
            AuthenticationError::UserNotFound => Self::UserNotFound,
            AuthenticationError::UserInactive => Self::UserInactive,
            AuthenticationError::Store(error) => error.into(),
        }
    }
}

impl From<mycars_application::Error> for ApiError {
    fn from(error: mycars_application::Error) -> Self {
        match error {
            mycars_application::Error::NotFound => Self::NotFound(Resource::User),
            mycars_application::Error::Denied(denied) => denied.into(),
            mycars_application::Error::Store(error) => error.into(),
        }
    }
}

impl From<accounts::Error> for ApiError {
    fn from(error: accounts::Error) -> Self {
        match error {
            accounts::Error::Invalid(violations) => Self::Fields(violations),
            accounts::Error::NoActiveAccount | accounts::Error::UnsupportedHash { .. } => {
                Self::NoActiveAccount
            }
            accounts::Error::NoActiveAccountForToken => Self::NoActiveAccountForToken,
            accounts::Error::EmailNotVerified => Self::EmailNotVerified,
            accounts::Error::NoMail => Self::Forbidden(NO_MAIL),
            accounts::Error::Token(error) => Self::Token(error),
            accounts::Error::NotFound => Self::UserNotFound,
            accounts::Error::Denied(denied) => denied.into(),
            accounts::Error::Hash(error) => Self::Internal(error.into()),
            accounts::Error::Unsignable(error) => Self::Internal(error.into()),
            accounts::Error::Store(error) => error.into(),
        }
    }
}

impl From<cars::Error> for ApiError {
    fn from(error: cars::Error) -> Self {
        match error {
            cars::Error::Invalid(violations) => Self::Fields(violations),
            cars::Error::NotFound => Self::NotFound(Resource::Car),
            cars::Error::Denied(denied) => denied.into(),
            cars::Error::OwnerGone => Self::UserNotFound,
            cars::Error::Conflict => Self::Conflict,
            cars::Error::Store(error) => error.into(),
        }
    }
}

impl From<ImportError> for ApiError {
    fn from(error: ImportError) -> Self {
        match error {
            ImportError::Rows(rows) => Self::Rows(rows),
            ImportError::Cars(error) => error.into(),
        }
    }
}

impl From<users::Error> for ApiError {
    fn from(error: users::Error) -> Self {
        match error {
            users::Error::Invalid(violations) => Self::Fields(violations),
            users::Error::NotFound => Self::NotFound(Resource::User),
            users::Error::Conflict => Self::Conflict,
            users::Error::Denied(denied) => denied.into(),
            users::Error::Hash(error) => Self::Internal(error.into()),
            users::Error::Store(error) => error.into(),
        }
    }
}

impl From<images::Error> for ApiError {
    fn from(error: images::Error) -> Self {
        match error {
            images::Error::Car(error) => error.into(),
            images::Error::Images(error @ ImageStoreError::NotWritable(_)) => Self::NotWritable(error.into()),
            images::Error::Images(error @ ImageStoreError::Unavailable(_)) => Self::Unavailable(error.into()),
            images::Error::Images(error @ ImageStoreError::Other(_)) => Self::Internal(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, ErrorKind};

    use super::*;

    fn written(error: &ApiError) -> String {
        serde_json::to_string(&error.body()).unwrap()
    }

    #[test]
    fn server_errors_do_not_leak_their_cause() {
        let cause = || BoxError::from("password=hunter2");
        for error in [
            ApiError::Internal(cause()),
            ApiError::Unavailable(cause()),
            ApiError::NotWritable(cause()),
            StoreError::Other(cause()).into(),
            StoreError::Unavailable(cause()).into(),
            StoreError::NotWritable(cause()).into(),
        ] {
            assert!(error.status().is_server_error());
            assert!(!written(&error).contains("hunter2"));
        }
    }

    #[test]
    fn full_and_read_only_disks_are_unavailable() {
        for (kind, expected) in [
            (ErrorKind::StorageFull, 503),
            (ErrorKind::QuotaExceeded, 503),
            (ErrorKind::FileTooLarge, 503),
            (ErrorKind::ReadOnlyFilesystem, 503),
            (ErrorKind::PermissionDenied, 500),
            (ErrorKind::NotFound, 500),
        ] {
            let stored = ApiError::from(images::Error::Images(io::Error::from(kind).into()));
            assert_eq!(stored.status().as_u16(), expected, "{kind}");
            let is_temporary = stored.response().headers().contains_key(header::RETRY_AFTER);
            assert_eq!(is_temporary, expected == 503, "{kind}");
        }
    }

    #[test]
    fn throttled_response_tells_the_time_to_wait() {
        for (seconds, detail) in [
            (1, "Request was throttled. Expected available in 1 second."),
            (42, "Request was throttled. Expected available in 42 seconds."),
        ] {
            let error = ApiError::Throttled(seconds);
            let response = error.response();
            assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
            let retry_after = response.headers().get(header::RETRY_AFTER).unwrap();
            assert_eq!(*retry_after, seconds.to_string());
            assert_eq!(written(&error), format!(r#"{{"detail":"{detail}"}}"#));
        }
    }

    #[test]
    fn error_and_its_causes_are_one_line() {
        let error = BoxError::from(StoreError::Other("disk full".into()));
        assert_eq!(causes(&error), "the database failed: disk full");
    }

    #[test]
    fn field_errors_are_in_order_with_all_messages() {
        let mut violations = Violations::new();
        violations.add(Field::Year, Violation::NotAnInteger);
        violations.add(Field::Brand, Violation::TooLong { max: 100 });
        violations.add(Field::Brand, Violation::NullCharacter);
        assert_eq!(
            written(&ApiError::Fields(violations)),
            r#"{"brand":["Ensure this field has no more than 100 characters.","Null characters are not allowed."],"year":["A valid integer is required."]}"#
        );
    }

    #[test]
    fn invalid_access_token_has_simplejwts_response() {
        assert_eq!(
            written(&ApiError::AccessToken(TokenError::Expired)),
            r#"{"detail":"Given token not valid for any token type","code":"token_not_valid","messages":[{"token_class":"AccessToken","token_type":"access","message":"Token is expired"}]}"#
        );
    }
}
