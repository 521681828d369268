//! Cars of all users: list, add, change, delete, picture.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use mycars_application::{
    App, Caller, Input, UpdateMode,
    cars::{self, CarInput, CarScope},
    images::{self, Permits, Picture, UploadedFile},
    lists::CarQuery,
    ports::CarCount,
    users,
};
use mycars_domain::{
    Car, CarId, Field, User, UserId, Violation, Violations, audit::ObjectType, strip, values::Username,
};

use super::{
    Answer, Context,
    bulk::{self, BulkResource, ConfirmPage, Snapshot},
    export,
    forms::{self, FormPage, Owners},
    lists::{self, Action, Changelist, Facet, ListData, Outcome, Version},
    message::Message,
    render::{Cell, Row},
};
use crate::{
    api::{
        cars::{CAR, CarView, FIELDS, OwnerView, image_of, input},
        fields::{FieldKind, FieldSpec},
        timestamp,
    },
    error::ApiError,
    web::ui::{self, bidi::isolated, forms::FormData, links::Link, text::Time},
};

const PATH: &str = "/admin/cars/";

static LIST: Changelist = Changelist {
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
    actions: &[Action {
        name: "delete",
        title: "Delete",
        past: "deleted",
        button: "Yes, delete",
        lead: "Their pictures are deleted, too. This can’t be undone; the history stays.",
        is_danger: true,
        run: |app, caller, id, version| {
            let version = version.map(|version| version.updated_at);
            cars::delete(app, caller, CarScope::All, CarId(id), version)?;
            Ok(Outcome::Done)
        },
    }],
};

/// Number of brands that are offered as filters.
const BRANDS: u32 = 12;

/// The fields of the form's first two parts; the others follow in the third.
const DESCRIPTION: [Field; 4] = [Field::Brand, Field::Model, Field::Year, Field::Color];
const REGISTRATION: [Field; 2] = [Field::License, Field::Vin];

const OWNER: FieldSpec = FieldSpec::required(Field::Owner, "Owner", FieldKind::Text)
    .at_most(Username::MAX_LENGTH)
    .help("The owner’s username. “Find” searches by any part of a name or e-mail address.");
const IMAGE: FieldSpec = FieldSpec::optional(Field::Image, "Picture", FieldKind::ImageUpload)
    .help("JPEG, PNG, WebP or GIF, at most 5 MiB. Stored as JPEG without metadata.");
static IMAGE_FIELDS: [FieldSpec; 1] = [IMAGE];

