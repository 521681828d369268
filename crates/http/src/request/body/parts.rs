//! Reads the fields of forms: of `multipart/form-data` (RFC 7578) and of `application/x-www-form-urlencoded`.

use std::{
    cell::RefCell,
    io::{self, Write as _},
};

use tempfile::SpooledTempFile;

use super::{
    File, MAX_FILE_IN_MEMORY, MAX_PARTS, Part,
    charset::Charset,
    header::{HeaderValue, Parameter},
    multipart::{Event, MultipartError, Splitter},
    transfer::{InvalidContent, TransferDecoder},
};
use crate::request::urlencoded;

/// The field by which a form names the encoding of its text (RFC 7578, section 4.6).
const CHARSET_FIELD: &[u8] = b"_charset_";

/// The reason why a form can't be read.
#[derive(Debug)]
pub(super) enum FormError {
    /// The body is malformed; holds the message.
    Malformed(String),
    /// A file could not be written.
    NotKept(io::Error),
}

impl From<MultipartError> for FormError {
    fn from(error: MultipartError) -> Self {
        Self::Malformed(error.to_string())
    }
}

impl From<InvalidContent> for FormError {
    fn from(InvalidContent(encoding): InvalidContent) -> Self {
        Self::Malformed(format!("Could not decode {encoding} data"))
    }
}

impl FormError {
    /// Adds the name of the field to the message.
    fn of_field(self, name: &Parameter) -> Self {
        match self {
            Self::Malformed(why) => {
                Self::Malformed(format!("{why} of the field \"{}\"", name.value.escape_ascii()))
            }
            Self::NotKept(_) => self,
        }
    }
}

/// A field whose text is not decoded yet, as its encoding may be declared by a later field.
struct RawField {
    name: Parameter,
    value: RawValue,
}

enum RawValue {
    /// Text, and the encoding that its part declares.
    Text(Vec<u8>, Option<Charset>),
    File(File),
}

/// Reads the fields of `multipart/form-data`, chunk by chunk.
pub(super) struct PartsReader {
    splitter: Splitter,
    keep_files: bool,
    fields: Vec<RawField>,
    part: Option<OpenPart>,
    /// Number of bytes of text.
    text: usize,
}

/// The part that is being read.
struct OpenPart {
    name: Option<Parameter>,
    decoder: TransferDecoder,
    value: RawValue,
    /// Whether the part is left out: browsers send one even if no file was chosen.
    is_left_out: bool,
}

impl PartsReader {
    pub(super) fn new(boundary: &[u8], keep_files: bool) -> Result<Self, MultipartError> {
        Ok(Self {
            splitter: Splitter::new(boundary)?,
            keep_files,
            fields: Vec::new(),
            part: None,
            text: 0,
        })
    }

    pub(super) fn push(&mut self, chunk: &[u8]) -> Result<(), FormError> {
        self.splitter.push(chunk);
        self.take_events()
    }

    /// Returns the number of bytes of text, which are kept in memory.
    pub(super) fn memory(&self) -> usize {
        self.text
    }

    /// Returns the fields. `declared` is the encoding in the header of the request.
    pub(super) fn finish(mut self, declared: Option<Charset>) -> Result<Vec<(String, Part)>, FormError> {
        self.splitter.finish();
        self.take_events()?;
        decode_fields(self.fields, declared)
    }

    fn take_events(&mut self) -> Result<(), FormError> {
        while let Some(event) = self.splitter.next_event()? {
            match event {
                Event::Headers(headers) => self.part = Some(OpenPart::new(&headers)),
                Event::Content(bytes) => {
                    if let Some(part) = &mut self.part {
                        if matches!(part.value, RawValue::Text(..)) {
                            self.text += bytes.len();
                        }
                        part.push(&bytes, self.keep_files)?;
                    }
                }
                Event::End => self.end_part()?,
            }
        }
        Ok(())
    }

    fn end_part(&mut self) -> Result<(), FormError> {
        let Some(part) = self.part.take() else {
            return Ok(());
        };
        if let Some(field) = part.finish(self.keep_files)? {
            if self.fields.len() == MAX_PARTS {
                return Err(too_many_fields());
            }
            self.fields.push(field);
        }
        Ok(())
    }
}

impl OpenPart {
    fn new(headers: &[u8]) -> Self {
        let headers = unfolded(headers);
        let disposition = header(&headers, b"content-disposition");
        let content_type = header(&headers, b"content-type");
        let transfer = header(&headers, b"content-transfer-encoding");
        let file_name = disposition.parameter("filename");
        let value = if file_name.is_some() {
            RawValue::File(File {
                content: SpooledTempFile::new(MAX_FILE_IN_MEMORY),
                size: 0,
            })
        } else {
            RawValue::Text(Vec::new(), content_type.charset())
        };
        Self {
            name: disposition.parameter("name").cloned(),
            decoder: TransferDecoder::named(&transfer.essence),
            value,
            is_left_out: file_name.is_some_and(|name| name.value.is_empty()),
        }
    }

