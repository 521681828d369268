//! `mycars pruneaudit`: delete the oldest entries of the audit log, and the addresses in old entries.

use mycars_application::{Caller, history, housekeeping::AuditRetention};

use crate::{console::Console, error::CommandError, settings::Settings, wiring};

pub(super) fn run(settings: &Settings, console: &mut dyn Console) -> Result<(), CommandError> {
    let AuditRetention { entries, addresses } = settings.audit.retention();
    if entries.or(addresses).is_none() {
        return Err(CommandError::Refused(
            "all entries are kept, because audit.keep_days is 0: set MYCARS__AUDIT__KEEP_DAYS or \
             MYCARS__AUDIT__KEEP_ADDRESSES_DAYS to a number of days"
                .into(),
        ));
    }
    let app = wiring::app(settings)?;
    if let Some(retention) = entries {
        let count = history::prune(&app, &Caller::system(), retention)?;
        let days = retention.num_days();
        console.print(&format!(
            "Deleted {count} entries of the audit log that were older than {days} days."
        ));
    }
    if let Some(retention) = addresses {
        let count = history::forget_addresses(&app, &Caller::system(), retention)?;
        let days = retention.num_days();
        console.print(&format!(
            "Removed the addresses from {count} more entries that were older than {days} days."
        ));
    }
    Ok(())
}
