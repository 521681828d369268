//! Transfer encodings of parts (RFC 2045, section 6), decoded piece by piece.

use base64::{
    Engine as _,
    alphabet::STANDARD,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Decodes the content of one part.
pub(super) enum TransferDecoder {
    /// `7bit`, `8bit`, `binary`, or an encoding that Django does not decode either.
    Identity,
    Base64 {
        /// Characters that do not fill a group of four yet.
        pending: Vec<u8>,
        is_padded: bool,
    },
    QuotedPrintable {
        /// The start of a line that is not complete yet.
        pending: Vec<u8>,
    },
}

/// The content is not valid in its transfer encoding; holds the encoding's name.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct InvalidContent(pub(super) &'static str);

const INVALID_BASE64: InvalidContent = InvalidContent("base64");
const INVALID_QUOTED_PRINTABLE: InvalidContent = InvalidContent("quoted-printable");

impl TransferDecoder {
    /// Returns the decoder for a value of `Content-Transfer-Encoding`.
    pub(super) fn named(encoding: &[u8]) -> Self {
        match encoding.trim_ascii().to_ascii_lowercase().as_slice() {
            b"base64" => Self::Base64 {
                pending: Vec::new(),
                is_padded: false,
            },
            b"quoted-printable" => Self::QuotedPrintable { pending: Vec::new() },
            _ => Self::Identity,
        }
    }

    /// Decodes these bytes as far as possible, and passes the result to `write`.
    pub(super) fn push<E: From<InvalidContent>>(
        &mut self,
        bytes: &[u8],
        write: impl FnOnce(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        match self {
            Self::Identity => write(bytes),
            Self::Base64 { pending, is_padded } => write(&base64(pending, is_padded, bytes)?),
            Self::QuotedPrintable { pending } => {
                pending.extend_from_slice(bytes);
                let Some(end) = bytes.iter().rposition(|byte| *byte == b'\n') else {
                    return Ok(());
                };
                let rest = pending.split_off(pending.len() - (bytes.len() - end - 1));
                let lines = std::mem::replace(pending, rest);
                write(&quoted_printable(&lines)?)
            }
        }
    }

    /// Decodes the rest.
    pub(super) fn finish(self) -> Result<Vec<u8>, InvalidContent> {
        match self {
            Self::Identity => Ok(Vec::new()),
            Self::Base64 { pending, .. } => BASE64.decode(pending).map_err(|_| INVALID_BASE64),
            Self::QuotedPrintable { pending } => quoted_printable(&pending),
        }
    }
}

/// Decodes all complete groups of four characters. White space is ignored.
fn base64(pending: &mut Vec<u8>, is_padded: &mut bool, bytes: &[u8]) -> Result<Vec<u8>, InvalidContent> {
    pending.extend(bytes.iter().filter(|byte| !byte.is_ascii_whitespace()));
    let rest = pending.split_off(pending.len() - pending.len() % 4);
    let groups = std::mem::replace(pending, rest);
    if *is_padded && !(groups.is_empty() && pending.is_empty()) {
        return Err(INVALID_BASE64);
    }
    *is_padded |= groups.ends_with(b"=");
    if *is_padded && !pending.is_empty() {
        return Err(INVALID_BASE64);
    }
    BASE64.decode(groups).map_err(|_| INVALID_BASE64)
}

fn quoted_printable(lines: &[u8]) -> Result<Vec<u8>, InvalidContent> {
    let mut decoded = Vec::with_capacity(lines.len());
    for line in lines.split_inclusive(|byte| *byte == b'\n') {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        let line_end = line.get(text.len()..).unwrap_or_default();
        // White space at the end of a line was added on the way (RFC 2045, section 6.7, rule 3).
        let text = text.trim_ascii_end();
        let (text, line_end) = match text.strip_suffix(b"=") {
            Some(text) => (text, &b""[..]),
            None => (text, line_end),
        };
        decode_escapes(text, &mut decoded)?;
        decoded.extend_from_slice(line_end);
    }
    Ok(decoded)
}

fn decode_escapes(text: &[u8], decoded: &mut Vec<u8>) -> Result<(), InvalidContent> {
    let mut rest = text.iter().copied();
    while let Some(byte) = rest.next() {
        decoded.push(match byte {
            b'=' => {
                let high = rest.next().and_then(hex_digit);
                let low = rest.next().and_then(hex_digit);
                let (Some(high), Some(low)) = (high, low) else {
                    return Err(INVALID_QUOTED_PRINTABLE);
                };
                high << 4 | low
            }
            _ => byte,
        });
    }
    Ok(())
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn decode(encoding: &str, pieces: &[&[u8]]) -> Result<Vec<u8>, InvalidContent> {
        let mut reader = TransferDecoder::named(encoding.as_bytes());
        let mut decoded = Vec::new();
        for piece in pieces {
            reader.push::<InvalidContent>(piece, |bytes| {
                decoded.extend_from_slice(bytes);
                Ok(())
            })?;
        }
        decoded.extend(reader.finish()?);
        Ok(decoded)
    }

    #[test]
    fn base64_is_decoded_with_and_without_padding_and_line_ends() {
        for (text, decoded) in [
            ("", ""),
            ("QQ==", "A"),
            ("QQ", "A"),
            ("QQ=", "A"),
            ("QR==", "A"),
            ("QUI=", "AB"),
            ("QUJD", "ABC"),
            ("QU\r\nJD\r\n", "ABC"),
            (" Q U J D \n", "ABC"),
            ("QQ==\r\n\r\n", "A"),
        ] {
            assert_eq!(
                decode("Base64", &[text.as_bytes()]),
                Ok(decoded.into()),
                "{text:?}"
            );
        }
        for text in [
            "Q",
            "QQ==QQ==",
            "Q=Q=",
            "Q!JD",
            "====",
            "QQ===",
            "=",
            "QUJD=",
            "w\u{fc}JD",
        ] {
            assert_eq!(
                decode("base64", &[text.as_bytes()]),
                Err(INVALID_BASE64),
                "{text:?}"
            );
        }
    }

    #[test]
    fn quoted_printable_is_decoded() {
        for (text, decoded) in [
            ("", ""),
            ("M=C3=BCller", "Müller"),
            ("M=c3=bcller", "Müller"),
            ("Müller", "Müller"),
            ("a=\r\nb=\nc", "abc"),
            ("a= \t\r\nb", "ab"),
            ("a  \r\nb\nc\r\n", "a\r\nb\nc\r\n"),
            ("a=20\r\n", "a \r\n"),
            ("1=3D1=", "1=1"),
        ] {
            let read = decode("quoted-printable", &[text.as_bytes()]);
            assert_eq!(read, Ok(decoded.into()), "{text:?}");
        }
        for text in ["=C", "=ZZ", "a=b", "==", "=+1", "=3\r\nD"] {
            let read = decode("quoted-printable", &[text.as_bytes()]);
            assert_eq!(read, Err(INVALID_QUOTED_PRINTABLE), "{text:?}");
        }
    }

    #[test]
    fn other_encodings_are_left_alone() {
        for encoding in ["", "7bit", "8bit", "binary", "x-uuencode"] {
            assert_eq!(
                decode(encoding, &[b"Q=Q=\xff", b"\0"]),
                Ok(b"Q=Q=\xff\0".to_vec()),
                "{encoding}"
            );
        }
    }

    proptest! {
        #[test]
        fn pieces_do_not_change_the_result(
            text in "[QUJD=\r\n a-f0-9]{0,40}",
            at in any::<proptest::sample::Index>(),
            encoding in prop_oneof!["base64", "quoted-printable"],
        ) {
            let (start, end) = text.as_bytes().split_at(at.index(text.len() + 1));
            let single: Vec<&[u8]> = text.as_bytes().chunks(1).collect();
            let whole = decode(&encoding, &[text.as_bytes()]);
            prop_assert_eq!(&decode(&encoding, &[start, end]), &whole);
            prop_assert_eq!(&decode(&encoding, &single), &whole);
        }

        #[test]
        fn base64_is_read_back(bytes in proptest::collection::vec(any::<u8>(), 0..100), at in any::<proptest::sample::Index>()) {
            let text = BASE64.encode(&bytes);
            let (start, end) = text.as_bytes().split_at(at.index(text.len() + 1));
            prop_assert_eq!(decode("base64", &[start, end]), Ok(bytes));
        }
    }
}
