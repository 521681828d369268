//! `mycars migrate`: apply pending migrations, or list them.

use crate::{console::Console, error::CommandError, settings::Settings, wiring};

pub(super) fn run(settings: &Settings, plan: bool, console: &mut dyn Console) -> Result<(), CommandError> {
    let (database, options) = wiring::database(settings)?;
    let (names, verb) = if plan {
        (database.pending_migrations(&options)?, "Pending:")
    } else {
        (database.migrate(&options)?, "Applied")
    };
    for name in &names {
        console.print(&format!("{verb} {name}"));
    }
    if names.is_empty() {
        console.print(&format!("No migrations to apply to {database}."));
    }
    Ok(())
}
