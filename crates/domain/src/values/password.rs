//! A password, and what is kept of it.

use std::fmt;

use super::text::Rule;
use crate::{Violation, strip};

/// A password in clear: 1 to 128 characters without surrounding space. Never printed, not even by `Debug`.
///
/// That a password has these bounds says nothing of whether a person may choose it: see
/// [`password`](crate::password).
///
/// ```
/// use mycars_domain::values::Password;
///
/// let password = Password::parse(" Harbour-x7-9 ").unwrap();
/// assert_eq!(password.reveal(), "Harbour-x7-9");
/// assert_eq!(format!("{password:?}"), "Password(…)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Password(String);

impl Password {
    /// How many characters there may be at most.
    pub const MAX_LENGTH: usize = 128;

    /// Trims `text` (wire contract, section 1: passwords too) and checks it.
    ///
    /// # Errors
    /// [`Violation::Blank`], [`Violation::TooLong`], [`Violation::NullCharacter`].
    pub fn parse(text: &str) -> Result<Self, Vec<Violation>> {
        if strip(text).is_empty() {
            return Err(vec![Violation::Blank]);
        }
        Rule {
            max_length: Self::MAX_LENGTH,
            // Invisible characters are as good as any other in a password.
            may_be_blank: true,
        }
        .check(text)
        .map(Self)
    }

    /// The password in clear, for hashing it and for checking it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Password(…)")
    }
}

/// What is kept of a password: a hash, in one of Django's formats where My Cars made it. Never printed, not even by
/// `Debug`. Making and checking hashes is for an adapter.
///
/// ```
/// use mycars_domain::values::PasswordHash;
///
/// let hash = PasswordHash::from_storage("bcrypt_sha256$$2b$12$…".into());
/// assert_eq!(hash.reveal(), "bcrypt_sha256$$2b$12$…");
/// assert_eq!(format!("{hash:?}"), "PasswordHash(…)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// A hash as an adapter kept or made it.
    #[must_use]
    pub fn from_storage(hash: String) -> Self {
        Self(hash)
    }

    /// The hash of nobody's password: no login succeeds until a password is set. Django writes it the same.
    #[must_use]
    pub fn unusable() -> Self {
        Self("!".to_owned())
    }

    /// The hash as it is kept.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("PasswordHash(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_trimmed_as_at_login() {
        assert_eq!(Password::parse("  two words ").unwrap().reveal(), "two words");
    }

    #[test]
    fn a_password_has_1_to_128_characters() {
        assert_eq!(Password::parse(" "), Err(vec![Violation::Blank]));
        assert!(Password::parse(&"ü".repeat(128)).is_ok());
        assert_eq!(
            Password::parse(&"ü".repeat(129)),
            Err(vec![Violation::TooLong { max: 128 }])
        );
    }

    #[test]
    fn neither_a_password_nor_its_hash_is_ever_printed() {
        let printed = format!(
            "{:?} {:?}",
            Password("secret".into()),
            PasswordHash("secret".into())
        );
        assert!(!printed.contains("secret"));
    }
}
