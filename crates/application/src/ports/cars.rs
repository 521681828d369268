//! The cars that are kept.

use mycars_domain::{
    Car, CarId, NewCar, UserId,
    values::{ImagePath, LicensePlate},
};

use super::StoreError;
use crate::lists::CarQuery;

/// The cars that are kept. Errors are those of the database; see [`StoreError`].
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait CarRepository {
    /// The car with this id, whoever owns it.
    ///
    /// # Errors
    /// The database's.
    fn find(&mut self, id: CarId) -> Result<Option<Car>, StoreError>;

    /// The car with this id, which nobody else can change until the transaction ends.
    ///
    /// # Errors
    /// The database's.
    fn find_for_update(&mut self, id: CarId) -> Result<Option<Car>, StoreError>;

    /// The cars of a user that a query asks for, in its order.
    ///
    /// # Errors
    /// The database's.
    fn list(&mut self, owner: UserId, query: &CarQuery) -> Result<Vec<Car>, StoreError>;

    /// How many cars of a user a query asks for, on all its pages.
    ///
    /// # Errors
    /// The database's.
    fn count(&mut self, owner: UserId, query: &CarQuery) -> Result<u64, StoreError>;

    /// Whether a car other than `except` has this plate, ignoring case.
    ///
    /// # Errors
    /// The database's.
    fn license_is_taken(&mut self, license: &LicensePlate, except: Option<CarId>)
    -> Result<bool, StoreError>;

    /// Keeps a new car and gives it an id that no car ever had.
    ///
    /// # Errors
    /// MUST be [`StoreError::Taken`] where the plate is taken, and [`StoreError::OwnerGone`] where the owner
    /// is no user.
    fn insert(&mut self, car: &NewCar) -> Result<Car, StoreError>;

    /// Keeps everything about a car that is there already.
    ///
    /// # Errors
    /// MUST be [`StoreError::Taken`] where the plate is taken.
    fn update(&mut self, car: &Car) -> Result<(), StoreError>;

    /// Forgets a car; does nothing if there is none.
    ///
    /// # Errors
    /// The database's.
    fn delete(&mut self, id: CarId) -> Result<(), StoreError>;

    /// The pictures of a user's cars, which nobody else can change until the transaction ends, nor give another one
    /// to a car.
    ///
    /// # Errors
    /// The database's.
    fn images_of(&mut self, owner: UserId) -> Result<Vec<ImagePath>, StoreError>;

    /// Whether some car has this picture.
    ///
    /// # Errors
    /// The database's.
    fn has_image(&mut self, path: &ImagePath) -> Result<bool, StoreError>;
}
