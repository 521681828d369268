//! Cars: those of the caller under `/api/cars/`, and for admins those of a user under
//! `/api/admin/users/{user_id}/cars/`. The same functions serve both; the path selects the owner.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use mycars_application::{
    App, Caller, UpdateMode,
    cars::{self, CarInput, CarScope},
    images::{Permit, Permits},
    users,
};
use mycars_domain::{
    Car, CarId, Field, User, UserId,
    values::{Brand, Color, LicensePlate, Mileage, Model, Notes, Vin, Year},
};
use serde::Serialize;

use crate::{
    api::{
        endpoint::{Access, Endpoint, Method, Operation, RateClass, Reply, Request, ResponseSpec, Tag},
        fields::{FieldKind, FieldSpec, Schema},
        items::Items,
        timestamp,
    },
    error::{ApiError, Resource},
    request::{body::Form, query},
};

pub(crate) static OWN_LIST: Endpoint = Endpoint {
    path: "/api/cars/",
    name: "Car List",
    description: "Your own cars, newest first.",
    tag: Tag::Cars,
    access: Access::Authenticated,
    rate: RateClass::Standard,
    list: Some(&query::CARS),
    operations: &list_operations("list_cars", "create_car"),
};

pub(crate) static OWN_DETAIL: Endpoint = Endpoint {
    path: "/api/cars/{car_id}/",
    name: "Car Instance",
    description: "One of your own cars.",
    tag: Tag::Cars,
    access: Access::Authenticated,
    rate: RateClass::Standard,
    list: None,
    operations: &detail_operations(["get_car", "replace_car", "update_car", "delete_car"]),
};

pub(crate) static USER_CARS: Endpoint = Endpoint {
    path: "/api/admin/users/{user_id}/cars/",
    name: "Admin User Car List",
    description: "The cars of a user, newest first.",
    tag: Tag::AdminCars,
    access: Access::Admin,
    rate: RateClass::Standard,
    list: Some(&query::CARS),
    operations: &list_operations("list_user_cars", "create_user_car"),
};

pub(crate) static USER_CAR: Endpoint = Endpoint {
    path: "/api/admin/users/{user_id}/cars/{car_id}/",
    name: "Admin User Car Instance",
    description: "A car of a user. The car is found only under its owner's path.",
    tag: Tag::AdminCars,
    access: Access::Admin,
    rate: RateClass::Standard,
    list: None,
    operations: &detail_operations([
        "get_user_car",
        "replace_user_car",
        "update_user_car",
        "delete_user_car",
    ]),
};

const fn list_operations(list_id: &'static str, create_id: &'static str) -> [Operation; 2] {
    [
        Operation::plain(
            list_id,
            "List cars, newest first",
            Method::Get,
            ResponseSpec::Many(&CAR),
            list,
        ),
        Operation {
            id: create_id,
            summary: "Add a car",
            method: Method::Post,
            body: Some(&CAR),
            answer: ResponseSpec::Created(&CAR),
            handle: create,
        },
    ]
}

