//! Request bodies: reads them within their limit, and reads fields from them.
//!
//! An error in a body is reported when a handler reads its fields, after the checks of user and permission.

pub(crate) mod budget;
mod charset;
mod form;
mod header;
mod multipart;
pub(crate) mod number;
mod parts;
#[cfg(test)]
mod tests;
mod transfer;

use std::{
    cell::RefCell,
    io::{self, Read as _, Seek as _},
};

use actix_web::{
    HttpRequest,
    http::header::CONTENT_TYPE,
    web::{Bytes, Payload},
};
use encoding_rs::mem::decode_latin1;
use futures_util::StreamExt as _;
use mycars_application::{Input, images};
use mycars_domain::{Field, Violation, Violations};
use tempfile::SpooledTempFile;

use self::{
    budget::Reservation,
    charset::{Charset, Undecodable},
    header::HeaderValue,
    multipart::MultipartError,
    parts::{FormError, PartsReader, read_urlencoded},
};
pub(crate) use form::Form;

use crate::{
    api::fields::FieldSpec,
    error::ApiError,
    request::{csrf::CSRF_FIELD, method::Method},
};

/// A body; its fields are not read yet.
pub(crate) enum Body {
    /// No body, of any media type.
    Empty { is_form: bool },
    /// `application/json`, decoded to UTF-8.
    Json(Bytes),
    /// `application/x-www-form-urlencoded` or `multipart/form-data`.
    Form(Vec<(String, Part)>),
    /// A malformed body; holds the message.
    Malformed(String),
    /// Any other type: the media type, and the content.
    Unsupported(MediaType, Vec<u8>),
    /// A body that exceeds the limit; holds the limit.
    TooLarge(usize),
    /// A body that is incomplete.
    BrokenOff,
    /// A body with a file that could not be stored temporarily.
    NotKept(io::ErrorKind),
    /// More bytes than are left of the memory for all bodies.
    NoMemory,
}

/// A value of a form.
pub(crate) enum Part {
    /// Text.
    Text(String),
    /// A file, in memory if it is small and otherwise on disk. It is empty where files are not accepted.
    File(RefCell<File>),
    /// Text that is not valid in its encoding.
    Undecodable(Undecodable),
}

/// A form of the server's own pages.
#[derive(Debug, Default)]
pub(crate) enum SentForm {
    #[default]
    Nothing,
    /// Names and values of the fields.
    Fields(Vec<(String, String)>),
    /// The media type and the text of a raw body.
    Raw(String, String),
}

/// The form field that overrides the method.
const METHOD_FIELD: &str = "_method";
/// The form fields that hold a raw body.
const CONTENT_FIELD: &str = "_content";
const CONTENT_TYPE_FIELD: &str = "_content_type";

/// An uploaded file.
pub(crate) struct File {
    pub(crate) content: SpooledTempFile,
    pub(crate) size: u64,
}

/// Maximum number of fields of a form, as in Django.
const MAX_PARTS: usize = 1000;

/// Maximum size of a file that is kept in memory, in bytes.
const MAX_FILE_IN_MEMORY: usize = 64 * 1024;

/// Media types of a body that is a file of rows.
const ROWS: [&[u8]; 2] = [b"text/csv", b"application/x-ndjson"];

const JSON: &[u8] = b"application/json";
const FORM: &[u8] = b"application/x-www-form-urlencoded";
const MULTIPART: &[u8] = b"multipart/form-data";

impl Body {
    /// Reads the body of a request. Keeps at most `limit` bytes, and no files. The memory comes from `reservation`.
    pub(crate) async fn read(
        http: &HttpRequest,
        payload: Payload,
        limit: usize,
        reservation: &mut Reservation,
    ) -> Self {
        Self::read_limited(http, payload, limit, false, reservation).await
    }

    /// Reads the body of a request. Keeps at most `limit` bytes, with files.
    pub(crate) async fn read_with_file(
        http: &HttpRequest,
        payload: Payload,
        limit: usize,
        reservation: &mut Reservation,
    ) -> Self {
        Self::read_limited(http, payload, limit, true, reservation).await
    }

    /// Stops when the body is refused: `edge::payload` receives the rest.
    async fn read_limited(
        http: &HttpRequest,
        mut payload: Payload,
        limit: usize,
        keep_files: bool,
        reservation: &mut Reservation,
    ) -> Self {
        let given = http
            .headers()
            .get(CONTENT_TYPE)
            .map_or(&b""[..], |value| value.as_bytes());
        let mut reader = BodyReader::new(given, keep_files);
        let mut received = 0;
        while let Some(chunk) = payload.next().await {
            let Ok(chunk) = chunk else {
                return Self::BrokenOff;
            };
            received += chunk.len();
            if received > limit {
                return Self::TooLarge(limit);
            }
            if let Err(body) = reader.push(&chunk) {
                return body;
            }
            if !reservation.grow_to(reader.memory()) {
                return Self::NoMemory;
            }
        }
        reader.finish()
    }

