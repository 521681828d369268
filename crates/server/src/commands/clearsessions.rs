//! `mycars clearsessions`: delete expired browser sessions.

use mycars_application::{App, Caller, accounts::sessions};

use crate::{console::Console, error::CommandError};

pub(super) fn run(app: &App, console: &mut dyn Console) -> Result<(), CommandError> {
    let count = sessions::clear_expired(app, &Caller::system())?;
    console.print(&format!("Deleted {count} expired sessions."));
    Ok(())
}
