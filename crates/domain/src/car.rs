//! A car, which belongs to one user.

use std::fmt;

use chrono::{DateTime, Utc};

use crate::{
    UserId,
    values::{Brand, Color, ImagePath, LicensePlate, Mileage, Model, Notes, Vin, Year},
};

/// The number by which a car is known; given by whoever keeps cars. Ids are never used again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CarId(pub i64);

impl fmt::Display for CarId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A car as it is kept (wire contract, section 3). All points in time are in UTC.
///
/// ```
/// use chrono::{DateTime, Datelike as _, Utc};
/// use mycars_domain::{Car, CarId, UserId, Violation, values::*};
///
/// /// What a store makes of a new car.
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
    /// The number by which it is known.
    pub id: CarId,
    /// Whose it is.
    pub owner: UserId,
    /// Who built it.
    pub brand: Brand,
    /// Which car of its brand it is.
    pub model: Model,
    /// When it was built.
    pub year: Year,
    /// Its colour, if that was said; may be blank.
    pub color: Option<Color>,
    /// Its licence plate: no two cars have the same.
    pub license: LicensePlate,
    /// Its vehicle identification number, if that was said.
    pub vin: Option<Vin>,
    /// How far it has been driven, in kilometres.
    pub mileage: Mileage,
    /// The path of its picture, if there is one.
    pub image: Option<ImagePath>,
    /// Anything else about it, if that was said; may be blank.
    pub notes: Option<Notes>,
    /// When it was first kept, to the microsecond.
    pub created_at: DateTime<Utc>,
    /// When it was last changed, to the microsecond.
    pub updated_at: DateTime<Utc>,
}

/// A car that is not kept yet, and so has neither an id nor a picture. Whoever keeps it gives it an id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewCar {
    /// Whose it will be.
    pub owner: UserId,
    /// Who built it.
    pub brand: Brand,
    /// Which car of its brand it is.
    pub model: Model,
    /// When it was built.
    pub year: Year,
    /// Its colour; may be blank.
    pub color: Option<Color>,
    /// Its licence plate.
    pub license: LicensePlate,
    /// Its vehicle identification number.
    pub vin: Option<Vin>,
    /// How far it has been driven, in kilometres.
    pub mileage: Mileage,
    /// Anything else about it; may be blank.
    pub notes: Option<Notes>,
    /// When it is first kept, to the microsecond.
    pub created_at: DateTime<Utc>,
}

impl NewCar {
    /// The car that this one is once it is kept under `id`: without a picture, and last changed when it was first
    /// kept.
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
