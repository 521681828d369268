//! `mycars pruneaudit`: delete the oldest entries of the audit log.

use mycars_application::{Caller, history};

use crate::{console::Console, error::CommandError, settings::Settings, wiring};

pub(super) fn run(settings: &Settings, console: &mut dyn Console) -> Result<(), CommandError> {
    let Some(retention) = settings.audit.retention() else {
        return Err(CommandError::Refused(
            "all entries are kept, because audit.keep_days is 0: set MYCARS__AUDIT__KEEP_DAYS to a number of days".into(),
        ));
    };
    let count = history::prune(&wiring::app(settings)?, &Caller::system(), retention)?;
    console.print(&format!(
        "Deleted {count} entries of the audit log that were older than {} days.",
        retention.num_days()
    ));
    Ok(())
}
