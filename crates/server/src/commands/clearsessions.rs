//! `mycars clearsessions`: forget browsers' logins whose time is over.

use mycars_application::{App, Caller, accounts::sessions};

use super::CommandError;
use crate::console::Console;

pub(super) fn run(app: &App, console: &mut dyn Console) -> Result<(), CommandError> {
    let count = sessions::clear_expired(app, &Caller::system())?;
    console.print(&format!("Forgot {count} expired sessions."));
    Ok(())
}
