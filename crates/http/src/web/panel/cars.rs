//! Everybody's cars: list, add, change, delete, picture.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use mycars_application::{
    App, Caller, Input, UpdateMode,
    cars::{self, CarInput, CarScope},
    images::{self, Picture, UploadedFile},
    lists::CarQuery,
    ports::CarCount,
    users,
};
use mycars_domain::{
    Car, CarId, Field, User, UserId, Violation, Violations, audit::ObjectType, strip, values::Username,
};

use super::{
    Answer, Context,
    bulk::{self, Action, BulkResource, Outcome, Seen, Version},
    export,
    forms::{self, FormData},
    lists::{self, Facet, ListData, ListSpec},
    message::Message,
    render::{self, Cell, FormPage, Frame, Owner, Owners, Row, Time},
};
use crate::{
    api::{
        cars::{CAR, FIELDS, input},
        fields::{FieldKind, FieldSpec},
        timestamp,
        views::{CarView, OwnerView},
    },
    error::ApiError,
    web::{bidi::isolated, browsable::Link},
};

const PATH: &str = "/admin/cars/";

static LIST: ListSpec = ListSpec {
    path: PATH,
    title: "Cars",
    singular: "car",
    plural: "cars",
    searched: "brand, model, license, VIN, notes and owner",
    inputs: &[
        ("year_min", "Year from", "number"),
        ("year_max", "Year to", "number"),
        ("mileage_min", "Mileage from", "number"),
        ("mileage_max", "Mileage to", "number"),
    ],
    facets: &["brand", "model", "color", "owner"],
    columns: &[
        ("License", Some("license")),
        ("Picture", None),
        ("Brand", Some("brand")),
        ("Model", Some("model")),
        ("Year", Some("year")),
        ("Mileage", Some("mileage")),
        ("Owner", None),
        ("Changed (UTC)", Some("updated_at")),
    ],
    actions: &[
        ("delete", "Delete"),
        ("export_csv", "Export as CSV"),
        ("export_json", "Export as JSON"),
    ],
    has_choice: true,
};

/// So many brands are offered to filter by.
const BRANDS: u32 = 12;

const OWNER: FieldSpec = FieldSpec::required(Field::Owner, "Owner", FieldKind::Text)
    .at_most(Username::MAX_LENGTH)
    .help("The owner’s username. “Find” searches by any part of a name or e-mail address.");
const IMAGE: FieldSpec = FieldSpec::optional(Field::Image, "Picture", FieldKind::ImageUpload)
    .help("JPEG, PNG, WebP or GIF, at most 5 MiB. Kept as JPEG, without its metadata.");
static IMAGE_FIELDS: [FieldSpec; 1] = [IMAGE];

/// The field in which a checkbox says that the picture is to go.
const CLEAR: &str = "image-clear";
/// The button that searches for an owner, and those that choose one.
const FIND: &str = "_find";
const PICK: &str = "_pick";

pub(super) fn list(context: &Context<'_>) -> Result<Answer, ApiError> {
    let found = query(context).and_then(|query| found(context, &query));
    lists::show(context, &LIST, found)
}

fn query(context: &Context<'_>) -> Result<CarQuery, ApiError> {
    let owner = match context.query.text("owner").map(str::parse) {
        None => None,
        Some(Ok(id)) => Some(UserId(id)),
        Some(Err(_)) => {
            let message = "Enter a user’s ID.".to_owned();
            return Err(ApiError::Parameters(vec![("owner", message)]));
        }
    };
    Ok(CarQuery {
        owner,
        ..context.query.cars(lists::PAGES)?
    })
}

fn found(context: &Context<'_>, query: &CarQuery) -> Result<ListData, ApiError> {
    let listed = cars::list(context.app, context.caller, CarScope::All, query)?;
    let owners = owners_of(context.app, context.caller, &listed.items)?;
    let brands = cars::brands(context.app, context.caller, query, BRANDS)?;
    let choices = brands
        .into_iter()
        .map(|(brand, count)| lists::choice(&LIST, context, ("brand", &brand), &*brand, count));
    Ok(ListData {
        rows: listed
            .items
            .iter()
            .map(|car| row(car, owners.get(&car.owner), context.query_text))
            .collect(),
        total: listed.total.unwrap_or_default(),
        facets: vec![Facet {
            title: "Brand",
            choices: choices.collect(),
        }],
        add: Some(Link {
            label: "Add a car".into(),
            url: lists::from_list("/admin/cars/add/", context),
        }),
    })
}

