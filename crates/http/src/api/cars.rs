//! `/api/cars/` and `/api/cars/{car_id}/`: the caller's own cars.

use mycars_application::{
    Completeness,
    cars::{self, CarInput},
};
use mycars_domain::{
    Car, CarId, Field,
    values::{Brand, Color, LicensePlate, Mileage, Model, Notes, Vin, Year},
};

use crate::{
    blocking::Lane,
    body::Form,
    endpoint::{Access, Endpoint, Operation, Reply, Request, Verb},
    error::ApiError,
    fields::{FieldSpec, Kind},
    views::{CarView, OwnerView},
};

pub(crate) static LIST: Endpoint = Endpoint {
    path: "/api/cars/",
    name: "Car List",
    description: "Your own cars, newest first.",
    access: Access::Authenticated,
    operations: &[
        Operation {
            verb: Verb::Get,
            fields: &[],
            lane: Lane::Database,
            handle: list,
        },
        Operation {
            verb: Verb::Post,
            fields: &FIELDS,
            lane: Lane::Database,
            handle: create,
        },
    ],
};

pub(crate) static DETAIL: Endpoint = Endpoint {
    path: "/api/cars/{car_id}/",
    name: "Car Instance",
    description: "One of your own cars.",
    access: Access::Authenticated,
    operations: &[
        Operation {
            verb: Verb::Get,
            fields: &[],
            lane: Lane::Database,
            handle: read,
        },
        Operation {
            verb: Verb::Put,
            fields: &FIELDS,
            lane: Lane::Database,
            handle: replace,
        },
        Operation {
            verb: Verb::Patch,
            fields: &FIELDS,
            lane: Lane::Database,
            handle: change,
        },
        Operation {
            verb: Verb::Delete,
            fields: &[],
            lane: Lane::Database,
            handle: delete,
        },
    ],
};

static FIELDS: [FieldSpec; 15] = [
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

fn list(request: &Request<'_>) -> Result<Reply, ApiError> {
    let cars = cars::list(request.app, &request.actor())?;
    let owner = OwnerView::from(request.caller()?);
    let views: Vec<CarView<'_>> = cars.iter().map(|car| CarView::new(car, &owner)).collect();
    Reply::ok(&views)
}

fn create(request: &Request<'_>) -> Result<Reply, ApiError> {
    let car = cars::create(request.app, &request.actor(), &input(&request.form()?))?;
    let owner = OwnerView::from(request.caller()?);
    Reply::created(&CarView::new(&car, &owner), format!("/api/cars/{}/", car.id))
}

fn read(request: &Request<'_>) -> Result<Reply, ApiError> {
    show(request, &find(request)?)
}

fn replace(request: &Request<'_>) -> Result<Reply, ApiError> {
    update(request, Completeness::Whole)
}

fn change(request: &Request<'_>) -> Result<Reply, ApiError> {
    update(request, Completeness::Partial)
}

fn delete(request: &Request<'_>) -> Result<Reply, ApiError> {
    cars::delete(request.app, &request.actor(), id(request))?;
    Ok(Reply::no_content())
}

fn update(request: &Request<'_>, completeness: Completeness) -> Result<Reply, ApiError> {
    let input = input(&request.form_unless_missing(|| find(request))?);
    let car = cars::update(request.app, &request.actor(), id(request), &input, completeness)?;
    show(request, &car)
}

fn find(request: &Request<'_>) -> Result<Car, ApiError> {
    Ok(cars::read(request.app, &request.actor(), id(request))?)
}

fn show(request: &Request<'_>, car: &Car) -> Result<Reply, ApiError> {
    let owner = OwnerView::from(request.caller()?);
    Reply::ok(&CarView::new(car, &owner))
}

fn id(request: &Request<'_>) -> CarId {
    CarId(request.id("car_id"))
}

fn input(form: &Form<'_>) -> CarInput {
    CarInput {
        brand: form.text(Field::Brand),
        model: form.text(Field::Model),
        year: form.integer(Field::Year),
        color: form.text(Field::Color),
        license: form.text(Field::License),
        vin: form.text(Field::Vin),
        mileage: form.integer(Field::Mileage),
        notes: form.text(Field::Notes),
    }
}
