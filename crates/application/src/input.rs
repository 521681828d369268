//! The input of a field, and its checks.

use std::{borrow::Borrow, fmt};

use mycars_domain::{Field, Violation, Violations, strip};

/// The input of one field. An adapter fills it in without checking; the use-cases check all fields and report all
/// violations at once.
///
/// ```
/// use mycars_application::{Input, cars::CarInput};
/// use mycars_domain::Violation;
///
/// let input = CarInput {
///     brand: "VW".into(),
///     color: Input::Null,
///     year: Input::Invalid(Violation::NotAnInteger),
///     ..CarInput::default()
/// };
/// assert_eq!(input.brand.given(), Some(&"VW".to_owned()));
/// assert_eq!(input.mileage, Input::Absent);
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Input<T> {
    /// Not sent: the field keeps its value or gets its default, or is [`Violation::Required`].
    #[default]
    Absent,
    /// Null: the field has no value, or is refused as [`Violation::Null`].
    Null,
    /// Not readable as a `T`; holds the violation that the use-case reports, such as [`Violation::NotAString`].
    Invalid(Violation),
    /// A value that is not checked yet.
    Given(T),
}

impl<T> Input<T> {
    /// Returns the value, if one was sent.
    pub fn given(&self) -> Option<&T> {
        match self {
            Self::Given(value) => Some(value),
            Self::Absent | Self::Null | Self::Invalid(_) => None,
        }
    }

    /// Returns this input with its value mapped.
    pub fn map<U>(self, map: impl FnOnce(T) -> U) -> Input<U> {
        match self {
            Self::Absent => Input::Absent,
            Self::Null => Input::Null,
            Self::Invalid(violation) => Input::Invalid(violation),
            Self::Given(value) => Input::Given(map(value)),
        }
    }
}

impl From<&str> for Input<String> {
    fn from(text: &str) -> Self {
        Self::Given(text.to_owned())
    }
}

impl From<&str> for Input<Secret> {
    fn from(text: &str) -> Self {
        Self::Given(text.into())
    }
}

impl From<i64> for Input<i64> {
    fn from(number: i64) -> Self {
        Self::Given(number)
    }
}

/// A password as it was sent, or a signed token: text that `Debug` does not print.
///
/// ```
/// use mycars_application::{Secret, accounts::Credentials};
///
/// let credentials = Credentials { username: "ann".into(), password: "Harbour-x7-9".into() };
/// assert!(!format!("{credentials:?}").contains("Harbour"));
/// assert_eq!(Secret::from("Harbour-x7-9").reveal(), "Harbour-x7-9");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Returns the text.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl Borrow<str> for Secret {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(…)")
    }
}

/// Whether the required fields must be sent. See [`cars::update`](crate::cars::update).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UpdateMode {
    /// All required fields must be sent: the object is new or replaced (PUT).
    Full,
    /// Fields that are not sent keep their value (PATCH).
    Partial,
}

/// Checks inputs one by one and collects the violations.
pub(crate) struct Checker {
    completeness: UpdateMode,
    violations: Violations,
}

impl Checker {
    pub(crate) fn new(completeness: UpdateMode) -> Self {
        Self {
            completeness,
            violations: Violations::new(),
        }
    }

    /// Checks a required field. Returns `None` if it is invalid, or not sent in a partial update.
    pub(crate) fn required<R: Borrow<B>, B: ?Sized, T>(
        &mut self,
        field: Field,
        input: &Input<R>,
        parse: impl FnOnce(&B) -> Result<T, Vec<Violation>>,
    ) -> Option<T> {
        if matches!(input, Input::Absent) && self.completeness == UpdateMode::Full {
            self.violations.add(field, Violation::Required);
        }
        self.optional(field, input, parse)
    }

    /// Checks a field that may be left out but not be null. Returns `None` if it is left out or invalid.
    pub(crate) fn optional<R: Borrow<B>, B: ?Sized, T>(
        &mut self,
        field: Field,
        input: &Input<R>,
        parse: impl FnOnce(&B) -> Result<T, Vec<Violation>>,
    ) -> Option<T> {
        if matches!(input, Input::Null) {
            self.violations.add(field, Violation::Null);
        }
        self.nullable(field, input, parse).flatten()
    }

    /// Checks a field that may be left out or null. Returns `None` if it is left out or invalid, `Some(None)` if it is
    /// null.
    pub(crate) fn nullable<R: Borrow<B>, B: ?Sized, T>(
        &mut self,
        field: Field,
        input: &Input<R>,
        parse: impl FnOnce(&B) -> Result<T, Vec<Violation>>,
    ) -> Option<Option<T>> {
        match input {
            Input::Absent => None,
            Input::Null => Some(None),
            Input::Invalid(violation) => {
                self.violations.add(field, violation.clone());
                None
            }
            Input::Given(raw) => match parse(raw.borrow()) {
                Ok(value) => Some(Some(value)),
                Err(violations) => {
                    self.violations.extend(field, violations);
                    None
                }
            },
        }
    }

