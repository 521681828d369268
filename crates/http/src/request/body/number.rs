//! Numbers as Python and Django REST framework read and write them, and as users type them into pages.

use mycars_domain::{Violation, decimal_digit, is_space, strip};

/// Maximum number of characters of a number in text.
const MAX_NUMBER_LENGTH: usize = 1000;

/// Characters that group digits by three and never separate decimals.
const GROUPING: &str = " _'\u{2019}";

/// Characters that separate decimals in one language and groups of digits in another.
const AMBIGUOUS: &str = ".,\u{66b}\u{66c}";

/// Returns the whole number in a text, as Django REST framework's `IntegerField` reads it: what Python's `int` takes,
/// and a fraction of zeros. Numbers beyond 64 bits become the greatest or the least number, which no field allows.
pub(super) fn parse_integer(text: &str) -> Result<i64, Violation> {
    if text.chars().count() > MAX_NUMBER_LENGTH {
        return Err(Violation::NumberTooLong);
    }
    parse_json_integer(text)
}

/// Returns the whole number in the text of a JSON number, which may be of any length.
pub(super) fn parse_json_integer(text: &str) -> Result<i64, Violation> {
    python_int(without_zero_fraction(text)).ok_or(Violation::NotAnInteger)
}

/// Returns what Python's `int` reads in a text: decimal digits of any script with underscores between them, a sign and
/// surrounding white space. Numbers beyond 64 bits become the greatest or the least number.
pub(crate) fn python_int(text: &str) -> Option<i64> {
    let text = python_numeric(text);
    // ASCII is not replaced, so that U+001C to U+001F are not white space here.
    let (is_negative, digits) = split_sign(text.trim_matches([' ', '\t', '\n', '\u{b}', '\u{c}', '\r']));
    let is_group = |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
    let magnitude = digits
        .split('_')
        .all(is_group)
        .then(|| digits.replace('_', "").parse().unwrap_or(i64::MAX))?;
    Some(if is_negative { -magnitude } else { magnitude })
}

/// Returns a text with ASCII digits and spaces in place of those outside ASCII, as Python prepares numbers.
pub(crate) fn python_numeric(text: &str) -> String {
    let ascii = |c: char| match decimal_digit(c) {
        Some(value) => char::from_digit(value, 10).unwrap_or(c),
        None if !c.is_ascii() && is_space(c) => ' ',
        None => c,
    };
    text.chars().map(ascii).collect()
}

/// Returns the whole number that a user typed into a form of a page: see [`typed_digits`].
pub(super) fn parse_typed_integer(text: &str) -> Result<i64, Violation> {
    parse_integer(&typed_digits(text)?)
}

/// Returns the ASCII digits, with a sign, of a whole number that a user typed. Groups of three digits may be separated
/// by one kind of space, apostrophe or underscore.
///
/// # Errors
/// [`Violation::AmbiguousNumber`] for any other separators, since `125.000` is 125 in some languages and 125 thousand
/// in others. [`Violation::NotAnInteger`], [`Violation::NumberTooLong`].
pub(crate) fn typed_digits(text: &str) -> Result<String, Violation> {
    if text.chars().count() > MAX_NUMBER_LENGTH {
        return Err(Violation::NumberTooLong);
    }
    let text = python_numeric(strip(text));
    let (is_negative, number) = split_sign(&text);
    let is_number = number.contains(|c: char| c.is_ascii_digit())
        && number
            .chars()
            .all(|c| c.is_ascii_digit() || GROUPING.contains(c) || AMBIGUOUS.contains(c));
    if !is_number {
        return Err(Violation::NotAnInteger);
    }
    let digits = ungrouped(number).ok_or(Violation::AmbiguousNumber)?;
    Ok(if is_negative { format!("-{digits}") } else { digits })
}

/// Returns digits without the separators between groups of three; `None` if they are grouped in any other way.
fn ungrouped(number: &str) -> Option<String> {
    let Some(separator) = number.chars().find(|c| !c.is_ascii_digit()) else {
        return Some(number.to_owned());
    };
    let is_grouped = GROUPING.contains(separator)
        && number.split(separator).enumerate().all(|(index, group)| {
            let has_length = if index == 0 {
                (1..=3).contains(&group.len())
            } else {
                group.len() == 3
            };
            has_length && group.bytes().all(|byte| byte.is_ascii_digit())
        });
    is_grouped.then(|| number.replace(separator, ""))
}

/// Returns whether a number is negative, and the number without its sign.
fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// Returns `12` of `12.000` and `12.`, also with white space after it.
fn without_zero_fraction(text: &str) -> &str {
    match text.rsplit_once('.') {
        Some((whole, zeros)) if zeros.trim_end_matches(is_space).bytes().all(|byte| byte == b'0') => whole,
        _ => text,
    }
}

