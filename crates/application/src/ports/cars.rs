//! The cars that are kept.

use std::{cmp::Reverse, collections::HashSet};

use chrono::{DateTime, Utc};
use mycars_domain::{
    Car, CarId, NewCar, UserId,
    values::{ImagePath, LicensePlate},
};

use super::StoreError;
use crate::lists::{CarQuery, tally};

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
    /// Provided: it lists them. An adapter that can count without reading overrides it.
    ///
    /// # Errors
    /// The database's.
    fn count(&mut self, owner: Option<UserId>, query: &CarQuery) -> Result<u64, StoreError> {
        Ok(self.ids(owner, query)?.len() as u64)
    }

    /// The ids of all cars that a query asks for, in its order, whatever its page.
    ///
    /// Provided: it lists the cars. An adapter that can read ids alone overrides it.
    ///
    /// # Errors
    /// The database's.
    fn ids(&mut self, owner: Option<UserId>, query: &CarQuery) -> Result<Vec<CarId>, StoreError> {
        let whole = CarQuery {
            page: None,
            ..query.clone()
        };
        Ok(self.list(owner, &whole)?.iter().map(|car| car.id).collect())
    }

    /// The brands that most of the cars have that a query asks for when its own brand is left aside, and how many
    /// cars have each: at most so many brands, the most frequent first, and those of as many cars by name.
    ///
    /// Provided: it lists these cars. An adapter that can count without reading overrides it.
    ///
    /// # Errors
    /// The database's.
    fn brands(&mut self, query: &CarQuery, at_most: u32) -> Result<Vec<(String, u64)>, StoreError> {
        let aside = CarQuery {
            brand: None,
            page: None,
            ..query.clone()
        };
        let cars = self.list(None, &aside)?.into_iter();
        let mut brands = tally(cars.map(|car| car.brand.to_string()));
        brands.sort_by(|(one, ones), (other, others)| (Reverse(ones), one).cmp(&(Reverse(others), other)));
        brands.truncate(at_most as usize);
        Ok(brands)
    }

    /// The cars that have these ids, in any order; ids that there are none of are passed over.
    ///
    /// Provided: it lists all cars. An adapter that can find them by their ids overrides it.
    ///
    /// # Errors
    /// The database's.
    fn find_all(&mut self, ids: &[CarId]) -> Result<Vec<Car>, StoreError> {
        let ids: HashSet<&CarId> = ids.iter().collect();
        let mut cars = self.list(None, &CarQuery::default())?;
        cars.retain(|car| ids.contains(&car.id));
        Ok(cars)
    }

    /// How many cars these users have, and how many of them have a picture.
    ///
    /// Provided: it lists all cars. An adapter that can count without reading overrides it.
    ///
    /// # Errors
    /// The database's.
    fn count_of(&mut self, owners: &[UserId]) -> Result<CarCount, StoreError> {
        let owners: HashSet<&UserId> = owners.iter().collect();
        let cars = self.list(None, &CarQuery::default())?;
        Ok(cars.iter().filter(|car| owners.contains(&car.owner)).collect())
    }

    /// Returns the versions of all cars of these users, in any order.
    ///
    /// Provided: it lists all cars. An adapter that can read the versions alone overrides it.
    ///
    /// # Errors
    /// The database's.
    fn versions_of(&mut self, owners: &[UserId]) -> Result<Vec<CarVersion>, StoreError> {
        let owners: HashSet<&UserId> = owners.iter().collect();
        let cars = self.list(None, &CarQuery::default())?;
        let theirs = cars.iter().filter(|car| owners.contains(&car.owner));
        Ok(theirs.map(CarVersion::from).collect())
    }

    /// How many of the cars that have these ids there are, and how many of them have a picture.
    ///
    /// Provided: it [finds](Self::find_all) them. An adapter that can count without reading overrides it.
    ///
    /// # Errors
    /// The database's.
    fn count_among(&mut self, ids: &[CarId]) -> Result<CarCount, StoreError> {
        Ok(self.find_all(ids)?.iter().collect())
    }

    /// How many cars there are, and how many of them have a picture.
    ///
    /// Provided: it lists all cars. An adapter that can count without reading overrides it.
    ///
    /// # Errors
    /// The database's.
    fn count_all(&mut self) -> Result<CarCount, StoreError> {
        Ok(self.list(None, &CarQuery::default())?.iter().collect())
    }

    /// Whether a car other than `except` has this plate, by its [`key`](LicensePlate::key).
    ///
    /// Provided: it lists all cars. An adapter that keeps the keys in an index overrides it.
    ///
    /// # Errors
    /// The database's.
    fn license_is_taken(
        &mut self,
        license: &LicensePlate,
        except: Option<CarId>,
    ) -> Result<bool, StoreError> {
        let key = license.key();
        let cars = self.list(None, &CarQuery::default())?;
        let mut others = cars.iter().filter(|car| Some(car.id) != except);
        Ok(others.any(|car| car.license.key() == key))
    }

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
    /// Provided: it lists all cars. An adapter that keeps the paths in an index overrides it.
    ///
    /// # Errors
    /// The database's.
    fn has_image(&mut self, path: &ImagePath) -> Result<bool, StoreError> {
        let cars = self.list(None, &CarQuery::default())?;
        Ok(cars.iter().any(|car| car.image.as_ref() == Some(path)))
    }
}
