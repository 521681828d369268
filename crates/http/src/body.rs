//! Request bodies: reading them within their limit, and reading fields from them.
//!
//! Reading never fails at once: what is wrong with a body matters only after it is known who asks and what
//! for. It is said when somebody asks for the fields.

mod form;
mod number;

use std::{
    cell::RefCell,
    io::{self, Write as _},
    rc::Rc,
};

use actix_multipart::{Field as PartReader, Multipart, MultipartError};
use actix_web::{
    HttpRequest,
    error::PayloadError,
    http::header::{CONTENT_LENGTH, CONTENT_TYPE, TRANSFER_ENCODING},
    web::{Bytes, BytesMut, Payload},
};
use futures_util::{Stream, StreamExt as _, TryStreamExt as _, stream};
use mycars_application::images;
use tempfile::SpooledTempFile;

pub(crate) use form::Form;

use crate::{browser::CSRF_FIELD, endpoint::Verb, error::ApiError, fields::FieldSpec};

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
    /// A part of a body whose rest never came.
    BrokenOff,
    /// A file that could not be put aside.
    NotKept(io::ErrorKind),
}

/// What a form holds under one name.
pub(crate) enum Part {
    /// Text.
    Text(String),
    /// A file, put aside: in memory while it is small, on disk when it is not. Where no file may come it is
    /// empty.
    File(RefCell<File>),
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

/// So many bytes beyond the limit are read and thrown away, so that a client that only listens after it has
/// sent everything hears why it was refused. Beyond that, the connection is closed on it.
const MAX_DISCARDED: usize = 16 * 1024 * 1024;

/// So many parts of a form are read: many times what any form here has.
const MAX_PARTS: usize = 1000;

/// Files up to so many bytes are kept in memory.
const MAX_FILE_IN_MEMORY: usize = 64 * 1024;

const FORM: &str = "application/x-www-form-urlencoded";
const MULTIPART: &str = "multipart/form-data";

impl Body {
    /// Reads the body of a request, of which at most `limit` bytes are kept, and no files.
    pub(crate) async fn read(http: &HttpRequest, payload: Payload, limit: usize) -> Self {
        Self::read_limited(http, Limited::new(payload, limit), false).await
    }

    /// Reads the body of a request, of which at most `limit` bytes are kept, files too.
    pub(crate) async fn read_with_file(http: &HttpRequest, payload: Payload, limit: usize) -> Self {
        Self::read_limited(http, Limited::new(payload, limit), true).await
    }

    async fn read_limited(http: &HttpRequest, payload: Limited, keep_files: bool) -> Self {
        let given = http
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or("");
        let essence = given.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
        let body = if essence == MULTIPART && has_body(http) {
            read_multipart(http, &payload, keep_files).await
        } else {
            read_whole(&essence, given, &payload).await
        };
        if payload.is_over() {
            payload.discard().await;
            return Self::TooLarge(payload.limit);
        }
        body
    }

    /// A body of which every byte is there.
    fn whole(essence: &str, given: &str, bytes: Bytes) -> Self {
        match essence {
            _ if bytes.is_empty() => Self::Empty {
                is_form: matches!(essence, FORM | MULTIPART),
            },
            "application/json" => Self::Json(bytes),
            FORM => Self::Form(
                form_urlencoded::parse(&bytes)
                    .take(MAX_PARTS)
                    .map(|(name, value)| (name.into_owned(), Part::Text(value.into_owned())))
                    .collect(),
            ),
            _ => Self::Unsupported(given.to_owned()),
        }
    }

