//! The folder of scheduled backups.

use std::{fs, os::unix::fs::PermissionsExt as _, sync::Arc};

use chrono::TimeDelta;
use mycars_application::{
    App, BackupSettings, Caller,
    backup::back_up_if_due,
    mocks::{FixedClock, samples},
    ports::BackupStore as _,
};
use mycars_archive::{Archive, Folder};
use tempfile::TempDir;

use crate::support::{Pictures, app, memory, origin};

/// Returns an app at a time, with a schedule: daily, two are kept.
fn app_at(hours: i64, folder: &Folder) -> App {
    App {
        clock: Arc::new(FixedClock(samples::now() + TimeDelta::hours(hours))),
        backups: Some(BackupSettings {
            every: TimeDelta::days(1),
            keep: 2,
            store: Arc::new(folder.clone()),
        }),
        ..app(memory(), &Pictures::of(&[("cars/one.jpg", b"one")]))
    }
}

fn names(folder: &Folder) -> Vec<String> {
    folder
        .list()
        .unwrap()
        .into_iter()
        .map(|backup| backup.name)
        .collect()
}

#[test]
fn due_backups_are_made_and_own_old_ones_deleted() {
    let temporary = TempDir::new().unwrap();
    let path = temporary.path().join("deep/backups");
    let folder = Folder::new(path.clone(), origin());
    assert_eq!(names(&folder), [""; 0]);
    let mut made = Vec::new();
    for hours in [0, 1, 22, 23, 30, 48, 72] {
        let backup = back_up_if_due(&app_at(hours, &folder), &Caller::system()).unwrap();
        made.extend(backup.map(|_| hours));
        fs::write(path.join("mycars-auto-mine.zip"), "kept").unwrap();
    }
    assert_eq!(made, [0, 23, 48, 72]);
    let expected = [
        "mycars-auto-20261125T120000Z.zip",
        "mycars-auto-20261126T120000Z.zip",
    ];
    assert_eq!(names(&folder), expected);
    // Two backups and the file of someone else: no temporary files.
    assert_eq!(fs::read_dir(&path).unwrap().count(), 3);

    let newest = path.join(expected[1]);
    assert_eq!(fs::metadata(&newest).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o700);
    Archive::open(fs::File::open(newest).unwrap(), &origin().migrations).unwrap();
}

#[test]
fn failed_backup_leaves_no_file_and_deletes_none() {
    let temporary = TempDir::new().unwrap();
    let folder = Folder::new(temporary.path().to_owned(), origin());
    back_up_if_due(&app_at(0, &folder), &Caller::system()).unwrap();
    let app = App {
        store: mycars_application::mocks::Mocks::failing_store()
            .into_app()
            .0
            .store,
        ..app_at(48, &folder)
    };
    assert!(back_up_if_due(&app, &Caller::system()).is_err());
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 1);
    assert_eq!(names(&folder).len(), 1);
}
