//! Header values with parameters: `Content-Type` and `Content-Disposition`, read as leniently as Django reads them.

use percent_encoding::percent_decode;

use super::charset::Charset;

/// A header value such as `form-data; name="image"; filename*=utf-8''a.jpg`.
#[derive(Debug, Default, Clone)]
pub(super) struct HeaderValue {
    /// The part before the first semicolon, in lower case.
    pub(super) essence: Vec<u8>,
    parameters: Vec<(Vec<u8>, Parameter)>,
}

/// The value of a parameter.
#[derive(Debug, Clone)]
pub(super) struct Parameter {
    pub(super) value: Vec<u8>,
    /// The encoding that the parameter itself declares (RFC 2231 and RFC 8187).
    pub(super) charset: Option<Charset>,
}

impl HeaderValue {
    pub(super) fn parse(value: &[u8]) -> Self {
        let mut pieces = split(value).into_iter();
        let essence = pieces
            .next()
            .unwrap_or_default()
            .trim_ascii()
            .to_ascii_lowercase();
        Self {
            essence,
            parameters: pieces.filter_map(parameter).collect(),
        }
    }

    /// Returns a parameter, the last one of several with one name.
    pub(super) fn parameter(&self, name: &str) -> Option<&Parameter> {
        let named = |(known, _): &&(Vec<u8>, Parameter)| known == name.as_bytes();
        self.parameters
            .iter()
            .rev()
            .find(named)
            .map(|(_, parameter)| parameter)
    }

    /// Returns the encoding that the parameter `charset` declares.
    pub(super) fn charset(&self) -> Option<Charset> {
        Charset::for_label(&self.parameter("charset")?.value)
    }
}

/// Splits at semicolons outside of quotation marks.
fn split(value: &[u8]) -> Vec<&[u8]> {
    let (mut is_quoted, mut is_escaped) = (false, false);
    value
        .split(|byte| {
            let ends = *byte == b';' && !is_quoted;
            is_quoted ^= *byte == b'"' && !is_escaped;
            is_escaped = *byte == b'\\' && is_quoted && !is_escaped;
            ends
        })
        .collect()
}

fn parameter(piece: &[u8]) -> Option<(Vec<u8>, Parameter)> {
    let equals = piece.iter().position(|byte| *byte == b'=')?;
    let (name, value) = piece.split_at(equals);
    let name = name.trim_ascii().to_ascii_lowercase();
    let value = value.get(1..).unwrap_or_default().trim_ascii();
    Some(match name.strip_suffix(b"*") {
        Some(name) => (name.to_vec(), extended(value)),
        None => (
            name,
            Parameter {
                value: unquoted(value),
                charset: None,
            },
        ),
    })
}

/// Reads an extended value: `utf-8'en'M%C3%BCller`. Any other value is taken literally.
fn extended(value: &[u8]) -> Parameter {
    let value = unquoted(value);
    let mut pieces = value.splitn(3, |byte| *byte == b'\'');
    if let (Some(charset), Some(_language), Some(text)) = (pieces.next(), pieces.next(), pieces.next()) {
        return Parameter {
            value: percent_decode(text).collect(),
            charset: Charset::for_label(charset),
        };
    }
    Parameter { value, charset: None }
}

/// Removes quotation marks. Only `\"` and `\\` are escapes in them: Internet Explorer sends paths with backslashes.
fn unquoted(value: &[u8]) -> Vec<u8> {
    let [b'"', inner @ .., b'"'] = value else {
        return value.to_vec();
    };
    let mut text = Vec::with_capacity(inner.len());
    let mut rest = inner.iter().copied().peekable();
    while let Some(byte) = rest.next() {
        let escaped = if byte == b'\\' {
            rest.next_if(|next| b"\"\\".contains(next))
        } else {
            None
        };
        text.push(escaped.unwrap_or(byte));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(value: &str, name: &str) -> Option<String> {
        let value = HeaderValue::parse(value.as_bytes());
        let parameter = value.parameter(name)?;
        let charset = parameter.charset.clone().unwrap_or(Charset::DEFAULT);
        Some(charset.decode(parameter.value.clone()).unwrap())
    }

    #[test]
    fn parameters_are_read_in_all_spellings() {
        for (value, expected) in [
            ("form-data; name=a", "a"),
            ("form-data;name=a", "a"),
            ("form-data ; name = a ", "a"),
            ("form-data; NAME=\"a\"", "a"),
            ("form-data; name = \"a\" ; x=y", "a"),
            ("form-data; name=\"a;b\"; x=y", "a;b"),
            (r#"form-data; name="a\"b""#, "a\"b"),
            (r#"form-data; name="a\\b""#, "a\\b"),
            (r#"form-data; name="C:\dir\a.jpg"; x=y"#, "C:\\dir\\a.jpg"),
            (r#"form-data; name="a\\"; x=y"#, "a\\"),
            ("form-data; name=a=b/c:d?e@f(g),h", "a=b/c:d?e@f(g),h"),
            ("form-data; name*=utf-8''M%C3%BCller", "Müller"),
            ("form-data; name*=UTF-8'de'M%C3%BCller", "Müller"),
            ("form-data; name*=\"utf-8''M%C3%BCller\"", "Müller"),
            ("form-data; name*=iso-8859-1''M%FCller", "Müller"),
            ("form-data; name*=utf-8''it's", "it's"),
            ("form-data; name*=plain", "plain"),
            ("form-data; name=a; name=b", "b"),
            ("form-data; name=\"\"", ""),
            ("form-data; name=", ""),
            ("form-data; ; name=ü", "ü"),
            ("; name=a", "a"),
            ("form-data; name=\"", "\""),
        ] {
            assert_eq!(read(value, "name").as_deref(), Some(expected), "{value}");
        }
        for value in [
            "",
            "form-data",
            "form-data; name",
            "form-data; x=name",
            "form-data; xname=a",
        ] {
            assert_eq!(read(value, "name"), None, "{value}");
        }
    }

    #[test]
    fn essence_is_trimmed_and_in_lower_case() {
        for value in [
            "multipart/form-data",
            " Multipart/Form-Data ; boundary=x",
            "MULTIPART/FORM-DATA;",
        ] {
            assert_eq!(
                HeaderValue::parse(value.as_bytes()).essence,
                b"multipart/form-data",
                "{value}"
            );
        }
    }
}
