//! `mycars check`: find problems of the settings, the database and the folders.

use crate::{
    checks::{self, Facts, Finding, Level},
    cli::Check,
    console::Console,
    error::CommandError,
    settings::{Settings, SettingsError},
};

pub(super) fn run(
    settings: Result<Settings, SettingsError>,
    given: &Check,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let found = checks::run(&Facts::gather(settings), given.deploy);
    for finding in &found {
        console.print(&finding.to_string());
    }
    let count = |level| {
        found
            .iter()
            .filter(|finding| finding.check.level() == level)
            .count()
    };
    let summary = format!(
        "{} errors, {} warnings",
        count(Level::Error),
        count(Level::Warning)
    );
    let fails = |finding: &Finding| finding.check.level() >= given.fail_level;
    if found.iter().any(fails) {
        return Err(CommandError::Refused(format!("The check found {summary}.")));
    }
    console.print(&match found[..] {
        [] => "The check found no problems.".to_owned(),
        _ => format!("The check found {summary}."),
    });
    Ok(())
}
