//! Values that are plain text with a maximum length.

use crate::{Violation, shows_nothing, strip};

/// The rules of the wire contract for a text field.
pub(super) struct Rule {
    pub(super) max_length: usize,
    pub(super) may_be_blank: bool,
}

impl Rule {
    /// Strips `text` and checks it. Reports all violations at once; a text that shows nothing is only reported as
    /// [`Violation::Blank`].
    pub(super) fn check(&self, text: &str) -> Result<String, Vec<Violation>> {
        let text = strip(text);
        if !self.may_be_blank && shows_nothing(text) {
            return Err(vec![Violation::Blank]);
        }
        let mut violations = Vec::new();
        if text.chars().count() > self.max_length {
            violations.push(Violation::TooLong { max: self.max_length });
        }
        if text.contains('\0') {
            violations.push(Violation::NullCharacter);
        }
        if violations.is_empty() {
            Ok(text.to_owned())
        } else {
            Err(violations)
        }
    }
}

/// Implements the methods and traits that all text values share.
macro_rules! text_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash)]
        pub struct $name(String);

        impl $name {
            /// Returns a stored value without checking it again.
            #[must_use]
            pub fn from_storage(text: String) -> Self {
                Self(text)
            }

            /// Returns the value as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(&self.0)
            }
        }
    };
}
pub(super) use text_type;

