//! Unusual values.

use crate::support::random::Random;

/// Texts for a query, a form or a JSON string, before they are encoded.
const TEXTS: [&str; 44] = [
    "",
    " ",
    "0",
    "-1",
    "1",
    "12.0",
    "+7",
    "1e400",
    "-1e30",
    "1000000000000000000000000000000",
    "2147483648",
    "-2147483649",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "0x10",
    "NaN",
    "inf",
    "-inf",
    "1_000",
    "\0",
    "a\0b",
    "%",
    "%%",
    "_",
    "\\",
    "'",
    "''''",
    "\"",
    "\"unclosed",
    "'; DROP TABLE cars; --",
    "{{7*7}}",
    "<b>",
    "\u{202e}evitcA",
    "😀",
    "ﬀ",
    "İ",
    "\u{feff}",
    "٣",
    "true",
    "None",
    "client",
    "admin",
    "2023-01-01T00:00:00Z",
];

/// Serialised JSON values.
const JSONS: [&str; 34] = [
    "null",
    "true",
    "false",
    "0",
    "-0",
    "1",
    "-1",
    "2023",
    "0.1",
    "1e2",
    "1e400",
    "-1e400",
    "1E+2",
    "100000000000000000000000000000000000000000",
    "2147483648",
    "9223372036854775808",
    "\"\"",
    "\" \"",
    "\"\\u0000\"",
    "\"a\\u0000b\"",
    "\"\\ud800\"",
    "\"\\udc00x\"",
    "\"\\ud83d\\ude00\"",
    "\"\\uDBFF\\uD800\"",
    "[]",
    "{}",
    "[[1]]",
    "{\"a\":{\"b\":null}}",
    "\"12.0\"",
    "\"2023\"",
    "\"admin\"",
    "\"client\"",
    "\"a@b.example\"",
    "\"\\n\\t\\r\"",
];

/// Invalid JSON.
const NO_JSONS: [&str; 10] = [
    "",
    "NaN",
    "Infinity",
    "undefined",
    "'a'",
    "\"\\x\"",
    "\"\\u12\"",
    "01",
    "+1",
    "\"open",
];

/// The depth of deeply nested values, which must not overflow the stack.
const DEPTH: usize = 10_000;

/// Returns text of any kind; sometimes a long one.
pub(super) fn text(random: &mut Random, username: &str) -> String {
    match random.below(20) {
        0 => "x".repeat(random.below(300)),
        1 => "ü".repeat(1 + random.below(200)),
        2 => "9".repeat(1 + random.below(2000)),
        3 => username.to_owned(),
        4 => (0..random.below(20)).map(|_| any_char(random)).collect(),
        _ => (*random.pick(&TEXTS)).to_owned(),
    }
}

fn any_char(random: &mut Random) -> char {
    let code = u32::try_from(random.below(0x11_0000)).unwrap();
    char::from_u32(code).unwrap_or('\u{fffd}')
}

/// Returns a serialised JSON value.
pub(super) fn json(random: &mut Random) -> String {
    match random.below(40) {
        0 => format!("{}{}", "[".repeat(DEPTH), "]".repeat(DEPTH)),
        1 => format!("{}1{}", "{\"a\":".repeat(DEPTH), "}".repeat(DEPTH)),
        2 => "7".repeat(1 + random.below(5000)),
        3 => format!("\"{}\"", "long ".repeat(random.below(4000))),
        4 => (*random.pick(&NO_JSONS)).to_owned(),
        5 => format!("\"{}\"", any_char(random).escape_unicode()),
        _ => (*random.pick(&JSONS)).to_owned(),
    }
}

/// Returns a value for a query or a form: encoded, badly encoded, or not at all.
pub(super) fn encoded(random: &mut Random, text: &str) -> Vec<u8> {
    match random.below(12) {
        0 => b"%".to_vec(),
        1 => b"%zz%4".to_vec(),
        2 => b"%ff%c3%28%00".to_vec(),
        3 => b"%ed%a0%80".to_vec(),
        _ => form_urlencoded::byte_serialize(text.as_bytes())
            .collect::<String>()
            .into_bytes(),
    }
}