    fn push(&mut self, bytes: &[u8], keep_files: bool) -> Result<(), FormError> {
        let Self {
            name, decoder, value, ..
        } = self;
        // A part without a name is not a field.
        let Some(name) = name else {
            return Ok(());
        };
        decoder
            .push(bytes, |bytes| value.write(bytes, keep_files))
            .map_err(|error: FormError| error.of_field(name))
    }

    fn finish(mut self, keep_files: bool) -> Result<Option<RawField>, FormError> {
        let Some(name) = self.name else {
            return Ok(None);
        };
        let rest = self.decoder.finish();
        let rest = rest.map_err(|error| FormError::from(error).of_field(&name))?;
        self.value.write(&rest, keep_files)?;
        let value = self.value;
        Ok((!self.is_left_out).then_some(RawField { name, value }))
    }
}

impl RawValue {
    fn write(&mut self, bytes: &[u8], keep_files: bool) -> Result<(), FormError> {
        match self {
            Self::Text(text, _) => text.extend_from_slice(bytes),
            Self::File(file) if keep_files => {
                file.content.write_all(bytes).map_err(FormError::NotKept)?;
                file.size += bytes.len() as u64;
            }
            Self::File(_) => {}
        }
        Ok(())
    }
}

/// Returns the lines of headers; one that begins with white space continues the one before.
fn unfolded(headers: &[u8]) -> Vec<Vec<u8>> {
    let mut lines: Vec<Vec<u8>> = Vec::new();
    for line in headers.split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match lines.last_mut() {
            Some(last) if line.starts_with(b" ") || line.starts_with(b"\t") => last.extend_from_slice(line),
            _ => lines.push(line.to_vec()),
        }
    }
    lines
}

/// Returns the value of a header, the last one of several with one name; an empty one if there is none.
fn header(lines: &[Vec<u8>], name: &[u8]) -> HeaderValue {
    let value = lines.iter().rev().find_map(|line| {
        let colon = line.iter().position(|byte| *byte == b':')?;
        let (known, value) = line.split_at(colon);
        known
            .trim_ascii()
            .eq_ignore_ascii_case(name)
            .then(|| value.get(1..))?
    });
    value.map(HeaderValue::parse).unwrap_or_default()
}

/// Reads the fields of `application/x-www-form-urlencoded`.
pub(super) fn read_urlencoded(
    body: &[u8],
    declared: Option<Charset>,
) -> Result<Vec<(String, Part)>, FormError> {
    let fields: Vec<_> = urlencoded::pairs(body)
        .take(MAX_PARTS + 1)
        .map(|(name, value)| RawField {
            name: Parameter {
                value: name,
                charset: None,
            },
            value: RawValue::Text(value, None),
        })
        .collect();
    if fields.len() > MAX_PARTS {
        return Err(too_many_fields());
    }
    decode_fields(fields, declared)
}

fn too_many_fields() -> FormError {
    FormError::Malformed(format!("The form has too many fields: at most {MAX_PARTS}"))
}

/// Decodes names and text. The encoding is the one that the part declares, otherwise that of the field `_charset_`,
/// otherwise that of the request's header.
fn decode_fields(fields: Vec<RawField>, declared: Option<Charset>) -> Result<Vec<(String, Part)>, FormError> {
    let named = fields.iter().find_map(|field| match &field.value {
        RawValue::Text(label, _) if field.name.value == CHARSET_FIELD => Charset::for_label(label),
        _ => None,
    });
    let default = named.or(declared).unwrap_or(Charset::DEFAULT);
    fields
        .into_iter()
        .map(|field| {
            let part = match field.value {
                RawValue::File(file) => Part::File(RefCell::new(file)),
                RawValue::Text(text, charset) => match charset.as_ref().unwrap_or(&default).decode(text) {
                    Ok(text) => Part::Text(text),
                    Err(error) => Part::Undecodable(error),
                },
            };
            Ok((decode_name(field.name, &default)?, part))
        })
        .collect()
}

fn decode_name(name: Parameter, default: &Charset) -> Result<String, FormError> {
    let charset = match name.charset {
        _ if name.value.is_ascii() => &Charset::DEFAULT,
        Some(ref charset) => charset,
        None => default,
    };
    let written = name.value.escape_ascii().to_string();
    match charset.decode(name.value) {
        Ok(name) => Ok(name.trim_ascii().to_owned()),
        Err(error) => {
            let message = format!("The name of the field \"{written}\" {error}");
            Err(FormError::Malformed(message))
        }
    }
}
