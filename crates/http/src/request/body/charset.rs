//! Character encodings of bodies and of their parts. Invalid text is an error; nothing is replaced.

use std::borrow::Cow;

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};
use mycars_domain::Violation;
use thiserror::Error;

/// The character encoding that a client declares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Charset {
    Known(&'static Encoding),
    /// An unknown encoding. Its text is read as UTF-8, as in Django.
    Unknown(String),
}

/// Text is not valid in its encoding; holds the name of the encoding.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("could not be decoded as {0}")]
pub(crate) struct Undecodable(String);

impl Undecodable {
    pub(super) fn violation(&self) -> Violation {
        Violation::Undecodable(self.0.clone())
    }
}

impl Charset {
    /// The encoding of bodies that declare none.
    pub(crate) const DEFAULT: Self = Self::Known(UTF_8);

    /// Returns the encoding with this label, `None` if the label is blank.
    pub(super) fn for_label(label: &[u8]) -> Option<Self> {
        let label = label.trim_ascii();
        let label = match label {
            [b'\'', inner @ .., b'\''] => inner.trim_ascii(),
            _ => label,
        };
        if label.is_empty() {
            return None;
        }
        let named = known(label).map(Self::Known);
        Some(named.unwrap_or_else(|| Self::Unknown(label.escape_ascii().to_string())))
    }

    /// Decodes the text of a field. A byte order mark is a character like others.
    pub(super) fn decode(&self, bytes: Vec<u8>) -> Result<String, Undecodable> {
        match self {
            Self::Known(encoding) if *encoding == UTF_8 => {
                String::from_utf8(bytes).map_err(|_| Undecodable(UTF_8.name().into()))
            }
            Self::Known(encoding) => encoding
                .decode_without_bom_handling_and_without_replacement(&bytes)
                .map(Cow::into_owned)
                .ok_or_else(|| Undecodable(encoding.name().into())),
            Self::Unknown(label) => {
                String::from_utf8(bytes).map_err(|_| Undecodable(format!("{label} (unknown encoding)")))
            }
        }
    }

    /// Decodes a whole document. A byte order mark at its start is removed, and determines the UTF.
    pub(super) fn decode_document(&self, bytes: Vec<u8>) -> Result<String, Undecodable> {
        let is_utf = match self {
            Self::Known(encoding) => [UTF_8, UTF_16LE, UTF_16BE].contains(encoding),
            Self::Unknown(_) => true,
        };
        match Encoding::for_bom(&bytes) {
            Some((encoding, length)) if is_utf => {
                Self::Known(encoding).decode(bytes.get(length..).unwrap_or_default().to_vec())
            }
            _ => self.decode(bytes),
        }
    }
}