    /// What is wrong with the body itself, if it is not whole, or could not be taken apart or put aside.
    pub(crate) fn problem(&self) -> Option<ApiError> {
        match self {
            Self::BrokenMultipart(why) => {
                Some(ApiError::Malformed(format!("Multipart form parse error - {why}")))
            }
            Self::TooLarge(limit) => Some(ApiError::TooLarge(*limit)),
            Self::BrokenOff => Some(ApiError::Malformed("The request body ends too early.".into())),
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
    pub(crate) fn take_page_form(&mut self, sent: &mut SentForm) -> Option<Verb> {
        let verb = self.text_of(VERB_FIELD).and_then(Verb::named);
        if let Some(content) = self.text_of(CONTENT_FIELD).map(str::to_owned) {
            let media_type = self
                .text_of(CONTENT_TYPE_FIELD)
                .unwrap_or("application/json")
                .to_owned();
            *self = Self::whole(&media_type, &media_type, Bytes::from(content.clone()));
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

/// Reads a body of which nothing is wanted, and forgets it.
pub(crate) async fn discard(payload: Payload, limit: usize) {
    Limited::new(payload, limit).discard().await;
}

fn has_body(http: &HttpRequest) -> bool {
    match http.headers().get(CONTENT_LENGTH) {
        Some(length) => length != "0",
        None => http.headers().contains_key(TRANSFER_ENCODING),
    }
}

async fn read_whole(essence: &str, given: &str, payload: &Limited) -> Body {
    let mut bytes = BytesMut::new();
    let mut chunks = payload.chunks();
    while let Some(chunk) = chunks.next().await {
        match chunk {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(_) => return Body::BrokenOff,
        }
    }
    Body::whole(essence, given, bytes.freeze())
}

async fn read_multipart(http: &HttpRequest, payload: &Limited, keep_files: bool) -> Body {
    let mut multipart = Multipart::new(http.headers(), payload.chunks());
    let mut parts = Vec::new();
    loop {
        let part = match multipart.try_next().await {
            Ok(Some(part)) => part,
            Ok(None) => return Body::Form(parts),
            Err(error) => return Body::BrokenMultipart(say(&error)),
        };
        match read_part(part, keep_files).await {
            Ok(Some(part)) if parts.len() < MAX_PARTS => parts.push(part),
            Ok(_) => {}
            Err(PartError::Multipart(error)) => return Body::BrokenMultipart(say(&error)),
            Err(PartError::NotKept(error)) => return Body::NotKept(error.kind()),
        }
    }
}

enum PartError {
    Multipart(MultipartError),
    NotKept(io::Error),
}

impl From<MultipartError> for PartError {
    fn from(error: MultipartError) -> Self {
        Self::Multipart(error)
    }
}

/// A part and its name; `None` for a file that nobody chose, which browsers send all the same.
async fn read_part(mut part: PartReader, keep_files: bool) -> Result<Option<(String, Part)>, PartError> {
    let name = part.name().unwrap_or_default().to_owned();
    let file_name = part
        .content_disposition()
        .and_then(|disposition| disposition.get_filename());
    let Some(file_name) = file_name else {
        let mut text = BytesMut::new();
        while let Some(chunk) = part.try_next().await? {
            text.extend_from_slice(&chunk);
        }
        return Ok(Some((
            name,
            Part::Text(String::from_utf8_lossy(&text).into_owned()),
        )));
    };
    let was_chosen = !file_name.is_empty();
    let mut file = File {
        content: SpooledTempFile::new(MAX_FILE_IN_MEMORY),
        size: 0,
    };
    while let Some(chunk) = part.try_next().await? {
        if keep_files {
            file.content.write_all(&chunk).map_err(PartError::NotKept)?;
            file.size += chunk.len() as u64;
        }
    }
    Ok(was_chosen.then(|| (name, Part::File(RefCell::new(file)))))
}

/// A payload of which only so many bytes are let through.
struct Limited {
    payload: Rc<RefCell<Payload>>,
    received: Rc<RefCell<usize>>,
    limit: usize,
}

impl Limited {
    fn new(payload: Payload, limit: usize) -> Self {
        Self {
            payload: Rc::new(RefCell::new(payload)),
            received: Rc::default(),
            limit,
        }
    }

    /// The chunks of the payload, until it ends or has more bytes than the limit.
    fn chunks(&self) -> impl Stream<Item = Result<Bytes, PayloadError>> + Unpin + use<> {
        let (payload, received, limit) = (Rc::clone(&self.payload), Rc::clone(&self.received), self.limit);
        stream::poll_fn(move |context| {
            payload.borrow_mut().poll_next_unpin(context).map(|chunk| {
                let chunk = chunk?;
                if let Ok(bytes) = &chunk {
                    *received.borrow_mut() += bytes.len();
                }
                Some(if *received.borrow() > limit {
                    Err(PayloadError::Overflow)
                } else {
                    chunk
                })
            })
        })
    }

    fn is_over(&self) -> bool {
        *self.received.borrow() > self.limit
    }

    /// Reads on for a while and forgets what comes.
    async fn discard(&self) {
        let mut chunks = self.chunks();
        while *self.received.borrow() <= self.limit + MAX_DISCARDED && chunks.next().await.is_some() {}
    }
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
