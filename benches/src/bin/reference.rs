//! The reference server: it reads the same cars as My Cars with the same statements, the same token and the same JSON,
//! and does nothing else. The difference between the two is the cost of everything else in My Cars.
//!
//! It uses actix, Diesel with r2d2 and `web::block`, with the default number of connections of My Cars and about as many
//! threads. It has no log and no throttling, and its error responses have no body.

use std::{env, error::Error, sync::Arc, thread};

use actix_web::{App, HttpRequest, HttpResponse, HttpServer, http::header, web};
use chrono::{DateTime, SecondsFormat, Utc};
use diesel::Queryable;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::{Deserialize, Serialize, Serializer};

type BoxError = Box<dyn Error + Send + Sync>;

/// Default number of connections of My Cars, and of threads that use them.
const CONNECTIONS: u32 = 8;

/// The user who sends a request, with all columns that My Cars reads.
#[derive(Queryable)]
#[expect(dead_code, reason = "My Cars reads the same columns")]
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
    access_ended_at: Option<DateTime<Utc>>,
    date_joined: DateTime<Utc>,
    last_login: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

#[derive(Queryable, Serialize)]
struct Car {
    id: i64,
    #[serde(rename = "owner")]
    owner_id: i64,
    brand: String,
    model: String,
    year: i32,
    color: Option<String>,
    license: String,
    vin: Option<String>,
    mileage: i32,
    #[serde(serialize_with = "media_url")]
    image: Option<String>,
    notes: Option<String>,
    #[serde(serialize_with = "timestamp")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "timestamp")]
    updated_at: DateTime<Utc>,
}

/// A car with its owner, as in the responses.
#[derive(Serialize)]
struct OwnedCar<'a> {
    #[serde(flatten)]
    car: &'a Car,
    owner_name: &'a str,
    owner_username: &'a str,
}

#[expect(clippy::ref_option, reason = "serde passes the field")]
fn media_url<S: Serializer>(path: &Option<String>, serializer: S) -> Result<S::Ok, S::Error> {
    path.as_ref()
        .map(|path| format!("/media/{path}"))
        .serialize(serializer)
}

fn timestamp<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
    let precision = match time.timestamp_subsec_micros() {
        0 => SecondsFormat::Secs,
        _ => SecondsFormat::Micros,
    };
    serializer.serialize_str(&time.to_rfc3339_opts(precision, true))
}

/// Reads a user, and one or all of the user's cars.
trait Database: Send + Sync + 'static {
    fn user_and_cars(&self, user: i64, car: Option<i64>) -> Result<(User, Vec<Car>), BoxError>;
}

/// Defines a database: the type of its connections, its type of timestamps, and SQL for new connections.
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
                    access_ended_at -> Nullable<$Time>,
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
                fn user_and_cars(&self, user: i64, car: Option<i64>) -> Result<(User, Vec<Car>), BoxError> {
                    let mut conn = self.0.get()?;
                    let user: User = users::table.find(user).first(&mut conn)?;
                    let cars = match car {
                        Some(id) => cars::table.find(id).limit(1).load(&mut conn)?,
                        None => cars::table
                            .filter(cars::owner_id.eq(user.id))
                            .order((cars::created_at.desc(), cars::id.desc()))
                            .load(&mut conn)?,
                    };
                    Ok((user, cars))
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

/// The claims of an access token.
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
    /// Returns the id in the access token of a request.
    fn user(&self, request: &HttpRequest) -> Option<i64> {
        let header = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
        let token = header.strip_prefix("Bearer ")?;
        let token = jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation).ok()?;
        (token.claims.token_type == "access").then(|| token.claims.user_id.parse().ok())?
    }

    /// Returns the JSON of one car of a user, or of all. `None` stands for a car that the user may not see.
    fn json(&self, user: i64, car: Option<i64>) -> Result<Option<Vec<u8>>, BoxError> {
        let (owner, cars) = self.database.user_and_cars(user, car)?;
        let owner_name = &format!("{} {}", owner.first_name, owner.last_name);
        let cars = cars
            .iter()
            .filter(|car| owner.is_active && car.owner_id == owner.id);
        let mut cars = cars.map(|car| OwnedCar {
            car,
            owner_name,
            owner_username: &owner.username,
        });
        Ok(match car {
            Some(_) => cars.next().map(|car| serde_json::to_vec(&car)).transpose()?,
            None => Some(serde_json::to_vec(&cars.collect::<Vec<_>>())?),
        })
    }
}

async fn car(state: web::Data<State>, request: HttpRequest, id: web::Path<i64>) -> HttpResponse {
    respond(state, &request, Some(*id)).await
}

async fn cars(state: web::Data<State>, request: HttpRequest) -> HttpResponse {
    respond(state, &request, None).await
}

#[expect(clippy::disallowed_methods, reason = "a bare server has no worker pools")]
async fn respond(state: web::Data<State>, request: &HttpRequest, car: Option<i64>) -> HttpResponse {
    let Some(user) = state.user(request) else {
        return HttpResponse::Unauthorized().finish();
    };
    match web::block(move || state.json(user, car)).await {
        Ok(Ok(Some(json))) => HttpResponse::Ok().content_type("application/json").body(json),
        Ok(Ok(None)) => HttpResponse::NotFound().finish(),
        Ok(Err(_)) | Err(_) => HttpResponse::InternalServerError().finish(),
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
            .route("/health/ready", web::get().to(HttpResponse::Ok))
    })
    .workers(workers)
    .worker_max_blocking_threads((CONNECTIONS as usize).div_ceil(workers))
    .bind(env::var("MYCARS__SERVER__BIND")?)?
    .run()
    .await?;
    Ok(())
}
