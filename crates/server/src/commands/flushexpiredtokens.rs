//! `mycars flushexpiredtokens`: delete expired refresh tokens.

use mycars_application::{App, Caller, accounts};

use crate::{console::Console, error::CommandError};

pub(super) fn run(app: &App, console: &mut dyn Console) -> Result<(), CommandError> {
    let count = accounts::flush_expired_tokens(app, &Caller::system())?;
    console.print(&format!("Deleted {count} expired refresh tokens."));
    Ok(())
}
