//! The table of cars. Compiled once for each database.
#![expect(clippy::ref_option_ref, reason = "Diesel's derives generate such types")]

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use diesel::{
    dsl::{AsSelect, SqlTypeOf, case_when, count, count_star, exists, sql},
    prelude::*,
    query_builder::{Query, QueryFragment, QueryId},
    result::Error::NotFound,
    select,
    sql_types::{BigInt, Bool, Nullable, Text},
};
use mycars_application::{
    lists::{CarOrder, CarQuery, Direction, LimitOffset},
    ports::{CarCount, CarRepository, CarVersion, StoreError},
};
use mycars_domain::{
    Car, CarId, NewCar, UserId,
    values::{Brand, Color, ImagePath, LicensePlate, Mileage, Model, Notes, Vin, Year},
};

use super::{
    Conn, DB,
    schema::{cars, users},
    store::{IDS_AT_ONCE, Unit, contains_nul, count_of, kept_key, paged, search_key, where_all},
};

/// Maximum number of cars per INSERT, because databases limit the number of parameters of a statement.
const CARS_AT_ONCE: usize = 500;

#[derive(Queryable, Selectable)]
#[diesel(table_name = cars, check_for_backend(DB))]
pub(super) struct Row {
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

/// Returns the search key of a car: brand, model, plate, vehicle identification number and notes.
pub(super) fn searched([brand, model, license]: [&str; 3], [vin, notes]: [Option<&str>; 2]) -> String {
    search_key(&[
        brand,
        model,
        license,
        vin.unwrap_or_default(),
        notes.unwrap_or_default(),
    ])
}

/// The columns of a car except the id and the plate's key. `None` is NULL. Diesel would otherwise write `DEFAULT` in
/// an INSERT, and could not cache the prepared statement.
#[derive(Insertable, AsChangeset)]
#[diesel(table_name = cars, treat_none_as_null = true, treat_none_as_default_value = false)]
pub(super) struct Values<'a> {
    owner_id: i64,
    brand: &'a str,
    model: &'a str,
    year: i32,
    color: Option<&'a str>,
    license: &'a str,
    vin: Option<&'a str>,
    mileage: i32,
    image: Option<&'a str>,
    notes: Option<&'a str>,
    search_key: String,
    /// Never changes, so it is left out of updates: SQLite would rewrite every index that contains it.
    #[diesel(skip_update)]
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

/// Builds the values of a new or stored car. The fields that differ between the two are passed.
macro_rules! values {
    ($car:ident, $($field:ident: $value:expr),+) => {
        Values {
            owner_id: $car.owner.0,
            brand: $car.brand.as_str(),
            model: $car.model.as_str(),
            year: $car.year.get(),
            color: $car.color.as_ref().map(Color::as_str),
            license: $car.license.as_str(),
            vin: $car.vin.as_ref().map(Vin::as_str),
            mileage: $car.mileage.get(),
            notes: $car.notes.as_ref().map(Notes::as_str),
            search_key: searched(
                [$car.brand.as_str(), $car.model.as_str(), $car.license.as_str()],
                [
                    $car.vin.as_ref().map(Vin::as_str),
                    $car.notes.as_ref().map(Notes::as_str),
                ],
            ),
            created_at: $car.created_at,
            $($field: $value),+
        }
    };
}

impl<'a> From<&'a NewCar> for Values<'a> {
    fn from(car: &'a NewCar) -> Self {
        values! { car, image: None, updated_at: car.created_at }
    }
}

impl<'a> From<&'a Car> for Values<'a> {
    fn from(car: &'a Car) -> Self {
        values! {
            car,
            image: car.image.as_ref().map(ImagePath::as_str),
            updated_at: car.updated_at
        }
    }
}

