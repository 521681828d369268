//! The rows of all tables with their ids, for backups and copies. Compiled once for each database.

use std::collections::HashSet;

use diesel::{QueryableByName, prelude::*, sql_query, sql_types::BigInt};
use mycars_application::ports::{Installation, Row, RowRepository, StoreError, Table};
use mycars_domain::{Car, User, audit::Entry, fold};

use super::{
    Conn, api_keys as key, audit_log as entry, cars as car, follow_last_entry, installation as identity,
    migrations::unknown_migrations,
    next_id_query, refresh_tokens as token,
    schema::{api_keys, audit_log, cars, installation, refresh_tokens, sessions, users},
    sessions as session, set_next_id,
    store::{Unit, count_of},
    users as user, with_given_ids,
};

/// Loads the rows of a table after an id.
macro_rules! rows_after {
    ($conn:ident, $table:ident, $after:ident, $at_most:ident, $columns:expr) => {
        $table::table
            .filter($table::id.gt($after))
            .order($table::id)
            .limit($at_most.into())
            .select($columns)
            .load($conn)?
            .into_iter()
    };
}

fn list(conn: &mut Conn, table: Table, after: i64, at_most: u32) -> QueryResult<Vec<Row>> {
    Ok(match table {
        Table::Installation => installation::table
            .filter(installation::number.gt(after))
            .select(identity::Row::as_select())
            .load(conn)?
            .into_iter()
            .map(|row| Row::Installation(row.into()))
            .collect(),
        Table::Users => rows_after!(conn, users, after, at_most, user::Row::as_select())
            .map(|row| Ok(Row::User(row.try_into()?)))
            .collect::<QueryResult<_>>()?,
        Table::Cars => {
            let columns = (car::Row::as_select(), cars::image_bytes);
            rows_after!(conn, cars, after, at_most, columns)
                .map(|(row, bytes): (car::Row, Option<i64>)| {
                    let car = Car::from(row);
                    // The size of a picture that was removed may have stayed.
                    let image_bytes = bytes.filter(|_| car.image.is_some()).map(count_of);
                    Row::Car { car, image_bytes }
                })
                .collect()
        }
        Table::RefreshTokens => {
            let columns = (refresh_tokens::id, token::Row::as_select());
            rows_after!(conn, refresh_tokens, after, at_most, columns)
                .map(|(number, row): (i64, token::Row)| {
                    Ok(Row::RefreshToken {
                        number,
                        token: row.try_into()?,
                    })
                })
                .collect::<QueryResult<_>>()?
        }
        Table::Sessions => {
            let columns = (sessions::id, session::Row::as_select());
            rows_after!(conn, sessions, after, at_most, columns)
                .map(|(number, row): (i64, session::Row)| Row::Session {
                    number,
                    session: row.into(),
                })
                .collect()
        }
        Table::ApiKeys => rows_after!(conn, api_keys, after, at_most, key::Row::as_select())
            .map(|row| Ok(Row::ApiKey(row.try_into()?)))
            .collect::<QueryResult<_>>()?,
        Table::AuditLog => rows_after!(conn, audit_log, after, at_most, entry::Row::as_select())
            .map(|row| Ok(Row::Entry(row.try_into()?)))
            .collect::<QueryResult<_>>()?,
    })
}

fn count(conn: &mut Conn, table: Table) -> QueryResult<i64> {
    match table {
        Table::Installation => installation::table.count().get_result(conn),
        Table::Users => users::table.count().get_result(conn),
        Table::Cars => cars::table.count().get_result(conn),
        Table::RefreshTokens => refresh_tokens::table.count().get_result(conn),
        Table::Sessions => sessions::table.count().get_result(conn),
        Table::ApiKeys => api_keys::table.count().get_result(conn),
        Table::AuditLog => audit_log::table.count().get_result(conn),
    }
}

/// Selects the rows of one kind.
macro_rules! select {
    ($rows:ident, $kind:pat => $value:expr) => {
        $rows
            .iter()
            .filter_map(|row| if let $kind = row { Some($value) } else { None })
    };
}