/// The owners of cars, in one query.
fn owners_of(app: &App, caller: &Caller, cars: &[Car]) -> Result<HashMap<UserId, User>, ApiError> {
    let mut ids: Vec<UserId> = cars.iter().map(|car| car.owner).collect();
    ids.sort_unstable();
    ids.dedup();
    let owners = users::read_all(app, caller, &ids)?;
    Ok(owners.into_iter().map(|owner| (owner.id, owner)).collect())
}

/// A car in a list. `back` is the query of the list that one comes back to.
fn row(car: &Car, owner: Option<&User>, back: &str) -> Row {
    Row {
        key: Some(car.id.0),
        name: isolated(car.license.as_str()).into_owned(),
        cells: vec![
            Cell::Link(Link {
                label: car.license.to_string(),
                url: lists::with_back(&format!("{PATH}{}/", car.id), back),
            }),
            Cell::Image(car.image.as_ref().map(|path| format!("/media/{path}"))),
            Cell::Text(car.brand.to_string()),
            Cell::Text(car.model.to_string()),
            Cell::Number(car.year.get().into()),
            Cell::Number(car.mileage.get().into()),
            match owner {
                Some(owner) => Cell::Link(Link {
                    label: owner.username.to_string(),
                    url: format!("/admin/users/{}/", owner.id),
                }),
                None => Cell::Text("–".into()),
            },
            Cell::Time(Some(Time(car.updated_at))),
        ],
    }
}

/// The cars of a user, as their page shows them.
pub(super) fn rows_of(owner: &User, cars: &[Car]) -> Vec<Row> {
    cars.iter().map(|car| row(car, Some(owner), "")).collect()
}

/// What the columns of cars are called.
pub(super) fn columns() -> Vec<&'static str> {
    LIST.columns.iter().map(|(label, _)| *label).collect()
}

static CARS: BulkResource = BulkResource {
    spec: &LIST,
    ids: |context| {
        let ids = cars::ids(context.app, context.caller, &query(context)?)?;
        Ok(ids.into_iter().map(|id| id.0).collect())
    },
    links: |app, caller, ids| {
        let ids: Vec<CarId> = ids.iter().copied().map(CarId).collect();
        let cars = cars::read_all(app, caller, &ids)?;
        Ok(cars.iter().map(link).collect())
    },
    counts: |app, caller, ids| {
        let ids: Vec<CarId> = ids.iter().copied().map(CarId).collect();
        let CarCount { cars, pictures } = cars::count(app, caller, &ids)?;
        Ok(vec![("Cars", cars), ("Pictures", pictures)])
    },
    names: || export::names(&CAR),
    seen: |app, caller, ids| {
        let ids: Vec<CarId> = ids.iter().copied().map(CarId).collect();
        let cars = cars::read_all(app, caller, &ids)?;
        Ok(Seen {
            going: cars.iter().collect(),
            versions: cars
                .iter()
                .map(|car| {
                    let version = Version {
                        updated_at: car.updated_at,
                        cars: None,
                    };
                    (car.id.0, version)
                })
                .collect(),
        })
    },
    rows: |app, caller, ids| {
        let ids: Vec<CarId> = ids.iter().copied().map(CarId).collect();
        let cars = cars::read_all(app, caller, &ids)?;
        let owners = owners_of(app, caller, &cars)?;
        cars.iter()
            .filter_map(|car| Some((car, OwnerView::from(owners.get(&car.owner)?))))
            .map(|(car, owner)| export::row(&CarView::new(car, &owner)))
            .collect()
    },
    actions: &[Action {
        name: "delete",
        title: "Delete",
        past: "deleted",
        button: "Yes, delete",
        lead: "They go with their pictures. This can’t be undone; the history stays.",
        is_danger: true,
        run: |app, caller, id, version| {
            let version = version.map(|version| version.updated_at);
            cars::delete(app, caller, CarScope::All, CarId(id), version)?;
            Ok(Outcome::Done)
        },
    }],
    are_users: false,
};

