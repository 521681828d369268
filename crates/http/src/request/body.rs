//! Request bodies: reading them within their limit, and reading fields from them.
//!
//! Reading never fails at once: an error in a body is reported when a handler asks for its fields, after the checks of
//! user and permission.

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

use std::{cell::RefCell, io};

use actix_web::{
    HttpRequest,
    http::header::CONTENT_TYPE,
    web::{Bytes, Payload},
};
use encoding_rs::mem::decode_latin1;
use futures_util::StreamExt as _;
use mycars_application::images;
use tempfile::SpooledTempFile;

use self::{
    budget::Share,
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

/// A body as it came, not yet read as fields.
pub(crate) enum Body {
    /// There was none, of whatever type.
    Empty { is_form: bool },
    /// `application/json`, decoded to UTF-8.
    Json(Bytes),
    /// `application/x-www-form-urlencoded` or `multipart/form-data`.
    Form(Vec<(String, Part)>),
    /// A body that can't be read; says why.
    Malformed(String),
    /// Any other type.
    Unsupported(String),
    /// More bytes than the limit, which it holds.
    TooLarge(usize),
    /// A part of a body whose rest never came.
    BrokenOff,
    /// A file that could not be put aside.
    NotKept(io::ErrorKind),
    /// More bytes than are left of the memory for all bodies.
    NoMemory,
}

/// What a form holds under one name.
pub(crate) enum Part {
    /// Text.
    Text(String),
    /// A file, put aside: in memory while it is small, on disk when it is not. Where no file may come it is
    /// empty.
    File(RefCell<File>),
    /// Text that is not valid in its encoding.
    Undecodable(Undecodable),
}

/// What a form of our own pages sent.
#[derive(Debug, Default)]
pub(crate) enum SentForm {
    #[default]
    Nothing,
    /// Its fields.
    Fields(Vec<(String, String)>),
    /// The media type and the text of a raw body.
    Raw(String, String),
}

/// The field in which a form names the verb that it stands for.
const VERB_FIELD: &str = "_method";
/// The fields in which a form carries a raw body.
const CONTENT_FIELD: &str = "_content";
const CONTENT_TYPE_FIELD: &str = "_content_type";

/// A file that was sent.
pub(crate) struct File {
    pub(crate) content: SpooledTempFile,
    pub(crate) size: u64,
}

/// Maximum number of fields of a form, as in Django. No form here has as many.
const MAX_PARTS: usize = 1000;

/// Files up to so many bytes are kept in memory.
const MAX_FILE_IN_MEMORY: usize = 64 * 1024;

const JSON: &[u8] = b"application/json";
const FORM: &[u8] = b"application/x-www-form-urlencoded";
const MULTIPART: &[u8] = b"multipart/form-data";

impl Body {
    /// Reads the body of a request, of which at most `limit` bytes are kept, and no files. The memory comes from
    /// `share`.
    pub(crate) async fn read(http: &HttpRequest, payload: Payload, limit: usize, share: &mut Share) -> Self {
        Self::read_limited(http, payload, limit, false, share).await
    }

    /// Reads the body of a request, of which at most `limit` bytes are kept, files too.
    pub(crate) async fn read_with_file(
        http: &HttpRequest,
        payload: Payload,
        limit: usize,
        share: &mut Share,
    ) -> Self {
        Self::read_limited(http, payload, limit, true, share).await
    }

    /// Reads no further once the body is refused: `edge::payload` receives the rest.
    async fn read_limited(
        http: &HttpRequest,
        mut payload: Payload,
        limit: usize,
        keep_files: bool,
        share: &mut Share,
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
            if !share.grow_to(reader.memory()) {
                return Self::NoMemory;
            }
        }
        reader.finish()
    }

    /// Reads a body of which every byte is there.
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
            _ => Self::Unsupported(media_type.given.clone()),
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

    /// What is wrong with the body itself, if it is not whole, or could not be taken apart or put aside.
    pub(crate) fn problem(&self) -> Option<ApiError> {
        match self {
            Self::Malformed(why) => Some(ApiError::Malformed(why.clone())),
            Self::TooLarge(limit) => Some(ApiError::TooLarge(*limit)),
            Self::BrokenOff => Some(ApiError::Malformed("The request body ends too early.".into())),
            Self::NoMemory => Some(ApiError::Unavailable("too many bodies take memory".into())),
            Self::NotKept(kind) => Some(images::Error::Images(io::Error::from(*kind).into()).into()),
            Self::Empty { .. } | Self::Json(_) | Self::Form(_) | Self::Unsupported(_) => None,
        }
    }

    /// The body's fields, to be read by their description.
    pub(crate) fn form(&self, specs: &'static [FieldSpec]) -> Result<Form<'_>, ApiError> {
        match (self, self.problem()) {
            (_, Some(problem)) => Err(problem),
            (Self::Json(bytes), None) => Form::json(specs, bytes),
            (Self::Form(parts), None) => Ok(Form::html(specs, parts)),
            (Self::Unsupported(given), None) => Err(ApiError::UnsupportedMediaType(given.clone())),
            (Self::Empty { is_form: true }, None) => Ok(Form::html(specs, &[])),
            (_, None) => Form::json(specs, b"{}"),
        }
    }

    /// The text under a name in a form.
    pub(crate) fn text_of(&self, name: &str) -> Option<&str> {
        let Self::Form(parts) = self else { return None };
        parts.iter().rev().find_map(|(known, part)| match part {
            Part::Text(text) if known == name => Some(text.as_str()),
            _ => None,
        })
    }

    /// Reads what a form of our own pages says beside its fields: the verb that it stands for, and the raw body
    /// that it carries, which takes the form's place. What was sent is noted, to be shown again if it is refused.
    pub(crate) fn take_page_form(&mut self, sent: &mut SentForm) -> Option<Method> {
        let verb = self.text_of(VERB_FIELD).and_then(Method::named);
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
                Part::Text(text) if name != CSRF_FIELD && name != VERB_FIELD => {
                    Some((name.clone(), text.clone()))
                }
                _ => None,
            });
            *sent = SentForm::Fields(fields.collect());
        }
        verb
    }

    /// Returns the malformed body that a page's form is if one of the fields beside its own fields can't be decoded.
    fn undecodable_page_field(&self) -> Option<Self> {
        let Self::Form(parts) = self else { return None };
        parts.iter().find_map(|(name, part)| match part {
            Part::Undecodable(error)
                if [VERB_FIELD, CONTENT_FIELD, CONTENT_TYPE_FIELD].contains(&&**name) =>
            {
                let why = format!("Form parse error - the field \"{name}\" {error}");
                Some(Self::Malformed(why))
            }
            _ => None,
        })
    }

    /// Whether the body holds a file.
    pub(crate) fn has_file(&self) -> bool {
        matches!(self, Self::Form(parts) if parts.iter().any(|(_, part)| matches!(part, Part::File(_))))
    }

    /// Every text under a name in a form.
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

    /// Whether the body may hold a field of this name. In doubt it does.
    pub(crate) fn may_hold(&self, name: &str) -> bool {
        match self {
            // A name can be written with escapes.
            Self::Json(bytes) => {
                bytes.contains(&b'\\') || bytes.windows(name.len()).any(|window| window == name.as_bytes())
            }
            Self::Form(parts) => parts.iter().any(|(known, _)| known == name),
            _ => false,
        }
    }
}

/// A media type as a client gives it.
struct MediaType {
    given: String,
    value: HeaderValue,
}

impl MediaType {
    /// Reads the header `Content-Type`. Bytes that are not ASCII are ISO 8859-1, as in Django.
    fn of_header(given: &[u8]) -> Self {
        Self {
            given: decode_latin1(given).into_owned(),
            value: HeaderValue::parse(given),
        }
    }

    /// The media type of text that is decoded already, so that its parameter `charset` says nothing.
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
    /// Starts to read a body with this `Content-Type`.
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

    /// Reads a chunk. If that fails, the body is of no use, and this says so.
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

    /// Returns the body once it is whole.
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
