//! `mycars import-django`: import all data of a Django system into an empty database.

use std::{
    fs::File,
    io,
    path::{Component, Path},
};

use mycars_application::{
    Caller,
    django::{self, Choices, Error, Imported, Mode, Pictures, Problem, Reason},
    ports::{DjangoSource, DjangoTable},
};
use mycars_domain::{Field, Role};
use mycars_http::messages;
use mycars_persistence::Database;
use serde_json::{Map, Value};

use crate::{
    cli::ImportDjango,
    console::Console,
    error::{CommandError, with_causes},
    progress::Bar,
    settings::Settings,
    wiring,
};

pub(super) fn run(
    settings: &Settings,
    given: &ImportDjango,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let app = wiring::app(settings)?;
    let (target, options) = wiring::database(settings)?;
    let source = Database::parse(&given.from)?;
    let mut rows = source.open_django(given.app.as_deref(), options.timeout)?;
    let mode = mode(given);
    let mut bar = Bar::new();
    let imported = django::import(
        &app,
        &Caller::system(),
        rows.as_mut(),
        (
            &choices(given),
            pictures(given, &|name| {
                given.media.as_deref().map_or(Ok(None), |media| open(media, name))
            }),
        ),
        mode,
        &mut |step| bar.show_import(step),
    );
    let took = bar.finish();
    match imported {
        Ok(imported) => {
            console.print(&summary(&imported, mode, (&source, &target), &took));
            Ok(())
        }
        Err(Error::Problems(problems)) => Err(refuse(&problems, rows.as_ref(), mode, console)),
        Err(Error::NotEmpty { users, cars }) => Err(CommandError::Refused(format!(
            "{target} has {users} users and {cars} cars already, and nothing was changed: set DATABASE_URL to a new \
             database"
        ))),
        Err(error) => Err(CommandError::Refused(format!(
            "{}; no row was imported",
            with_causes(&error)
        ))),
    }
}

fn mode(given: &ImportDjango) -> Mode {
    match (given.check, given.dry_run) {
        (true, _) => Mode::Check,
        (false, true) => Mode::DryRun,
        (false, false) => Mode::Run,
    }
}

fn choices(given: &ImportDjango) -> Choices {
    Choices {
        keep_invalid: given.keep_invalid,
        keep_unverifiable_passwords: given.keep_unverifiable_passwords,
        staff_role: given
            .staff_role
            .as_deref()
            .and_then(|role| Role::parse(role).ok()),
        email_domain: given.email_domain.clone(),
    }
}

fn pictures<'a>(given: &ImportDjango, open: &'a django::OpenPicture<'a>) -> Pictures<'a> {
    if given.without_pictures {
        Pictures::LeaveOut
    } else if given.media.is_some() {
        Pictures::From(open)
    } else {
        Pictures::Undecided
    }
}

/// Opens a file below a folder. Paths that lead out of the folder, and folders, are not found.
fn open(folder: &Path, name: &str) -> io::Result<Option<File>> {
    let is_plain = |part: Component<'_>| matches!(part, Component::Normal(_));
    if name.contains('\0') || !Path::new(name).components().all(is_plain) {
        return Ok(None);
    }
    match File::open(folder.join(name)) {
        Ok(file) => Ok(file.metadata()?.is_file().then_some(file)),
        Err(error)
            if matches!(
                error.kind(),
                io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
            ) =>
        {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn summary(imported: &Imported, mode: Mode, (source, target): (&Database, &Database), took: &str) -> String {
    let Imported {
        users,
        cars,
        pictures,
        tokens,
        blacklisted,
    } = imported;
    let rows = format!("{users} users, {cars} cars and {pictures} pictures");
    let tokens = format!("{tokens} refresh tokens ({blacklisted} of them blacklisted)");
    match mode {
        Mode::Check => {
            format!("Found no problem in {rows} of {source}. The check took {took}; nothing was changed.")
        }
        Mode::DryRun => {
            format!(
                "{rows} with {tokens} would be imported from {source} into {target}. The dry run took {took}; nothing was changed."
            )
        }
        Mode::Run => format!("Imported {rows} with {tokens} from {source} into {target} in {took}."),
    }
}

/// Prints the problems: with `--check` to the standard output, otherwise to standard error.
fn refuse(
    problems: &[Problem],
    source: &dyn DjangoSource,
    mode: Mode,
    console: &mut dyn Console,
) -> CommandError {
    for problem in problems {
        let line = line(problem, source);
        match mode {
            Mode::Check => console.print(&line),
            _ => console.print_error(&line),
        }
    }
    let count = problems.len();
    CommandError::Refused(format!(
        "{count} {} problems, and nothing was imported: correct {} in the Django system, or see `mycars import-django \
         --help` for the choices",
        if count == 1 { "row has" } else { "rows have" },
        if count == 1 { "it" } else { "them" },
    ))
}

/// Returns the problems of a row in one line: its table, its id, and the errors of its fields as Django REST framework
/// returns them.
fn line(problem: &Problem, source: &dyn DjangoSource) -> String {
    let mut errors: Map<String, Value> = Map::new();
    for (field, reason) in &problem.reasons {
        let name = messages::name(*field).to_owned();
        let messages = errors.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        if let Value::Array(messages) = messages {
            messages.push(Value::String(message(*field, reason, problem, source)));
        }
    }
    format!(
        "{} {} {}",
        source.name(problem.table),
        problem.id,
        Value::Object(errors)
    )
}

fn message(field: Field, reason: &Reason, problem: &Problem, source: &dyn DjangoSource) -> String {
    match reason {
        Reason::Violation(violation) => messages::violation(field, violation),
        Reason::TakenBy(id) => format!(
            "{} ({} {id}, ignoring case)",
            messages::violation(field, &mycars_domain::Violation::Taken),
            source.name(problem.table)
        ),
        Reason::UnverifiablePassword(algorithm) => format!(
            "The hash can't be verified, or needs too much work ({algorithm}). Choose \
             --keep-unverifiable-passwords, and set a new password after the import."
        ),
        Reason::StaffRoleNotChosen => {
            "The user is a staff member without the role admin. Choose a role with --staff-role.".into()
        }
        Reason::NoSuchUser(id) => format!(
            "Invalid pk \"{id}\" - object does not exist in {}.",
            source.name(DjangoTable::Users)
        ),
        Reason::NoMediaFolder => {
            "The car has an image. Name the folder with --media, or choose --without-pictures.".into()
        }
        Reason::NoSuchPicture(name) => format!("The file {name} does not exist in the folder."),
        Reason::UnreadablePicture(error) => format!("The file can't be read: {error}."),
    }
}
