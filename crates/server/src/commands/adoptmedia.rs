//! `mycars adoptmedia`: assign the media folder to this database.

use mycars_application::{Caller, images};

use crate::{console::Console, error::CommandError, settings::Settings, wiring};

pub(super) fn run(settings: &Settings, console: &mut dyn Console) -> Result<(), CommandError> {
    images::adopt(&wiring::app(settings)?, &Caller::system())?;
    let (database, _) = wiring::database(settings)?;
    let folder = &settings.media.root;
    console.print(&format!("The media folder `{folder}` now belongs to {database}."));
    Ok(())
}
