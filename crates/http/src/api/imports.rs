//! `…/cars/import/`: many cars of the caller or, for admins, of a user, from a file of CSV or JSON lines.

use std::collections::BTreeSet;

use mycars_application::{
    App, Caller,
    cars::{self, CarRow, CarScope, ImportError, ImportMode, MAX_ROWS},
};
use mycars_domain::Field;
use serde::Serialize;

use super::cars::{FIELDS, Scope, input};
use crate::{
    api::{
        endpoint::{Access, Endpoint, Method, Operation, RateClass, Reply, Request, ResponseSpec, Tag},
        fields::{FieldKind, FieldSpec, Schema},
    },
    error::{ApiError, Resource},
    request::body::Form,
    spreadsheet,
};

pub(crate) static OWN: Endpoint = Endpoint {
    path: "/api/cars/import/",
    name: "Car Import",
    description: "Adds many of your own cars from a file, all of them or none.",
    tag: Tag::Cars,
    access: Access::Authenticated,
    rate: RateClass::Standard,
    list: None,
    operations: &[operation("import_cars")],
};

pub(crate) static USERS: Endpoint = Endpoint {
    path: "/api/admin/users/{user_id}/cars/import/",
    name: "Admin Car Import",
    description: "Adds many cars of a user from a file, all of them or none.",
    tag: Tag::AdminCars,
    access: Access::Admin,
    rate: RateClass::Standard,
    list: None,
    operations: &[operation("import_user_cars")],
};

const fn operation(id: &'static str) -> Operation {
    Operation {
        id,
        summary: "Add cars from a file",
        method: Method::Post,
        body: Some(&UPLOAD),
        answer: ResponseSpec::One(&IMPORT),
        handle: import,
    }
}

/// Name of the parameter with which nothing is stored.
pub(crate) const DRY_RUN: &str = "dry_run";

static UPLOAD: Schema = Schema {
    name: "CarUpload",
    fields: &[FILE],
};

pub(crate) const FILE: FieldSpec = FieldSpec::required(Field::File, "File", FieldKind::FileUpload).help(
    "CSV whose first row names the columns brand, model, year, color, license, vin, mileage and notes, or JSON lines \
     with these fields. UTF-8, at most 10,000 rows.",
);

static IMPORT: Schema = Schema {
    name: "CarImport",
    fields: &[
        FieldSpec::read_only("created", "Created", FieldKind::Integer)
            .help("Number of cars that were added, or in a dry run would be.")
            .example("3"),
        FieldSpec::read_only(DRY_RUN, "Dry run", FieldKind::Boolean),
        FieldSpec::read_only("ignored", "Ignored", FieldKind::Texts)
            .help("Names of columns that no field has."),
    ],
};

#[derive(Serialize)]
struct ImportView {
    created: u64,
    dry_run: bool,
    ignored: BTreeSet<String>,
}

fn import(request: &Request<'_>) -> Result<Reply, ApiError> {
    let scope = Scope::of(request)?;
    let dry_run = request.query.flag(DRY_RUN)?;
    let text = request.body.rows(request.operation.fields())?;
    let Rows { rows, ignored } = Rows::read(&text)?;
    let created = store(request.app, request.caller, scope.cars, &rows, dry_run)?;
    Reply::ok(&ImportView {
        created,
        dry_run,
        ignored,
    })
}

/// Adds the cars of all rows, or none of them. Returns their number.
pub(crate) fn store(
    app: &App,
    caller: &Caller,
    scope: CarScope,
    rows: &[CarRow],
    dry_run: bool,
) -> Result<u64, ApiError> {
    let mode = if dry_run {
        ImportMode::DryRun
    } else {
        ImportMode::Store
    };
    match cars::import(app, caller, scope, rows, mode) {
        Err(ImportError::Cars(cars::Error::OwnerGone)) if scope != CarScope::Caller => {
            Err(ApiError::NotFound(Resource::User))
        }
        created => Ok(created?),
    }
}

/// The rows of a file.
pub(crate) struct Rows {
    pub(crate) rows: Vec<CarRow>,
    /// The names of columns that no field has.
    pub(crate) ignored: BTreeSet<String>,
}

impl Rows {
    /// Reads JSON lines if the text begins with a brace, otherwise CSV. Reads one row more than may be imported, so that
    /// the use-case refuses them.
    pub(crate) fn read(text: &str) -> Result<Self, ApiError> {
        let mut rows = Self {
            rows: Vec::new(),
            ignored: BTreeSet::new(),
        };
        if text.trim_start().starts_with('{') {
            rows.read_json(text)?;
        } else if !text.trim().is_empty() {
            rows.read_csv(text)?;
        }
        Ok(rows)
    }

    fn read_json(&mut self, text: &str) -> Result<(), ApiError> {
        let lines = (1..)
            .zip(text.lines())
            .filter(|(_, line)| !line.trim().is_empty());
        for (row, line) in lines.take(MAX_ROWS + 1) {
            match Form::json(&FIELDS, line.as_bytes()) {
                Ok(form) => self.push(row, &form),
                Err(ApiError::Malformed(why) | ApiError::NonField(why)) => {
                    return Err(refused(format!("Row {row}: {why}")));
                }
                Err(other) => return Err(other),
            }
        }
        Ok(())
    }

    fn read_csv(&mut self, text: &str) -> Result<(), ApiError> {
        let names = FIELDS.each_ref().map(|spec| spec.name);
        let sheet = spreadsheet::read(text, &names, MAX_ROWS + 1).map_err(refused)?;
        let is_missing =
            |spec: &&FieldSpec| spec.required && !sheet.columns.iter().any(|name| name == spec.name);
        if let Some(spec) = FIELDS.iter().find(is_missing) {
            return Err(refused(format!("The column \"{}\" is missing.", spec.name)));
        }
        for (row, cells) in &sheet.rows {
            self.push(*row, &Form::row(&FIELDS, &sheet.columns, cells));
        }
        Ok(())
    }

    fn push(&mut self, row: u64, form: &Form<'_>) {
        self.ignored.extend(form.unknown().into_iter().map(str::to_owned));
        let input = input(form);
        self.rows.push(CarRow { row, input });
    }
}

/// Returns the error of a file that cannot be read.
fn refused(message: String) -> ApiError {
    ApiError::Parameters(vec![(FILE.name, message)])
}