/// Finds an encoding by the labels of the WHATWG, and by spellings of Python: `latin-1`, `utf_8`.
fn known(label: &[u8]) -> Option<&'static Encoding> {
    let lower = label.to_ascii_lowercase();
    let with_hyphens: Vec<u8> = lower
        .iter()
        .map(|byte| if *byte == b'_' { b'-' } else { *byte })
        .collect();
    let bare: Vec<u8> = with_hyphens
        .iter()
        .copied()
        .filter(|byte| *byte != b'-')
        .collect();
    if bare == b"usascii" || bare == b"ascii" {
        // The WHATWG reads it as windows-1252, but clients that declare it often send UTF-8.
        return Some(UTF_8);
    }
    [&lower, &with_hyphens, &bare]
        .into_iter()
        .find_map(|label| Encoding::for_label_no_replacement(label))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(label: &str, bytes: &[u8]) -> Result<String, Undecodable> {
        Charset::for_label(label.as_bytes())
            .unwrap()
            .decode(bytes.to_vec())
    }

    #[test]
    fn labels_of_python_and_of_the_whatwg_are_known() {
        for label in [
            "latin-1",
            "latin1",
            "Latin_1",
            "iso-8859-1",
            "ISO_8859-1",
            "iso8859-1",
            "ISO8859_1",
            "l1",
            "cp1252",
            "windows-1252",
            " iso-8859-1 ",
            "'iso-8859-1'",
        ] {
            assert_eq!(decode(label, b"M\xfcller").as_deref(), Ok("Müller"), "{label}");
        }
        for label in ["utf-8", "UTF8", "utf_8", "us-ascii", "ASCII"] {
            assert_eq!(
                decode(label, "Müller".as_bytes()).as_deref(),
                Ok("Müller"),
                "{label}"
            );
        }
        for (label, bytes, text) in [
            ("iso-8859-15", &b"\xa4"[..], "€"),
            ("windows-1251", b"\xcc\xee\xf1\xea\xe2\xe0", "Москва"),
            ("koi8-r", b"\xed\xcf\xd3\xcb\xd7\xc1", "Москва"),
            ("shift_jis", b"\x93\xfa\x96{", "日本"),
            ("euc-jp", b"\xc6\xfc\xcb\xdc", "日本"),
            ("iso-2022-jp", b"\x1b$BF|K\\\x1b(B", "日本"),
            ("gb18030", b"\xd6\xd0", "中"),
            ("gbk", b"\xd6\xd0", "中"),
            ("big5", b"\xa4\xa4", "中"),
            ("euc-kr", b"\xc7\xd1", "한"),
            ("iso-8859-9", b"\xfd", "ı"),
            ("windows-1250", b"\x9a", "š"),
            ("macintosh", b"\x9f", "ü"),
            ("utf-16le", b"\xfc\0", "ü"),
            ("utf-16be", b"\0\xfc", "ü"),
        ] {
            assert_eq!(decode(label, bytes).as_deref(), Ok(text), "{label}");
        }
    }

    #[test]
    fn invalid_text_is_refused_with_the_encodings_name() {
        for (label, bytes, name) in [
            ("utf-8", &b"M\xfcller"[..], "UTF-8"),
            ("ascii", b"M\xfcller", "UTF-8"),
            ("utf-8", b"\xc3", "UTF-8"),
            ("utf-8", b"\xed\xa0\x80", "UTF-8"),
            ("shift_jis", b"\x93", "Shift_JIS"),
            ("euc-kr", b"\xff", "EUC-KR"),
            ("utf-16le", b"\0\xd8", "UTF-16LE"),
            ("utf-16le", b"a", "UTF-16LE"),
        ] {
            let refused = Err(Undecodable(name.into()));
            assert_eq!(decode(label, bytes), refused, "{label}");
        }
    }

    #[test]
    fn text_in_unknown_encoding_is_read_as_utf8() {
        for label in ["utf8mb4", "x-unknown", "utf-32", "utf-7", "iso-2022-kr", "\u{fc}"] {
            for text in ["Mueller", "Müller", "Москва", "日本", "🚗", "\u{fffd}"] {
                assert_eq!(decode(label, text.as_bytes()).as_deref(), Ok(text), "{label}");
            }
            for bytes in [&b"M\xfcller"[..], b"\xc3", b"\xed\xa0\x80", b"\xff\xfe"] {
                let refused = decode(label, bytes).unwrap_err().to_string();
                assert!(refused.ends_with(" (unknown encoding)"), "{refused}");
            }
        }
    }

    #[test]
    fn blank_label_declares_no_encoding() {
        for label in ["", " ", "''"] {
            assert_eq!(Charset::for_label(label.as_bytes()), None, "{label:?}");
        }
    }

    #[test]
    fn byte_order_marks_of_documents_are_removed() {
        let decode = |label: &str, bytes: &[u8]| {
            let charset = Charset::for_label(label.as_bytes()).unwrap();
            charset.decode_document(bytes.to_vec())
        };
        for (label, bytes) in [
            ("utf-8", &b"\xef\xbb\xbf{}"[..]),
            ("utf-8", b"\xff\xfe{\0}\0"),
            ("utf-16", b"\xff\xfe{\0}\0"),
            ("utf-16", b"\xfe\xff\0{\0}"),
            ("utf-16", b"{\0}\0"),
            ("utf-16be", b"\0{\0}"),
            ("utf8mb4", b"\xef\xbb\xbf{}"),
        ] {
            assert_eq!(decode(label, bytes).as_deref(), Ok("{}"), "{label}");
        }
        assert_eq!(decode("latin1", b"\xef\xbb\xbf{}").as_deref(), Ok("ï»¿{}"));
    }
}