/// Declares a text value whose only rules are its maximum length and whether it may be blank.
macro_rules! plain_text {
    ($(#[$doc:meta])* $name:ident, $max:literal, blank: $blank:literal) => {
        text_type! { $(#[$doc])* $name }

        impl $name {
            /// Maximum number of characters.
            pub const MAX_LENGTH: usize = $max;

            /// Trims `text` and checks it.
            ///
            /// # Errors
            /// [`Violation::Blank`] if the value may not be blank; [`Violation::TooLong`],
            /// [`Violation::NullCharacter`].
            pub fn parse(text: &str) -> Result<Self, Vec<Violation>> {
                Rule { max_length: Self::MAX_LENGTH, may_be_blank: $blank }.check(text).map(Self)
            }
        }
    };
}

plain_text! {
    /// The manufacturer of a car: 1 to 100 characters.
    ///
    /// ```
    /// # use mycars_domain::{Violation, values::Brand};
    /// assert_eq!(Brand::parse("  VW ")?.as_str(), "VW");
    /// assert_eq!(Brand::parse(" "), Err(vec![Violation::Blank]));
    /// # Ok::<(), Vec<Violation>>(())
    /// ```
    Brand, 100, blank: false
}
plain_text! {
    /// The model of a car: 1 to 100 characters.
    ///
    /// ```
    /// # use mycars_domain::{Violation, values::Model};
    /// assert_eq!(Model::parse("Golf")?.to_string(), "Golf");
    /// assert_eq!(Model::parse(&"Š".repeat(101)), Err(vec![Violation::TooLong { max: 100 }]));
    /// # Ok::<(), Vec<Violation>>(())
    /// ```
    Model, 100, blank: false
}
plain_text! {
    /// A car's colour: at most 50 characters, may be blank.
    ///
    /// ```
    /// # use mycars_domain::{Violation, values::Color};
    /// assert_eq!(Color::parse("  ")?.as_str(), "");
    /// # Ok::<(), Vec<Violation>>(())
    /// ```
    Color, 50, blank: true
}
plain_text! {
    /// Notes about a car: at most 10,000 characters, may be blank.
    ///
    /// ```
    /// # use mycars_domain::{Violation, values::Notes};
    /// assert_eq!(Notes::parse("Oil changed\nTyres too\n")?.as_str(), "Oil changed\nTyres too");
    /// # Ok::<(), Vec<Violation>>(())
    /// ```
    Notes, 10_000, blank: true
}
plain_text! {
    /// A user's first name: 1 to 150 characters. The default is empty, for superusers that are created on the command
    /// line without a name.
    ///
    /// ```
    /// # use mycars_domain::{Violation, values::FirstName};
    /// assert_eq!(FirstName::parse("Ann")?.as_str(), "Ann");
    /// assert_eq!(FirstName::parse(""), Err(vec![Violation::Blank]));
    /// assert_eq!(FirstName::default().as_str(), "");
    /// # Ok::<(), Vec<Violation>>(())
    /// ```
    #[derive(Default)]
    FirstName, 150, blank: false
}
plain_text! {
    /// A user's last name: 1 to 150 characters. The default is empty, for superusers that are created on the command
    /// line without a name.
    ///
    /// ```
    /// # use mycars_domain::{Violation, values::LastName};
    /// assert_eq!(LastName::parse("Lee")?.as_str(), "Lee");
    /// assert_eq!(LastName::parse("\0"), Err(vec![Violation::NullCharacter]));
    /// # Ok::<(), Vec<Violation>>(())
    /// ```
    #[derive(Default)]
    LastName, 150, blank: false
}
plain_text! {
    /// A user's phone number: at most 20 characters, may be blank. Stored as written.
    ///
    /// ```
    /// # use mycars_domain::{Violation, values::Phone};
    /// assert_eq!(Phone::parse("+49 (30) 555-1234")?.as_str(), "+49 (30) 555-1234");
    /// # Ok::<(), Vec<Violation>>(())
    /// ```
    Phone, 20, blank: true
}
plain_text! {
    /// A user's postal address: at most 255 characters, may be blank.
    ///
    /// ```
    /// # use mycars_domain::{Violation, values::Address};
    /// assert_eq!(Address::parse("Elm Street 1")?.as_str(), "Elm Street 1");
    /// assert_eq!(Address::parse(&"x".repeat(256)), Err(vec![Violation::TooLong { max: 255 }]));
    /// # Ok::<(), Vec<Violation>>(())
    /// ```
    Address, 255, blank: true
}

text_type! {
    /// The path of a car's picture, relative to the media root: `cars/car_<id>_<random>.jpg`. The application creates
    /// it, never a client, so it has no `parse`.
    ///
    /// ```
    /// # use mycars_domain::values::ImagePath;
    /// let path = ImagePath::from_storage("cars/car_10_0f3c.jpg".into());
    /// assert_eq!(path.to_string(), "cars/car_10_0f3c.jpg");
    /// ```
    ImagePath
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn surrounding_space_is_stripped() {
        assert_eq!(Brand::parse("  VW \n").unwrap().as_str(), "VW");
        assert_eq!(Color::parse("   ").unwrap().as_str(), "");
    }

    #[test]
    fn required_text_of_white_space_is_blank() {
        for blank in ["", "  ", "\n\t"] {
            assert_eq!(Brand::parse(blank), Err(vec![Violation::Blank]));
            assert_eq!(Model::parse(blank), Err(vec![Violation::Blank]));
            assert_eq!(FirstName::parse(blank), Err(vec![Violation::Blank]));
            assert_eq!(LastName::parse(blank), Err(vec![Violation::Blank]));
        }
    }

    #[test]
    fn required_text_without_visible_characters_is_blank() {
        for blank in ["\u{200b}", "\u{2800}\u{3164}", "\u{202e} \u{feff}", "\u{1c}"] {
            assert_eq!(Brand::parse(blank), Err(vec![Violation::Blank]), "{blank:?}");
            assert_eq!(Model::parse(blank), Err(vec![Violation::Blank]), "{blank:?}");
            assert_eq!(FirstName::parse(blank), Err(vec![Violation::Blank]), "{blank:?}");
            assert_eq!(LastName::parse(blank), Err(vec![Violation::Blank]), "{blank:?}");
        }
        for text in ["👩\u{200d}👧", "می\u{200c}خواهم", "\u{200b}x\u{200b}"] {
            assert_eq!(Brand::parse(text).unwrap().as_str(), text, "kept as written");
        }
        assert_eq!(
            Color::parse("\u{200b}").unwrap().as_str(),
            "\u{200b}",
            "it may be blank"
        );
    }

    #[test]
    fn length_is_counted_in_characters() {
        assert!(Brand::parse(&"Š".repeat(100)).is_ok());
        assert_eq!(
            Brand::parse(&"Š".repeat(101)),
            Err(vec![Violation::TooLong { max: 100 }])
        );
    }

    #[test]
    fn each_text_type_has_its_maximum_length() {
        let too_long = |max| Err(vec![Violation::TooLong { max }]);
        let of = |length| "x".repeat(length);
        assert_eq!(Model::parse(&of(101)).map(|_| ()), too_long(100));
        assert_eq!(Color::parse(&of(51)).map(|_| ()), too_long(50));
        assert_eq!(Notes::parse(&of(10_001)).map(|_| ()), too_long(10_000));
        assert_eq!(FirstName::parse(&of(151)).map(|_| ()), too_long(150));
        assert_eq!(LastName::parse(&of(151)).map(|_| ()), too_long(150));
        assert_eq!(Phone::parse(&of(21)).map(|_| ()), too_long(20));
        assert_eq!(Address::parse(&of(256)).map(|_| ()), too_long(255));
    }

    #[test]
    fn all_violations_are_reported_at_once() {
        assert_eq!(
            Color::parse(&"\0".repeat(51)),
            Err(vec![Violation::TooLong { max: 50 }, Violation::NullCharacter])
        );
    }
}
