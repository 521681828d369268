//! The cars that are kept.

use mycars_domain::{
    Car, CarId, NewCar, UserId,
    values::{ImagePath, LicensePlate},
};

use super::StoreError;
use crate::lists::CarQuery;

/// How many cars there are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CarCount {
    /// All of them.
    pub cars: u64,
    /// Those with a picture.
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

/// The cars that are kept. Errors are those of the database; see [`StoreError`].
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait CarRepository {
    /// The car with this id, whoever owns it.
    ///
    /// # Errors
    /// The database's.
    fn find(&mut self, id: CarId) -> Result<Option<Car>, StoreError>;

    /// The car with this id, which nobody else can change until the transaction ends: others who ask for it by this
    /// method wait, and those who only read don't.
    ///
    /// # Errors
    /// The database's.
    fn find_for_update(&mut self, id: CarId) -> Result<Option<Car>, StoreError>;

    /// The cars that a query asks for, in its order: those of `owner`, or everybody's where there is none. Ties among
    /// everybody's are by descending id, and words are also looked for in what is searched of their owners.
    ///
    /// # Errors
    /// The database's.
    fn list(&mut self, owner: Option<UserId>, query: &CarQuery) -> Result<Vec<Car>, StoreError>;

    /// How many cars a query asks for, on all its pages.
    ///
    /// # Errors
    /// The database's.
    fn count(&mut self, owner: Option<UserId>, query: &CarQuery) -> Result<u64, StoreError>;

    /// The ids of all cars that a query asks for, in its order, whatever its page.
    ///
    /// # Errors
    /// The database's.
    fn ids(&mut self, owner: Option<UserId>, query: &CarQuery) -> Result<Vec<CarId>, StoreError>;

    /// The brands that most of the cars have that a query asks for when its own brand is left aside, and how many
    /// cars have each: at most so many brands, the most frequent first, and those of as many cars by name.
    ///
    /// # Errors
    /// The database's.
    fn brands(&mut self, query: &CarQuery, at_most: u32) -> Result<Vec<(String, u64)>, StoreError>;

    /// The cars that have these ids, in any order; ids that there are none of are passed over.
    ///
    /// # Errors
    /// The database's.
    fn find_all(&mut self, ids: &[CarId]) -> Result<Vec<Car>, StoreError>;

    /// How many cars these users have, and how many of them have a picture.
    ///
    /// # Errors
    /// The database's.
    fn count_of(&mut self, owners: &[UserId]) -> Result<CarCount, StoreError>;

    /// How many of the cars that have these ids there are, and how many of them have a picture.
    ///
    /// # Errors
    /// The database's.
    fn count_among(&mut self, ids: &[CarId]) -> Result<CarCount, StoreError>;

    /// How many cars there are, and how many of them have a picture.
    ///
    /// # Errors
    /// The database's.
    fn count_all(&mut self) -> Result<CarCount, StoreError>;

    /// Whether a car other than `except` has this plate, by its [`key`](LicensePlate::key).
    ///
    /// # Errors
    /// The database's.
    fn license_is_taken(&mut self, license: &LicensePlate, except: Option<CarId>)
    -> Result<bool, StoreError>;

    /// Keeps a new car and gives it an id that no car ever had.
    ///
    /// # Errors
    /// MUST be [`StoreError::Taken`] with [`Field::License`](mycars_domain::Field::License) where the plate is taken,
    /// and [`StoreError::OwnerGone`] where the owner is no user.
    fn insert(&mut self, car: &NewCar) -> Result<Car, StoreError>;

    /// Keeps everything about a car that is there already, but not when it was first kept, which never changes.
    ///
    /// # Errors
    /// MUST be [`StoreError::Taken`] where the plate is taken, [`StoreError::OwnerGone`] where the owner is no user,
    /// and [`StoreError::Other`] where there is no such car.
    fn update(&mut self, car: &Car) -> Result<(), StoreError>;

    /// Forgets a car; does nothing if there is none.
    ///
    /// # Errors
    /// The database's.
    fn delete(&mut self, id: CarId) -> Result<(), StoreError>;

    /// All cars of a user, which nobody else can change until the transaction ends.
    ///
    /// # Errors
    /// The database's.
    fn list_for_update(&mut self, owner: UserId) -> Result<Vec<Car>, StoreError>;

    /// Whether some car has this picture.
    ///
    /// # Errors
    /// The database's.
    fn has_image(&mut self, path: &ImagePath) -> Result<bool, StoreError>;
}
