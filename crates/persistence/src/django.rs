//! The database of the Django system that My Cars replaces, read in one snapshot and never changed.

mod queries;
mod shape;

use std::{fs::File, io::Read as _, path::Path};

use chrono::{DateTime, NaiveDateTime, Utc};
use diesel::{
    Connection as _, PgConnection, QueryResult, QueryableByName, RunQueryDsl as _, SqliteConnection,
    connection::SimpleConnection as _,
    pg::Pg,
    query_builder::SqlQuery,
    query_dsl::LoadQuery,
    sql_query,
    sql_types::{BigInt, Nullable, Text},
    sqlite::Sqlite,
};
use mycars_application::{
    Input,
    cars::CarInput,
    ports::{
        BoxError, DjangoCar, DjangoCounts, DjangoNextIds, DjangoSource, DjangoTable, DjangoToken, DjangoUser,
    },
    users::UserInput,
};
use mycars_domain::{CarId, UserId, Violation, values::PasswordHash};

use self::{
    queries::Dialect,
    shape::{Column, Shape, Tables},
};
use crate::error::Failure;

/// An open connection.
enum Conn {
    Postgres(Box<PgConnection>),
    Sqlite(Box<SqliteConnection>),
}

/// The database of a Django system whose tables were found.
pub(crate) struct Source {
    conn: Conn,
    shape: Shape,
}

/// Opens a database in PostgreSQL.
pub(crate) fn open_postgres(address: &str, app: Option<&str>) -> Result<Source, Failure> {
    let mut conn = PgConnection::establish(address)?;
    conn.batch_execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")?;
    open(Conn::Postgres(Box::new(conn)), app)
}

/// Opens the file of a SQLite database.
pub(crate) fn open_sqlite(path: &str, app: Option<&str>) -> Result<Source, Failure> {
    let mode = if needs_no_files(path) {
        "immutable=1"
    } else {
        "mode=ro"
    };
    let mut conn = SqliteConnection::establish(&format!("file:{path}?{mode}"))?;
    conn.batch_execute("PRAGMA query_only = ON; BEGIN")?;
    open(Conn::Sqlite(Box::new(conn)), app)
}

fn open(mut conn: Conn, app: Option<&str>) -> Result<Source, Failure> {
    let columns: Vec<Column> = conn.load(conn.dialect().columns())?;
    let shape = Shape::find(&Tables::new(columns), app).map_err(Failure::Unsuitable)?;
    Ok(Source { conn, shape })
}

/// Returns whether a file is in WAL mode without a log. Otherwise SQLite would create files beside it, even if it may
/// only read.
fn needs_no_files(path: &str) -> bool {
    let mut header = [0; 20];
    let is_wal = File::open(path)
        .and_then(|mut file| file.read_exact(&mut header))
        .is_ok_and(|()| header[18] == 2);
    let log = Path::new(path).with_file_name(format!(
        "{}-wal",
        Path::new(path).file_name().unwrap_or_default().to_string_lossy()
    ));
    is_wal && log.metadata().map_or(true, |log| log.len() == 0)
}

impl Conn {
    fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => Dialect::Postgres,
            Self::Sqlite(_) => Dialect::Sqlite,
        }
    }

    fn load<T>(&mut self, query: impl Into<String>) -> QueryResult<Vec<T>>
    where
        SqlQuery: for<'q> LoadQuery<'q, PgConnection, T> + for<'q> LoadQuery<'q, SqliteConnection, T>,
        T: QueryableByName<Pg> + QueryableByName<Sqlite>,
    {
        let query = sql_query(query);
        match self {
            Self::Postgres(conn) => query.load(conn.as_mut()),
            Self::Sqlite(conn) => query.load(conn.as_mut()),
        }
    }

    fn number(&mut self, query: String) -> QueryResult<i64> {
        let rows: Vec<Number> = self.load(query)?;
        Ok(rows.first().map_or(0, |row| row.number))
    }
}

#[derive(QueryableByName)]
struct Number {
    #[diesel(sql_type = BigInt)]
    number: i64,
}

/// Declares a row whose columns are texts, beside its id.
macro_rules! row {
    ($Row:ident { $($field:ident),+ $(,)? }) => {
        #[derive(QueryableByName)]
        struct $Row {
            #[diesel(sql_type = BigInt)]
            id: i64,
            $(
                #[diesel(sql_type = Nullable<Text>)]
                $field: Option<String>,
            )+
        }
    };
}

row!(UserRow {
    username,
    email,
    first_name,
    last_name,
    password,
    is_active,
    is_staff,
    is_superuser,
    date_joined,
    last_login,
    role,
    phone,
    address,
    created_at,
    updated_at,
});

row!(CarRow {
    owner,
    brand,
    model,
    year,
    color,
    license,
    vin,
    mileage,
    image,
    notes,
    created_at,
    updated_at,
});

row!(TokenRow {
    jti,
    user_id,
    created_at,
    expires_at,
    blacklisted_at,
});

impl DjangoSource for Source {
    fn name(&self, table: DjangoTable) -> String {
        match table {
            DjangoTable::Users => shape::USERS.to_owned(),
            DjangoTable::Cars => self.shape.cars.name.clone(),
        }
    }