const fn detail_operations([read_id, replace_id, change_id, delete_id]: [&'static str; 4]) -> [Operation; 4] {
    [
        Operation::plain(read_id, "Read a car", Method::Get, ResponseSpec::One(&CAR), read),
        Operation {
            id: replace_id,
            summary: "Replace a car",
            method: Method::Put,
            body: Some(&CAR),
            answer: ResponseSpec::One(&CAR),
            handle: replace,
        },
        Operation {
            id: change_id,
            summary: "Update a car",
            method: Method::Patch,
            body: Some(&CAR),
            answer: ResponseSpec::One(&CAR),
            handle: change,
        },
        Operation::plain(
            delete_id,
            "Delete a car and its picture",
            Method::Delete,
            ResponseSpec::Nothing,
            delete,
        ),
    ]
}

/// A car, in requests and responses.
pub(crate) static CAR: Schema = Schema {
    name: "Car",
    fields: &FIELDS,
};

pub(crate) static FIELDS: [FieldSpec; 15] = [
    FieldSpec::read_only("id", "ID", FieldKind::Integer).example("7"),
    FieldSpec::required(Field::Brand, "Brand", FieldKind::Text)
        .at_most(Brand::MAX_LENGTH)
        .example("Toyota"),
    FieldSpec::required(Field::Model, "Model", FieldKind::Text)
        .at_most(Model::MAX_LENGTH)
        .example("Camry"),
    FieldSpec::required(Field::Year, "Year", FieldKind::Integer)
        .from(Year::MIN)
        .help("From 1886 to next year.")
        .example("2023"),
    FieldSpec::optional(Field::Color, "Color", FieldKind::Text)
        .nullable()
        .at_most(Color::MAX_LENGTH)
        .example("Silver"),
    FieldSpec::required(Field::License, "License", FieldKind::Text)
        .at_most(LicensePlate::MAX_LENGTH)
        .help("The licence plate, unique over all cars, ignoring case.")
        .example("AB 123 CD"),
    FieldSpec::optional(Field::Vin, "VIN", FieldKind::Text)
        .nullable()
        .at_most(Vin::LENGTH)
        .matching(VIN)
        .help("17 characters, the letters A to Z without I, O and Q, and digits.")
        .example("1HGBH41JXMN109186"),
    FieldSpec::optional(Field::Mileage, "Mileage", FieldKind::Integer)
        .from(Mileage::MIN)
        .to(Mileage::MAX)
        .help("Distance driven, in kilometres.")
        .default("0")
        .example("15000"),
    FieldSpec::read_only("owner", "Owner", FieldKind::Reference).example("1"),
    FieldSpec::read_only("owner_name", "Owner name", FieldKind::Computed).example("Ann Lee"),
    FieldSpec::read_only("owner_username", "Owner username", FieldKind::Text).example("ann"),
    FieldSpec::read_only("image", "Image", FieldKind::Image).nullable(),
    FieldSpec::optional(Field::Notes, "Notes", FieldKind::Text)
        .nullable()
        .at_most(Notes::MAX_LENGTH)
        .example("Winter tyres are in the cellar."),
    FieldSpec::read_only("created_at", "Created at", FieldKind::DateTime),
    FieldSpec::read_only("updated_at", "Updated at", FieldKind::DateTime),
];

/// Regular expression of the texts that [`Vin`] accepts.
const VIN: &str = "[A-HJ-NPR-Za-hj-npr-z0-9]{17}";

/// Returns the URL of a picture with this path in the storage.
pub(super) fn image_url(path: &str) -> String {
    format!("/media/{path}")
}

/// Returns the URL of a car's picture, with the permit to read it if pictures are private.
pub(crate) fn image_of(car: &Car, permits: &Permits) -> Option<String> {
    let path = car.image.as_ref()?;
    let url = image_url(path.as_str());
    Some(match permits.issue(path) {
        Some(Permit { expires, signature }) => format!("{url}?expires={expires}&signature={signature}"),
        None => url,
    })
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
#[derive(Default)]
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
    pub(crate) fn new(car: &'a Car, owner: &'a OwnerView, permits: &Permits) -> Self {
        Self {
            id: car.id.0,
            brand: car.brand.as_str(),
            model: car.model.as_str(),
            year: car.year.get(),
            color: car.color.as_ref().map(Color::as_str),
            license: car.license.as_str(),
            vin: car.vin.as_ref().map(Vin::as_str),
            mileage: car.mileage.get(),
            owner: car.owner.0,
            owner_name: &owner.name,
            owner_username: &owner.username,
            image: image_of(car, permits),
            notes: car.notes.as_ref().map(Notes::as_str),
            created_at: car.created_at,
            updated_at: car.updated_at,
        }
    }
}

/// The owner of the cars that a request concerns.
pub(super) struct Scope<'a> {
    pub(super) cars: CarScope,
    owner: Cow<'a, User>,
    permits: Permits,
}

impl<'a> Scope<'a> {
    /// Reads the user with the id in the path; without one, it is the caller.
    pub(super) fn of(request: &'a Request<'_>) -> Result<Self, ApiError> {
        match request.id("user_id") {
            None => Ok(Self {
                cars: CarScope::Caller,
                owner: Cow::Borrowed(request.user()?),
                permits: Permits::new(request.app),
            }),
            Some(id) => {
                let owner = users::read(request.app, request.caller, UserId(id))?;
                Ok(Self {
                    cars: CarScope::Owner(owner.id),
                    owner: Cow::Owned(owner),
                    permits: Permits::new(request.app),
                })
            }
        }
    }