pub(super) fn bulk(context: &Context<'_>) -> Result<Answer, ApiError> {
    bulk::answer(context, &CARS)
}

/// Returns the link to a car. Its label holds each name isolated, so that none can reorder the others.
pub(super) fn link(car: &Car) -> Link {
    Link {
        label: format!(
            "{} {} ({})",
            isolated(car.brand.as_str()),
            isolated(car.model.as_str()),
            isolated(car.license.as_str())
        ),
        url: format!("{PATH}{}/", car.id),
    }
}

pub(super) fn add(context: &Context<'_>) -> Result<Answer, ApiError> {
    let mut object = serde_json::Map::new();
    for name in ["owner", "brand", "model", "mileage"] {
        if let Some(value) = context.query.text(name) {
            object.insert(name.to_owned(), value.into());
        }
    }
    show(context, StatusCode::OK, None, &FormData::with(object))
}

pub(super) fn create(context: &Context<'_>) -> Result<Answer, ApiError> {
    if is_search(context) {
        return show(
            context,
            StatusCode::OK,
            None,
            &FormData::refused(context, Violations::new()),
        );
    }
    let (input, picture) = match read(context) {
        Ok(read) => read,
        Err(error) => return refuse(context, None, error),
    };
    let car = match cars::create(context.app, context.caller, CarScope::All, &input) {
        Ok(car) => car,
        Err(error) => return refuse(context, None, error.into()),
    };
    finish(context, &car, picture.as_ref(), "added")
}

pub(super) fn edit(context: &Context<'_>) -> Result<Answer, ApiError> {
    let car = find(context)?;
    let filling = FormData::with(object(context, &car)?);
    show(context, StatusCode::OK, Some(&car), &filling)
}

pub(super) fn update(context: &Context<'_>) -> Result<Answer, ApiError> {
    let car = find(context)?;
    if is_search(context) {
        let filling = FormData::refused(context, Violations::new());
        return show(context, StatusCode::OK, Some(&car), &filling);
    }
    let (input, picture) = match read(context) {
        Ok(read) => read,
        Err(error) => return refuse(context, Some(&car), error),
    };
    let changed = cars::update(
        context.app,
        context.caller,
        CarScope::All,
        car.id,
        &input,
        UpdateMode::Full,
    );
    match changed {
        Ok(changed) => finish(context, &changed, picture.as_ref(), "changed"),
        Err(cars::Error::Conflict) => {
            let filling = FormData {
                current: Some(object(context, &car)?),
                ..FormData::refused(context, Violations::new())
            };
            show(context, StatusCode::CONFLICT, Some(&car), &filling)
        }
        Err(error) => refuse(context, Some(&car), error.into()),
    }
}

fn find(context: &Context<'_>) -> Result<Car, ApiError> {
    Ok(cars::read(
        context.app,
        context.caller,
        CarScope::All,
        CarId(context.id),
    )?)
}

/// What a form says: the fields, and a picture that is fit to be kept. The picture is looked at first, so that a car
/// isn't saved with something else than a picture.
fn read(context: &Context<'_>) -> Result<(CarInput, Option<Picture>), ApiError> {
    let input = CarInput {
        owner: owner(context)?,
        version: forms::version(context),
        ..input(&context.body.form(&FIELDS)?)
    };
    let form = context.body.form(&IMAGE_FIELDS)?;
    let Input::Given(file) = form.file(Field::Image) else {
        return Ok((input, None));
    };
    let mut file = file.borrow_mut();
    let size = file.size;
    let file = UploadedFile {
        content: &mut file.content,
        size,
    };
    let picture = images::prepare(context.app, Input::Given(file))?;
    Ok((input, Some(picture)))
}

