//! Cars: one's own under `/api/cars/`, and as an admin somebody's under `/api/admin/users/{user_id}/cars/`. Both
//! are served by the same functions; whose cars it is about stands in the path.

use std::borrow::Cow;

use mycars_application::{
    Completeness,
    cars::{self, CarInput},
    lists::{Garage, Listed},
    users,
};
use mycars_domain::{
    Car, CarId, Field, User, UserId,
    values::{Brand, Color, LicensePlate, Mileage, Model, Notes, Vin, Year},
};

use crate::{
    body::Form,
    endpoint::{Access, Endpoint, Operation, Reply, Request, Verb},
    error::{ApiError, Missing},
    fields::{FieldSpec, Kind},
    query,
    views::{CarView, OwnerView},
};

pub(crate) static OWN_LIST: Endpoint = Endpoint {
    path: "/api/cars/",
    name: "Car List",
    description: "Your own cars, newest first.",
    access: Access::Authenticated,
    list: Some(&query::CARS),
    operations: &LIST,
};

pub(crate) static OWN_DETAIL: Endpoint = Endpoint {
    path: "/api/cars/{car_id}/",
    name: "Car Instance",
    description: "One of your own cars.",
    access: Access::Authenticated,
    list: None,
    operations: &DETAIL,
};

pub(crate) static USERS_LIST: Endpoint = Endpoint {
    path: "/api/admin/users/{user_id}/cars/",
    name: "Admin User Car List",
    description: "The cars of a user, newest first.",
    access: Access::Admin,
    list: Some(&query::CARS),
    operations: &LIST,
};

pub(crate) static USERS_DETAIL: Endpoint = Endpoint {
    path: "/api/admin/users/{user_id}/cars/{car_id}/",
    name: "Admin User Car Instance",
    description: "A car of a user. It is only found under its owner.",
    access: Access::Admin,
    list: None,
    operations: &DETAIL,
};

static LIST: [Operation; 2] = [
    Operation::plain(Verb::Get, list),
    Operation {
        verb: Verb::Post,
        fields: &FIELDS,
        handle: create,
    },
];

static DETAIL: [Operation; 4] = [
    Operation::plain(Verb::Get, read),
    Operation {
        verb: Verb::Put,
        fields: &FIELDS,
        handle: replace,
    },
    Operation {
        verb: Verb::Patch,
        fields: &FIELDS,
        handle: change,
    },
    Operation::plain(Verb::Delete, delete),
];

pub(crate) static FIELDS: [FieldSpec; 15] = [
    FieldSpec::read_only("id", "ID", Kind::Integer),
    FieldSpec::required(Field::Brand, "Brand", Kind::Text).at_most(Brand::MAX_LENGTH),
    FieldSpec::required(Field::Model, "Model", Kind::Text).at_most(Model::MAX_LENGTH),
    FieldSpec::required(Field::Year, "Year", Kind::Integer)
        .from(Year::MIN)
        .help("From 1886 to next year."),
    FieldSpec::optional(Field::Color, "Color", Kind::Text)
        .nullable()
        .at_most(Color::MAX_LENGTH),
    FieldSpec::required(Field::License, "License", Kind::Text)
        .at_most(LicensePlate::MAX_LENGTH)
        .help("The licence plate. No two cars have the same, whatever its case."),
    FieldSpec::optional(Field::Vin, "VIN", Kind::Text)
        .nullable()
        .at_most(Vin::LENGTH)
        .help("17 characters, the letters A to Z without I, O and Q, and digits."),
    FieldSpec::optional(Field::Mileage, "Mileage", Kind::Integer)
        .from(Mileage::MIN)
        .to(Mileage::MAX)
        .help("In kilometres."),
    FieldSpec::read_only("owner", "Owner", Kind::Computed),
    FieldSpec::read_only("owner_name", "Owner name", Kind::Computed),
    FieldSpec::read_only("owner_username", "Owner username", Kind::Text),
    FieldSpec::read_only("image", "Image", Kind::Image),
    FieldSpec::optional(Field::Notes, "Notes", Kind::Text)
        .nullable()
        .at_most(Notes::MAX_LENGTH),
    FieldSpec::read_only("created_at", "Created at", Kind::DateTime),
    FieldSpec::read_only("updated_at", "Updated at", Kind::DateTime),
];

/// Whose cars a request is about.
pub(super) struct Scope<'a> {
    pub(super) garage: Garage,
    owner: Cow<'a, User>,
}

impl<'a> Scope<'a> {
    /// The user whose id stands in the path, or the caller if none does.
    pub(super) fn of(request: &'a Request<'_>) -> Result<Self, ApiError> {
        match request.id("user_id") {
            None => Ok(Self {
                garage: Garage::Own,
                owner: Cow::Borrowed(request.user()?),
            }),
            Some(id) => {
                let owner = users::read(request.app, request.caller, UserId(id))?;
                Ok(Self {
                    garage: Garage::Of(owner.id),
                    owner: Cow::Owned(owner),
                })
            }
        }
    }

    /// The car whose id stands in the path.
    pub(super) fn find(&self, request: &Request<'_>) -> Result<Car, ApiError> {
        Ok(cars::read(request.app, request.caller, self.garage, id(request))?)
    }

    pub(super) fn show(&self, car: &Car) -> Result<Reply, ApiError> {
        Reply::ok(&CarView::new(car, &OwnerView::from(&*self.owner)))
    }
}

/// The car that the path names; without one, none that there is.
pub(super) fn id(request: &Request<'_>) -> CarId {
    CarId(request.id("car_id").unwrap_or(-1))
}

fn list(request: &Request<'_>) -> Result<Reply, ApiError> {
    let scope = Scope::of(request)?;
    let query = request.query.cars(request.lists)?;
    let Listed { items, total } = cars::list(request.app, request.caller, scope.garage, &query)?;
    let owner = OwnerView::from(&*scope.owner);
    let items = items.iter().map(|car| CarView::new(car, &owner)).collect();
    request.list(Listed { items, total }, query.page)
}

fn create(request: &Request<'_>) -> Result<Reply, ApiError> {
    let scope = Scope::of(request)?;
    let input = input(&request.form()?);
    let car = match cars::create(request.app, request.caller, scope.garage, &input) {
        Err(cars::Error::OwnerGone) if scope.garage != Garage::Own => {
            return Err(ApiError::NotFound(Missing::User));
        }
        created => created?,
    };
    let location = format!("{}{}/", request.canonical_path(), car.id);
    Reply::created(&CarView::new(&car, &OwnerView::from(&*scope.owner)), location)
}

fn read(request: &Request<'_>) -> Result<Reply, ApiError> {
    let scope = Scope::of(request)?;
    scope.show(&scope.find(request)?)
}

fn replace(request: &Request<'_>) -> Result<Reply, ApiError> {
    update(request, Completeness::Whole)
}

fn change(request: &Request<'_>) -> Result<Reply, ApiError> {
    update(request, Completeness::Partial)
}

fn update(request: &Request<'_>, completeness: Completeness) -> Result<Reply, ApiError> {
    let scope = Scope::of(request)?;
    let input = input(&request.form_unless_missing(|| scope.find(request))?);
    let car = cars::update(
        request.app,
        request.caller,
        scope.garage,
        id(request),
        &input,
        completeness,
    )?;
    scope.show(&car)
}

fn delete(request: &Request<'_>) -> Result<Reply, ApiError> {
    let scope = Scope::of(request)?;
    cars::delete(request.app, request.caller, scope.garage, id(request))?;
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
