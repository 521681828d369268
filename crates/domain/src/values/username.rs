//! The username of a user.

use unicode_normalization::UnicodeNormalization as _;
use unicode_security::confusable_detection::skeleton;

use super::text::{Rule, text_type};
use crate::{Violation, fold, strip};

text_type! {
    /// The name that a user logs in with: 1 to 150 letters and digits of any script and `@.+-_`, but not `.` or `..`,
    /// which URLs cannot hold as a segment (RFC 3986, section 5.2.4). It is stored as written, in Unicode's normal form NFKC, so that different encodings of one text are equal. Unique ignoring
    /// case.
    ///
    /// Two usernames are the same if their [`key`](Self::key)s are equal.
    Username
}

impl Username {
    /// Maximum number of characters.
    pub const MAX_LENGTH: usize = 150;

    /// Trims and normalises `text` and checks it.
    ///
    /// # Errors
    /// [`Violation::Blank`], [`Violation::InvalidUsername`], [`Violation::TooLong`],
    /// [`Violation::NullCharacter`].
    ///
    /// ```
    /// # use mycars_domain::{Violation, values::Username};
    /// assert_eq!(Username::parse("ｊöhn.doe+1")?.as_str(), "jöhn.doe+1");
    /// assert_eq!(Username::parse("two words"), Err(vec![Violation::InvalidUsername]));
    /// # Ok::<(), Vec<Violation>>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, Vec<Violation>> {
        let text = Self::normalize(text);
        let allowed = |c: char| c.is_alphanumeric() || "@.+-_".contains(c);
        let mut violations = Vec::new();
        let is_path_segment = matches!(text.as_str(), "." | "..");
        if is_path_segment || !text.chars().all(allowed) {
            violations.push(Violation::InvalidUsername);
        }
        match (Rule {
            max_length: Self::MAX_LENGTH,
            may_be_blank: false,
        })
        .check(&text)
        {
            Ok(text) if violations.is_empty() => return Ok(Self(text)),
            Ok(_) => {}
            Err(more) => violations.extend(more),
        }
        Err(violations)
    }

    /// Returns `text` in the form in which usernames are stored: trimmed and in normal form NFKC, but not checked. A
    /// login looks its user up by this form.
    #[must_use]
    pub fn normalize(text: &str) -> String {
        strip(text).nfkc().collect()
    }

    /// Returns the key that a store keeps unique. It is equal for two usernames if [`fold`] maps them to the same
    /// text.
    ///
    /// ```
    /// # use mycars_domain::values::Username;
    /// let key = |name| Username::parse(name).unwrap().key();
    /// assert_eq!(key("Ann"), key("aNN"));
    /// ```
    #[must_use]
    pub fn key(&self) -> String {
        fold(self.as_str())
    }

    /// Returns whether this name looks like `other` without being the same: by the skeletons of UTS 39, section 4,
    /// ignoring case.
    ///
    /// ```
    /// # use mycars_domain::values::Username;
    /// let name = |text| Username::parse(text).unwrap();
    /// assert!(name("\u{430}dmin").is_confusable_with(&name("Admin")), "a Cyrillic letter");
    /// assert!(!name("admin").is_confusable_with(&name("Admin")), "the same name");
    /// assert!(!name("admin2").is_confusable_with(&name("admin")));
    /// ```
    #[must_use]
    pub fn is_confusable_with(&self, other: &Self) -> bool {
        let (key, other) = (self.key(), other.key());
        let looks = |key: &str| fold(&skeleton(key).collect::<String>());
        key != other && looks(&key) == looks(&other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn username_of_letters_digits_and_five_signs_is_valid() {
        for name in ["john_doe", "a.ö-ß_+@", "李明", "Иван42", "x"] {
            assert_eq!(Username::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn username_with_other_signs_is_refused() {
        for name in ["two words", "a/b", "a\tb", "a!", "<b>", "a\u{200b}b", ".", ".."] {
            assert_eq!(
                Username::parse(name),
                Err(vec![Violation::InvalidUsername]),
                "{name:?}"
            );
        }
        let both = vec![Violation::InvalidUsername, Violation::NullCharacter];
        assert_eq!(Username::parse("a\0b"), Err(both));
    }

    #[test]
    fn username_that_is_blank_or_too_long_is_refused() {
        assert_eq!(Username::parse("  "), Err(vec![Violation::Blank]));
        assert_eq!(Username::parse("\u{1d}"), Err(vec![Violation::Blank]));
        let filler = Err(vec![Violation::Blank]);
        assert_eq!(Username::parse("\u{3164}"), filler, "a letter that shows nothing");
        assert!(Username::parse(&"u".repeat(150)).is_ok());
        assert_eq!(
            Username::parse(&"u".repeat(151)),
            Err(vec![Violation::TooLong { max: 150 }])
        );
    }

    #[test]
    fn username_is_normalized_and_compared_without_case() {
        assert_eq!(
            Username::parse("ﬁona").unwrap(),
            Username::parse("fiona").unwrap()
        );
        assert_eq!(
            Username::parse("Ann").unwrap().key(),
            Username::parse("aNN").unwrap().key()
        );
        assert_eq!(
            Username::parse("Νίκος").unwrap().key(),
            Username::parse("νίκοσ").unwrap().key()
        );
    }
}