    /// Returns whether there is no violation so far.
    pub(crate) fn is_valid(&self) -> bool {
        self.violations.is_empty()
    }

    /// Adds a violation that does not come from the value alone.
    pub(crate) fn add(&mut self, field: Field, violation: Violation) {
        self.violations.add(field, violation);
    }

    /// Adds violations of a field, if there are any.
    pub(crate) fn extend(&mut self, field: Field, violations: Vec<Violation>) {
        self.violations.extend(field, violations);
    }

    /// Returns the violations, or `Ok` if there are none.
    pub(crate) fn finish(self) -> Result<(), Violations> {
        if self.violations.is_empty() {
            Ok(())
        } else {
            Err(self.violations)
        }
    }
}

/// Parses text without further rules: a username, a password or a token of a login.
pub(crate) fn required_text(text: &str) -> Result<String, Vec<Violation>> {
    match strip(text) {
        "" => Err(vec![Violation::Blank]),
        text if text.contains('\0') => Err(vec![Violation::NullCharacter]),
        text => Ok(text.to_owned()),
    }
}

/// Returns the parser of a text for a field with a stored value. A text that equals the stored one, apart from
/// surrounding white space, is not checked: the rules may have become stricter since it was stored.
pub(crate) fn unless_stored<V: Clone>(
    stored: Option<&V>,
    as_text: impl FnOnce(&V) -> &str,
    parse: impl FnOnce(&str) -> Result<V, Vec<Violation>>,
) -> impl FnOnce(&str) -> Result<V, Vec<Violation>> {
    move |text| match stored {
        Some(value) if strip(as_text(value)) == strip(text) => Ok(value.clone()),
        _ => parse(text),
    }
}

/// Returns the parser of a number for a field with a stored value: see [`unless_stored`].
pub(crate) fn unless_stored_number<V: Copy>(
    stored: Option<V>,
    as_number: impl FnOnce(V) -> i32,
    parse: impl FnOnce(i64) -> Result<V, Vec<Violation>>,
) -> impl FnOnce(&i64) -> Result<V, Vec<Violation>> {
    move |number| match stored {
        Some(value) if i64::from(as_number(value)) == *number => Ok(value),
        _ => parse(*number),
    }
}

/// Returns the sent value if it differs from the stored one. Only such a value can be taken.
pub(crate) fn changed<'a, V: PartialEq>(sent: Option<&'a V>, stored: Option<&V>) -> Option<&'a V> {
    sent.filter(|value| Some(*value) != stored)
}

/// Sets a value if one was sent.
pub(crate) fn set<T>(place: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use mycars_domain::values::Brand;

    use super::*;

    fn brand(completeness: UpdateMode, input: &Input<String>) -> (Option<Brand>, Violations) {
        let mut checker = Checker::new(completeness);
        let brand = checker.required(Field::Brand, input, Brand::parse);
        (brand, checker.finish().err().unwrap_or_default())
    }

    #[test]
    fn required_field_may_be_absent_only_in_partial_updates() {
        let required = Violations::one(Field::Brand, Violation::Required);
        assert_eq!(brand(UpdateMode::Full, &Input::Absent), (None, required));
        assert_eq!(
            brand(UpdateMode::Partial, &Input::Absent),
            (None, Violations::new())
        );
    }

    #[test]
    fn null_in_a_required_field_is_refused() {
        let null = Violations::one(Field::Brand, Violation::Null);
        assert_eq!(brand(UpdateMode::Full, &Input::Null), (None, null.clone()));
        assert_eq!(brand(UpdateMode::Partial, &Input::Null), (None, null));
    }

    #[test]
    fn unreadable_input_keeps_its_violation() {
        let input = Input::Invalid(Violation::NotAString);
        let wrong = Violations::one(Field::Brand, Violation::NotAString);
        assert_eq!(brand(UpdateMode::Full, &input), (None, wrong));
    }

    #[test]
    fn text_sent_as_stored_is_not_checked() {
        let stored = Brand::from_storage(" \u{200b}".into());
        let read = |text| unless_stored(Some(&stored), Brand::as_str, Brand::parse)(text);
        for same in [" \u{200b}", "\u{200b}", "\u{200b}\u{1f}"] {
            assert_eq!(read(same), Ok(stored.clone()), "{same:?}");
        }
        for other in ["", " ", "\u{200b}\u{200b}"] {
            assert_eq!(read(other), Err(vec![Violation::Blank]), "{other:?}");
        }
        assert!(unless_stored(None, Brand::as_str, Brand::parse)("\u{200b}").is_err());
    }

    #[test]
    fn absent_null_and_given_inputs_differ() {
        let mut checker = Checker::new(UpdateMode::Partial);
        let mut color = |input: Input<String>| checker.nullable(Field::Color, &input, Brand::parse);
        assert_eq!(color(Input::Absent), None);
        assert_eq!(color(Input::Null), Some(None));
        assert_eq!(color("Red".into()), Some(Some(Brand::parse("Red").unwrap())));
        assert_eq!(checker.finish(), Ok(()));
    }
}
