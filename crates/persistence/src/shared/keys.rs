//! Computes the folded columns of all rows: the part of a migration that SQL cannot express. Compiled once for each
//! database.

use diesel::prelude::*;
use mycars_domain::fold;

use super::{
    Conn, DB, cars,
    schema::{audit_log, cars as car_table, users as user_table},
    store::search_key,
    unguarded, users,
};

/// The migration after which the folded columns are computed.
pub(super) const MIGRATION: &str = "2026-11-26-000008_fold_keys";

/// Number of rows per batch. The notes of a car may have 10,000 characters.
const BATCH: i64 = 200;

/// Computes the folded columns of users, cars and the audit log in batches, and writes those that differ. Runs in the
/// transaction of the migrations.
pub(super) fn fold_all(conn: &mut Conn) -> QueryResult<()> {
    for fold_after in [fold_users, fold_cars, fold_audit_log] {
        let mut last = Some(i64::MIN);
        while let Some(after) = last {
            last = fold_after(conn, after)?;
        }
    }
    Ok(())
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = user_table, check_for_backend(DB))]
struct User {
    id: i64,
    username: String,
    username_key: String,
    email: String,
    email_key: String,
    first_name: String,
    last_name: String,
    phone: Option<String>,
    search_key: String,
}

/// Folds the users of the batch after an id, and returns the last id of the batch.
fn fold_users(conn: &mut Conn, after: i64) -> QueryResult<Option<i64>> {
    use user_table::dsl;
    let batch = dsl::users.filter(dsl::id.gt(after)).order(dsl::id).limit(BATCH);
    let users: Vec<User> = batch.select(User::as_select()).load(conn)?;
    for user in &users {
        let row = ("users", user.id);
        let username_key = unique_key(row, "username", (&user.username, &user.username_key), |key| {
            let others = dsl::users.filter(dsl::id.ne(user.id));
            let holder = others.filter(dsl::username_key.eq(key)).select(dsl::id);
            holder.first(conn).optional()
        })?;
        let email_key = unique_key(row, "email", (&user.email, &user.email_key), |key| {
            let others = dsl::users.filter(dsl::id.ne(user.id));
            let holder = others.filter(dsl::email_key.eq(key)).select(dsl::id);
            holder.first(conn).optional()
        })?;
        let search_key = users::searched(
            [&user.username, &user.email, &user.first_name, &user.last_name],
            user.phone.as_deref(),
        );
        if (&username_key, &email_key, &search_key) != (&user.username_key, &user.email_key, &user.search_key)
        {
            let keys = (
                dsl::username_key.eq(username_key),
                dsl::email_key.eq(email_key),
                dsl::search_key.eq(search_key),
            );
            diesel::update(dsl::users.find(user.id)).set(keys).execute(conn)?;
        }
    }
    Ok(users.last().map(|user| user.id))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = car_table, check_for_backend(DB))]
struct Car {
    id: i64,
    brand: String,
    model: String,
    license: String,
    license_key: String,
    vin: Option<String>,
    notes: Option<String>,
    search_key: String,
}

/// Folds the cars of the batch after an id, and returns the last id of the batch.
fn fold_cars(conn: &mut Conn, after: i64) -> QueryResult<Option<i64>> {
    use car_table::dsl;
    let batch = dsl::cars.filter(dsl::id.gt(after)).order(dsl::id).limit(BATCH);
    let cars: Vec<Car> = batch.select(Car::as_select()).load(conn)?;
    for car in &cars {
        let license_key = unique_key(
            ("cars", car.id),
            "license",
            (&car.license, &car.license_key),
            |key| {
                let others = dsl::cars.filter(dsl::id.ne(car.id));
                let holder = others.filter(dsl::license_key.eq(key)).select(dsl::id);
                holder.first(conn).optional()
            },
        )?;
        let search_key = cars::searched(
            [&car.brand, &car.model, &car.license],
            [car.vin.as_deref(), car.notes.as_deref()],
        );
        if (&license_key, &search_key) != (&car.license_key, &car.search_key) {
            let keys = (dsl::license_key.eq(license_key), dsl::search_key.eq(search_key));
            diesel::update(dsl::cars.find(car.id)).set(keys).execute(conn)?;
        }
    }
    Ok(cars.last().map(|car| car.id))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = audit_log, check_for_backend(DB))]
struct Entry {
    id: i64,
    object_name: String,
    actor_name: String,
    search_key: String,
}

/// Folds the entries of the audit log of the batch after an id, and returns the last id of the batch. The entries
/// themselves stay as they are.
fn fold_audit_log(conn: &mut Conn, after: i64) -> QueryResult<Option<i64>> {
    use audit_log::dsl;
    let batch = dsl::audit_log
        .filter(dsl::id.gt(after))
        .order(dsl::id)
        .limit(BATCH);
    let entries: Vec<Entry> = batch.select(Entry::as_select()).load(conn)?;
    let changed: Vec<(i64, String)> = entries
        .iter()
        .map(|entry| (entry, search_key(&[&entry.object_name, &entry.actor_name])))
        .filter(|(entry, key)| entry.search_key != *key)
        .map(|(entry, key)| (entry.id, key))
        .collect();
    if !changed.is_empty() {
        unguarded(conn, |conn| {
            for (id, key) in &changed {
                let entry = diesel::update(dsl::audit_log.find(id));
                entry.set(dsl::search_key.eq(key)).execute(conn)?;
            }
            Ok(())
        })?;
    }
    Ok(entries.last().map(|entry| entry.id))
}

/// Returns the key of a unique text: its fold, unless another row has that key. Then it is the text itself, by which
/// the row can still be found; if another row has that as well, the key stays unchanged.
fn unique_key(
    (table, id): (&'static str, i64),
    column: &'static str,
    (text, stored): (&str, &str),
    mut holder: impl FnMut(&str) -> QueryResult<Option<i64>>,
) -> QueryResult<String> {
    let key = fold(text);
    if key == stored {
        return Ok(key);
    }
    let Some(other) = holder(&key)? else {
        return Ok(key);
    };
    tracing::warn!(
        table,
        id,
        other,
        column,
        "the {column} of row {id} in {table} equals that of row {other} after case folding; both rows stay, but change \
         one of the two, because new rows with this value are refused"
    );
    let is_free = holder(text)?.is_none();
    Ok(if is_free { text } else { stored }.to_owned())
}
