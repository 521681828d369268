//! `mycars restore`: restore an archive into an empty database.

use std::fs::File;

use mycars_application::{Caller, backup as use_case, ports::ArchiveReader as _};
use mycars_archive::Archive;
use mycars_persistence::Database;

use super::backup::{counts, refused};
use crate::{
    cli::Restore, console::Console, error::CommandError, progress::Bar, secret_key, settings::Settings,
    wiring,
};

pub(super) fn run(
    settings: &Settings,
    given: &Restore,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let mut bar = Bar::new();
    let file = File::open(&given.file).map_err(|error| refused(&given.file, &error))?;
    let mut archive = Archive::open(file, &Database::migrations())?;
    let (database, _) = wiring::database(settings)?;
    let (app, caller) = (wiring::app_without_key(settings)?, Caller::system());
    use_case::require_empty_database(&app, &caller)?;
    // Before the rows: a kill between both must not leave tokens that no key verifies.
    if let (Some(key), false) = (archive.secret_key(), given.dry_run)
        && !secret_key::keep(settings, key)?
    {
        console.print_error(
            "The key in the archive is not used, because another one is set or in the data folder: all tokens end, \
             unless SECRET_KEY_FALLBACKS has the key.",
        );
    }
    let how = if given.dry_run {
        use_case::Restore::DryRun
    } else {
        use_case::Restore::Real
    };
    use_case::restore(&app, &caller, &mut archive, how, &mut |step| bar.show(step))?;
    let took = bar.finish();
    let contents = archive.contents();
    let (counts, images) = (counts(&contents.tables), contents.images);
    let at = contents.created_at.format("%Y-%m-%d %H:%M:%S UTC");
    console.print(&if given.dry_run {
        format!(
            "{counts} and {images} pictures of {at} would be restored into {database}; it took {took}, and nothing \
             was changed."
        )
    } else {
        format!("Restored {counts} and {images} pictures of {at} into {database} in {took}.")
    });
    Ok(())
}
