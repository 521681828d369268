//! Values that are whole numbers within bounds.

use std::fmt;

use crate::Violation;

/// The year in which a car was built: from 1886, the year of the first car, to the next calendar year, because the
/// models of the next year are sold in autumn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Year(i32);

impl Year {
    /// The year of the first car.
    pub const MIN: i32 = 1886;

    /// Checks a year of the Gregorian calendar. The upper bound follows from `current_year`, in UTC, which the caller
    /// passes because this crate reads no clock.
    ///
    /// # Errors
    /// [`Violation::TooSmall`] before 1886, [`Violation::TooLarge`] after the year that follows `current_year`.
    ///
    /// ```
    /// # use mycars_domain::{Violation, values::Year};
    /// assert!(Year::parse(2027, 2026).is_ok());
    /// assert_eq!(Year::parse(2028, 2026), Err(vec![Violation::TooLarge { max: 2027 }]));
    /// ```
    pub fn parse(year: i64, current_year: i32) -> Result<Self, Vec<Violation>> {
        between(year, Self::MIN, current_year + 1).map(Self)
    }

    /// Returns a stored year without checking it again.
    #[must_use]
    pub fn from_storage(year: i32) -> Self {
        Self(year)
    }

    /// Returns the year as a number.
    #[must_use]
    pub fn get(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Year {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// The distance that a car has been driven, in kilometres: 0 to 2,147,483,647. The default is 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Mileage(i32);

impl Mileage {
    /// Minimum mileage in kilometres.
    pub const MIN: i32 = 0;
    /// Maximum mileage in kilometres: the maximum of a signed 32-bit column.
    pub const MAX: i32 = i32::MAX;

    /// Checks a mileage, in kilometres.
    ///
    /// # Errors
    /// [`Violation::TooSmall`] below [`MIN`](Self::MIN), [`Violation::TooLarge`] above [`MAX`](Self::MAX).
    ///
    /// ```
    /// # use mycars_domain::{Violation, values::Mileage};
    /// assert_eq!(Mileage::parse(15_000)?.get(), 15_000);
    /// assert_eq!(Mileage::parse(-1), Err(vec![Violation::TooSmall { min: 0 }]));
    /// # Ok::<(), Vec<Violation>>(())
    /// ```
    pub fn parse(kilometres: i64) -> Result<Self, Vec<Violation>> {
        between(kilometres, Self::MIN, Self::MAX).map(Self)
    }

    /// Returns a stored mileage, in kilometres, without checking it again.
    #[must_use]
    pub fn from_storage(kilometres: i32) -> Self {
        Self(kilometres)
    }

    /// Returns the mileage as a number, in kilometres.
    #[must_use]
    pub fn get(self) -> i32 {
        self.0
    }
}

impl fmt::Display for Mileage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

fn between(number: i64, min: i32, max: i32) -> Result<i32, Vec<Violation>> {
    match i32::try_from(number) {
        Ok(number) if (min..=max).contains(&number) => Ok(number),
        _ if number < i64::from(min) => Err(vec![Violation::TooSmall { min: i64::from(min) }]),
        _ => Err(vec![Violation::TooLarge { max: i64::from(max) }]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn year_from_1886_to_next_year_is_valid() {
        assert_eq!(
            Year::parse(1885, 2026),
            Err(vec![Violation::TooSmall { min: 1886 }])
        );
        assert_eq!(Year::parse(1886, 2026).unwrap().get(), 1886);
        assert_eq!(Year::parse(2027, 2026).unwrap().get(), 2027);
        assert_eq!(
            Year::parse(2028, 2026),
            Err(vec![Violation::TooLarge { max: 2027 }])
        );
        assert_eq!(
            Year::parse(i64::MAX, 2026),
            Err(vec![Violation::TooLarge { max: 2027 }])
        );
    }

    #[test]
    fn mileage_within_31_bits_is_valid() {
        assert_eq!(Mileage::parse(-1), Err(vec![Violation::TooSmall { min: 0 }]));
        assert_eq!(Mileage::parse(0).unwrap(), Mileage::default());
        assert_eq!(Mileage::parse(2_147_483_647).unwrap().get(), i32::MAX);
        assert_eq!(
            Mileage::parse(2_147_483_648),
            Err(vec![Violation::TooLarge { max: 2_147_483_647 }])
        );
        assert_eq!(
            Mileage::parse(i64::MIN),
            Err(vec![Violation::TooSmall { min: 0 }])
        );
    }
}