    /// Parses a complete body.
    fn whole(media_type: &MediaType, bytes: Vec<u8>) -> Self {
        match media_type.value.essence.as_slice() {
            essence if bytes.is_empty() => Self::Empty {
                is_form: essence == FORM || essence == MULTIPART,
            },
            JSON => {
                let charset = media_type.value.charset().unwrap_or(Charset::DEFAULT);
                match charset.decode_document(bytes) {
                    Ok(json) => Self::Json(json.into()),
                    Err(error) => Self::Malformed(format!("JSON parse error - the body {error}")),
                }
            }
            FORM => match read_urlencoded(&bytes, media_type.value.charset()) {
                Ok(fields) => Self::Form(fields),
                Err(error) => Self::unreadable("Form parse error", error),
            },
            _ => Self::Unsupported(media_type.clone(), bytes),
        }
    }

    fn unreadable_multipart(error: FormError) -> Self {
        Self::unreadable("Multipart form parse error", error)
    }

    fn unreadable(what: &str, error: FormError) -> Self {
        match error {
            FormError::Malformed(why) => Self::Malformed(format!("{what} - {why}")),
            FormError::NotKept(error) => Self::NotKept(error.kind()),
        }
    }

    /// Returns the error of a body that is incomplete, malformed or could not be stored.
    pub(crate) fn problem(&self) -> Option<ApiError> {
        match self {
            Self::Malformed(why) => Some(ApiError::Malformed(why.clone())),
            Self::TooLarge(limit) => Some(ApiError::TooLarge(*limit)),
            Self::BrokenOff => Some(ApiError::Malformed("The request body ends too early.".into())),
            Self::NoMemory => Some(ApiError::Unavailable("too many bodies take memory".into())),
            Self::NotKept(kind) => Some(images::Error::Images(io::Error::from(*kind).into()).into()),
            Self::Empty { .. } | Self::Json(_) | Self::Form(_) | Self::Unsupported(..) => None,
        }
    }

    /// Returns the body as a form with these fields.
    pub(crate) fn form(&self, specs: &'static [FieldSpec]) -> Result<Form<'_>, ApiError> {
        match (self, self.problem()) {
            (_, Some(problem)) => Err(problem),
            (Self::Json(bytes), None) => Form::json(specs, bytes),
            (Self::Form(parts), None) => Ok(Form::html(specs, parts)),
            (Self::Unsupported(media_type, _), None) => {
                Err(ApiError::UnsupportedMediaType(media_type.given.clone()))
            }
            (Self::Empty { is_form: true }, None) => Ok(Form::html(specs, &[])),
            (_, None) => Form::json(specs, b"{}"),
        }
    }

    /// Returns the text under a name in a form.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        let Self::Form(parts) = self else { return None };
        parts.iter().rev().find_map(|(known, part)| match part {
            Part::Text(text) if known == name => Some(text.as_str()),
            _ => None,
        })
    }

    /// Reads the control fields of a form of the server's own pages: the method, and a raw body, which replaces the
    /// form. Stores the input in `sent`, to show it again if it is refused.
    pub(crate) fn take_page_form(&mut self, sent: &mut SentForm) -> Option<Method> {
        let method = self.text_of(METHOD_FIELD).and_then(Method::named);
        if let Some(malformed) = self.undecodable_page_field() {
            *self = malformed;
        } else if let Some(content) = self.text_of(CONTENT_FIELD).map(str::to_owned) {
            let media_type = self
                .text_of(CONTENT_TYPE_FIELD)
                .unwrap_or("application/json")
                .to_owned();
            *self = Self::whole(&MediaType::of_text(&media_type), content.clone().into_bytes());
            *sent = SentForm::Raw(media_type, content);
        } else if let Self::Form(parts) = self {
            let fields = parts.iter().filter_map(|(name, part)| match part {
                Part::Text(text) if name != CSRF_FIELD && name != METHOD_FIELD => {
                    Some((name.clone(), text.clone()))
                }
                _ => None,
            });
            *sent = SentForm::Fields(fields.collect());
        }
        method
    }

    /// Returns a malformed body if a control field of a page's form can't be decoded.
    fn undecodable_page_field(&self) -> Option<Self> {
        let Self::Form(parts) = self else { return None };
        parts.iter().find_map(|(name, part)| match part {
            Part::Undecodable(error)
                if [METHOD_FIELD, CONTENT_FIELD, CONTENT_TYPE_FIELD].contains(&&**name) =>
            {
                let why = format!("Form parse error - the field \"{name}\" {error}");
                Some(Self::Malformed(why))
            }
            _ => None,
        })
    }

