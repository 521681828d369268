//! Cars of a user from a file. The rows can also be pasted, and a refused file is shown as text, so that it can be corrected
//! on the page.

use actix_web::http::StatusCode;
use askama::Template;
use mycars_application::cars::{CarScope, InvalidRow};
use mycars_domain::{Field, User, Violations};

use super::{
    Answer, Context, forms,
    message::Message,
    render::{self, Frame},
    users,
};
use crate::{
    api::{
        cars::FIELDS,
        fields::FieldSpec,
        imports::{self, FILE, Rows},
    },
    error::ApiError,
    messages,
    web::ui::{
        self,
        bidi::isolated,
        forms::{Control, FormField, Problem},
        links::Crumb,
    },
};

/// Name of the field with pasted rows.
const TEXT: &str = "rows";
/// Name of the button that checks the rows without storing them.
const CHECK: &str = "_check";

static FILE_FIELDS: [FieldSpec; 1] = [FILE
    .not_required()
    .help("CSV or JSON lines, UTF-8, at most 10,000 rows. A chosen file is used instead of the text below.")];

/// Maximum size of a file that is shown as text, in bytes.
const MAX_SHOWN: usize = 1024 * 1024;

/// Maximum number of invalid rows on a page.
const MAX_ROWS: usize = 200;

#[derive(Template)]
#[template(path = "panel/import.html")]
struct ImportPage<'a> {
    frame: Frame<'a>,
    crumbs: Vec<Crumb>,
    title: String,
    problems: Vec<Problem>,
    /// The first invalid rows.
    rows: Vec<RowProblem>,
    /// Number of all invalid rows.
    invalid: usize,
    /// The result of a check without errors.
    checked: Option<String>,
    fields: Vec<FormField>,
    columns: Vec<&'static FieldSpec>,
    action: &'a str,
    back: String,
}

/// An error of a row.
struct RowProblem {
    row: u64,
    field: &'static str,
    message: String,
}

/// The result of a form that is shown again.
#[derive(Default)]
struct Outcome {
    text: String,
    /// Whether the text is too long to be shown.
    is_lost: bool,
    file_errors: Vec<String>,
    /// Errors of no field.
    errors: Vec<String>,
    rows: Vec<InvalidRow>,
    checked: Option<String>,
}

pub(super) fn show(context: &Context<'_>) -> Result<Answer, ApiError> {
    let user = users::read(context)?;
    Answer::page(page(context, &user, Outcome::default()))
}

pub(super) fn run(context: &Context<'_>) -> Result<Answer, ApiError> {
    let user = users::read(context)?;
    let is_check = context.body.text_of(CHECK).is_some();
    let mut text = String::new();
    match import(context, &user, &mut text, is_check) {
        Ok(added) if is_check => {
            let outcome = Outcome {
                checked: Some(format!("{added} would be added. Nothing is stored yet.")),
                ..Outcome::of(text)
            };
            Answer::page(page(context, &user, outcome))
        }
        Ok(added) => {
            let message = Message::success(format!("{added} of {} were added.", users::name(&user)));
            let cars = format!("/admin/cars/?owner={}", user.id);
            Answer::redirect(users::own_path(&user), message.with_link("All their cars", cars))
        }
        Err(error) => {
            let outcome = Outcome::of(text).with(error)?;
            let html = page(context, &user, outcome);
            Ok(Answer::Page(StatusCode::BAD_REQUEST, html))
        }
    }
}

