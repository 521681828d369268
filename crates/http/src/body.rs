//! Request bodies: reading them within their limit, and reading fields from them.
//!
//! Reading never fails at once: what is wrong with a body matters only after it is known who asks and what
//! for. It is said when somebody asks for the fields.

mod form;
mod number;

use actix_multipart::{Multipart, MultipartError};
use actix_web::{
    HttpRequest,
    http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderMap},
    web::{Bytes, BytesMut, Payload},
};
use futures_util::{StreamExt as _, TryStreamExt as _, stream};

pub(crate) use form::Form;

use crate::{error::ApiError, fields::FieldSpec};

/// A body as it came, not yet read as fields.
pub(crate) enum Body {
    /// There was none, of whatever type.
    Empty { is_form: bool },
    /// `application/json`.
    Json(Bytes),
    /// `application/x-www-form-urlencoded` or `multipart/form-data`.
    Form(Vec<(String, Part)>),
    /// `multipart/form-data` that can't be read; says why.
    BrokenMultipart(&'static str),
    /// Any other type.
    Unsupported(String),
    /// More bytes than the limit, which it holds.
    TooLarge(usize),
}

/// What a form holds under one name.
pub(crate) enum Part {
    /// Text.
    Text(String),
    /// A file. Its content is not kept: no field of a form like this takes one.
    File,
}

/// So many bytes beyond the limit are read and thrown away, so that a client that only listens after it has
/// sent everything hears why it was refused. Beyond that, the connection is closed on it.
const MAX_DISCARDED: usize = 32 * 1024 * 1024;

/// So many parts of a form are read: many times what any form here has.
const MAX_PARTS: usize = 1000;

impl Body {
    /// Reads the body of a request, of which at most `limit` bytes are kept.
    pub(crate) async fn read(http: &HttpRequest, payload: Payload, limit: usize) -> Self {
        let Some(bytes) = read_bytes(http.headers(), payload, limit).await else {
            return Self::TooLarge(limit);
        };
        let given = http
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        let essence = given.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        let is_form = matches!(
            essence.as_str(),
            "application/x-www-form-urlencoded" | "multipart/form-data"
        );
        match essence.as_str() {
            _ if bytes.is_empty() => Self::Empty { is_form },
            "application/json" => Self::Json(bytes),
            "application/x-www-form-urlencoded" => Self::Form(
                form_urlencoded::parse(&bytes)
                    .take(MAX_PARTS)
                    .map(|(name, value)| (name.into_owned(), Part::Text(value.into_owned())))
                    .collect(),
            ),
            "multipart/form-data" => match read_multipart(http.headers(), bytes).await {
                Ok(parts) => Self::Form(parts),
                Err(error) => Self::BrokenMultipart(say(&error)),
            },
            _ => Self::Unsupported(given.to_owned()),
        }
    }

    /// The body's fields, to be read by their description.
    pub(crate) fn form(&self, specs: &'static [FieldSpec]) -> Result<Form<'_>, ApiError> {
        match self {
            Self::Empty { is_form: true } => Ok(Form::html(specs, &[])),
            Self::Empty { is_form: false } => Form::json(specs, b"{}"),
            Self::Json(bytes) => Form::json(specs, bytes),
            Self::Form(parts) => Ok(Form::html(specs, parts)),
            Self::BrokenMultipart(why) => {
                Err(ApiError::Malformed(format!("Multipart form parse error - {why}")))
            }
            Self::Unsupported(given) => Err(ApiError::UnsupportedMediaType(given.clone())),
            Self::TooLarge(limit) => Err(ApiError::TooLarge(*limit)),
        }
    }
}

/// The bytes of a body, or `None` if there are more than `limit`. A body that breaks off is what came of it:
/// nobody is left to hear about it.
async fn read_bytes(headers: &HeaderMap, mut payload: Payload, limit: usize) -> Option<Bytes> {
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse().ok());
    let mut bytes = BytesMut::with_capacity(announced.unwrap_or(0).min(limit));
    let mut received = 0;
    while let Some(Ok(chunk)) = payload.next().await {
        received += chunk.len();
        if received > limit + MAX_DISCARDED {
            break;
        }
        if received <= limit {
            bytes.extend_from_slice(&chunk);
        }
    }
    (received <= limit).then(|| bytes.freeze())
}

async fn read_multipart(headers: &HeaderMap, bytes: Bytes) -> Result<Vec<(String, Part)>, MultipartError> {
    let mut parts = Vec::new();
    let mut fields = Multipart::new(headers, stream::iter([Ok(bytes)]));
    while let Some(mut field) = fields.try_next().await? {
        let name = field.name().unwrap_or_default().to_owned();
        let is_file = field
            .content_disposition()
            .is_some_and(|disposition| disposition.get_filename().is_some());
        let mut content = BytesMut::new();
        while let Some(chunk) = field.try_next().await? {
            content.extend_from_slice(&chunk);
        }
        if parts.len() < MAX_PARTS {
            let text = String::from_utf8_lossy(&content).into_owned();
            parts.push((name, if is_file { Part::File } else { Part::Text(text) }));
        }
    }
    Ok(parts)
}

/// What is wrong with a multipart body, in words of our own.
fn say(error: &MultipartError) -> &'static str {
    match error {
        MultipartError::BoundaryMissing | MultipartError::ContentTypeParse => "Invalid boundary in multipart",
        MultipartError::Incomplete => "The body ends before its last boundary",
        MultipartError::ContentDispositionMissing | MultipartError::ContentDispositionNameMissing => {
            "A part has no name"
        }
        _ => "The body is not well-formed",
    }
}
