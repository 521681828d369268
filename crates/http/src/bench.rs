//! What is measured by the benchmarks in `benches/`: pieces that run at each request.

use actix_web::web::Bytes;
use chrono::DateTime;
use mycars_application::cars::CarInput;
use mycars_domain::{
    Car, CarId, Role, User, UserId,
    values::{
        Brand, Color, Email, FirstName, LastName, LicensePlate, Mileage, Model, Notes, PasswordHash,
        Username, Vin, Year,
    },
};

use crate::{
    api::{
        cars::{self, CAR},
        endpoint::Reply,
        views::{CarView, OwnerView},
    },
    request::body::Body,
    web::browsable::samples,
};

/// Renders a page with a list of 20 cars, each time it is called.
pub fn list_of_20_cars() -> impl Fn() -> String {
    let sample = samples::sample("twenty-cars");
    move || sample.html()
}

/// Reads the fields of a car from a body of JSON, each time it is called.
pub fn car_from_json() -> impl Fn() -> Option<CarInput> {
    let body = Body::Json(Bytes::from_static(
        br#"{"brand":"Toyota","model":"Corolla","year":2019,"color":"Silver","license":"B-XY 1234",
            "vin":"WVWZZZ1JZXW000001","mileage":15000,"notes":"Winter tyres are in the cellar."}"#,
    ));
    move || body.form(CAR.fields).ok().map(|form| cars::input(&form))
}

/// Writes so many cars of one owner as JSON, each time it is called.
pub fn cars_as_json(count: i64) -> impl Fn() -> Option<Vec<u8>> {
    let owner = owner();
    let cars: Vec<Car> = (1..=count).map(car).collect();
    move || {
        let owner = OwnerView::from(&owner);
        let views: Vec<_> = cars.iter().map(|car| CarView::new(car, &owner)).collect();
        Reply::ok(&views).ok().map(|reply| reply.json)
    }
}

fn owner() -> User {
    let moment = DateTime::from_timestamp_nanos(1_795_000_000_123_456_000);
    User {
        id: UserId(1),
        username: Username::from_storage("ann".to_owned()),
        email: Email::from_storage("ann@example.com".to_owned()),
        first_name: FirstName::from_storage("Ann".to_owned()),
        last_name: LastName::from_storage("Lee".to_owned()),
        role: Role::Client,
        phone: None,
        address: None,
        is_active: true,
        is_superuser: false,
        password: PasswordHash::from_storage(String::new()),
        logins_ended_at: None,
        date_joined: moment,
        last_login: None,
        created_at: moment,
        updated_at: moment,
    }
}

fn car(id: i64) -> Car {
    let moment = DateTime::from_timestamp_nanos(1_795_000_000_123_456_000);
    Car {
        id: CarId(id),
        owner: UserId(1),
        brand: Brand::from_storage("Toyota".to_owned()),
        model: Model::from_storage("Corolla".to_owned()),
        year: Year::from_storage(2019),
        color: Some(Color::from_storage("Silver".to_owned())),
        license: LicensePlate::from_storage(format!("B-XY {id}")),
        vin: Some(Vin::from_storage("WVWZZZ1JZXW000001".to_owned())),
        mileage: Mileage::from_storage(15_000),
        image: None,
        notes: Some(Notes::from_storage("Winter tyres are in the cellar.".to_owned())),
        created_at: moment,
        updated_at: moment,
    }
}