/// Inserts the values of rows into a table.
macro_rules! insert_values {
    ($conn:ident, $table:ident, $values:expr) => {{
        let values: Vec<_> = $values.collect();
        diesel::insert_into($table::table)
            .values(&values)
            .execute($conn)
            .map(drop)
    }};
}

fn insert(conn: &mut Conn, table: Table, rows: &[Row]) -> QueryResult<()> {
    match table {
        Table::Installation => {
            select!(rows, Row::Installation(row) => row).try_for_each(|row| replace(conn, row))
        }
        Table::Users => insert_users(conn, &select!(rows, Row::User(user) => user).collect::<Vec<_>>()),
        Table::Cars => {
            let rows = select!(rows, Row::Car { car, image_bytes } => (car, *image_bytes));
            insert_cars(conn, &rows.collect::<Vec<_>>())
        }
        Table::RefreshTokens => {
            let tokens = select!(rows, Row::RefreshToken { number, token } => (refresh_tokens::id.eq(*number), token::Values::from(token)));
            insert_values!(conn, refresh_tokens, tokens)
        }
        Table::Sessions => {
            let sessions = select!(rows, Row::Session { number, session } => (sessions::id.eq(*number), session::Values::from(session)));
            insert_values!(conn, sessions, sessions)
        }
        Table::ApiKeys => {
            let keys = select!(rows, Row::ApiKey(key) => (api_keys::id.eq(key.id), key::Values::from(key)));
            insert_values!(conn, api_keys, keys)
        }
        Table::AuditLog => with_given_ids(conn, |conn| {
            insert_entries(conn, select!(rows, Row::Entry(entry) => entry))
        }),
    }
}

fn replace(conn: &mut Conn, new: &Installation) -> QueryResult<()> {
    diesel::delete(installation::table).execute(conn)?;
    let values = (
        installation::number.eq(identity::NUMBER),
        installation::id.eq(&new.id),
        installation::created_at.eq(new.created_at),
    );
    diesel::insert_into(installation::table)
        .values(values)
        .execute(conn)?;
    Ok(())
}

fn insert_users(conn: &mut Conn, rows: &[&User]) -> QueryResult<()> {
    let usernames = unique_keys(rows.iter().map(|user| user.username.as_str()), |own, keys| {
        let others = users::table.filter(users::username_key.eq_any(own));
        diesel::update(others.filter(users::username.ne(users::username_key)))
            .set(users::username_key.eq(users::username))
            .execute(conn)?;
        let holders = users::table.filter(users::username_key.eq_any(keys));
        holders.select(users::username_key).load(conn)
    })?;
    let emails = unique_keys(rows.iter().map(|user| user.email.as_str()), |own, keys| {
        let others = users::table.filter(users::email_key.eq_any(own));
        diesel::update(others.filter(users::email.ne(users::email_key)))
            .set(users::email_key.eq(users::email))
            .execute(conn)?;
        let holders = users::table.filter(users::email_key.eq_any(keys));
        holders.select(users::email_key).load(conn)
    })?;
    let keys = usernames.into_iter().zip(emails);
    let values: Vec<_> = rows
        .iter()
        .zip(keys)
        .map(|(row, (username, email))| {
            let keys = (users::username_key.eq(username), users::email_key.eq(email));
            (users::id.eq(row.id.0), user::Values::from(*row), keys)
        })
        .collect();
    diesel::insert_into(users::table).values(&values).execute(conn)?;
    Ok(())
}

