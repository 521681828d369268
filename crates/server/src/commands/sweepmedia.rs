//! `mycars sweepmedia`: delete pictures that no car has any more.

use mycars_application::{App, images};
use mycars_domain::Actor;

use super::CommandError;
use crate::console::Console;

pub(super) fn run(app: &App, console: &mut dyn Console) -> Result<(), CommandError> {
    let count = images::sweep(app, &Actor::System)?;
    console.say(&format!("Deleted {count} pictures that no car had."));
    Ok(())
}
