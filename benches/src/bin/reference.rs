//! The bare reference: the smallest server that reads the same cars with the same statements, the same token and
//! the same JSON as My Cars, and does nothing else. What My Cars is slower than this is what it costs itself.
//!
//! It has what one would write in an afternoon: actix, Diesel with r2d2, `web::block`, as many connections as My Cars by
//! default, and about as many threads. It says nothing in a log, counts nobody, and answers every failure with a bare
//! status.

use std::{env, error::Error, sync::Arc, thread};

use actix_web::{
    App, HttpRequest, HttpResponse, HttpServer,
    http::{StatusCode, header},
    web,
};
use chrono::{DateTime, SecondsFormat, Utc};
use diesel::Queryable;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize, Serializer};

type BoxError = Box<dyn Error + Send + Sync>;

/// As many connections as My Cars has by default, and threads for them.
const CONNECTIONS: u32 = 8;

/// A user, with all columns that My Cars reads of whoever asks.
#[derive(Queryable)]
#[expect(dead_code, reason = "what is read is what My Cars reads, used or not")]
struct User {
    id: i64,
    username: String,
    email: String,
    first_name: String,
    last_name: String,
    role: String,
    phone: Option<String>,
    address: Option<String>,
    is_active: bool,
    is_superuser: bool,
    password: String,
    logins_ended_at: Option<DateTime<Utc>>,
    date_joined: DateTime<Utc>,
    last_login: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(Queryable)]
struct Car {
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

/// A car as clients see it.
#[derive(Serialize)]
struct View<'a> {
    id: i64,
    brand: &'a str,
    model: &'a str,
    year: i32,
    color: Option<&'a str>,
    license: &'a str,
    vin: Option<&'a str>,
    mileage: i32,
    owner: i64,
    owner_name: &'a str,
    owner_username: &'a str,
    image: Option<String>,
    notes: Option<&'a str>,
    #[serde(serialize_with = "timestamp")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "timestamp")]
    updated_at: DateTime<Utc>,
}

fn timestamp<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    let precision = match time.timestamp_subsec_micros() {
        0 => SecondsFormat::Secs,
        _ => SecondsFormat::Micros,
    };
    serializer.serialize_str(&time.to_rfc3339_opts(precision, true))
}

impl<'a> View<'a> {
    fn new(car: &'a Car, owner: &'a User, owner_name: &'a str) -> Self {
        Self {
            id: car.id,
            brand: &car.brand,
            model: &car.model,
            year: car.year,
            color: car.color.as_deref(),
            license: &car.license,
            vin: car.vin.as_deref(),
            mileage: car.mileage,
            owner: car.owner_id,
            owner_name,
            owner_username: &owner.username,
            image: car.image.as_ref().map(|path| format!("/media/{path}")),
            notes: car.notes.as_deref(),
            created_at: car.created_at,
            updated_at: car.updated_at,
        }
    }
}

/// What is asked of a database.
trait Database: Send + Sync + 'static {
    fn user_and_car(&self, user: i64, car: i64) -> Result<(User, Option<Car>), BoxError>;
    fn user_and_cars(&self, user: i64) -> Result<(User, Vec<Car>), BoxError>;
}

/// A database of one kind: its connection, its type of points in time, and how a new connection is set up.
macro_rules! database {
    ($name:ident, $Conn:ty, $Time:ident, $setup:literal) => {
        mod $name {
            use diesel::{
                connection::SimpleConnection as _,
                prelude::*,
                r2d2::{ConnectionManager, CustomizeConnection, Error, Pool},
            };

            use super::{BoxError, CONNECTIONS, Car, Database, User};

            diesel::table! {
                users (id) {
                    id -> BigInt,
                    username -> Text,
                    email -> Text,
                    first_name -> Text,
                    last_name -> Text,
                    role -> Text,
                    phone -> Nullable<Text>,
                    address -> Nullable<Text>,
                    is_active -> Bool,
                    is_superuser -> Bool,
                    password -> Text,
                    logins_ended_at -> Nullable<$Time>,
                    date_joined -> $Time,
                    last_login -> Nullable<$Time>,
                    created_at -> $Time,
                    updated_at -> $Time,
                }
            }

            diesel::table! {
                cars (id) {
                    id -> BigInt,
                    owner_id -> BigInt,
                    brand -> Text,
                    model -> Text,
                    year -> Integer,
                    color -> Nullable<Text>,
                    license -> Text,
                    vin -> Nullable<Text>,
                    mileage -> Integer,
                    image -> Nullable<Text>,
                    notes -> Nullable<Text>,
                    created_at -> $Time,
                    updated_at -> $Time,
                }
            }

            pub(super) struct Store(Pool<ConnectionManager<$Conn>>);

            #[derive(Debug)]
            struct Setup;

            impl CustomizeConnection<$Conn, Error> for Setup {
                fn on_acquire(&self, conn: &mut $Conn) -> Result<(), Error> {
                    Ok(conn.batch_execute($setup)?)
                }
            }

            impl Store {
                pub(super) fn open(address: &str) -> Result<Self, BoxError> {
                    let pool = Pool::builder()
                        .max_size(CONNECTIONS)
                        .test_on_check_out(false)
                        .connection_customizer(Box::new(Setup))
                        .build(ConnectionManager::new(address))?;
                    Ok(Self(pool))
                }
            }

            impl Database for Store {
                fn user_and_car(&self, user: i64, car: i64) -> Result<(User, Option<Car>), BoxError> {
                    let mut conn = self.0.get()?;
                    let user = users::table.find(user).first(&mut conn)?;
                    let car = cars::table.find(car).first(&mut conn).optional()?;
                    Ok((user, car))
                }

                fn user_and_cars(&self, user: i64) -> Result<(User, Vec<Car>), BoxError> {
                    let mut conn = self.0.get()?;
                    let owner = users::table.find(user).first(&mut conn)?;
                    let cars = cars::table
                        .filter(cars::owner_id.eq(user))
                        .order((cars::created_at.desc(), cars::id.desc()))
                        .load(&mut conn)?;
                    Ok((owner, cars))
                }
            }
        }
    };
}

