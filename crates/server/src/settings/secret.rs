//! Secrets, and the check for weak keys.

use std::fmt;

/// A text that `Debug` does not print.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(String);

impl Secret {
    pub(crate) fn new(text: String) -> Self {
        Self(text)
    }

    /// Returns the text itself.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// Words of placeholders and examples. A word stands before those that are parts of it.
const WELL_KNOWN: &str = "changeme change password passwd secret django insecure example default mycars letmein \
    qwertyuiop qwerty asdfghjkl zxcvbnm admin token random string replace please test your this here with long very \
    key car";

/// Minimum number of characters that do not follow from the others. A random key has about twice as many, even one of
/// 32 hexadecimal digits.
const LEAST_UNPREDICTABLE: usize = 12;

/// Returns why a key is too easy to guess; `None` if it is strong.
pub(crate) fn weakness(key: &str) -> Option<&'static str> {
    if key.starts_with("django-insecure-") {
        Some("which begins with django-insecure-")
    } else if key.chars().count() < 32 {
        Some("which has fewer than 32 characters")
    } else if count_unpredictable(key) < LEAST_UNPREDICTABLE {
        Some("which consists of repetitions, sequences or well-known words")
    } else {
        None
    }
}

/// Counts the characters of a key that do not follow from those before them, without well-known words.
fn count_unpredictable(key: &str) -> usize {
    let rest = WELL_KNOWN
        .split(' ')
        .fold(key.to_lowercase(), |rest, word| rest.replace(word, " "));
    let characters: Vec<char> = rest.chars().collect();
    (0..characters.len())
        .filter(|at| !is_predictable(&characters, *at))
        .count()
}

/// Returns whether a character follows from those before it: it equals the last one or is its neighbour in Unicode, it
/// ends three characters that occur before, or it is a separator that occurs before.
fn is_predictable(characters: &[char], at: usize) -> bool {
    let (before, c) = (&characters[..at], characters[at]);
    let continues = before
        .last()
        .is_some_and(|last| u32::from(*last).abs_diff(u32::from(c)) <= 1);
    let repeats = at >= 2 && before.windows(3).any(|three| three == &characters[at - 2..=at]);
    continues || repeats || (!c.is_alphanumeric() && before.contains(&c))
}

#[cfg(test)]
mod tests {
    use mycars_application::ports::Random as _;
    use mycars_security::SystemRandom;

    use super::*;

    #[test]
    fn short_or_example_key_is_weak() {
        for key in [
            "",
            "short",
            &"\u{fc}".repeat(31),
            "django-insecure-0$w3+x!q_7@1u(c9z#r5",
            &"changeme".repeat(4),
            &"ChangeMe!".repeat(5),
            &"abcd".repeat(20),
            &"abcde".repeat(7),
            &"k7#Qz!".repeat(9),
            &"password1".repeat(4),
            "00000000000000000000000000012345",
            "0123456789abcdef0123456789abcdef",
            "fedcba9876543210fedcba9876543210",
            "abcdefghijklmnopqrstuvwxyz0123456789",
            "qwertyuiopasdfghjklzxcvbnm1234567890",
            "11111111111111112222222222345678",
            "your-secret-key-here-please-change-me",
            "this-is-a-very-long-secret-key-for-mycars",
            "replace this with a long random string",
            "secret_key_secret_key_secret_key_secret_key",
        ] {
            assert!(weakness(key).is_some(), "{key}");
        }
    }

    #[test]
    fn random_key_is_not_weak() {
        let letters = ('a'..='z').chain('A'..='Z').chain('0'..='9');
        let letters: Vec<char> = letters.chain("-_!@#$%^&*(=+)".chars()).collect();
        for _ in 0..1_000 {
            // As this program and `openssl rand -hex 32` generate it, and with half as many digits.
            let [generated, short] = [32, 16].map(|bytes| SystemRandom.hex(bytes));
            // As Django generates it.
            let hex = SystemRandom.hex(50);
            let bytes = (0..50).map(|at| usize::from_str_radix(&hex[2 * at..2 * at + 2], 16).unwrap());
            let mixed: String = bytes.map(|byte| letters[byte % letters.len()]).collect();
            for key in [generated, short, mixed] {
                assert_eq!(weakness(&key), None, "{key}");
            }
        }
    }

    #[test]
    fn sentence_of_uncommon_words_is_not_weak() {
        assert_eq!(weakness("0123 django-insecure-abcxkvnwpqmzrtj"), None);
        assert_eq!(weakness("marble otter hums beneath violet copper rain"), None);
    }
}
