//! Classes of characters: white space, invisible characters and digits.

use unicode_general_category::{GeneralCategory, get_general_category};

/// Returns whether a character is white space by Python's `str.isspace`: Unicode's white space and the separators
/// U+001C to U+001F.
///
/// ```
/// use mycars_domain::is_space;
///
/// assert!(is_space('\u{a0}') && is_space('\u{1c}'));
/// assert!(!is_space('\u{200b}'), "a zero-width space is no white space");
/// ```
#[must_use]
pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

/// Returns text without surrounding white space, as Python's `str.strip` does.
///
/// ```
/// use mycars_domain::strip;
///
/// assert_eq!(strip("\u{a0}\u{1f} two words\u{85}\n"), "two words");
/// ```
#[must_use]
pub fn strip(text: &str) -> &str {
    text.trim_matches(is_space)
}

/// Returns whether a text has no visible character. It may consist of white space, control, format and
/// default-ignorable characters (zero-width spaces, bidirectional controls, variation selectors, fillers) and
/// characters that are drawn blank. U+0000 is not one of them, because it has its own violation.
///
/// ```
/// use mycars_domain::shows_nothing;
///
/// assert!(shows_nothing(" \u{200b}\u{2800}"));
/// assert!(!shows_nothing("می\u{200c}خواهم"), "a zero-width non-joiner inside a word");
/// ```
#[must_use]
pub fn shows_nothing(text: &str) -> bool {
    text.chars().all(is_invisible)
}

fn is_invisible(c: char) -> bool {
    is_space(c)
        || is_default_ignorable(c)
        || matches!(
            get_general_category(c),
            GeneralCategory::Control | GeneralCategory::Format
        ) && c != '\0'
        || DRAWN_BLANK.contains(&c)
}

/// Characters that are visible by their properties, but drawn blank: the Braille pattern without dots, the Khitan
/// filler and the musical null note head.
const DRAWN_BLANK: [char; 3] = ['\u{2800}', '\u{16fe4}', '\u{1d159}'];

/// Returns whether a character has Unicode's property `Default_Ignorable_Code_Point`, so that it is invisible by
/// itself.
pub(crate) fn is_default_ignorable(c: char) -> bool {
    matches!(
        c,
        '\u{ad}'
            | '\u{34f}'
            | '\u{61c}'
            | '\u{115f}'..='\u{1160}'
            | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}'
            | '\u{feff}'
            | '\u{ffa0}'
            | '\u{fff0}'..='\u{fff8}'
            | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}'
    )
}

/// Returns the value of a decimal digit of any script (Unicode category Nd).
///
/// ```
/// use mycars_domain::decimal_digit;
///
/// assert_eq!(decimal_digit('7'), Some(7));
/// assert_eq!(decimal_digit('٧'), Some(7));
/// assert_eq!(decimal_digit('７'), Some(7));
/// assert_eq!(decimal_digit('²'), None);
/// ```
#[must_use]
pub fn decimal_digit(c: char) -> Option<u32> {
    if c.is_ascii() {
        return c.to_digit(10);
    }
    // Unicode encodes the ten digits of a script in order, so each run of digits begins with a zero.
    let is_decimal = |code| {
        char::from_u32(code).is_some_and(|c| get_general_category(c) == GeneralCategory::DecimalNumber)
    };
    let code = u32::from(c);
    let before = (0..code).rev().take_while(|code| is_decimal(*code));
    is_decimal(code).then(|| before.fold(0, |value, _| (value + 1) % 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn white_space_is_that_of_python() {
        // [c for c in map(chr, range(0x110000)) if c.isspace()] of Python 3.
        let python: Vec<char> = "\t\n\u{b}\u{c}\r\u{1c}\u{1d}\u{1e}\u{1f} \u{85}\u{a0}\u{1680}\u{2000}\u{2001}\u{2002}\
             \u{2003}\u{2004}\u{2005}\u{2006}\u{2007}\u{2008}\u{2009}\u{200a}\u{2028}\u{2029}\u{202f}\u{205f}\u{3000}"
            .chars()
            .collect();
        let ours: Vec<char> = ('\0'..=char::MAX).filter(|c| is_space(*c)).collect();
        assert_eq!(ours, python);
    }

    #[test]
    fn text_of_invisible_characters_shows_nothing() {
        for code in [
            0x09, 0x1c, 0x20, 0x7f, 0x85, 0xa0, 0xad, 0x34f, 0x61c, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x180b,
            0x180e, 0x180f, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x202a, 0x202c, 0x202e, 0x2060,
            0x2061, 0x2062, 0x2063, 0x2064, 0x2065, 0x2066, 0x2069, 0x206a, 0x2800, 0x3000, 0x3164, 0xfe00,
            0xfe0f, 0xfeff, 0xffa0, 0xfff0, 0xfff9, 0xfffb, 0x13430, 0x16fe4, 0x1bca0, 0x1d159, 0x1d173,
            0xe0001, 0xe0020, 0xe007f, 0xe0100, 0xe01ef, 0xe0fff,
        ] {
            let c = char::from_u32(code).unwrap();
            assert!(shows_nothing(&format!(" {c}\u{200b}")), "U+{code:04X}");
            assert!(!shows_nothing(&format!("{c}x{c}")), "U+{code:04X}");
        }
    }

    #[test]
    fn text_with_a_visible_character_shows_something() {
        for text in [
            "x",
            "-",
            "0",
            "👩\u{200d}👧",
            "❤\u{fe0f}",
            "می\u{200c}خواهم",
            "·",
            "\u{301}",
            "\u{fffd}",
            "\u{2588}",
            "\0",
        ] {
            assert!(!shows_nothing(text), "{text:?}");
        }
    }

    #[test]
    fn decimal_digit_of_every_script_has_its_value() {
        for zero in [
            0x30, 0x660, 0x6f0, 0x7c0, 0x966, 0x9e6, 0xe50, 0xf20, 0x1040, 0x17e0, 0x1810, 0x1a80, 0x1a90,
            0xa620, 0xff10, 0x104a0, 0x1d7ce, 0x1d7d8, 0x1d7f6, 0x1e950, 0x1fbf0,
        ] {
            for value in 0..10 {
                let digit = char::from_u32(zero + value).unwrap();
                assert_eq!(decimal_digit(digit), Some(value), "{digit}");
            }
        }
        for other in ['a', '²', '½', '①', 'Ⅷ', '一', '.', '\u{1d7cd}'] {
            assert_eq!(decimal_digit(other), None, "{other}");
        }
    }
}