database!(postgres, PgConnection, Timestamptz, "SELECT 1");
database!(
    sqlite,
    SqliteConnection,
    TimestamptzSqlite,
    "PRAGMA busy_timeout = 2000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
);

/// What a token says.
#[derive(Deserialize)]
struct Claims {
    token_type: String,
    user_id: String,
}

struct State {
    database: Box<dyn Database>,
    key: DecodingKey,
    validation: Validation,
}

impl State {
    /// The user whom the access token of a request names.
    fn user(&self, request: &HttpRequest) -> Option<i64> {
        let header = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
        let token = header.strip_prefix("Bearer ")?;
        let claims = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation)
            .ok()?
            .claims;
        (claims.token_type == "access").then(|| claims.user_id.parse().ok())?
    }
}

async fn car(state: web::Data<State>, request: HttpRequest, id: web::Path<i64>) -> HttpResponse {
    answer(state, &request, move |database, user| {
        let (owner, car) = database.user_and_car(user, *id)?;
        let Some(car) = car.filter(|car| owner.is_active && car.owner_id == owner.id) else {
            return Ok(None);
        };
        let name = full_name(&owner);
        Ok(Some(serde_json::to_vec(&View::new(&car, &owner, &name))?))
    })
    .await
}

async fn cars(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    answer(state, &request, |database, user| {
        let (owner, cars) = database.user_and_cars(user)?;
        if !owner.is_active {
            return Ok(None);
        }
        let name = full_name(&owner);
        let views: Vec<_> = cars.iter().map(|car| View::new(car, &owner, &name)).collect();
        Ok(Some(serde_json::to_vec(&views)?))
    })
    .await
}

fn full_name(user: &User) -> String {
    format!("{} {}", user.first_name, user.last_name)
}

/// Does blocking work for whoever asks, and answers its JSON, or that there is nothing.
#[expect(clippy::disallowed_methods, reason = "a bare server has no lanes")]
async fn answer(
    state: web::Data<State>,
    request: &HttpRequest,
    work: impl FnOnce(&dyn Database, i64) -> Result<Option<Vec<u8>>, BoxError> + Send + 'static,
) -> HttpResponse {
    let Some(user) = state.user(request) else {
        return HttpResponse::new(StatusCode::UNAUTHORIZED);
    };
    match web::block(move || work(&*state.database, user)).await {
        Ok(Ok(Some(json))) => HttpResponse::Ok().content_type("application/json").body(json),
        Ok(Ok(None)) => HttpResponse::new(StatusCode::NOT_FOUND),
        Ok(Err(_)) | Err(_) => HttpResponse::new(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

#[actix_web::main]
async fn main() -> Result<(), BoxError> {
    let url = env::var("DATABASE_URL")?;
    let database: Box<dyn Database> = match url.strip_prefix("sqlite://") {
        Some(path) => Box::new(sqlite::Store::open(path)?),
        None => Box::new(postgres::Store::open(&url)?),
    };
    let mut validation = Validation::new(Algorithm::HS256);
    validation.leeway = 0;
    let state = web::Data::from(Arc::new(State {
        database,
        key: DecodingKey::from_secret(env::var("SECRET_KEY")?.as_bytes()),
        validation,
    }));
    let workers = thread::available_parallelism()?.get();
    HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .route("/cars/", web::get().to(cars))
            .route("/cars/{id}/", web::get().to(car))
    })
    .workers(workers)
    .worker_max_blocking_threads((CONNECTIONS as usize).div_ceil(workers))
    .bind(env::var("BIND")?)?
    .run()
    .await?;
    Ok(())
}