/// Returns the INSERT of a new car, which returns its row. The plate's key is the exact text if a car has that as its key
/// (`keys.rs`), so that the plate is taken.
pub(super) fn insertion(
    car: &NewCar,
) -> impl Query<SqlType = SqlTypeOf<AsSelect<Row, DB>>> + QueryFragment<DB> + QueryId + RunQueryDsl<Conn> + '_
{
    let exact = car.license.as_str();
    let is_exact_key = exists(cars::table.filter(cars::license_key.eq(exact)));
    let key =
        case_when(is_exact_key, exact.into_sql::<Text>()).otherwise(car.license.key().into_sql::<Text>());
    diesel::insert_into(cars::table)
        .values((Values::from(car), cars::license_key.eq(key)))
        .returning(Row::as_returning())
}

type Condition<'a> = Box<dyn BoxableExpression<cars::table, DB, SqlType = Bool> + 'a>;

/// Returns the conditions of a query, for the cars of one user or of all users.
fn conditions(owner: Option<UserId>, query: &CarQuery) -> Vec<Condition<'_>> {
    let owner = owner.or(query.owner);
    let exactly = [
        &query.brand,
        &query.model,
        &query.color,
        &query.license,
        &query.vin,
    ];
    let exactly = exactly.into_iter().flatten().map(String::as_str);
    if query.search.words().chain(exactly).any(contains_nul) {
        return vec![Box::new(false.into_sql::<Bool>())];
    }
    let mut all: Vec<Condition<'_>> = Vec::new();
    if let Some(owner) = owner {
        all.push(Box::new(cars::owner_id.eq(owner.0)));
    }
    for word in query.search.words() {
        let has_word = contains!(cars::search_key, word);
        if owner.is_some() {
            all.push(Box::new(has_word));
        } else {
            let owners = users::table
                .filter(contains!(users::search_key, word))
                .select(users::id);
            all.push(Box::new(has_word.or(cars::owner_id.eq_any(owners))));
        }
    }
    if let Some(brand) = &query.brand {
        all.push(Box::new(cars::brand.eq(brand)));
    }
    if let Some(model) = &query.model {
        all.push(Box::new(cars::model.eq(model)));
    }
    if let Some(color) = &query.color {
        all.push(Box::new(cars::color.eq(color).assume_not_null()));
    }
    if let Some(license) = &query.license {
        all.push(Box::new(cars::license.eq(license)));
    }
    if let Some(vin) = &query.vin {
        all.push(Box::new(cars::vin.eq(vin).assume_not_null()));
    }
    // A bound outside the column's range is above all cars or below all cars.
    macro_rules! bounded {
        ($column:expr, $min:expr, $max:expr) => {
            match $min.map(i32::try_from) {
                Some(Ok(min)) => all.push(Box::new($column.ge(min))),
                Some(Err(_)) if $min > Some(0) => all.push(Box::new($column.gt(i32::MAX))),
                Some(Err(_)) | None => {}
            }
            match $max.map(i32::try_from) {
                Some(Ok(max)) => all.push(Box::new($column.le(max))),
                Some(Err(_)) if $max < Some(0) => all.push(Box::new($column.lt(i32::MIN))),
                Some(Err(_)) | None => {}
            }
        };
    }
    bounded!(cars::year, query.year_min, query.year_max);
    bounded!(cars::mileage, query.mileage_min, query.mileage_max);
    all
}

/// Returns the cars of one user or of all users that match a query, without its page.
fn filtered(owner: Option<UserId>, query: &CarQuery) -> cars::BoxedQuery<'_, DB> {
    where_all!(cars::table, conditions(owner, query))
}

/// Appends a column to the order of a query.
fn then_by(
    found: cars::BoxedQuery<'_, DB>,
    order: CarOrder,
    direction: Direction,
) -> cars::BoxedQuery<'_, DB> {
    macro_rules! by {
        ($column:expr) => {
            match direction {
                Direction::Ascending => found.then_order_by($column.asc()),
                Direction::Descending => found.then_order_by($column.desc()),
            }
        };
    }
    match order {
        CarOrder::CreatedAt => by!(cars::created_at),
        CarOrder::UpdatedAt => by!(cars::updated_at),
        CarOrder::Year => by!(cars::year),
        CarOrder::Mileage => by!(cars::mileage),
        CarOrder::Brand => by!(cars::brand),
        CarOrder::Model => by!(cars::model),
        CarOrder::License => by!(cars::license),
    }
}

