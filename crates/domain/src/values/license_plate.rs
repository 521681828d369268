//! A car's licence plate.

use super::text::{Rule, text_type};
use crate::{Violation, fold};

text_type! {
    /// A car's licence plate: 1 to 20 characters, stored as written, unique over all cars.
    ///
    /// Two plates are the same if their [`key`](Self::key)s are equal.
    LicensePlate
}

impl LicensePlate {
    /// Maximum number of characters.
    pub const MAX_LENGTH: usize = 20;

    /// Trims `text` and checks it.
    ///
    /// # Errors
    /// [`Violation::Blank`], [`Violation::TooLong`], [`Violation::NullCharacter`].
    ///
    /// ```
    /// # use mycars_domain::{Violation, values::LicensePlate};
    /// assert_eq!(LicensePlate::parse(" b-AB 123")?.as_str(), "b-AB 123");
    /// assert_eq!(LicensePlate::parse(&"1".repeat(21)), Err(vec![Violation::TooLong { max: 20 }]));
    /// # Ok::<(), Vec<Violation>>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, Vec<Violation>> {
        Rule {
            max_length: Self::MAX_LENGTH,
            may_be_blank: false,
        }
        .check(text)
        .map(Self)
    }

    /// Returns the key that a store keeps unique. It is equal for two plates if [`fold`] maps them to the same text.
    ///
    /// ```
    /// # use mycars_domain::values::LicensePlate;
    /// let key = |plate| LicensePlate::parse(plate).unwrap().key();
    /// assert_eq!(key("  b-ÖA 123 "), key("B-öa 123"));
    /// assert_ne!(key("B-ÖA 123"), key("B-OA 123"));
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
    fn plate_is_stored_as_written() {
        assert_eq!(LicensePlate::parse(" ab 12 cD ").unwrap().as_str(), "ab 12 cD");
    }

    #[test]
    fn plate_has_1_to_20_characters() {
        assert_eq!(LicensePlate::parse(" "), Err(vec![Violation::Blank]));
        assert!(LicensePlate::parse(&"L".repeat(20)).is_ok());
        assert_eq!(
            LicensePlate::parse(&"L".repeat(21)),
            Err(vec![Violation::TooLong { max: 20 }])
        );
    }
}