/// The owner whom a form names, by their username.
fn owner(context: &Context<'_>) -> Result<Input<UserId>, ApiError> {
    let typed = context.sent(OWNER.name);
    if typed.is_empty() {
        return Ok(Input::Invalid(Violation::Blank));
    }
    let found = users::find(context.app, context.caller, typed)?;
    Ok(match found {
        Some(owner) => Input::Given(owner.id),
        None => Input::Invalid(Violation::NotAChoice(typed.to_owned())),
    })
}

/// Gives a saved car its picture, or takes it away, as the form says, and leads on. The car is saved by now: if its
/// picture can't be, that is said on the car's page, where it can be tried again.
fn finish(
    context: &Context<'_>,
    car: &Car,
    picture: Option<&Picture>,
    what: &str,
) -> Result<Answer, ApiError> {
    let (app, caller) = (context.app, context.caller);
    let version = Some(car.updated_at);
    let kept = match picture {
        Some(picture) => images::attach(app, caller, CarScope::All, car.id, picture, version).map(drop),
        None if context.body.text_of(CLEAR).is_some() => {
            images::remove(app, caller, CarScope::All, car.id, version)
        }
        None => Ok(()),
    };
    match kept.map_err(ApiError::from) {
        Ok(()) => saved(context, car, what),
        Err(error) => {
            // It has its cause in the log.
            drop(error.response());
            let text = format!(
                "The car was {what}, but its picture was not: {}",
                error.sentence()
            );
            let own = context.with_back(&format!("{PATH}{}/", car.id));
            Answer::redirect(own, Message::warning(text))
        }
    }
}

fn saved(context: &Context<'_>, car: &Car, what: &str) -> Result<Answer, ApiError> {
    let own = format!("{PATH}{}/", car.id);
    let Link { label, .. } = link(car);
    Answer::redirect(
        forms::after_save(context, PATH, &own),
        Message::success(format!("The car {label} was {what}.")).with_link("Open it", own),
    )
}

/// The form once more, with what is wrong; any other error is a page of its own.
fn refuse(context: &Context<'_>, car: Option<&Car>, error: ApiError) -> Result<Answer, ApiError> {
    match error {
        ApiError::Fields(violations) => {
            let filling = FormData::refused(context, violations);
            show(context, StatusCode::BAD_REQUEST, car, &filling)
        }
        error => Err(error),
    }
}

/// A car as forms are filled: as the API shows it, but the owner by their username.
fn object(context: &Context<'_>, car: &Car) -> Result<serde_json::Map<String, serde_json::Value>, ApiError> {
    let owner = users::read(context.app, context.caller, car.owner)?;
    let mut object = forms::object(&CarView::new(car, &OwnerView::from(&owner)))?;
    object.insert(OWNER.name.to_owned(), owner.username.as_str().into());
    Ok(object)
}

fn is_search(context: &Context<'_>) -> bool {
    context.body.text_of(FIND).is_some() || context.body.text_of(PICK).is_some()
}

