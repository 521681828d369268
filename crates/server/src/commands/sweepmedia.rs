//! `mycars sweepmedia`: move pictures without a car to the trash, restore those that a car names, and empty the trash.

use chrono::NaiveDate;
use mycars_application::{
    Caller,
    images::{self, Refusal, SweepError, SweepPlan},
};
use mycars_domain::values::ImagePath;
use mycars_persistence::Database;

use crate::{
    cli::SweepMedia,
    console::Console,
    error::CommandError,
    settings::{MediaRoot, Settings},
    wiring,
};

pub(super) fn run(
    settings: &Settings,
    given: &SweepMedia,
    console: &mut dyn Console,
) -> Result<(), CommandError> {
    let app = wiring::app(settings)?;
    let (database, _) = wiring::database(settings)?;
    let root = &settings.media.root;
    if given.dry_run {
        let plan = images::plan_sweep(&app, &Caller::system())?;
        preview(&plan, root, console);
        if let (Some(refusal), false) = (plan.refusal, given.force) {
            console.print(&format!(
                "Without --dry-run: {}",
                reason(refusal, root, &database)
            ));
        }
        return Ok(());
    }
    match images::sweep(&app, &Caller::system(), given.force) {
        Ok(plan) => report(&plan, root, console),
        Err(SweepError::Refused(refusal)) => {
            return Err(CommandError::Refused(reason(refusal, root, &database)));
        }
        Err(SweepError::Failed(error)) => return Err(error.into()),
    }
    Ok(())
}

/// Prints the plan of a dry run.
fn preview(plan: &SweepPlan, root: &MediaRoot, console: &mut dyn Console) {
    for image in &plan.orphans {
        console.print(&format!("{} ({} bytes) would be moved", image.path, image.bytes));
    }
    for image in &plan.restored {
        console.print(&format!(
            "{} ({} bytes) would be restored, because a car refers to it",
            trashed(&image.path, image.day),
            image.bytes
        ));
    }
    for image in &plan.expired {
        console.print(&format!(
            "{} ({} bytes) would be deleted",
            trashed(&image.path, image.day),
            image.bytes
        ));
    }
    console.print(&format!(
        "{} without a car would be moved to `{}`, {} would be restored, and {} would be deleted from the trash. \
         Nothing was changed.",
        moved(plan),
        trash(plan, root),
        restored(plan),
        expired(plan),
    ));
}

/// Prints the result of a sweep.
fn report(plan: &SweepPlan, root: &MediaRoot, console: &mut dyn Console) {
    for image in &plan.restored {
        console.print(&format!(
            "Restored {} to {}, because a car refers to it.",
            trashed(&image.path, image.day),
            image.path
        ));
    }
    for (path, day) in &plan.skipped {
        console.print(&format!(
            "Skipped {path}: {} exists, too. Compare them, and delete the one that is not needed.",
            trashed(path, *day)
        ));
    }
    if plan.orphans.is_empty() {
        console.print("Found no picture without a car that is older than an hour.");
    } else {
        console.print(&format!(
            "Moved {} without a car to `{}`. The first sweep after {} deletes them. \
             To restore a picture, move its file back to `{}`.",
            moved(plan),
            trash(plan, root),
            plan.kept_until,
            format_args!("{root}/cars"),
        ));
    }
    if !plan.expired.is_empty() {
        console.print(&format!(
            "Deleted {} that had been in the trash for more than 30 days.",
            expired(plan)
        ));
    }
}

fn trash(plan: &SweepPlan, root: &MediaRoot) -> String {
    format!("{root}/trash/{}", plan.day)
}

/// Returns the path of a picture in the trash, relative to the media folder.
fn trashed(path: &ImagePath, day: NaiveDate) -> String {
    let name = path.as_str().rsplit('/').next().unwrap_or_default();
    format!("trash/{day}/{name}")
}

fn restored(plan: &SweepPlan) -> String {
    pictures(plan.restored.iter().map(|image| image.bytes))
}

fn moved(plan: &SweepPlan) -> String {
    pictures(plan.orphans.iter().map(|image| image.bytes))
}

fn expired(plan: &SweepPlan) -> String {
    pictures(plan.expired.iter().map(|image| image.bytes))
}

/// Returns the number of pictures and their total size.
fn pictures(sizes: impl ExactSizeIterator<Item = u64>) -> String {
    let (count, plural) = (sizes.len(), if sizes.len() == 1 { "" } else { "s" });
    format!("{count} picture{plural} ({} bytes)", sizes.sum::<u64>())
}

/// Returns the reason for which the sweep is refused, and what to do.
fn reason(refusal: Refusal, root: &MediaRoot, database: &Database) -> String {
    let (problem, advice) = match refusal {
        Refusal::OtherDatabase => (
            format!("the media folder `{root}` belongs to another database than {database}"),
            "run `mycars adoptmedia` if they belong together",
        ),
        Refusal::UnprovenDatabase => (
            format!("{database} refers to none of the pictures in the media folder `{root}`"),
            "run `mycars adoptmedia` if they belong together",
        ),
        Refusal::NoPictures { affected } => (
            format!(
                "{database} refers to no picture, and {affected} pictures in the media folder `{root}` would be \
                 moved or deleted"
            ),
            "restore the database if its cars should have these pictures",
        ),
        Refusal::TooMany { orphans, pictures } => (
            format!(
                "{orphans} of {pictures} pictures in the media folder `{root}` have no car in {database}, \
                 which is more than a tenth"
            ),
            "look at them with --dry-run",
        ),
    };
    format!(
        "sweepmedia refuses: {problem}; nothing was changed. Check DATABASE_URL and MYCARS__MEDIA__ROOT; {advice}; \
         --force sweeps anyway"
    )
}
