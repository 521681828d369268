//! `mycars flushexpiredtokens`: forget refresh tokens that have expired.

use mycars_application::{App, Caller, accounts};

use crate::{console::Console, error::CommandError};

pub(super) fn run(app: &App, console: &mut dyn Console) -> Result<(), CommandError> {
    let count = accounts::flush_expired_tokens(app, &Caller::system())?;
    console.print(&format!("Forgot {count} expired refresh tokens."));
    Ok(())
}
