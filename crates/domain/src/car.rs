//! A car, which belongs to one user.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::{
    UserId,
    values::{Brand, Color, ImagePath, LicensePlate, Mileage, Model, Notes, Vin, Year},
};

/// The id of a car, assigned by the store. Ids are never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CarId(pub i64);

impl fmt::Display for CarId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A stored car (wire contract, section 3). All points in time are in UTC.
///
/// ```
/// use chrono::{DateTime, Datelike as _, Utc};
/// use mycars_domain::{Car, CarId, UserId, Violation, values::*};
///
/// /// Returns a car as a store creates it from a new one.
/// fn golf(now: DateTime<Utc>) -> Result<Car, Vec<Violation>> {
///     Ok(Car {
///         id: CarId(10),
///         owner: UserId(1),
///         brand: Brand::parse("VW")?,
///         model: Model::parse("Golf")?,
///         year: Year::parse(1974, now.year())?,
///         color: Some(Color::parse("Cliff green")?),
///         license: LicensePlate::parse("B-AB 123")?,
///         vin: None,
///         mileage: Mileage::parse(240_000)?,
///         image: None,
///         notes: None,
///         created_at: now,
///         updated_at: now,
///     })
/// }
///
/// let golf = golf(DateTime::from_timestamp(1_795_435_200, 0).unwrap())?;
/// assert_eq!(golf.year.get(), 1974);
/// # Ok::<(), Vec<Violation>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Car {
    /// The car's id.
    pub id: CarId,
    /// The car's owner.
    pub owner: UserId,
    /// The manufacturer.
    pub brand: Brand,
    /// The model.
    pub model: Model,
    /// The year in which the car was built.
    pub year: Year,
    /// The colour, if known; may be blank.
    pub color: Option<Color>,
    /// The licence plate; unique over all cars.
    pub license: LicensePlate,
    /// The vehicle identification number, if known.
    pub vin: Option<Vin>,
    /// The distance that the car has been driven, in kilometres.
    pub mileage: Mileage,
    /// The path of the car's picture, if it has one.
    pub image: Option<ImagePath>,
    /// Notes about the car, if there are any; may be blank.
    pub notes: Option<Notes>,
    /// The time at which the car was stored first, to the microsecond.
    pub created_at: DateTime<Utc>,
    /// The time of the last change, to the microsecond.
    pub updated_at: DateTime<Utc>,
}

/// A car that is not stored yet, and so has neither an id nor a picture. The store assigns the id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCar {
    /// The car's owner.
    pub owner: UserId,
    /// The manufacturer.
    pub brand: Brand,
    /// The model.
    pub model: Model,
    /// The year in which the car was built.
    pub year: Year,
    /// The colour; may be blank.
    pub color: Option<Color>,
    /// The licence plate.
    pub license: LicensePlate,
    /// The vehicle identification number.
    pub vin: Option<Vin>,
    /// The distance that the car has been driven, in kilometres.
    pub mileage: Mileage,
    /// Notes about the car; may be blank.
    pub notes: Option<Notes>,
    /// The time at which the car is stored first, to the microsecond.
    pub created_at: DateTime<Utc>,
}

impl NewCar {
    /// Returns the stored car with this `id`. It has no picture, and its last change is the time at which it was
    /// stored first.
    ///
    /// ```
    /// # use chrono::DateTime;
    /// # use mycars_domain::{CarId, NewCar, UserId, values::*};
    /// # let new = NewCar {
    /// #     owner: UserId(1), brand: Brand::from_storage("VW".into()), model: Model::from_storage("Golf".into()),
    /// #     year: Year::from_storage(2020), color: None, license: LicensePlate::from_storage("B 1".into()),
    /// #     vin: None, mileage: Mileage::from_storage(5), notes: None, created_at: DateTime::UNIX_EPOCH,
    /// # };
    /// let car = new.clone().with_id(CarId(7));
    /// assert_eq!((car.id, car.license, car.image), (CarId(7), new.license, None));
    /// assert_eq!((car.created_at, car.updated_at), (new.created_at, new.created_at));
    /// ```
    #[must_use]
    pub fn with_id(self, id: CarId) -> Car {
        Car {
            id,
            owner: self.owner,
            brand: self.brand,
            model: self.model,
            year: self.year,
            color: self.color,
            license: self.license,
            vin: self.vin,
            mileage: self.mileage,
            image: None,
            notes: self.notes,
            created_at: self.created_at,
            updated_at: self.created_at,
        }
    }
}
