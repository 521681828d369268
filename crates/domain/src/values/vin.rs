//! A vehicle identification number.

use super::text::text_type;
use crate::{Violation, strip};

text_type! {
    /// A vehicle identification number as ISO 3779 writes it: 17 of A to Z and 0 to 9 without I, O and Q.
    /// Letters are kept upper-case. Not unique: the same car may be kept by two people.
    Vin
}

impl Vin {
    /// How many characters there are.
    pub const LENGTH: usize = 17;

    /// Trims `text`, makes its letters upper-case and checks it.
    ///
    /// # Errors
    /// [`Violation::InvalidVin`] for anything else than 17 allowed characters, also for a blank text: "no
    /// number" is the absence of a `Vin`. The check digit is not looked at: only North America has one.
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
    fn letters_are_kept_upper_case() {
        assert_eq!(
            Vin::parse(" wvwzzz1jzxw000001 ").unwrap().as_str(),
            "WVWZZZ1JZXW000001"
        );
    }

    #[test]
    fn anything_but_17_allowed_characters_is_refused() {
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