    fn counts(&mut self) -> Result<DjangoCounts, BoxError> {
        let mut count = |table: &str| -> QueryResult<u64> {
            let count = self.conn.number(queries::count(table))?;
            Ok(u64::try_from(count).unwrap_or(0))
        };
        Ok(DjangoCounts {
            users: count(shape::USERS)?,
            cars: count(&self.shape.cars.name)?,
            tokens: if self.shape.blacklist.is_some() {
                count(shape::OUTSTANDING)?
            } else {
                0
            },
        })
    }

    fn next_ids(&mut self) -> Result<DjangoNextIds, BoxError> {
        let cars = self.shape.cars.name.clone();
        Ok(DjangoNextIds {
            user: self.next_id(shape::USERS)?,
            car: self.next_id(&cars)?,
            token: if self.shape.blacklist.is_some() {
                self.next_id(shape::OUTSTANDING)?
            } else {
                1
            },
        })
    }

    fn users(&mut self, after: i64, at_most: u32) -> Result<Vec<DjangoUser>, BoxError> {
        let query = queries::users(self.conn.dialect(), &self.shape, after, at_most);
        let rows: Vec<UserRow> = self.conn.load(query)?;
        rows.into_iter().map(|row| self.user(row)).collect()
    }

    fn cars(&mut self, after: i64, at_most: u32) -> Result<Vec<DjangoCar>, BoxError> {
        let query = queries::cars(self.conn.dialect(), &self.shape, after, at_most);
        let rows: Vec<CarRow> = self.conn.load(query)?;
        rows.into_iter().map(|row| self.car(row)).collect()
    }

    fn tokens(&mut self, after: i64, at_most: u32) -> Result<Vec<DjangoToken>, BoxError> {
        let Some(tables) = &self.shape.blacklist else {
            return Ok(Vec::new());
        };
        let query = queries::tokens(self.conn.dialect(), tables, after, at_most);
        let rows: Vec<TokenRow> = self.conn.load(query)?;
        rows.into_iter().map(token).collect()
    }
}

impl Source {
    /// Returns the id after all that were ever assigned, also to rows that were deleted.
    fn next_id(&mut self, table: &str) -> QueryResult<i64> {
        let after_last = self.conn.number(queries::id_after_last(table))?;
        let sequence = match &self.conn {
            Conn::Postgres(_) => {
                let names: Vec<Sequence> = self.conn.load(queries::sequence(table))?;
                let name = names.into_iter().find_map(|row| row.name);
                name.map(|name| queries::next_of_sequence(&name))
            }
            Conn::Sqlite(_) => self
                .shape
                .has_sqlite_sequence
                .then(|| queries::next_of_sqlite_sequence(table)),
        };
        let next = sequence.map_or(Ok(1), |query| self.conn.number(query))?;
        Ok(next.max(after_last))
    }

    fn user(&self, row: UserRow) -> Result<DjangoUser, BoxError> {
        let at = |column: &str, value| time(shape::USERS, row.id, column, value);
        let has = |column| {
            self.shape
                .profile
                .as_ref()
                .is_some_and(|profile| profile.has(column))
        };
        let is_set = |flag: &Option<String>| flag.as_deref().is_some_and(|flag| flag != "0");
        let date_joined = at("date_joined", row.date_joined.as_deref())?.unwrap_or(DateTime::UNIX_EPOCH);
        Ok(DjangoUser {
            id: UserId(row.id),
            is_superuser: is_set(&row.is_superuser),
            is_staff: is_set(&row.is_staff),
            date_joined,
            last_login: at("last_login", row.last_login.as_deref())?,
            created_at: at("created_at", row.created_at.as_deref())?,
            updated_at: at("updated_at", row.updated_at.as_deref())?,
            input: UserInput {
                is_active: Input::Given(is_set(&row.is_active)),
                username: input(row.username, true),
                email: input(row.email, true),
                first_name: input(row.first_name, true),
                last_name: input(row.last_name, true),
                // A user without a profile is a client.
                role: row.role.map_or(Input::Absent, Input::Given),
                phone: input(row.phone, has("phone")),
                address: input(row.address, has("address")),
                ..UserInput::default()
            },
            password: PasswordHash::from_storage(row.password.unwrap_or_default()),
        })
    }

    fn car(&self, row: CarRow) -> Result<DjangoCar, BoxError> {
        let at = |column: &str, value| time(&self.shape.cars.name, row.id, column, value);
        let has = |column| self.shape.has_car_column(column);
        Ok(DjangoCar {
            id: CarId(row.id),
            created_at: at("created_at", row.created_at.as_deref())?,
            updated_at: at("updated_at", row.updated_at.as_deref())?,
            input: CarInput {
                brand: input(row.brand, true),
                model: input(row.model, true),
                year: number(row.year, true),
                color: input(row.color, has("color")),
                license: input(row.license, true),
                vin: input(row.vin, has("vin")),
                mileage: number(row.mileage, has("mileage")),
                notes: input(row.notes, has("notes")),
                owner: number(row.owner, true).map(UserId),
                ..CarInput::default()
            },
            image: row.image.filter(|image| !image.is_empty()),
        })
    }
}

