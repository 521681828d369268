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

/// Returns why a key is too easy to guess; `None` if it is strong. Django warns about the same keys, and about those
/// of fewer than 50 characters.
pub(crate) fn weakness(key: &str) -> Option<&'static str> {
    let mut characters: Vec<char> = key.chars().collect();
    let length = characters.len();
    characters.sort_unstable();
    characters.dedup();
    if key.starts_with("django-insecure-") {
        Some("which begins with django-insecure-")
    } else if length < 32 {
        Some("which has fewer than 32 characters")
    } else if characters.len() < 5 {
        Some("which has fewer than 5 different characters")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_monotonous_or_example_key_is_weak() {
        for key in [
            "",
            "short",
            &"ü".repeat(31),
            &"abcd".repeat(20),
            "django-insecure-0123456789abcdefghijklmnop",
        ] {
            assert!(weakness(key).is_some(), "{key}");
        }
        for key in [
            "0123456789abcdef0123456789abcdef",
            &"abcde".repeat(7),
            "0123 django-insecure-abcdefghijklmnop",
        ] {
            assert_eq!(weakness(key), None, "{key}");
        }
    }
}
