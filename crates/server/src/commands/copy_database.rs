//! `mycars copy-database`: copy all rows into another database.

use mycars_application::{Caller, backup as use_case};
use mycars_persistence::Database;

use super::backup::counts;
use crate::{console::Console, error::CommandError, progress::Bar, settings::Settings, wiring};

pub(super) fn run(settings: &Settings, to: &str, console: &mut dyn Console) -> Result<(), CommandError> {
    let app = wiring::app(settings)?;
    let (source, options) = wiring::database(settings)?;
    let target = Database::parse(to)?;
    target.migrate(&options)?;
    let store = target.connect(&options)?;
    let mut bar = Bar::new();
    let copied = use_case::copy(&app, &Caller::system(), &*store, &mut |step| bar.show(step))?;
    console.print(&format!(
        "Copied {} from {source} to {target} in {}. The pictures stay in `{}`. Set DATABASE_URL to the new database, \
         and start the server.",
        counts(&copied),
        bar.finish(),
        &settings.media.root,
    ));
    Ok(())
}
