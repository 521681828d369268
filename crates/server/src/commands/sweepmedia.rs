//! `mycars sweepmedia`: delete pictures that no car has any more.

use mycars_application::{App, Caller, images};

use super::CommandError;
use crate::console::Console;

pub(super) fn run(app: &App, console: &mut dyn Console) -> Result<(), CommandError> {
    let count = images::sweep(app, &Caller::system())?;
    console.say(&format!("Deleted {count} pictures that no car had."));
    Ok(())
}
