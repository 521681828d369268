//! The commands: one file for each.

mod adoptmedia;
mod changepassword;
mod clearsessions;
mod createsuperuser;
mod flushexpiredtokens;
mod migrate;
mod openapi;
mod passwords;
mod runserver;
mod sweepmedia;

use std::io;

use mycars_application::accounts;
use mycars_domain::{Field, Violation, Violations};
use mycars_http::messages;

use crate::{
    cli::{Cli, Command},
    console::Console,
    logging,
    settings::{Settings, SettingsError},
    wiring,
};

/// Why a command did not do what it should: one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CommandError {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Database(#[from] mycars_persistence::OpenError),
    #[error(transparent)]
    Cost(#[from] mycars_security::CostOutOfRange),
    #[error(transparent)]
    Key(#[from] mycars_security::EmptyKey),
    /// Whatever the command itself has to say.
    #[error("{0}")]
    Refused(String),
    /// A use-case failed.
    #[error("{}", with_causes(.0))]
    Failed(accounts::Error),
    /// A use-case without fields failed.
    #[error("{}", with_causes(.0))]
    FailedTask(#[from] mycars_application::Error),
    /// A use-case about pictures failed.
    #[error("{}", with_causes(.0))]
    Images(#[from] mycars_application::images::Error),
    /// The terminal failed, or nobody answers any more.
    #[error("Operation cancelled.")]
    Cancelled(#[from] io::Error),
}

impl From<accounts::Error> for CommandError {
    fn from(error: accounts::Error) -> Self {
        match error {
            accounts::Error::Invalid(violations) => Self::Refused(say_all(&violations)),
            other => Self::Failed(other),
        }
    }
}

/// Does what the command line says.
///
/// # Errors
/// [`CommandError`] in one line.
pub(crate) fn run(cli: Cli, console: &mut dyn Console) -> Result<(), CommandError> {
    let command = cli.command.unwrap_or(Command::Runserver { address: None });
    let bind = match &command {
        Command::Runserver { address } => *address,
        _ => None,
    };
    let settings = || -> Result<Settings, CommandError> {
        let settings = Settings::of_process(bind)?;
        logging::start(&settings.log)?;
        Ok(settings)
    };
    let app = || wiring::app(&settings()?);
    match command {
        Command::Runserver { .. } => runserver::run(&settings()?, console),
        Command::Migrate => migrate::run(&settings()?, console),
        Command::Createsuperuser(given) => {
            let variable = |name: &str| std::env::var(name).ok();
            createsuperuser::run(&app()?, &given, &variable, console)
        }
        Command::Changepassword { username } => changepassword::run(&app()?, &username, console),
        Command::Clearsessions => clearsessions::run(&app()?, console),
        Command::Sweepmedia(given) => sweepmedia::run(&settings()?, &given, console),
        Command::Adoptmedia => adoptmedia::run(&settings()?, console),
        Command::Flushexpiredtokens => flushexpiredtokens::run(&app()?, console),
        Command::Openapi { format } => openapi::run(format, console),
    }
}

/// What is wrong with a value, in one line.
fn say(field: Field, violations: &[Violation]) -> String {
    let sentences: Vec<String> = violations
        .iter()
        .map(|violation| messages::violation(field, violation))
        .collect();
    sentences.join(" ")
}

/// What is wrong with fields, in one line that names them.
fn say_all(violations: &Violations) -> String {
    let lines: Vec<String> = violations
        .iter()
        .map(|(field, violations)| format!("{}: {}", messages::name(field), say(field, violations)))
        .collect();
    lines.join(" ")
}

fn with_causes(error: &dyn std::error::Error) -> String {
    let mut line = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !line.ends_with(&cause_text) {
            line = format!("{line}: {cause_text}");
        }
        source = cause.source();
    }
    line
}
