//! `mycars backup`: write all rows and pictures into an archive.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, IsTerminal as _},
    os::fd::AsFd as _,
    path::{Path, PathBuf},
};

use mycars_application::{
    Caller, backup as use_case,
    ports::{ArchiveWriter, Table, TableContents},
};
use mycars_archive::{NewFile, Output, Pipe, Writer};

use crate::{
    cli::Backup, console::Console, error::CommandError, progress::Bar, secret_key, settings::Settings, wiring,
};

pub(super) fn run(
    settings: &Settings,
    given: &Backup,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let app = wiring::app(settings)?;
    // Requests have priority.
    mycars_http::lower_priority();
    let now = app.clock.now();
    let file = given.file.clone().unwrap_or_else(|| {
        let name = format!("mycars-{}.zip", now.format("%Y%m%dT%H%M%SZ"));
        PathBuf::from(name)
    });
    let to_pipe = file == Path::new("-");
    let mut archive: Box<dyn ArchiveWriter> = if to_pipe {
        writer(settings, given, Pipe(pipe()?), now)?
    } else {
        let created = NewFile::create(&file).map_err(|error| refused(&file, &error))?;
        writer(settings, given, created, now)?
    };
    let mut bar = Bar::new();
    let backup = use_case::back_up(&app, &Caller::system(), &mut *archive, &mut |step| bar.show(step))?;
    let took = bar.finish();
    for path in &backup.missing {
        console.print_error(&format!("The picture {path} is missing in the media folder."));
    }
    let contents = &backup.contents;
    let place = if to_pipe {
        "the standard output".to_owned()
    } else {
        format!("`{}`", file.display())
    };
    let summary = format!(
        "Backed up {} and {} pictures ({} bytes) to {place} in {took}.",
        counts(&contents.tables),
        contents.images,
        contents.image_bytes,
    );
    if to_pipe {
        console.print_error(&summary);
    } else {
        console.print(&summary);
    }
    Ok(())
}

fn writer<W: Output + 'static>(
    settings: &Settings,
    given: &Backup,
    output: W,
    now: chrono::DateTime<chrono::Utc>,
) -> Result<Box<dyn ArchiveWriter>, CommandError> {
    let (database, _) = wiring::database(settings)?;
    let key = if given.with_secret_key {
        Some(secret_key::signing_key(settings)?.0)
    } else {
        None
    };
    let key = key.as_ref().map(crate::settings::Secret::reveal);
    let writer =
        Writer::new(output, &wiring::origin(&database), key, now).map_err(use_case::Error::Archive)?;
    Ok(Box::new(writer))
}

/// Returns the standard output without a buffer.
fn pipe() -> Result<File, CommandError> {
    let output = io::stdout();
    if output.is_terminal() {
        return Err(CommandError::Refused(
            "an archive is not written to a terminal: name a file, or send the output into a pipe".into(),
        ));
    }
    Ok(File::from(output.as_fd().try_clone_to_owned()?))
}

/// Returns the error of a file that can't be created or read.
pub(super) fn refused(file: &Path, error: &io::Error) -> CommandError {
    CommandError::Refused(format!("`{}`: {error}", file.display()))
}

/// Returns the numbers of rows as text.
pub(super) fn counts(tables: &BTreeMap<Table, TableContents>) -> String {
    let rows = |table| tables.get(&table).map_or(0, |contents| contents.rows);
    format!(
        "{} users, {} cars, {} refresh tokens, {} sessions, {} API keys, {} entries of the audit log",
        rows(Table::Users),
        rows(Table::Cars),
        rows(Table::RefreshTokens),
        rows(Table::Sessions),
        rows(Table::ApiKeys),
        rows(Table::AuditLog),
    )
}