/// Name of the checkbox that removes the picture.
const CLEAR: &str = "image-clear";
/// Names of the buttons that search for an owner and that choose one.
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
    let permits = Permits::new(context.app);
    let brands = cars::brands(context.app, context.caller, query, BRANDS)?;
    let choices = brands
        .into_iter()
        .map(|(brand, count)| lists::choice(&LIST, context, ("brand", &brand), &*brand, count));
    Ok(ListData {
        rows: listed
            .items
            .iter()
            .map(|car| row(car, owners.get(&car.owner), &permits, context.query_text))
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

/// Reads the owners of cars, in one query.
fn owners_of(app: &App, caller: &Caller, cars: &[Car]) -> Result<HashMap<UserId, User>, ApiError> {
    let mut ids: Vec<UserId> = cars.iter().map(|car| car.owner).collect();
    ids.sort_unstable();
    ids.dedup();
    let owners = users::read_all(app, caller, &ids)?;
    Ok(owners.into_iter().map(|owner| (owner.id, owner)).collect())
}

/// Returns the row of a car. `back` is the query of the list to which the car's page leads back.
fn row(car: &Car, owner: Option<&User>, permits: &Permits, back: &str) -> Row {
    Row {
        key: Some(car.id.0),
        name: isolated(car.license.as_str()).into_owned(),
        cells: vec![
            Cell::Link(Link {
                label: car.license.to_string(),
                url: lists::with_back(&own_path(car), back),
            }),
            Cell::Image(image_of(car, permits)),
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

/// Returns the rows of a user's cars on the user's page.
pub(super) fn rows_of(owner: &User, cars: &[Car], permits: &Permits) -> Vec<Row> {
    cars.iter()
        .map(|car| row(car, Some(owner), permits, ""))
        .collect()
}

/// Returns the labels of the columns of cars.
pub(super) fn columns() -> Vec<&'static str> {
    LIST.columns.iter().map(|(label, _)| *label).collect()
}

fn car_ids(ids: &[i64]) -> Vec<CarId> {
    ids.iter().copied().map(CarId).collect()
}

struct Cars;

impl BulkResource for Cars {
    const LIST: &'static Changelist = &LIST;

    fn ids(context: &Context<'_>) -> Result<Vec<i64>, ApiError> {
        let ids = cars::ids(context.app, context.caller, &query(context)?)?;
        Ok(ids.into_iter().map(|id| id.0).collect())
    }

    fn links(app: &App, caller: &Caller, ids: &[i64]) -> Result<Vec<Link>, ApiError> {
        let cars = cars::read_all(app, caller, CarScope::All, &car_ids(ids))?;
        Ok(cars.iter().map(link).collect())
    }

    fn counts(app: &App, caller: &Caller, ids: &[i64]) -> Result<Vec<(&'static str, u64)>, ApiError> {
        let CarCount { cars, pictures } = cars::count(app, caller, &car_ids(ids))?;
        Ok(vec![("Cars", cars), ("Pictures", pictures)])
    }

    fn snapshot(app: &App, caller: &Caller, ids: &[i64]) -> Result<Snapshot, ApiError> {
        let cars = cars::read_all(app, caller, CarScope::All, &car_ids(ids))?;
        let version = |car: &Car| Version {
            updated_at: car.updated_at,
            cars: None,
        };
        Ok(Snapshot {
            cars: cars.iter().collect(),
            versions: cars.iter().map(|car| (car.id.0, version(car))).collect(),
        })
    }

    fn rows(app: &App, caller: &Caller, ids: &[i64]) -> Result<Vec<export::Row>, ApiError> {
        let cars = cars::read_all(app, caller, CarScope::All, &car_ids(ids))?;
        let owners = owners_of(app, caller, &cars)?;
        let permits = Permits::new(app);
        cars.iter()
            .filter_map(|car| Some((car, OwnerView::from(owners.get(&car.owner)?))))
            .map(|(car, owner)| export::row(&CarView::new(car, &owner, &permits)))
            .collect()
    }

    fn names() -> Vec<&'static str> {
        export::names(&CAR)
    }
}

pub(super) fn bulk(context: &Context<'_>) -> Result<Answer, ApiError> {
    bulk::answer::<Cars>(context)
}

fn own_path(car: &Car) -> String {
    format!("{PATH}{}/", car.id)
}

/// Returns the link to a car. Each name in its label is isolated, so that it cannot reorder the others.
pub(super) fn link(car: &Car) -> Link {
    Link {
        label: format!(
            "{} {} ({})",
            isolated(car.brand.as_str()),
            isolated(car.model.as_str()),
            isolated(car.license.as_str())
        ),
        url: own_path(car),
    }
}

pub(super) fn add(context: &Context<'_>) -> Result<Answer, ApiError> {
    let mut object = serde_json::Map::new();
    for name in ["owner", "brand", "model", "mileage"] {
        if let Some(value) = context.query.text(name) {
            object.insert(name.to_owned(), value.into());
        }
    }
    show(context, StatusCode::OK, None, &forms::filled(object))
}

pub(super) fn create(context: &Context<'_>) -> Result<Answer, ApiError> {
    if is_search(context) {
        let data = forms::refused(context, &Violations::new());
        return show(context, StatusCode::OK, None, &data);
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
    let data = forms::filled(object(context, &car)?);
    show(context, StatusCode::OK, Some(&car), &data)
}

pub(super) fn update(context: &Context<'_>) -> Result<Answer, ApiError> {
    let car = find(context)?;
    if is_search(context) {
        let data = forms::refused(context, &Violations::new());
        return show(context, StatusCode::OK, Some(&car), &data);
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
            let data = FormData {
                current: Some(object(context, &car)?),
                ..forms::refused(context, &Violations::new())
            };
            show(context, StatusCode::CONFLICT, Some(&car), &data)
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

/// Reads a form: the fields, and the picture, converted for storage. The picture is checked before the car is saved.
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

/// Reads the owner of a form, a username.
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

/// Stores or removes the picture of a car that was saved, and redirects. If the picture fails, the car's page says so,
/// where the user can try again.
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
            // Making the response logs the cause.
            drop(error.response());
            let text = format!(
                "The car was {what}, but its picture was not: {}",
                error.sentence()
            );
            let own = context.with_back(&own_path(car));
            Answer::redirect(own, Message::warning(text))
        }
    }
}

fn saved(context: &Context<'_>, car: &Car, what: &str) -> Result<Answer, ApiError> {
    let Link { label, url: own } = link(car);
    Answer::redirect(
        forms::after_save(context, PATH, &own),
        Message::success(format!("The car {label} was {what}.")).with_link("Open it", own),
    )
}

/// Shows the form again with the errors of its fields. Other errors have a page of their own.
fn refuse(context: &Context<'_>, car: Option<&Car>, error: ApiError) -> Result<Answer, ApiError> {
    let data = forms::refused_by(context, error)?;
    show(context, StatusCode::BAD_REQUEST, car, &data)
}

/// Returns a car as the API shows it, but with the owner's username, to fill a form.
fn object(context: &Context<'_>, car: &Car) -> Result<serde_json::Map<String, serde_json::Value>, ApiError> {
    let owner = users::read(context.app, context.caller, car.owner)?;
    let permits = Permits::new(context.app);
    let mut object = forms::object(&CarView::new(car, &OwnerView::from(&owner), &permits))?;
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
    data: &FormData<'_>,
) -> Result<Answer, ApiError> {
    let set = |title, fields: &[Field]| forms::fieldset(data, title, &FIELDS, fields);
    let mut registration = set("Registration", &REGISTRATION);
    let mut owner = data.field(&OWNER);
    let picked = context.sent(PICK);
    if !picked.is_empty() {
        picked.clone_into(&mut owner.value);
    }
    let typed = strip(&owner.value).to_owned();
    let is_unknown = data.errors.contains_key(OWNER.name) && !typed.is_empty();
    let is_searched = context.body.text_of(FIND).is_some();
    if is_unknown && !is_searched {
        owner.errors = vec![format!("No user has the username “{}”.", isolated(&typed))];
    }
    let owners = if is_searched || is_unknown {
        Some(Owners {
            found: forms::search_owners(context, &owner.value)?,
            searched: typed,
        })
    } else {
        None
    };
    registration.fields.insert(0, owner);
    let others: Vec<Field> = FIELDS
        .iter()
        .filter(|spec| !spec.is_read_only())
        .filter_map(|spec| spec.field)
        .filter(|field| !DESCRIPTION.contains(field) && !REGISTRATION.contains(field))
        .collect();
    let fieldsets = vec![
        set("Car", &DESCRIPTION),
        registration,
        set("Use", &others),
        forms::fieldset(data, "Picture", &IMAGE_FIELDS, &[Field::Image]),
    ];
    let title = car.map_or_else(|| "Add a car".to_owned(), |car| link(car).label);
    let mut page = FormPage {
        takes_file: true,
        is_cleared: context.body.text_of(CLEAR).is_some(),
        lost_file: context.body.has_file(),
        owners,
        ..FormPage::new(context, ("Cars", PATH), &title, "car", fieldsets)
    };
    if let Some(car) = car {
        let own = own_path(car);
        page = page.with_version(context, status, (ObjectType::Car, car.id.0), car.updated_at, &own)?;
        page.tools.push(Link {
            label: "History".into(),
            url: format!("{own}history/"),
        });
        page.delete = Some(context.with_back(&format!("{own}delete/")));
        page.image = image_of(car, &Permits::new(context.app));
        page.facts = facts(car);
    }
    Ok(Answer::Page(status, ui::render(&page)))
}

fn facts(car: &Car) -> Vec<(&'static str, Cell)> {
    vec![
        ("ID", Cell::Number(car.id.0)),
        ("Added", Cell::Time(Some(Time(car.created_at)))),
        ("Changed", Cell::Time(Some(Time(car.updated_at)))),
    ]
}

pub(super) fn confirm_delete(context: &Context<'_>) -> Result<Answer, ApiError> {
    let car = find(context)?;
    ask_to_delete(context, &car, false)
}

/// Asks for confirmation to delete a car: again, if it changed since the previous confirmation.
fn ask_to_delete(context: &Context<'_>, car: &Car, is_changed: bool) -> Result<Answer, ApiError> {
    let Link { label, url } = link(car);
    let pictures = u64::from(car.image.is_some());
    bulk::confirm_one(
        context,
        &[("Cars", &context.back_to(PATH)), (&label, &url)],
        is_changed.then_some((ObjectType::Car, car.id.0)),
        ConfirmPage {
            hidden: vec![(forms::VERSION, timestamp::write(car.updated_at))],
            title: format!("Delete the car {label}?"),
            lead: "Its picture is deleted, too. This can’t be undone; its history stays.".into(),
            counts: vec![("Cars", 1), ("Pictures", pictures)],
            button: "Yes, delete it".into(),
            is_danger: true,
            back: context.with_back(&url),
            ..ConfirmPage::default()
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