    /// Reads the car with the id in the path, unless it was read with the caller.
    pub(super) fn find<'r>(&self, request: &Request<'r>) -> Result<Cow<'r, Car>, ApiError> {
        Ok(match request.own_car {
            Some(car) => Cow::Borrowed(cars::show(request.caller, self.cars, car)?),
            None => Cow::Owned(cars::read(request.app, request.caller, self.cars, id(request))?),
        })
    }

    /// Returns the version of the car that the request expects.
    fn version(&self, request: &Request<'_>) -> Result<Option<DateTime<Utc>>, ApiError> {
        let preconditions = &request.context.preconditions;
        preconditions.version(|| Ok(self.find(request)?.updated_at))
    }

    /// Returns the car, with the tag of its version.
    fn show_tagged(&self, car: &Car) -> Result<Reply, ApiError> {
        Ok(self.show(car)?.tagged(car.updated_at))
    }

    pub(super) fn show(&self, car: &Car) -> Result<Reply, ApiError> {
        Reply::ok(&CarView::new(car, &OwnerView::from(&*self.owner), &self.permits))
    }
}

/// Returns the car id in the path; without one, an id that no car has.
pub(super) fn id(request: &Request<'_>) -> CarId {
    CarId(request.id("car_id").unwrap_or(-1))
}

/// The cars of one owner in a list.
pub(super) struct CarItems {
    scope: CarScope,
    owner: OwnerView,
    permits: Permits,
}

impl CarItems {
    pub(super) fn new(scope: CarScope, owner: &User, app: &App) -> Self {
        Self {
            scope,
            owner: owner.into(),
            permits: Permits::new(app),
        }
    }
}

impl Items for CarItems {
    type Item = Car;

    fn id(car: &Car) -> i64 {
        car.id.0
    }

    fn read(&self, app: &App, caller: &Caller, ids: &[i64]) -> Result<Vec<Car>, ApiError> {
        let ids: Vec<CarId> = ids.iter().copied().map(CarId).collect();
        Ok(cars::read_all(app, caller, self.scope, &ids)?)
    }

    fn write(&self, car: &Car, json: &mut Vec<u8>) -> serde_json::Result<()> {
        serde_json::to_writer(json, &CarView::new(car, &self.owner, &self.permits))
    }
}

fn list(request: &Request<'_>) -> Result<Reply, ApiError> {
    let scope = Scope::of(request)?;
    let query = request.query.cars(request.lists)?;
    let listed = cars::list_chunked(request.app, request.caller, scope.cars, &query)?;
    let listed = listed.map_rest(|id| id.0);
    request.list(
        &listed,
        query.page,
        CarItems::new(scope.cars, &scope.owner, request.app),
    )
}

fn create(request: &Request<'_>) -> Result<Reply, ApiError> {
    let scope = Scope::of(request)?;
    let input = input(&request.form()?);
    let car = match cars::create(request.app, request.caller, scope.cars, &input) {
        Err(cars::Error::OwnerGone) if scope.cars != CarScope::Caller => {
            return Err(ApiError::NotFound(Resource::User));
        }
        created => created?,
    };
    let location = format!("{}{}/", request.canonical_path(), car.id);
    Reply::created(
        &CarView::new(&car, &OwnerView::from(&*scope.owner), &scope.permits),
        location,
    )
}

fn read(request: &Request<'_>) -> Result<Reply, ApiError> {
    let scope = Scope::of(request)?;
    let car = scope.find(request)?;
    scope.show_tagged(&car)
}

fn replace(request: &Request<'_>) -> Result<Reply, ApiError> {
    update(request, UpdateMode::Full)
}

fn change(request: &Request<'_>) -> Result<Reply, ApiError> {
    update(request, UpdateMode::Partial)
}

fn update(request: &Request<'_>, completeness: UpdateMode) -> Result<Reply, ApiError> {
    let scope = Scope::of(request)?;
    let version = scope.version(request)?;
    let input = CarInput {
        version,
        ..input(&request.form_unless_missing(|| scope.find(request))?)
    };
    let car = cars::update(
        request.app,
        request.caller,
        scope.cars,
        id(request),
        &input,
        completeness,
    );
    let car = car.map_err(|error| request.context.preconditions.failed(error))?;
    scope.show_tagged(&car)
}

fn delete(request: &Request<'_>) -> Result<Reply, ApiError> {
    let scope = Scope::of(request)?;
    let version = scope.version(request)?;
    cars::delete(request.app, request.caller, scope.cars, id(request), version)
        .map_err(|error| request.context.preconditions.failed(error))?;
    Ok(Reply::no_content())
}

pub(crate) fn input(form: &Form<'_>) -> CarInput {
    CarInput {
        brand: form.text(Field::Brand),
        model: form.text(Field::Model),
        year: form.integer(Field::Year),
        color: form.text(Field::Color),
        license: form.text(Field::License),
        vin: form.text(Field::Vin),
        mileage: form.integer(Field::Mileage),
        notes: form.text(Field::Notes),
        ..CarInput::default()
    }
}
