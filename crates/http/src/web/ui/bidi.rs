//! Isolation of user-supplied text from the text around it (Unicode Standard Annex 9).

use std::borrow::Cow;

const FIRST_STRONG_ISOLATE: char = '\u{2068}';
const POP_ISOLATE: char = '\u{2069}';

/// Wraps user-supplied text in isolates if it holds right-to-left letters or bidirectional controls, so that it cannot
/// reorder the text around it. For titles, attributes and sentences, which cannot hold `<bdi>`.
pub(crate) fn isolated(text: &str) -> Cow<'_, str> {
    if !text.chars().any(reorders) {
        return Cow::Borrowed(text);
    }
    let mut open = 0;
    let mut isolated = String::from(FIRST_STRONG_ISOLATE);
    for c in text.chars() {
        match c {
            '\u{2066}'..=FIRST_STRONG_ISOLATE => open += 1,
            // Would end the isolate around the text.
            POP_ISOLATE if open == 0 => continue,
            POP_ISOLATE => open -= 1,
            _ => {}
        }
        isolated.push(if ends_paragraph(c) { ' ' } else { c });
    }
    isolated.extend(std::iter::repeat_n(POP_ISOLATE, open + 1));
    Cow::Owned(isolated)
}

/// Returns whether a character is in a right-to-left block, or is a bidirectional control.
fn reorders(c: char) -> bool {
    matches!(
        c,
        '\u{590}'..='\u{8ff}'
            | '\u{200e}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{fb1d}'..='\u{fdff}'
            | '\u{fe70}'..='\u{feff}'
            | '\u{10800}'..='\u{10fff}'
            | '\u{1e800}'..='\u{1efff}'
    )
}

/// Returns whether a character ends a paragraph, and every isolate with it.
fn ends_paragraph(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{1c}'..='\u{1e}' | '\u{85}' | '\u{2029}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn left_to_right_text_stays_as_it_is() {
        for text in [
            "",
            "Toyota Camry",
            "Škoda",
            "日産",
            "Καλημέρα",
            "👩\u{200d}👧",
            "a\u{200b}",
        ] {
            assert_eq!(isolated(text), text);
        }
    }

    #[test]
    fn text_that_can_reorder_is_isolated() {
        for (text, expected) in [
            ("\u{202e}abc", "\u{2068}\u{202e}abc\u{2069}"),
            ("שלום", "\u{2068}שלום\u{2069}"),
            ("مرحبا 1", "\u{2068}مرحبا 1\u{2069}"),
            ("a\u{2069}\u{202e}b", "\u{2068}a\u{202e}b\u{2069}"),
            ("\u{2067}a", "\u{2068}\u{2067}a\u{2069}\u{2069}"),
            (
                "\u{2066}\u{2068}a\u{2069}",
                "\u{2068}\u{2066}\u{2068}a\u{2069}\u{2069}\u{2069}",
            ),
            (
                "\u{2067}a\u{2069}\u{2069}\u{2069}",
                "\u{2068}\u{2067}a\u{2069}\u{2069}",
            ),
            ("\u{202e}a\u{2029}b\nc", "\u{2068}\u{202e}a b c\u{2069}"),
        ] {
            assert_eq!(isolated(text), expected, "{text:?}");
        }
    }
}
