//! Splits `application/x-www-form-urlencoded` text: query strings and the bodies of forms.
//!
//! `form_urlencoded` replaces bytes that are not UTF-8 by U+FFFD, so that only its serializer is used.

use percent_encoding::percent_decode;

/// Returns the percent-decoded names and values in their order.
pub(crate) fn pairs(text: &[u8]) -> impl Iterator<Item = (Vec<u8>, Vec<u8>)> {
    text.split(|byte| *byte == b'&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let mut halves = pair.splitn(2, |byte| *byte == b'=');
            let mut next = || decode(halves.next().unwrap_or(b""));
            (next(), next())
        })
}

/// Returns the parameters of a query string. A value is `None` if it is not UTF-8; a parameter whose name is not
/// UTF-8 is left out, as it can't be a known one.
pub(crate) fn parameters(query: &str) -> impl Iterator<Item = (String, Option<String>)> {
    pairs(query.as_bytes()).filter_map(|(name, value)| {
        let name = String::from_utf8(name).ok()?;
        Some((name, String::from_utf8(value).ok()))
    })
}

fn decode(text: &[u8]) -> Vec<u8> {
    let text: Vec<u8> = text
        .iter()
        .map(|byte| if *byte == b'+' { b' ' } else { *byte })
        .collect();
    percent_decode(&text).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn pairs_are_split_and_percent_decoded() {
        let read = |text: &[u8]| pairs(text).collect::<Vec<_>>();
        let pair = |name: &[u8], value: &[u8]| (name.to_vec(), value.to_vec());
        for (text, expected) in [
            (&b""[..], vec![]),
            (b"&&", vec![]),
            (b"=", vec![pair(b"", b"")]),
            (b"a", vec![pair(b"a", b"")]),
            (b"a=b=c&a=", vec![pair(b"a", b"b=c"), pair(b"a", b"")]),
            (b"a+b=%2B+%26%3D", vec![pair(b"a b", b"+ &=")]),
            (b"a=%FC\xfc", vec![pair(b"a", b"\xfc\xfc")]),
            (b"a=100%&b=%zz%4", vec![pair(b"a", b"100%"), pair(b"b", b"%zz%4")]),
            (b"a=1;b=2", vec![pair(b"a", b"1;b=2")]),
        ] {
            assert_eq!(read(text), expected, "{}", text.escape_ascii());
        }
    }

    #[test]
    fn values_that_are_not_utf8_are_none() {
        let read: Vec<_> = parameters("a=%C3%BC&b=%FF&%FF=c").collect();
        assert_eq!(
            read,
            [("a".to_owned(), Some("ü".to_owned())), ("b".to_owned(), None)]
        );
    }

    proptest! {
        #[test]
        fn serialized_pairs_are_read_back(given in proptest::collection::vec((".{0,10}", ".{0,10}"), 0..5)) {
            let text = form_urlencoded::Serializer::new(String::new()).extend_pairs(&given).finish();
            let expected: Vec<_> = given.into_iter().map(|(name, value)| (name, Some(value))).collect();
            prop_assert_eq!(parameters(&text).collect::<Vec<_>>(), expected);
        }
    }
}