/// Returns the cars that match a query, in its order and without its page.
fn ordered(owner: Option<UserId>, query: &CarQuery) -> cars::BoxedQuery<'_, DB> {
    let mut found = filtered(owner, query);
    for (order, direction) in &query.ordering {
        found = then_by(found, *order, *direction);
    }
    match owner {
        Some(_) => found.then_order_by((cars::created_at.desc(), cars::id.desc())),
        // The order by id is nearly always the same, and needs no further index, which each write would have to
        // update.
        None => found.then_order_by(cars::id.desc()),
    }
}

/// Adds numbers of cars and pictures to a sum.
fn plus(sum: CarCount, (cars, pictures): (i64, i64)) -> CarCount {
    CarCount {
        cars: sum.cars + count_of(cars),
        pictures: sum.pictures + count_of(pictures),
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

    fn list(&mut self, owner: Option<UserId>, query: &CarQuery) -> Result<Vec<Car>, StoreError> {
        let page = paged!(ordered(owner, query), query.page);
        if !query.ordering.is_empty() && query.page.is_some_and(|page| page.offset > 0) {
            // Otherwise the rows before the page would be sorted with all their texts.
            let ids: Vec<i64> = self.query(|conn| page.select(cars::id).load(conn))?;
            let places: HashMap<CarId, usize> = ids.into_iter().map(CarId).zip(0..).collect();
            let ids: Vec<CarId> = places.keys().copied().collect();
            let mut cars = self.find_all(&ids)?;
            cars.sort_unstable_by_key(|car| places.get(&car.id).copied());
            return Ok(cars);
        }
        let rows = self.query(|conn| page.select(Row::as_select()).load(conn))?;
        Ok(rows.into_iter().map(Car::from).collect())
    }

    fn count(&mut self, owner: Option<UserId>, query: &CarQuery) -> Result<u64, StoreError> {
        self.query(|conn| filtered(owner, query).count().get_result(conn))
            .map(count_of)
    }

    fn ids(&mut self, owner: Option<UserId>, query: &CarQuery) -> Result<Vec<CarId>, StoreError> {
        let ids = self.query(|conn| ordered(owner, query).select(cars::id).load(conn))?;
        Ok(ids.into_iter().map(CarId).collect())
    }

    fn brands(&mut self, query: &CarQuery, at_most: u32) -> Result<Vec<(String, u64)>, StoreError> {
        let aside = CarQuery {
            brand: None,
            ..query.clone()
        };
        let grouped = cars::table
            .group_by(cars::brand)
            .select((cars::brand, count_star()))
            .order((count_star().desc(), cars::brand.asc()))
            .limit(at_most.into());
        let rows: Vec<(String, i64)> =
            self.query(|conn| where_all!(grouped, conditions(None, &aside)).load(conn))?;
        Ok(rows
            .into_iter()
            .map(|(brand, count)| (brand, count_of(count)))
            .collect())
    }

    fn find_all(&mut self, ids: &[CarId]) -> Result<Vec<Car>, StoreError> {
        let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
        self.query(|conn| {
            let mut cars = Vec::with_capacity(ids.len());
            for ids in ids.chunks(IDS_AT_ONCE) {
                let rows = cars::table
                    .filter(cars::id.eq_any(ids))
                    .select(Row::as_select())
                    .load(conn)?;
                cars.extend(rows.into_iter().map(Car::from));
            }
            Ok(cars)
        })
    }

    fn count_of(&mut self, owners: &[UserId]) -> Result<CarCount, StoreError> {
        owners
            .chunks(IDS_AT_ONCE)
            .try_fold(CarCount::default(), |sum, owners| {
                let ids: Vec<i64> = owners.iter().map(|owner| owner.0).collect();
                let theirs = cars::table.filter(cars::owner_id.eq_any(ids));
                let counts = theirs.select((count_star(), count(cars::image)));
                Ok(plus(sum, self.query(|conn| counts.first(conn))?))
            })
    }

    fn versions_of(&mut self, owners: &[UserId]) -> Result<Vec<CarVersion>, StoreError> {
        let mut versions = Vec::new();
        for owners in owners.chunks(IDS_AT_ONCE) {
            let ids: Vec<i64> = owners.iter().map(|owner| owner.0).collect();
            let theirs = cars::table.filter(cars::owner_id.eq_any(ids));
            let columns = theirs.select((cars::owner_id, cars::id, cars::updated_at));
            let rows: Vec<(i64, i64, DateTime<Utc>)> = self.query(|conn| columns.load(conn))?;
            versions.extend(rows.into_iter().map(|(owner, car, updated_at)| CarVersion {
                owner: UserId(owner),
                car: CarId(car),
                updated_at,
            }));
        }
        Ok(versions)
    }

    fn count_among(&mut self, ids: &[CarId]) -> Result<CarCount, StoreError> {
        ids.chunks(IDS_AT_ONCE).try_fold(CarCount::default(), |sum, ids| {
            let ids: Vec<i64> = ids.iter().map(|id| id.0).collect();
            let these = cars::table.filter(cars::id.eq_any(ids));
            let counts = these.select((count_star(), count(cars::image)));
            Ok(plus(sum, self.query(|conn| counts.first(conn))?))
        })
    }

    fn count_all(&mut self) -> Result<CarCount, StoreError> {
        self.query(|conn| cars::table.select((count_star(), count(cars::image))).first(conn))
            .map(|counts| plus(CarCount::default(), counts))
    }

    fn license_is_taken(
        &mut self,
        license: &LicensePlate,
        except: Option<CarId>,
    ) -> Result<bool, StoreError> {
        let holders: Vec<i64> = self.query(|conn| {
            let ids = |key: String| cars::table.filter(cars::license_key.eq(key)).select(cars::id);
            // Not `same!`: without statistics, PostgreSQL reads the whole table for its OR.
            let exact = ids(license.as_str().to_owned());
            ids(license.key()).union_all(exact).load(conn)
        })?;
        Ok(holders.into_iter().any(|id| except != Some(CarId(id))))
    }

    fn count_and_license_is_taken(
        &mut self,
        owner: UserId,
        license: &LicensePlate,
    ) -> Result<(u64, bool), StoreError> {
        let rows: Vec<(bool, i64)> = self.query(|conn| {
            let holders = |key: String| {
                let cars = cars::table.filter(cars::license_key.eq(key));
                cars.select((true.into_sql::<Bool>(), cars::id))
            };
            let count = cars::table
                .filter(cars::owner_id.eq(owner.0))
                .select((false.into_sql::<Bool>(), count_star()));
            count
                .union_all(holders(license.key()))
                .union_all(holders(license.as_str().to_owned()))
                .load(conn)
        })?;
        let count = rows.iter().find(|(is_holder, _)| !is_holder);
        let is_taken = rows.iter().any(|(is_holder, _)| *is_holder);
        Ok((count.map_or(0, |(_, count)| count_of(*count)), is_taken))
    }

    fn license_owners(&mut self, licenses: &[LicensePlate]) -> Result<Vec<Option<UserId>>, StoreError> {
        // As in `license_is_taken`, the key of a car may also be its exact plate.
        let keys = |license: &LicensePlate| [license.key(), license.as_str().to_owned()];
        let mut owners: HashMap<String, UserId> = HashMap::new();
        for licenses in licenses.chunks(IDS_AT_ONCE) {
            let keys: Vec<String> = licenses.iter().flat_map(keys).collect();
            let holders = cars::table.filter(cars::license_key.eq_any(keys));
            let columns = holders.select((cars::license_key, cars::owner_id));
            let rows: Vec<(String, i64)> = self.query(|conn| columns.load(conn))?;
            owners.extend(rows.into_iter().map(|(key, owner)| (key, UserId(owner))));
        }
        let owner = |license: &LicensePlate| keys(license).iter().find_map(|key| owners.get(key).copied());
        Ok(licenses.iter().map(owner).collect())
    }

    fn insert(&mut self, car: &NewCar) -> Result<Car, StoreError> {
        let row = self.query(|conn| insertion(car).get_result::<Row>(conn))?;
        Ok(row.into())
    }

    fn insert_all(&mut self, new: &[NewCar]) -> Result<Vec<Car>, StoreError> {
        let mut stored = Vec::with_capacity(new.len());
        for new in new.chunks(CARS_AT_ONCE) {
            let key = |car: &NewCar| cars::license_key.eq(car.license.key());
            let values: Vec<_> = new.iter().map(|car| (Values::from(car), key(car))).collect();
            let rows: Vec<Row> = self.query(|conn| {
                diesel::insert_into(cars::table)
                    .values(&values)
                    .returning(Row::as_returning())
                    .get_results(conn)
            })?;
            stored.extend(rows.into_iter().map(Car::from));
        }
        Ok(stored)
    }

    fn update(&mut self, car: &Car) -> Result<(), StoreError> {
        let key = kept_key!(cars::license, cars::license_key, car.license);
        self.query(|conn| {
            match diesel::update(cars::table.find(car.id.0))
                .set((Values::from(car), key))
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

    fn list_for_update(&mut self, owner: UserId, after: CarId, at_most: u32) -> Result<Vec<Car>, StoreError> {
        let rows = self.query(|conn| {
            let theirs = cars::table
                .filter(cars::owner_id.eq(owner.0))
                .filter(cars::id.gt(after.0))
                .order(cars::id)
                .limit(at_most.into());
            for_update!(theirs.select(Row::as_select())).load(conn)
        })?;
        Ok(rows.into_iter().map(Car::from).collect())
    }

    fn has_image(&mut self, path: &ImagePath) -> Result<bool, StoreError> {
        self.query(|conn| select(exists(cars::table.filter(cars::image.eq(path.as_str())))).get_result(conn))
    }

    fn set_image_bytes(&mut self, id: CarId, path: &ImagePath, bytes: u64) -> Result<(), StoreError> {
        let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
        let car = cars::table.find(id.0).filter(cars::image.eq(path.as_str()));
        self.query(|conn| diesel::update(car).set(cars::image_bytes.eq(bytes)).execute(conn))?;
        Ok(())
    }

    fn image_bytes_of(&mut self, owner: UserId, except: Option<CarId>) -> Result<u64, StoreError> {
        // No car has the id 0. PostgreSQL's sum of BIGINT is NUMERIC.
        let others = cars::table
            .filter(cars::owner_id.eq(owner.0))
            .filter(cars::id.ne(except.map_or(0, |car| car.0)))
            .filter(cars::image.is_not_null())
            .select(sql::<Nullable<BigInt>>("CAST(sum(image_bytes) AS BIGINT)"));
        let sum: Option<i64> = self.query(|conn| others.first(conn))?;
        Ok(sum.map_or(0, count_of))
    }

    fn unmeasured_images(
        &mut self,
        after: CarId,
        at_most: u32,
    ) -> Result<Vec<(CarId, ImagePath)>, StoreError> {
        let unmeasured = cars::table
            .filter(cars::id.gt(after.0))
            .filter(cars::image.is_not_null())
            .filter(cars::image_bytes.is_null())
            .order(cars::id)
            .limit(at_most.into())
            .select((cars::id, cars::image.assume_not_null()));
        let rows: Vec<(i64, String)> = self.query(|conn| unmeasured.load(conn))?;
        Ok(rows
            .into_iter()
            .map(|(id, path)| (CarId(id), ImagePath::from_storage(path)))
            .collect())
    }
}
