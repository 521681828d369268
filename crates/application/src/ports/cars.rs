//! The repository of cars.

use chrono::{DateTime, Utc};
use mycars_domain::{
    Car, CarId, NewCar, UserId,
    values::{ImagePath, LicensePlate},
};

use super::StoreError;
use crate::lists::CarQuery;

/// Numbers of cars.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CarCount {
    /// All cars.
    pub cars: u64,
    /// Cars with a picture.
    pub pictures: u64,
}

impl<'a> FromIterator<&'a Car> for CarCount {
    fn from_iter<I: IntoIterator<Item = &'a Car>>(cars: I) -> Self {
        cars.into_iter().fold(Self::default(), |sum, car| Self {
            cars: sum.cars + 1,
            pictures: sum.pictures + u64::from(car.image.is_some()),
        })
    }
}

/// The version of a car, and its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CarVersion {
    /// The owner of the car.
    pub owner: UserId,
    /// The id of the car.
    pub car: CarId,
    /// The time of the last change of the car.
    pub updated_at: DateTime<Utc>,
}

impl From<&Car> for CarVersion {
    fn from(car: &Car) -> Self {
        Self {
            owner: car.owner,
            car: car.id,
            updated_at: car.updated_at,
        }
    }
}

/// The stored cars. Errors are those of the database; see [`StoreError`].
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait CarRepository {
    /// Returns the car with this id, of any owner.
    ///
    /// # Errors
    /// Those of the database.
    fn find(&mut self, id: CarId) -> Result<Option<Car>, StoreError>;

    /// Returns the car with this id and locks it until the transaction ends: other calls of this method wait, reads
    /// do not.
    ///
    /// # Errors
    /// Those of the database.
    fn find_for_update(&mut self, id: CarId) -> Result<Option<Car>, StoreError>;

    /// Returns the cars that match a query, in its order: those of `owner`, or of all users if it is `None`. Among
    /// the cars of all users, ties are by descending id, and words are also looked for in the fields of their owners.
    ///
    /// # Errors
    /// Those of the database.
    fn list(&mut self, owner: Option<UserId>, query: &CarQuery) -> Result<Vec<Car>, StoreError>;

    /// Counts the cars that match a query, on all its pages.
    ///
    /// # Errors
    /// Those of the database.
    fn count(&mut self, owner: Option<UserId>, query: &CarQuery) -> Result<u64, StoreError>;

    /// Returns the ids of all cars that match a query, in its order, on all its pages.
    ///
    /// # Errors
    /// Those of the database.
    fn ids(&mut self, owner: Option<UserId>, query: &CarQuery) -> Result<Vec<CarId>, StoreError>;

    /// Returns the most frequent brands of the cars that match a query without its own brand, and the number of cars
    /// of each: at most `at_most` brands, the most frequent first, ties by name.
    ///
    /// # Errors
    /// Those of the database.
    fn brands(&mut self, query: &CarQuery, at_most: u32) -> Result<Vec<(String, u64)>, StoreError>;

    /// Returns the cars with these ids, in any order. Ids that do not exist are skipped.
    ///
    /// # Errors
    /// Those of the database.
    fn find_all(&mut self, ids: &[CarId]) -> Result<Vec<Car>, StoreError>;

    /// Counts the cars of these users, and those of them with a picture.
    ///
    /// # Errors
    /// Those of the database.
    fn count_of(&mut self, owners: &[UserId]) -> Result<CarCount, StoreError>;

    /// Returns the versions of all cars of these users, in any order.
    ///
    /// # Errors
    /// Those of the database.
    fn versions_of(&mut self, owners: &[UserId]) -> Result<Vec<CarVersion>, StoreError>;

    /// Counts the cars with these ids, and those of them with a picture.
    ///
    /// # Errors
    /// Those of the database.
    fn count_among(&mut self, ids: &[CarId]) -> Result<CarCount, StoreError>;

    /// Counts all cars, and those of them with a picture.
    ///
    /// # Errors
    /// Those of the database.
    fn count_all(&mut self) -> Result<CarCount, StoreError>;

    /// Returns whether a car other than `except` has this licence plate, by its [`key`](LicensePlate::key).
    ///
    /// # Errors
    /// Those of the database.
    fn license_is_taken(&mut self, license: &LicensePlate, except: Option<CarId>)
    -> Result<bool, StoreError>;

    /// Counts the cars of `owner`, and returns whether any car has this licence plate, by its
    /// [`key`](LicensePlate::key): one query for each new car.
    ///
    /// # Errors
    /// Those of the database.
    fn count_and_license_is_taken(
        &mut self,
        owner: UserId,
        license: &LicensePlate,
    ) -> Result<(u64, bool), StoreError>;

    /// Returns for each of these licence plates the owner of the car that has it, by its [`key`](LicensePlate::key);
    /// `None` for free plates.
    ///
    /// # Errors
    /// Those of the database.
    fn license_owners(&mut self, licenses: &[LicensePlate]) -> Result<Vec<Option<UserId>>, StoreError>;

    /// Stores a new car with an id that was never used for a car.
    ///
    /// # Errors
    /// MUST be [`StoreError::Taken`] with [`Field::License`](mycars_domain::Field::License) if the plate is taken,
    /// and [`StoreError::OwnerGone`] if the owner does not exist.
    fn insert(&mut self, car: &NewCar) -> Result<Car, StoreError>;

    /// Stores new cars like [`insert`](Self::insert). Their ids ascend in the order of `cars`; they are returned in any
    /// order.
    ///
    /// # Errors
    /// Those of [`insert`](Self::insert), if one of the cars violates a rule.
    fn insert_all(&mut self, cars: &[NewCar]) -> Result<Vec<Car>, StoreError>;

    /// Stores all fields of an existing car except the time of its creation.
    ///
    /// # Errors
    /// MUST be [`StoreError::Taken`] if the plate is taken, [`StoreError::OwnerGone`] if the owner does not exist,
    /// and [`StoreError::Other`] if the car does not exist.
    fn update(&mut self, car: &Car) -> Result<(), StoreError>;

    /// Deletes a car; does nothing if it does not exist.
    ///
    /// # Errors
    /// Those of the database.
    fn delete(&mut self, id: CarId) -> Result<(), StoreError>;

    /// Returns at most `at_most` cars of a user with ids after `after`, in the order of their ids, and locks them until
    /// the transaction ends.
    ///
    /// # Errors
    /// Those of the database.
    fn list_for_update(&mut self, owner: UserId, after: CarId, at_most: u32) -> Result<Vec<Car>, StoreError>;

    /// Returns whether a car has this picture.
    ///
    /// # Errors
    /// Those of the database.
    fn has_image(&mut self, path: &ImagePath) -> Result<bool, StoreError>;

    /// Records the size of a car's picture; does nothing if the car has another picture or does not exist.
    ///
    /// # Errors
    /// Those of the database.
    fn set_image_bytes(&mut self, id: CarId, path: &ImagePath, bytes: u64) -> Result<(), StoreError>;

    /// Returns the sum of the recorded sizes of the pictures of a user's cars, without the car `except`.
    ///
    /// # Errors
    /// Those of the database.
    fn image_bytes_of(&mut self, owner: UserId, except: Option<CarId>) -> Result<u64, StoreError>;

    /// Returns the first `at_most` cars after the id `after` that have a picture whose size is not recorded, by id, and
    /// the paths of the pictures.
    ///
    /// # Errors
    /// Those of the database.
    fn unmeasured_images(
        &mut self,
        after: CarId,
        at_most: u32,
    ) -> Result<Vec<(CarId, ImagePath)>, StoreError>;
}