    /// Returns the text of an uploaded file of rows: of the field `file`, or of a body that is such a file itself.
    pub(crate) fn rows(&self, specs: &'static [FieldSpec]) -> Result<String, ApiError> {
        let refuse = |violation| ApiError::Fields(Violations::one(Field::File, violation));
        let (bytes, charset) = match self {
            Self::Unsupported(media_type, bytes) if ROWS.contains(&media_type.value.essence.as_slice()) => {
                (bytes.clone(), media_type.value.charset())
            }
            _ => match self.form(specs)?.file(Field::File) {
                Input::Given(file) => (read_file(file)?, None),
                Input::Absent | Input::Null => return Err(refuse(Violation::NoFile)),
                Input::Invalid(violation) => return Err(refuse(violation)),
            },
        };
        let decoded = charset.unwrap_or(Charset::DEFAULT).decode_document(bytes);
        decoded.map_err(|error| refuse(error.violation()))
    }

    /// Returns whether the body holds a file.
    pub(crate) fn has_file(&self) -> bool {
        matches!(self, Self::Form(parts) if parts.iter().any(|(_, part)| matches!(part, Part::File(_))))
    }

    /// Returns all texts under a name in a form.
    pub(crate) fn texts_of(&self, name: &str) -> Vec<&str> {
        let Self::Form(parts) = self else {
            return Vec::new();
        };
        let texts = parts.iter().filter_map(|(known, part)| match part {
            Part::Text(text) if known == name => Some(text.as_str()),
            _ => None,
        });
        texts.collect()
    }

    /// Returns whether the body may hold a field of this name. In doubt it does.
    pub(crate) fn may_hold(&self, name: &str) -> bool {
        match self {
            // JSON can write a name with escapes.
            Self::Json(bytes) => {
                bytes.contains(&b'\\') || bytes.windows(name.len()).any(|window| window == name.as_bytes())
            }
            Self::Form(parts) => parts.iter().any(|(known, _)| known == name),
            _ => false,
        }
    }
}

fn read_file(file: &RefCell<File>) -> Result<Vec<u8>, ApiError> {
    let mut bytes = Vec::new();
    let content = &mut file.borrow_mut().content;
    let read = content.rewind().and_then(|()| content.read_to_end(&mut bytes));
    read.map_err(|error| ApiError::Internal(error.into()))?;
    Ok(bytes)
}

/// The media type that a client sent.
#[derive(Clone)]
pub(crate) struct MediaType {
    pub(crate) given: String,
    value: HeaderValue,
}

impl MediaType {
    /// Parses the header `Content-Type`. Bytes that are not ASCII are ISO 8859-1, as in Django.
    fn of_header(given: &[u8]) -> Self {
        Self {
            given: decode_latin1(given).into_owned(),
            value: HeaderValue::parse(given),
        }
    }

    /// Parses the media type of text that is decoded already: its parameter `charset` is ignored.
    fn of_text(given: &str) -> Self {
        let essence = given.split(';').next().unwrap_or("");
        Self {
            given: given.to_owned(),
            value: HeaderValue::parse(essence.as_bytes()),
        }
    }
}

/// Reads a body chunk by chunk.
pub(crate) struct BodyReader {
    media_type: MediaType,
    is_empty: bool,
    /// The bytes of a body that is not multipart.
    bytes: Vec<u8>,
    /// The parts of `multipart/form-data`. A boundary that is not valid matters only if there is a body.
    parts: Option<Result<PartsReader, MultipartError>>,
}

impl BodyReader {
    /// Starts a body with this `Content-Type`.
    pub(crate) fn new(content_type: &[u8], keep_files: bool) -> Self {
        let media_type = MediaType::of_header(content_type);
        let is_multipart = media_type.value.essence == MULTIPART;
        let boundary = media_type.value.parameter("boundary");
        let parts = PartsReader::new(boundary.map_or(b"", |boundary| &boundary.value), keep_files);
        Self {
            parts: is_multipart.then_some(parts),
            media_type,
            is_empty: true,
            bytes: Vec::new(),
        }
    }

    /// Reads a chunk. Returns the failed body if the chunk is invalid.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<(), Body> {
        self.is_empty &= chunk.is_empty();
        match &mut self.parts {
            None => self.bytes.extend_from_slice(chunk),
            Some(Ok(parts)) => parts.push(chunk).map_err(Body::unreadable_multipart)?,
            Some(Err(_)) => {}
        }
        Ok(())
    }

    /// Returns the number of bytes that are kept in memory, except the first of files.
    fn memory(&self) -> usize {
        match &self.parts {
            None => self.bytes.len(),
            Some(Ok(parts)) => parts.memory(),
            Some(Err(_)) => 0,
        }
    }

    /// Returns the body after its last chunk.
    pub(crate) fn finish(self) -> Body {
        let charset = self.media_type.value.charset();
        match self.parts {
            Some(parts) if !self.is_empty => parts
                .map_err(FormError::from)
                .and_then(|parts| parts.finish(charset))
                .map_or_else(Body::unreadable_multipart, Body::Form),
            _ => Body::whole(&self.media_type, self.bytes),
        }
    }
}