#[derive(QueryableByName)]
struct Sequence {
    #[diesel(sql_type = Nullable<Text>)]
    name: Option<String>,
}

fn token(row: TokenRow) -> Result<DjangoToken, BoxError> {
    let at = |column: &str, value| time(shape::OUTSTANDING, row.id, column, value);
    Ok(DjangoToken {
        number: row.id,
        user: row.user_id.as_deref().and_then(|id| id.parse().ok()).map(UserId),
        issued_at: at("created_at", row.created_at.as_deref())?,
        // A token without an expiry is never valid.
        expires_at: at("expires_at", row.expires_at.as_deref())?.unwrap_or(DateTime::UNIX_EPOCH),
        blacklisted_at: at("blacklisted_at", row.blacklisted_at.as_deref())?,
        jti: row.jti.unwrap_or_default(),
    })
}

/// Returns the input of a field, which is absent if its column does not exist.
fn input(value: Option<String>, has_column: bool) -> Input<String> {
    match value {
        _ if !has_column => Input::Absent,
        None => Input::Null,
        Some(text) => Input::Given(text),
    }
}

/// Returns the same for a number. SQLite stores any text in such a column.
fn number(value: Option<String>, has_column: bool) -> Input<i64> {
    match input(value, has_column) {
        Input::Given(text) => text
            .parse()
            .map_or(Input::Invalid(Violation::NotAnInteger), Input::Given),
        Input::Null => Input::Null,
        _ => Input::Absent,
    }
}

/// Parses a time in UTC, as Django stores it in SQLite and as the queries format it in PostgreSQL.
fn time(table: &str, id: i64, column: &str, value: Option<&str>) -> Result<Option<DateTime<Utc>>, BoxError> {
    let Some(text) = value else { return Ok(None) };
    let plain = text.trim_end_matches("+00:00").replace('T', " ");
    NaiveDateTime::parse_from_str(&plain, "%Y-%m-%d %H:%M:%S%.f")
        .map(|time| Some(time.and_utc()))
        .map_err(|_| format!("row {id} of {table} has no time in column {column}, but `{text}`").into())
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::*;

    const TABLES: &str = "
        PRAGMA journal_mode = WAL;
        CREATE TABLE auth_user (id INTEGER PRIMARY KEY, username, email, first_name, last_name, password, is_active,
            is_staff, is_superuser, date_joined, last_login);
        CREATE TABLE garage_car (id INTEGER PRIMARY KEY, owner_id, license, brand, model, year, mileage, created_at);
        INSERT INTO auth_user VALUES (7, 'ann', NULL, '', '', '!', 1, 0, 0, '2024-01-02 03:04:05.000600', NULL);
        INSERT INTO garage_car VALUES (9, 7, 'B 1', 'VW', 'Golf', 'old', NULL, '2024-01-02');";

    fn files(folder: &Path) -> Vec<PathBuf> {
        let files = fs::read_dir(folder).unwrap();
        let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
        files.sort();
        files
    }

    #[test]
    fn file_in_wal_mode_is_read_without_new_files() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db.sqlite3").display().to_string();
        let mut writer = SqliteConnection::establish(&path).unwrap();
        writer.batch_execute(TABLES).unwrap();
        let read = || {
            let before = files(folder.path());
            let mut source = open_sqlite(&path, None).ok().unwrap();
            let users = source.users(0, 10).unwrap();
            drop(source);
            assert_eq!(files(folder.path()), before);
            users
        };
        // The rows are in the log, and then in the file.
        let users = read();
        drop(writer);
        assert_eq!(files(folder.path()).len(), 1);
        assert_eq!(read(), users);
        assert_eq!(users.len(), 1);
        assert_eq!(users[0].date_joined.timestamp_subsec_micros(), 600);
        assert_eq!(users[0].input.email, Input::Null);
        assert_eq!(users[0].input.phone, Input::Absent);
    }

    #[test]
    fn values_of_other_types_are_reported() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("db.sqlite3").display().to_string();
        SqliteConnection::establish(&path)
            .unwrap()
            .batch_execute(TABLES)
            .unwrap();
        let mut source = open_sqlite(&path, Some("garage")).ok().unwrap();
        let error = source.cars(0, 10).unwrap_err().to_string();
        assert_eq!(
            error,
            "row 9 of garage_car has no time in column created_at, but `2024-01-02`"
        );
        SqliteConnection::establish(&path)
            .unwrap()
            .batch_execute("UPDATE garage_car SET created_at = NULL")
            .unwrap();
        let mut source = open_sqlite(&path, Some("garage")).ok().unwrap();
        let car = source.cars(0, 10).unwrap().remove(0).input;
        assert_eq!(car.year, Input::Invalid(Violation::NotAnInteger));
        assert_eq!((car.mileage, car.notes), (Input::Null, Input::Absent));
        assert_eq!(source.next_ids().unwrap().car, 10);
        assert!(source.tokens(0, 10).unwrap().is_empty());
    }
}
