//! Reads the values of request headers, with any bytes.
//!
//! A header may hold any byte but control characters, and `HeaderValue::to_str` fails for a whole header if one byte is
//! not ASCII. With these functions, an invalid byte affects only the element that holds it.

use std::borrow::Cow;

use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};
use encoding_rs::mem::decode_latin1;

/// Returns the text of a value. Bytes that are not ASCII are ISO 8859-1, as in Django.
pub(crate) fn text(value: &HeaderValue) -> Cow<'_, str> {
    decode_latin1(value.as_bytes())
}

/// Returns the text of the first header of this name.
pub(crate) fn first<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, str>> {
    headers.get(name).map(text)
}

/// Splits a value at a separator. An element that is not UTF-8 is empty.
pub(crate) fn elements(value: &HeaderValue, separator: u8) -> impl DoubleEndedIterator<Item = &str> {
    value
        .as_bytes()
        .split(move |byte| *byte == separator)
        .map(|element| std::str::from_utf8(element).unwrap_or_default().trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(bytes: &[u8]) -> HeaderValue {
        HeaderValue::from_bytes(bytes).unwrap()
    }

    #[test]
    fn text_decodes_bytes_beyond_ascii_as_latin_1() {
        assert_eq!(text(&value(b"text/html")), "text/html");
        assert_eq!(text(&value(b"gr\xfcn")), "gr\u{fc}n");
        assert_eq!(text(&value("gr\u{fc}n".as_bytes())), "gr\u{c3}\u{bc}n");
        assert_eq!(text(&value(b"a\tb")), "a\tb");
    }

    #[test]
    fn invalid_byte_affects_only_its_element() {
        let header = value(b" a , \xff\xfe,c\xc3\xbc,,d");
        let found: Vec<&str> = elements(&header, b',').collect();
        assert_eq!(found, ["a", "", "c\u{fc}", "", "d"]);
    }
}
