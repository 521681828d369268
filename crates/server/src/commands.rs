//! The commands, one file for each.

mod adoptmedia;
mod backup;
mod changepassword;
mod check;
mod clearsessions;
mod config;
mod copy_database;
mod createsuperuser;
mod eraseuser;
mod flushexpiredtokens;
mod healthcheck;
mod import_django;
mod media;
mod migrate;
mod openapi;
mod passwords;
mod pruneaudit;
mod restore;
mod runserver;
mod sweepmedia;

use crate::{
    cli::{Cli, Command, Config},
    console::Console,
    error::CommandError,
    logging,
    settings::Settings,
    telemetry::Traces,
    wiring,
};

/// Runs the command that the command line names; without one, `runserver`.
///
/// # Errors
/// [`CommandError`], whose text is one line.
pub(crate) fn run(cli: Cli, console: &mut dyn Console) -> Result<(), CommandError> {
    let command = cli.command.unwrap_or(Command::Runserver { address: None });
    let bind = match &command {
        Command::Runserver { address } => address.clone(),
        _ => None,
    };
    let settings = || -> Result<Settings, CommandError> {
        let settings = Settings::of_process(None)?;
        logging::start(&settings.log, None)?;
        Ok(settings)
    };
    let app = || wiring::app(&settings()?);
    match command {
        Command::Runserver { .. } => {
            let settings = Settings::of_process(bind)?;
            let traces = settings.telemetry.endpoint().map(Traces::start).transpose()?;
            logging::start(&settings.log, traces.as_ref().map(Traces::layer))?;
            let served = runserver::run(&settings, traces.is_some(), console);
            if let Some(traces) = traces {
                traces.stop();
            }
            served
        }
        Command::Migrate { plan } => migrate::run(&settings()?, plan, console),
        Command::Createsuperuser(given) => {
            let variable = |name: &str| std::env::var(name).ok();
            createsuperuser::run(&app()?, &given, &variable, console)
        }
        Command::Changepassword { username } => changepassword::run(&app()?, &username, console),
        Command::Eraseuser(given) => eraseuser::run(&app()?, &given, console),
        Command::Clearsessions => clearsessions::run(&app()?, console),
        Command::Sweepmedia(given) => sweepmedia::run(&settings()?, &given, console),
        Command::Media(command) => media::run(&settings()?, &command, console),
        Command::Adoptmedia => adoptmedia::run(&settings()?, console),
        // Problems are the output of these three, and nothing is logged.
        Command::Check(given) => check::run(Settings::of_process(None), &given, console),
        Command::Config(Config::Show { sources }) => config::show(sources, console),
        Command::Healthcheck { url } => healthcheck::run(url.as_deref()),
        Command::Backup(given) => backup::run(&settings()?, &given, console),
        Command::Restore(given) => restore::run(&settings()?, &given, console),
        Command::CopyDatabase { to } => copy_database::run(&settings()?, &to, console),
        Command::ImportDjango(given) => import_django::run(&settings()?, &given, console),
        Command::Flushexpiredtokens => flushexpiredtokens::run(&app()?, console),
        Command::Pruneaudit => pruneaudit::run(&settings()?, console),
        Command::Openapi { format } => openapi::run(format, console),
    }
}
