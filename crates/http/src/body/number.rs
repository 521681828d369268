//! Numbers as Python reads and writes them, because that is what clients are used to.

use mycars_domain::Violation;

/// Longer texts are not read as numbers.
const MAX_NUMBER_LENGTH: usize = 1000;

/// The whole number in a text, as Django REST framework's `IntegerField` reads it: white space around it, a
/// sign, underscores between digits and a fraction of zeros are fine. Numbers beyond 64 bits become the
/// greatest or the least that there is, which no field allows.
pub(super) fn parse_integer(text: &str) -> Result<i64, Violation> {
    if text.chars().count() > MAX_NUMBER_LENGTH {
        return Err(Violation::NumberTooLong);
    }
    let text = without_zero_fraction(text.trim());
    let (is_negative, digits) = match text.as_bytes().first() {
        Some(b'-') => (true, &text[1..]),
        Some(b'+') => (false, &text[1..]),
        _ => (false, text),
    };
    let is_group = |group: &str| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit());
    if !digits.split('_').all(is_group) {
        return Err(Violation::NotAnInteger);
    }
    let magnitude = digits.replace('_', "").parse::<i64>().unwrap_or(i64::MAX);
    Ok(if is_negative { -magnitude } else { magnitude })
}

/// `12.000` and `12.` are `12`.
fn without_zero_fraction(text: &str) -> &str {
    match text.rsplit_once('.') {
        Some((whole, zeros)) if zeros.bytes().all(|byte| byte == b'0') => whole,
        _ => text,
    }
}

/// A JSON number as Python's `str` writes it once it is read: `3.50` is `3.5`, `1e3` is `1000.0`.
pub(super) fn as_python_text(json: &str) -> String {
    if !json.contains(['.', 'e', 'E']) {
        return if json == "-0" { "0".into() } else { json.into() };
    }
    match json.parse::<f64>() {
        Ok(number) if number.is_finite() => with_python_exponent(&format!("{number:?}")),
        _ => json.into(),
    }
}

/// Python writes exponents with a sign and at least two digits.
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
    fn what_python_does_not_read_as_an_integer_is_none() {
        for text in [
            "", " ", "abc", "1e3", "12.5", "1.0.0", "--1", "+ 1", "_1", "1_", "1__0", ".", "1,000", "0x10",
        ] {
            assert_eq!(parse_integer(text), Err(Violation::NotAnInteger), "{text:?}");
        }
    }

    #[test]
    fn huge_numbers_are_too_large_and_huge_texts_are_no_numbers() {
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
        ] {
            assert_eq!(as_python_text(json), python, "{json}");
        }
    }
}
