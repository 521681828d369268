//! `mycars migrate`: apply pending migrations.

use crate::{console::Console, error::CommandError, settings::Settings, wiring};

pub(super) fn run(settings: &Settings, console: &mut dyn Console) -> Result<(), CommandError> {
    let (database, options) = wiring::database(settings)?;
    let applied = database.migrate(&options)?;
    for name in &applied {
        console.print(&format!("Applied {name}"));
    }
    if applied.is_empty() {
        console.print(&format!("No migrations to apply to {database}."));
    }
    Ok(())
}
