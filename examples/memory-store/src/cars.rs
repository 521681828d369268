//! The cars.

use std::cmp::Reverse;

use mycars_application::{
    lists::{CarOrder, CarQuery},
    ports::{CarCount, CarRepository, StoreError},
};
use mycars_domain::{
    Car, CarId, Field, NewCar, UserId,
    values::{Color, ImagePath, LicensePlate, Notes, Vin},
};

use crate::{
    Result, State, Unit, next,
    query::{compare, finds, paged, tally, with_keys},
    users,
};

/// What is searched of a car.
fn searched(car: &Car) -> [&str; 5] {
    let vin = car.vin.as_ref().map_or("", Vin::as_str);
    let notes = car.notes.as_ref().map_or("", Notes::as_str);
    [
        car.brand.as_str(),
        car.model.as_str(),
        car.license.as_str(),
        vin,
        notes,
    ]
}

/// Whether the filters of a query let a car through.
fn passes(car: &Car, query: &CarQuery) -> bool {
    let is = |wanted: Option<&str>, value: Option<&str>| wanted.is_none() || wanted == value;
    let within = |number: i32, min: Option<i64>, max: Option<i64>| {
        min.is_none_or(|min| min <= number.into()) && max.is_none_or(|max| max >= number.into())
    };
    is(query.brand.as_deref(), Some(car.brand.as_str()))
        && is(query.model.as_deref(), Some(car.model.as_str()))
        && is(query.color.as_deref(), car.color.as_ref().map(Color::as_str))
        && is(query.license.as_deref(), Some(car.license.as_str()))
        && is(query.vin.as_deref(), car.vin.as_ref().map(Vin::as_str))
        && within(car.year.get(), query.year_min, query.year_max)
        && within(car.mileage.get(), query.mileage_min, query.mileage_max)
}

fn counted(cars: &[&Car]) -> CarCount {
    let pictures = cars.iter().filter(|car| car.image.is_some()).count();
    CarCount {
        cars: cars.len() as u64,
        pictures: pictures as u64,
    }
}

impl State {
    fn holder_of_plate(&self, license: &LicensePlate) -> Option<&Car> {
        let key = license.key();
        self.cars.values().find(|car| car.license.key() == key)
    }

    /// Keeps a car, new or changed, whose plate is no other's and whose owner is there.
    fn keep_car(&mut self, car: &Car) -> Result<()> {
        let holder = self.holder_of_plate(&car.license);
        if holder.is_some_and(|holder| holder.id != car.id) {
            return Err(StoreError::Taken(Field::License));
        }
        self.check_owner(car.owner)?;
        self.cars.insert(car.id, car.clone());
        Ok(())
    }

    /// The cars of a user, or everybody's, that a query asks for, on all its pages, in its order.
    fn found_cars(&self, owner: Option<UserId>, query: &CarQuery) -> Vec<&Car> {
        let only = owner.or(query.owner);
        let is_asked_for = |car: &&Car| {
            // Among everybody's, words are also looked for in the owner.
            let person = self.users.get(&car.owner).filter(|_| only.is_none());
            let person = person.map_or([""; 5], users::searched);
            only.is_none_or(|only| car.owner == only)
                && passes(car, query)
                && finds(&query.search, &[searched(car), person].concat())
        };
        let mut found: Vec<&Car> = self.cars.values().filter(is_asked_for).collect();
        // Ties: somebody's cars newest first, then, as everybody's, by descending id.
        found.sort_by_key(|car| Reverse((owner.map(|_| car.created_at), car.id)));
        found.sort_by(|one, other| {
            compare(&query.ordering, |order| match order {
                CarOrder::CreatedAt => one.created_at.cmp(&other.created_at),
                CarOrder::UpdatedAt => one.updated_at.cmp(&other.updated_at),
                CarOrder::Year => one.year.cmp(&other.year),
                CarOrder::Mileage => one.mileage.cmp(&other.mileage),
                CarOrder::Brand => one.brand.as_str().cmp(other.brand.as_str()),
                CarOrder::Model => one.model.as_str().cmp(other.model.as_str()),
                CarOrder::License => one.license.as_str().cmp(other.license.as_str()),
            })
        });
        found
    }

    fn cars_that(&self, which: impl Fn(&Car) -> bool) -> Vec<&Car> {
        self.cars.values().filter(|car| which(car)).collect()
    }
}

impl CarRepository for Unit {
    fn find(&mut self, id: CarId) -> Result<Option<Car>> {
        Ok(self.state.cars.get(&id).cloned())
    }

    fn find_for_update(&mut self, id: CarId) -> Result<Option<Car>> {
        CarRepository::find(self, id)
    }

    fn list(&mut self, owner: Option<UserId>, query: &CarQuery) -> Result<Vec<Car>> {
        Ok(paged(self.state.found_cars(owner, query), query.page))
    }

    fn count(&mut self, owner: Option<UserId>, query: &CarQuery) -> Result<u64> {
        Ok(self.state.found_cars(owner, query).len() as u64)
    }

    fn ids(&mut self, owner: Option<UserId>, query: &CarQuery) -> Result<Vec<CarId>> {
        let found = self.state.found_cars(owner, query);
        Ok(found.iter().map(|car| car.id).collect())
    }

    fn brands(&mut self, query: &CarQuery, at_most: u32) -> Result<Vec<(String, u64)>> {
        let mut aside = query.clone();
        aside.brand = None;
        let found = self.state.found_cars(None, &aside).into_iter();
        let mut brands = tally(found.map(|car| car.brand.to_string()));
        brands.sort_by_key(|(brand, count)| (Reverse(*count), brand.clone()));
        brands.truncate(at_most as usize);
        Ok(brands)
    }

    fn find_all(&mut self, ids: &[CarId]) -> Result<Vec<Car>> {
        Ok(with_keys(&self.state.cars, ids))
    }

    fn count_of(&mut self, owners: &[UserId]) -> Result<CarCount> {
        Ok(counted(&self.state.cars_that(|car| owners.contains(&car.owner))))
    }

    fn count_among(&mut self, ids: &[CarId]) -> Result<CarCount> {
        Ok(counted(&self.state.cars_that(|car| ids.contains(&car.id))))
    }

    fn count_all(&mut self) -> Result<CarCount> {
        Ok(counted(&self.state.cars_that(|_| true)))
    }

    fn license_is_taken(&mut self, license: &LicensePlate, except: Option<CarId>) -> Result<bool> {
        let holder = self.state.holder_of_plate(license);
        Ok(holder.is_some_and(|car| Some(car.id) != except))
    }

    fn insert(&mut self, car: &NewCar) -> Result<Car> {
        self.change(|state| {
            let car = car.clone().with_id(CarId(next(&mut state.last_ids.cars)));
            state.keep_car(&car)?;
            Ok(car)
        })
    }

    fn update(&mut self, car: &Car) -> Result<()> {
        let mut car = car.clone();
        self.change(|state| match state.cars.get(&car.id) {
            Some(before) => {
                car.created_at = before.created_at;
                state.keep_car(&car)
            }
            None => Err(StoreError::Other("there is no such car".into())),
        })
    }

    fn delete(&mut self, id: CarId) -> Result<()> {
        self.change(|state| Ok(state.cars.remove(&id))).map(drop)
    }

    fn list_for_update(&mut self, owner: UserId) -> Result<Vec<Car>> {
        Ok(paged(self.state.cars_that(|car| car.owner == owner), None))
    }

    fn has_image(&mut self, path: &ImagePath) -> Result<bool> {
        let mut cars = self.state.cars.values();
        Ok(cars.any(|car| car.image.as_ref() == Some(path)))
    }
}
