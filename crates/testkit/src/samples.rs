//! Users, cars and tokens for tests that do not depend on their values. All fields are public: a test of one field
//! writes `NewCar { vin: None, ..samples::new_car(owner, "B-AB 12") }`.

use chrono::{DateTime, TimeDelta, Utc};
use mycars_application::ports::RefreshToken;
use mycars_domain::{
    NewCar, NewUser, Role, UserId,
    values::{
        Address, Brand, Color, Email, FirstName, LastName, LicensePlate, Mileage, Model, Notes, PasswordHash,
        Phone, Username, Vin, Year,
    },
};

/// Returns the time of the samples plus this number of microseconds.
#[must_use]
pub fn moment(microseconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_795_422_600, 0).expect("it is a time") + TimeDelta::microseconds(microseconds)
}

/// Returns an active client with this username, an e-mail address that contains it, and every field set.
#[must_use]
pub fn new_user(username: &str) -> NewUser {
    NewUser {
        username: Username::parse(username).expect("it is a username"),
        email: Email::parse(&format!("{username}@example.com")).expect("it makes an e-mail address"),
        first_name: FirstName::parse("Jörg").expect("it is a name"),
        last_name: LastName::parse("Øvergård").expect("it is a name"),
        role: Role::Client,
        phone: Some(Phone::parse("+49 30 1234567").expect("it is a phone number")),
        address: Some(Address::parse("Straße 1, 10115 Berlin").expect("it is an address")),
        is_active: true,
        is_superuser: false,
        password: PasswordHash::unusable(),
        created_at: moment(0),
        email_verified_at: Some(moment(1)),
    }
}

/// Returns a car with this plate and every field set.
#[must_use]
pub fn new_car(owner: UserId, license: &str) -> NewCar {
    NewCar {
        owner,
        brand: Brand::parse("Škoda").expect("it is a brand"),
        model: Model::parse("Octavia").expect("it is a model"),
        year: Year::parse(2021, 2026).expect("it is a year"),
        color: Some(Color::parse("grün").expect("it is a colour")),
        license: LicensePlate::parse(license).expect("it is a plate"),
        vin: Some(Vin::parse("TMBJJ7NE1L0123456").expect("it is a VIN")),
        mileage: Mileage::parse(12_345).expect("it is a mileage"),
        notes: Some(Notes::parse("Winterreifen im Keller 🚗").expect("they are notes")),
        created_at: moment(0),
    }
}

/// Returns a refresh token that is issued at [`moment`] 0 and expires a day later.
#[must_use]
pub fn refresh_token(id: &str, user: UserId) -> RefreshToken {
    RefreshToken {
        id: id.to_owned(),
        user: Some(user),
        issued_at: moment(0),
        expires_at: moment(0) + TimeDelta::days(1),
        revoked: None,
        revoked_at: None,
        last_used_at: None,
        family: None,
    }
}