fn insert_cars(conn: &mut Conn, rows: &[(&Car, Option<u64>)]) -> QueryResult<()> {
    let licenses = unique_keys(rows.iter().map(|(car, _)| car.license.as_str()), |own, keys| {
        let others = cars::table.filter(cars::license_key.eq_any(own));
        diesel::update(others.filter(cars::license.ne(cars::license_key)))
            .set(cars::license_key.eq(cars::license))
            .execute(conn)?;
        let holders = cars::table.filter(cars::license_key.eq_any(keys));
        holders.select(cars::license_key).load(conn)
    })?;
    let values: Vec<_> = rows
        .iter()
        .zip(licenses)
        .map(|((row, image_bytes), license)| {
            let bytes = image_bytes.map(|bytes| i64::try_from(bytes).unwrap_or(i64::MAX));
            let others = (cars::license_key.eq(license), cars::image_bytes.eq(bytes));
            (cars::id.eq(row.id.0), car::Values::from(*row), others)
        })
        .collect();
    diesel::insert_into(cars::table).values(&values).execute(conn)?;
    Ok(())
}

fn insert_entries<'a>(conn: &mut Conn, rows: impl Iterator<Item = &'a Entry>) -> QueryResult<()> {
    let values: Vec<_> = rows
        .map(|row| (audit_log::id.eq(row.id), entry::with_object(&row.entry)))
        .collect();
    diesel::insert_into(audit_log::table)
        .values(&values)
        .execute(conn)?;
    Ok(())
}

/// Returns the keys of unique texts: the fold of each, unless another row has that key. Then it is the text itself, as
/// in `keys.rs`. A text that is its own fold has no other key, and so comes first. `taken` lets other rows give up the
/// folds in its first argument, and returns those in its second one that other rows have.
fn unique_keys<'a>(
    texts: impl Iterator<Item = &'a str> + Clone,
    taken: impl FnOnce(&[&str], &[String]) -> QueryResult<Vec<String>>,
) -> QueryResult<Vec<String>> {
    let folds: Vec<String> = texts.clone().map(fold).collect();
    let own: Vec<&str> = texts
        .clone()
        .zip(&folds)
        .filter(|(text, key)| text == key)
        .map(|(text, _)| text)
        .collect();
    let mut taken: HashSet<String> = taken(&own, &folds)?.into_iter().collect();
    taken.extend(own.iter().map(|&text| text.to_owned()));
    let keys = texts.zip(folds).map(|(text, key)| {
        if text == key || taken.insert(key.clone()) {
            key
        } else {
            text.to_owned()
        }
    });
    Ok(keys.collect())
}

#[derive(QueryableByName)]
struct NextId {
    #[diesel(sql_type = BigInt)]
    next_id: i64,
}

impl RowRepository for Unit<'_> {
    fn list(&mut self, table: Table, after: i64, at_most: u32) -> Result<Vec<Row>, StoreError> {
        self.query(|conn| list(conn, table, after, at_most))
    }

    fn count(&mut self, table: Table) -> Result<u64, StoreError> {
        self.query(|conn| count(conn, table)).map(count_of)
    }

    fn insert(&mut self, rows: &[Row]) -> Result<(), StoreError> {
        match rows.first() {
            Some(first) => self.query(|conn| insert(conn, first.table(), rows)),
            None => Ok(()),
        }
    }

    fn next_id(&mut self, table: Table) -> Result<i64, StoreError> {
        if let Some(problem) = self.query(unknown_migrations)? {
            return Err(StoreError::Other(problem.into()));
        }
        match table {
            Table::Installation => Ok(identity::NUMBER),
            Table::AuditLog => self.query(|conn| {
                let last: Option<i64> = audit_log::table
                    .select(diesel::dsl::max(audit_log::id))
                    .get_result(conn)?;
                Ok(last.unwrap_or(0).saturating_add(1))
            }),
            _ => self
                .query(|conn| sql_query(next_id_query(table.as_str())).get_result(conn))
                .map(|NextId { next_id }| next_id),
        }
    }

    fn set_next_id(&mut self, table: Table, id: i64) -> Result<(), StoreError> {
        self.query(|conn| match table {
            Table::Installation => Ok(()),
            Table::AuditLog => follow_last_entry(conn),
            _ => set_next_id(conn, table.as_str(), id),
        })
    }
}
