//! The name that a user logs in with.

use unicode_normalization::UnicodeNormalization as _;

use super::text::{Rule, text_type};
use crate::{Violation, fold, strip};

text_type! {
    /// The name that a user logs in with: 1 to 150 letters and digits of any script and `@.+-_`, in Unicode's
    /// normal form NFKC, so that what looks the same is the same. Kept as written; unique ignoring case.
    ///
    /// Whether two usernames are the same is asked of their [`key`](Self::key)s.
    Username
}

impl Username {
    /// How many characters there may be at most.
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
        if !text.chars().all(allowed) {
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

    /// `text` as a username is kept: trimmed and in normal form NFKC, and not checked. A login is looked up by this.
    #[must_use]
    pub fn normalize(text: &str) -> String {
        strip(text).nfkc().collect()
    }

    /// What is the same for two usernames that [`fold`] makes the same: what a store keeps unique.
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_of_any_script_digits_and_five_signs_are_allowed() {
        for name in ["john_doe", "a.ö-ß_+@", "李明", "Иван42", "x"] {
            assert_eq!(Username::parse(name).unwrap().as_str(), name);
        }
    }

    #[test]
    fn other_signs_are_not() {
        for name in ["two words", "a/b", "a\tb", "a!", "<b>", "a\u{200b}b"] {
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
    fn blank_is_only_blank_and_151_characters_are_too_many() {
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
    fn what_looks_the_same_is_the_same() {
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
