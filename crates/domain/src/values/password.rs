//! Passwords and their hashes.

use std::fmt;

use super::text::Rule;
use crate::{Violation, strip};

/// A password in plain text: 1 to 128 characters without surrounding space. Never printed, not even by `Debug`.
///
/// Whether a user may choose a password is checked by [`password`](crate::password), not here.
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
    /// Maximum number of characters.
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
            // Invisible characters are allowed in a password.
            may_be_blank: true,
        }
        .check(text)
        .map(Self)
    }

    /// Returns the password in plain text, for hashing and verifying.
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

/// The hash of a password. Hashes that My Cars creates are in one of Django's formats. Never printed, not even by
/// `Debug`. Adapters create and verify hashes.
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
    /// Returns a hash that an adapter stored or created.
    #[must_use]
    pub fn from_storage(hash: String) -> Self {
        Self(hash)
    }

    /// Returns a hash that no password matches: logins fail until a password is set. Django uses the same form.
    #[must_use]
    pub fn unusable() -> Self {
        Self("!".to_owned())
    }

    /// Returns the hash as it is stored.
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
    fn password_is_trimmed() {
        assert_eq!(Password::parse("  two words ").unwrap().reveal(), "two words");
    }

    #[test]
    fn password_has_1_to_128_characters() {
        assert_eq!(Password::parse(" "), Err(vec![Violation::Blank]));
        assert!(Password::parse(&"ü".repeat(128)).is_ok());
        assert_eq!(
            Password::parse(&"ü".repeat(129)),
            Err(vec![Violation::TooLong { max: 128 }])
        );
    }

    #[test]
    fn debug_shows_neither_password_nor_hash() {
        let printed = format!(
            "{:?} {:?}",
            Password("secret".into()),
            PasswordHash("secret".into())
        );
        assert!(!printed.contains("secret"));
    }
}