fn show(
    context: &Context<'_>,
    status: StatusCode,
    car: Option<&Car>,
    filling: &FormData<'_>,
) -> Result<Answer, ApiError> {
    let set = |title, fields: &[Field]| filling.fieldset(title, &FIELDS, fields);
    let mut registration = set("Registration", &[Field::License, Field::Vin]);
    let mut owner = filling.field(&OWNER);
    let picked = context.sent(PICK);
    if !picked.is_empty() {
        picked.clone_into(&mut owner.value);
    }
    let owners = match context.body.text_of(FIND) {
        Some(_) => Some(search_owners(context, &owner.value)?),
        // Who typed a part of a name where a username must be is helped on.
        None if !filling.violations.of(Field::Owner).is_empty() && !strip(&owner.value).is_empty() => {
            owner.errors = vec![format!(
                "No user has the username “{}”.",
                isolated(strip(&owner.value))
            )];
            Some(search_owners(context, &owner.value)?)
        }
        None => None,
    };
    registration.fields.insert(0, owner);
    let fieldsets = vec![
        set("Car", &[Field::Brand, Field::Model, Field::Year, Field::Color]),
        registration,
        set("Use", &[Field::Mileage, Field::Notes]),
        filling.fieldset("Picture", &IMAGE_FIELDS, &[Field::Image]),
    ];
    let title = car.map_or_else(|| "Add a car".to_owned(), |car| link(car).label);
    let own = car.map(|car| format!("{PATH}{}/", car.id));
    let conflict = match (car, status) {
        (Some(car), StatusCode::CONFLICT) => {
            let id = (ObjectType::Car, car.id.0);
            let own = format!("{PATH}{}/", car.id);
            Some(forms::conflict(context, id, car.updated_at, &own)?)
        }
        _ => None,
    };
    let html = render::write(&FormPage {
        frame: Frame::of(context),
        crumbs: render::crumbs(&[("Cars", &context.back_to(PATH))], &title),
        locked: None,
        tools: own
            .as_ref()
            .map(|own| Link {
                label: "History".into(),
                url: format!("{own}history/"),
            })
            .into_iter()
            .collect(),
        delete: own
            .as_ref()
            .map(|own| context.with_back(&format!("{own}delete/"))),
        problems: FormData::problems(&fieldsets),
        fieldsets,
        version: car.map(|car| forms::shown_version(context, status, car.updated_at)),
        conflict,
        noun: "car",
        takes_file: true,
        is_cleared: context.body.text_of(CLEAR).is_some(),
        lost_file: context.body.has_file(),
        image: car
            .and_then(|car| car.image.as_ref())
            .map(|path| format!("/media/{path}")),
        owners,
        facts: car.map(facts).unwrap_or_default(),
        related: None,
        action: context.with_back(context.path),
        title,
    });
    Ok(Answer::Page(status, html))
}

fn facts(car: &Car) -> Vec<(&'static str, Cell)> {
    vec![
        ("ID", Cell::Number(car.id.0)),
        ("Added", Cell::Time(Some(Time(car.created_at)))),
        ("Changed", Cell::Time(Some(Time(car.updated_at)))),
    ]
}

fn search_owners(context: &Context<'_>, typed: &str) -> Result<Owners, ApiError> {
    let found = super::users::search(context, typed)?;
    Ok(Owners {
        searched: strip(typed).to_owned(),
        found: found
            .iter()
            .map(|user| Owner {
                username: user.username.to_string(),
                name: super::users::described(user),
            })
            .collect(),
    })
}

pub(super) fn confirm_delete(context: &Context<'_>) -> Result<Answer, ApiError> {
    let car = find(context)?;
    ask_to_delete(context, &car, false)
}

/// Asks whether a car is to be deleted; once more, where it was changed since it was asked before.
fn ask_to_delete(context: &Context<'_>, car: &Car, is_changed: bool) -> Result<Answer, ApiError> {
    let Link { label, url } = link(car);
    let pictures = u64::from(car.image.is_some());
    bulk::confirm_one(
        context,
        &[("Cars", &context.back_to(PATH)), (&label, &url)],
        bulk::Question {
            changed: is_changed.then_some((ObjectType::Car, car.id.0)),
            hidden: vec![(forms::VERSION, timestamp::write(car.updated_at))],
            title: format!("Delete the car {label}?"),
            lead: "It goes with its picture. This can’t be undone; its history stays.".into(),
            counts: vec![("Cars", 1), ("Pictures", pictures)],
            items: Vec::new(),
            more: 0,
            button: "Yes, delete it",
            is_danger: true,
            back: context.with_back(&url),
        },
    )
}

pub(super) fn delete(context: &Context<'_>) -> Result<Answer, ApiError> {
    let car = find(context)?;
    let version = forms::version(context);
    match cars::delete(context.app, context.caller, CarScope::All, car.id, version) {
        Err(cars::Error::Conflict) => return ask_to_delete(context, &find(context)?, true),
        deleted => deleted?,
    }
    let text = format!("The car {} was deleted.", link(&car).label);
    Answer::redirect(
        context.back_to(PATH),
        Message::success(text).with_link("Its history", format!("{PATH}{}/history/", car.id)),
    )
}
