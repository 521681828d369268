//! A car's licence plate.

use super::text::{Rule, text_type};
use crate::{Violation, fold};

text_type! {
    /// A car's licence plate: 1 to 20 characters, kept as written, unique over all cars.
    ///
    /// Whether two plates are the same is asked of their [`key`](Self::key)s.
    LicensePlate
}

impl LicensePlate {
    /// How many characters there may be at most.
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

    /// What is the same for two plates that [`fold`] makes the same: what a store keeps unique.
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
    fn a_plate_is_kept_as_written() {
        assert_eq!(LicensePlate::parse(" ab 12 cD ").unwrap().as_str(), "ab 12 cD");
    }

    #[test]
    fn a_plate_has_1_to_20_characters() {
        assert_eq!(LicensePlate::parse(" "), Err(vec![Violation::Blank]));
        assert!(LicensePlate::parse(&"L".repeat(20)).is_ok());
        assert_eq!(
            LicensePlate::parse(&"L".repeat(21)),
            Err(vec![Violation::TooLong { max: 20 }])
        );
    }
}
