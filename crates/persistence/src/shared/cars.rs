//! The table of cars. Compiled once for each database.
#![expect(
    clippy::ref_option_ref,
    reason = "Diesel's derive of `AsChangeset` writes such types"
)]

use chrono::{DateTime, Utc};
use diesel::{prelude::*, result::Error::NotFound};
use mycars_application::ports::{CarRepository, StoreError};
use mycars_domain::{
    Car, CarId, NewCar, UserId,
    values::{Brand, Color, ImagePath, LicensePlate, Mileage, Model, Notes, Vin, Year},
};

use super::{DB, schema::cars, store::Unit};

#[derive(Queryable, Selectable)]
#[diesel(table_name = cars, check_for_backend(DB))]
struct Row {
    id: i64,
    owner_id: i64,
    brand: String,
    model: String,
    year: i32,
    color: Option<String>,
    license: String,
    vin: Option<String>,
    mileage: i32,
    image: Option<String>,
    notes: Option<String>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for Car {
    fn from(row: Row) -> Self {
        Self {
            id: CarId(row.id),
            owner: UserId(row.owner_id),
            brand: Brand::from_storage(row.brand),
            model: Model::from_storage(row.model),
            year: Year::from_storage(row.year),
            color: row.color.map(Color::from_storage),
            license: LicensePlate::from_storage(row.license),
            vin: row.vin.map(Vin::from_storage),
            mileage: Mileage::from_storage(row.mileage),
            image: row.image.map(ImagePath::from_storage),
            notes: row.notes.map(Notes::from_storage),
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

/// Everything about a car but its id.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = cars, treat_none_as_null = true)]
struct Values<'a> {
    owner_id: i64,
    brand: &'a str,
    model: &'a str,
    year: i32,
    color: Option<&'a str>,
    license: &'a str,
    license_key: String,
    vin: Option<&'a str>,
    mileage: i32,
    image: Option<&'a str>,
    notes: Option<&'a str>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl<'a> From<&'a NewCar> for Values<'a> {
    fn from(car: &'a NewCar) -> Self {
        Self {
            owner_id: car.owner.0,
            brand: car.brand.as_str(),
            model: car.model.as_str(),
            year: car.year.get(),
            color: car.color.as_ref().map(Color::as_str),
            license: car.license.as_str(),
            license_key: car.license.key(),
            vin: car.vin.as_ref().map(Vin::as_str),
            mileage: car.mileage.get(),
            image: None,
            notes: car.notes.as_ref().map(Notes::as_str),
            created_at: car.created_at,
            updated_at: car.created_at,
        }
    }
}

impl<'a> From<&'a Car> for Values<'a> {
    fn from(car: &'a Car) -> Self {
        Self {
            owner_id: car.owner.0,
            brand: car.brand.as_str(),
            model: car.model.as_str(),
            year: car.year.get(),
            color: car.color.as_ref().map(Color::as_str),
            license: car.license.as_str(),
            license_key: car.license.key(),
            vin: car.vin.as_ref().map(Vin::as_str),
            mileage: car.mileage.get(),
            image: car.image.as_ref().map(ImagePath::as_str),
            notes: car.notes.as_ref().map(Notes::as_str),
            created_at: car.created_at,
            updated_at: car.updated_at,
        }
    }
}

impl CarRepository for Unit<'_> {
    fn find(&mut self, id: CarId) -> Result<Option<Car>, StoreError> {
        let row = self.query(|conn| {
            cars::table
                .find(id.0)
                .select(Row::as_select())
                .first(conn)
                .optional()
        })?;
        Ok(row.map(Car::from))
    }

    fn find_for_update(&mut self, id: CarId) -> Result<Option<Car>, StoreError> {
        let row = self.query(|conn| {
            for_update!(cars::table.find(id.0).select(Row::as_select()))
                .first(conn)
                .optional()
        })?;
        Ok(row.map(Car::from))
    }

    fn list(&mut self, owner: UserId) -> Result<Vec<Car>, StoreError> {
        let rows = self.query(|conn| {
            cars::table
                .filter(cars::owner_id.eq(owner.0))
                .order((cars::created_at.desc(), cars::id.desc()))
                .select(Row::as_select())
                .load(conn)
        })?;
        Ok(rows.into_iter().map(Car::from).collect())
    }

    fn license_is_taken(
        &mut self,
        license: &LicensePlate,
        except: Option<CarId>,
    ) -> Result<bool, StoreError> {
        let holder = self.query(|conn| {
            cars::table
                .filter(cars::license_key.eq(license.key()))
                .select(cars::id)
                .first(conn)
                .optional()
        })?;
        Ok(holder.is_some_and(|id| except != Some(CarId(id))))
    }

    fn insert(&mut self, car: &NewCar) -> Result<Car, StoreError> {
        let row = self.query(|conn| {
            diesel::insert_into(cars::table)
                .values(Values::from(car))
                .returning(Row::as_returning())
                .get_result(conn)
        })?;
        Ok(row.into())
    }

    fn update(&mut self, car: &Car) -> Result<(), StoreError> {
        self.query(|conn| {
            match diesel::update(cars::table.find(car.id.0))
                .set(Values::from(car))
                .execute(conn)?
            {
                0 => Err(NotFound),
                _ => Ok(()),
            }
        })
    }

    fn delete(&mut self, id: CarId) -> Result<(), StoreError> {
        self.query(|conn| diesel::delete(cars::table.find(id.0)).execute(conn))?;
        Ok(())
    }
}