/// Formats a JSON number as Python's `str` does after parsing: `3.50` is `3.5`, `1e3` is `1000.0`, `1e400` is `inf`.
pub(super) fn as_python_text(json: &str) -> String {
    if !json.contains(['.', 'e', 'E']) {
        return if json == "-0" { "0".into() } else { json.into() };
    }
    match json.parse::<f64>() {
        Ok(number) => with_python_exponent(&format!("{number:?}")),
        Err(_) => json.into(),
    }
}

/// Writes an exponent as Python does: with a sign and at least two digits.
fn with_python_exponent(rust: &str) -> String {
    match rust.split_once('e') {
        None => rust.into(),
        Some((mantissa, exponent)) => {
            let (sign, digits) = match exponent.strip_prefix('-') {
                Some(digits) => ('-', digits),
                None => ('+', exponent),
            };
            format!("{}e{sign}{digits:0>2}", mantissa.trim_end_matches(".0"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_read_as_python_reads_them() {
        for (text, number) in [
            ("2023", 2023),
            (" 12 ", 12),
            ("+7", 7),
            ("-7", -7),
            ("12.0", 12),
            ("12.", 12),
            ("1_000", 1000),
            ("007", 7),
            ("-0", 0),
        ] {
            assert_eq!(parse_integer(text), Ok(number), "{text:?}");
        }
    }

    #[test]
    fn text_that_python_rejects_is_not_an_integer() {
        for text in [
            "", " ", "abc", "1e3", "12.5", "1.0.0", "--1", "+ 1", "_1", "1_", "1__0", ".", "1,000", "0x10",
        ] {
            assert_eq!(parse_integer(text), Err(Violation::NotAnInteger), "{text:?}");
        }
    }

    #[test]
    fn huge_numbers_are_clamped_and_huge_texts_refused() {
        assert_eq!(parse_integer(&"9".repeat(1000)), Ok(i64::MAX));
        assert_eq!(parse_integer(&format!("-{}", "9".repeat(30))), Ok(-i64::MAX));
        assert_eq!(parse_integer(&"9".repeat(1001)), Err(Violation::NumberTooLong));
    }

    #[test]
    fn numbers_are_written_as_python_writes_them() {
        for (json, python) in [
            ("208", "208"),
            ("-0", "0"),
            ("3.5", "3.5"),
            ("3.50", "3.5"),
            ("1e3", "1000.0"),
            ("2000.0", "2000.0"),
            ("1e16", "1e+16"),
            ("1.5E300", "1.5e+300"),
            ("1e-7", "1e-07"),
            ("0.0001", "0.0001"),
            ("0.00001", "1e-05"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("-1e400", "-inf"),
        ] {
            assert_eq!(as_python_text(json), python, "{json}");
        }
    }

    #[test]
    fn typed_numbers_may_have_unambiguous_groups() {
        for (typed, number) in [
            ("125000", 125_000),
            (" 125 000 ", 125_000),
            ("125\u{a0}000", 125_000),
            ("1\u{202f}250\u{202f}000", 1_250_000),
            ("125'000", 125_000),
            ("1’250’000", 1_250_000),
            ("12_500", 12_500),
            ("١٢٥٠٠٠", 125_000),
            ("２０２０", 2020),
            ("+7", 7),
            ("-7", -7),
            ("007", 7),
            ("0", 0),
        ] {
            assert_eq!(parse_typed_integer(typed), Ok(number), "{typed:?}");
        }
        assert_eq!(parse_typed_integer(&"9".repeat(1000)), Ok(i64::MAX));
    }

    #[test]
    fn typed_numbers_with_ambiguous_groups_are_refused() {
        for typed in [
            "125.000",
            "125,000",
            "1.250.000",
            "1,250,000",
            "12.0",
            "12,5",
            "12.5",
            "12.",
            ".5",
            ",5",
            "1 250.000",
            "1,250.00",
            "1 2",
            "12 50",
            "1250 000",
            "1 000 00",
            "1'000 000",
            "1  000",
            "1__000",
            "_1",
            "1_",
            "1 ' 000",
            "١٢٥٬٠٠٠",
            "١٢٫٥",
            "1.000'000",
            "'1",
            "-1.000",
        ] {
            assert_eq!(
                parse_typed_integer(typed),
                Err(Violation::AmbiguousNumber),
                "{typed:?}"
            );
        }
        for typed in [
            "", " ", "abc", "12 km", "1e3", "--1", "−5", "1/2", "0x10", "²", ".", ",",
        ] {
            assert_eq!(
                parse_typed_integer(typed),
                Err(Violation::NotAnInteger),
                "{typed:?}"
            );
        }
        assert_eq!(
            parse_typed_integer(&"9".repeat(1001)),
            Err(Violation::NumberTooLong)
        );
    }
}
