//! Parses bodies, for the fuzz targets in `fuzz/`.

use std::io::{Read as _, Seek as _};

use crate::request::body::{Body, BodyReader, Part};

/// Reads a body in chunks of at most `size` bytes. Returns the result as text, for comparisons.
#[must_use]
pub fn read_body(content_type: &[u8], body: &[u8], size: usize) -> String {
    let mut reader = BodyReader::new(content_type, true);
    let pushed = body.chunks(size.max(1)).try_for_each(|chunk| reader.push(chunk));
    match pushed.map_or_else(|body| body, |()| reader.finish()) {
        Body::Json(bytes) => format!("{bytes:?}"),
        Body::Form(parts) => {
            let parts: Vec<_> = parts
                .into_iter()
                .map(|(name, part)| (name, describe(part)))
                .collect();
            format!("{parts:?}")
        }
        Body::Malformed(why) => why,
        Body::Unsupported(media_type, _) => media_type.given,
        _ => String::new(),
    }
}

fn describe(part: Part) -> String {
    match part {
        Part::Text(text) => format!("{text:?}"),
        Part::Undecodable(error) => error.to_string(),
        Part::File(file) => {
            let (mut content, mut bytes) = (file.into_inner().content, Vec::new());
            let read = content.rewind().and_then(|()| content.read_to_end(&mut bytes));
            format!("{read:?} {}", bytes.escape_ascii())
        }
    }
}
