//! A vehicle identification number.

use super::text::text_type;
use crate::{Violation, strip};

text_type! {
    /// A vehicle identification number by ISO 3779: 17 of A to Z and 0 to 9 without I, O and Q. Letters are stored
    /// upper-case. Not unique: two users may have the same car.
    Vin
}

impl Vin {
    /// Number of characters.
    pub const LENGTH: usize = 17;

    /// Trims `text`, converts its letters to upper case and checks it.
    ///
    /// # Errors
    /// [`Violation::InvalidVin`] for anything but 17 allowed characters, also for a blank text: a car without a
    /// number has no `Vin`. The check digit is not verified, because only North America has one.
    ///
    /// ```
    /// # use mycars_domain::{Violation, values::Vin};
    /// assert_eq!(Vin::parse("1hgbh41jxmn109186")?.as_str(), "1HGBH41JXMN109186");
    /// assert_eq!(Vin::parse("1HGBH41JXMN10918O"), Err(vec![Violation::InvalidVin]));
    /// # Ok::<(), Vec<Violation>>(())
    /// ```
    pub fn parse(text: &str) -> Result<Self, Vec<Violation>> {
        let vin = strip(text).to_ascii_uppercase();
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() && !matches!(byte, b'I' | b'O' | b'Q');
        if vin.len() == Self::LENGTH && vin.bytes().all(allowed) {
            Ok(Self(vin))
        } else {
            Err(vec![Violation::InvalidVin])
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vin_letters_are_converted_to_upper_case() {
        assert_eq!(
            Vin::parse(" wvwzzz1jzxw000001 ").unwrap().as_str(),
            "WVWZZZ1JZXW000001"
        );
    }

    #[test]
    fn vin_of_other_than_17_allowed_characters_is_refused() {
        for wrong in [
            "",
            "1HGBH41JXMN10918",
            "1HGBH41JXMN1091866",
            "1HGBH41JXMN10918O",
            "1HGBH41JXMN10918i",
            "1HGBH41JXMN10918Q",
            "1HGBH41JXMN1-9186",
            "1HGBH41JXMN1 9186",
            "1HGBH41JXMN10918\u{ff11}",
        ] {
            assert_eq!(Vin::parse(wrong), Err(vec![Violation::InvalidVin]), "{wrong:?}");
        }
    }
}