/// Imports the file or the text, which is stored in `text`. Returns what was added.
fn import(context: &Context<'_>, user: &User, text: &mut String, is_check: bool) -> Result<String, ApiError> {
    *text = if context.body.has_file() {
        context.body.rows(&FILE_FIELDS)?
    } else {
        // Browsers send other line breaks than files have.
        let pasted = context.body.text_of(TEXT).unwrap_or_default();
        pasted.replace("\r\n", "\n")
    };
    let Rows { rows, ignored } = Rows::read(text)?;
    let scope = CarScope::Owner(user.id);
    let count = imports::store(context.app, context.caller, scope, &rows, is_check)?;
    let cars = if count == 1 { "car" } else { "cars" };
    let ignored: Vec<_> = ignored.iter().map(|name| isolated(name)).collect();
    Ok(match ignored.as_slice() {
        [] => format!("{count} {cars}"),
        names => format!(
            "{count} {cars} (without the unknown columns {})",
            names.join(", ")
        ),
    })
}

impl Outcome {
    fn of(text: String) -> Self {
        let is_lost = text.len() > MAX_SHOWN;
        Self {
            text: if is_lost { String::new() } else { text },
            is_lost,
            ..Self::default()
        }
    }

    /// Adds the errors of the rows or of the file. Other errors are returned.
    fn with(mut self, error: ApiError) -> Result<Self, ApiError> {
        match error {
            ApiError::Rows(rows) => self.rows = rows,
            ApiError::Parameters(errors) => {
                let messages = errors.into_iter().map(|(_, message)| message);
                self.file_errors.extend(messages);
            }
            ApiError::Fields(violations) => self.add(&violations),
            other => return Err(other),
        }
        Ok(self)
    }

    fn add(&mut self, violations: &Violations) {
        for (field, violations) in violations.iter() {
            let messages = violations
                .iter()
                .map(|violation| messages::violation(field, violation));
            match field {
                Field::File => self.file_errors.extend(messages),
                _ => self.errors.extend(messages),
            }
        }
    }
}

fn page(context: &Context<'_>, user: &User, outcome: Outcome) -> String {
    let own = users::own_path(user);
    let (file, text) = fields(outcome.file_errors, outcome.is_lost, outcome.text);
    let problem = |field: &FormField, label: &str, message: &String| Problem {
        id: field.id.clone(),
        label: label.to_owned(),
        message: message.clone(),
    };
    let of_form = outcome.errors.iter().map(|message| problem(&text, "", message));
    let of_file = file
        .errors
        .iter()
        .map(|message| problem(&file, file.label, message));
    ui::render(&ImportPage {
        frame: Frame::of(context),
        crumbs: render::crumbs(
            &[("Users", users::PATH), (user.username.as_str(), &own)],
            "Import cars",
        ),
        title: format!("Import cars of {}", users::name(user)),
        problems: of_form.chain(of_file).collect(),
        rows: outcome
            .rows
            .iter()
            .take(MAX_ROWS)
            .flat_map(row_problems)
            .collect(),
        invalid: outcome.rows.len(),
        checked: outcome.checked,
        fields: vec![file, text],
        columns: FIELDS.iter().filter(|spec| !spec.is_read_only()).collect(),
        action: context.path,
        back: own,
    })
}

/// Returns the fields of the file and of the pasted rows.
fn fields(errors: Vec<String>, is_lost: bool, text: String) -> (FormField, FormField) {
    let [spec] = &FILE_FIELDS;
    let mut file = forms::filled(serde_json::Map::new()).field(spec);
    file.errors = errors;
    if is_lost {
        file.errors
            .push("Choose the file again: browsers forget it.".into());
    }
    let text = FormField {
        id: format!("field-{TEXT}"),
        name: TEXT,
        label: "Or paste rows",
        control: Control::TextArea,
        value: text,
        required: false,
        max_length: None,
        autocomplete: "off",
        help: "The first row holds the names of the columns, such as brand;model;year;license.",
        errors: Vec::new(),
    };
    (file, text)
}

fn row_problems(invalid: &InvalidRow) -> impl Iterator<Item = RowProblem> {
    invalid.violations.iter().map(|(field, violations)| {
        let messages: Vec<String> = violations
            .iter()
            .map(|violation| messages::violation(field, violation))
            .collect();
        RowProblem {
            row: invalid.row,
            field: messages::name(field),
            message: messages.join(" "),
        }
    })
}
