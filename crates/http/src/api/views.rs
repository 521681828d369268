//! Cars, users and entries of the audit log as clients see them (wire contract, section 3): keys in the
//! contract's order.

mod entry;

use chrono::{DateTime, Utc};
use mycars_domain::{Car, User, values};
use serde::Serialize;

pub(crate) use self::entry::EntryView;
use crate::api::timestamp;

/// Returns the URL of a picture with this path in the storage.
fn image_url(path: &str) -> String {
    format!("/media/{path}")
}

/// A car, with the name of its owner.
#[derive(Serialize)]
pub(crate) struct CarView<'a> {
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
    #[serde(serialize_with = "timestamp::serialize")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "timestamp::serialize")]
    updated_at: DateTime<Utc>,
}

/// The data of a car's owner, made once for a list of their cars.
pub(crate) struct OwnerView {
    name: String,
    username: String,
}

impl From<&User> for OwnerView {
    fn from(user: &User) -> Self {
        Self {
            name: user.full_name(),
            username: user.username.to_string(),
        }
    }
}

impl<'a> CarView<'a> {
    pub(crate) fn new(car: &'a Car, owner: &'a OwnerView) -> Self {
        Self {
            id: car.id.0,
            brand: car.brand.as_str(),
            model: car.model.as_str(),
            year: car.year.get(),
            color: car.color.as_ref().map(values::Color::as_str),
            license: car.license.as_str(),
            vin: car.vin.as_ref().map(values::Vin::as_str),
            mileage: car.mileage.get(),
            owner: car.owner.0,
            owner_name: &owner.name,
            owner_username: &owner.username,
            image: car.image.as_ref().map(|path| image_url(path.as_str())),
            notes: car.notes.as_ref().map(values::Notes::as_str),
            created_at: car.created_at,
            updated_at: car.updated_at,
        }
    }
}

/// A user, without the password.
#[derive(Serialize)]
pub(crate) struct UserView<'a> {
    id: i64,
    username: &'a str,
    email: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    role: &'a str,
    phone: Option<&'a str>,
    address: Option<&'a str>,
    is_active: bool,
    is_superuser: bool,
    #[serde(serialize_with = "timestamp::serialize")]
    date_joined: DateTime<Utc>,
    #[serde(serialize_with = "timestamp::serialize_option")]
    last_login: Option<DateTime<Utc>>,
    #[serde(serialize_with = "timestamp::serialize")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "timestamp::serialize")]
    updated_at: DateTime<Utc>,
}

impl<'a> From<&'a User> for UserView<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            id: user.id.0,
            username: user.username.as_str(),
            email: user.email.as_str(),
            first_name: user.first_name.as_str(),
            last_name: user.last_name.as_str(),
            role: user.role.as_str(),
            phone: user.phone.as_ref().map(values::Phone::as_str),
            address: user.address.as_ref().map(values::Address::as_str),
            is_active: user.is_active,
            is_superuser: user.is_superuser,
            date_joined: user.date_joined,
            last_login: user.last_login,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// A user and an empty list, into which their cars are written.
#[derive(Serialize)]
pub(crate) struct UserWithCarsView<'a> {
    #[serde(flatten)]
    user: UserView<'a>,
    cars: [(); 0],
}

impl<'a> From<&'a User> for UserWithCarsView<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            user: user.into(),
            cars: [],
        }
    }
}
