//! The order of effects, and what is refused.

use std::{
    collections::BTreeMap,
    io::{Read, Seek as _, Write as _},
    sync::{Arc, Mutex},
    time::SystemTime,
};

use mockall::Sequence;
use mycars_domain::{Car, Rank, values::ImagePath};

use super::*;
use crate::{
    App, Caller,
    mocks::{MockImageStore, MockRowRepository, Mocks, samples},
    ports::{
        ArchiveContents, ArchiveReader, ArchiveWriter, EachImage, EachRows, Installation, StoredImage, Table,
    },
};

/// An archive that lists what is written.
#[derive(Default)]
struct Written(Vec<String>);

impl ArchiveWriter for Written {
    fn add_image(&mut self, path: &ImagePath, content: &mut dyn Read) -> Result<u64, BoxError> {
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes)?;
        self.0.push(path.to_string());
        Ok(bytes.len() as u64)
    }

    fn begin_table(&mut self, table: Table) -> Result<(), BoxError> {
        self.0.push(table.as_str().to_owned());
        Ok(())
    }

    fn add_rows(&mut self, rows: &[Row]) -> Result<(), BoxError> {
        self.0.extend(rows.iter().map(|row| format!("{}", row.id())));
        Ok(())
    }

    fn finish(&mut self, contents: &ArchiveContents) -> Result<(), BoxError> {
        self.0.push(format!("{} images", contents.images));
        Ok(())
    }
}

/// An archive with one picture and one car.
struct Archived(ArchiveContents);

impl Archived {
    fn new() -> Self {
        let contents = |table| {
            let rows = u64::from(table == Table::Cars);
            (table, TableContents { rows, next_id: 11 })
        };
        Self(ArchiveContents {
            created_at: samples::now(),
            tables: Table::ALL.map(contents).into(),
            images: 1,
            image_bytes: 4,
        })
    }
}

impl ArchiveReader for Archived {
    fn contents(&self) -> &ArchiveContents {
        &self.0
    }

    fn read_images(&mut self, each: &mut EachImage<'_>) -> Result<(), BoxError> {
        each(&path("cars/a.jpg"), b"jpeg")
    }

    fn read_rows(&mut self, table: Table, each: &mut EachRows<'_>) -> Result<(), BoxError> {
        match table {
            Table::Cars => each(&[car("cars/a.jpg")]),
            _ => Ok(()),
        }
    }
}

fn path(text: &str) -> ImagePath {
    ImagePath::from_storage(text.into())
}

fn car(image: &str) -> Row {
    Row::Car {
        car: Car {
            image: Some(path(image)),
            ..samples::car()
        },
        image_bytes: None,
    }
}

/// A file that holds `content`.
fn file(content: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(content).unwrap();
    file.rewind().unwrap();
    file
}

/// An image store that has these pictures, after the first has been listed.
fn images(listed: &'static [&'static str], existing: &'static [&'static str]) -> MockImageStore {
    let mut images = MockImageStore::new();
    images.expect_list().returning(|| {
        let image = |text: &&str| StoredImage {
            path: path(text),
            bytes: 4,
            modified: SystemTime::UNIX_EPOCH,
        };
        Ok(listed.iter().map(image).collect())
    });
    images
        .expect_open()
        .returning(|path| Ok(existing.contains(&path.as_str()).then(|| file(b"jpeg"))));
    images
}

/// Tables without rows, except those of `cars`, which returns the picture of the only car at each snapshot.
fn rows(mut image: impl FnMut() -> &'static str + Send + 'static) -> MockRowRepository {
    let mut rows = MockRowRepository::new();
    rows.expect_next_id().returning(|_| Ok(1));
    rows.expect_count().returning(|_| Ok(0));
    rows.expect_list().returning(move |table, after, _| {
        let has_one = table == Table::Cars && after == i64::MIN;
        Ok(if has_one { vec![car(image())] } else { vec![] })
    });
    rows
}

fn app(images: MockImageStore, rows: MockRowRepository) -> App {
    mocks(images, rows).into_app().0
}

fn mocks(images: MockImageStore, rows: MockRowRepository) -> Mocks {
    let mut mocks = Mocks {
        images,
        ..Mocks::default()
    };
    mocks.unit.rows = rows;
    mocks
}

fn backed_up(app: &App) -> (Vec<String>, Vec<ImagePath>) {
    let mut written = Written::default();
    let backup = back_up(app, &Caller::system(), &mut written, &mut |_| {}).unwrap();
    (written.0, backup.missing)
}

#[test]
fn users_may_not_back_up_restore_or_copy() {
    for rank in [Rank::Client, Rank::Admin, Rank::Superuser] {
        let (app, store) = Mocks::new().into_app();
        let caller = samples::other_user(rank);
        let refused = [
            back_up(&app, &caller, &mut Written::default(), &mut |_| {}).err(),
            restore(&app, &caller, &mut Archived::new(), Restore::Real, &mut |_| {}).err(),
            copy(&app, &caller, &*store, &mut |_| {}).err(),
            back_up_if_due(&app, &caller).err(),
        ];
        for refused in refused {
            assert!(matches!(refused, Some(Error::Denied(_))), "{refused:?}");
        }
    }
}

#[test]
fn pictures_come_before_the_rows_that_name_them() {
    let app = app(
        images(&["cars/old.jpg"], &["cars/old.jpg", "cars/new.jpg"]),
        rows(|| "cars/new.jpg"),
    );
    let (written, missing) = backed_up(&app);
    let tables = [
        "installation",
        "users",
        "cars",
        "10",
        "refresh_tokens",
        "sessions",
        "api_keys",
        "audit_log",
    ];
    let pictures = ["cars/old.jpg", "cars/new.jpg"];
    let expected = [&pictures[..], &tables[..], &["2 images"][..]].concat();
    assert_eq!(written, expected);
    assert_eq!(missing, []);
}

#[test]
fn picture_replaced_during_the_backup_is_not_missing() {
    let mut snapshots = ["cars/replaced.jpg", "cars/new.jpg", "cars/new.jpg"].into_iter();
    let app = app(
        images(&[], &["cars/new.jpg"]),
        rows(move || snapshots.next().unwrap()),
    );
    let (written, missing) = backed_up(&app);
    assert_eq!(written[0], "cars/new.jpg");
    assert_eq!(missing, []);
}

#[test]
fn lost_picture_is_reported_and_the_rest_backed_up() {
    let app = app(images(&["cars/gone.jpg"], &[]), rows(|| "cars/lost.jpg"));
    let (written, missing) = backed_up(&app);
    assert_eq!(written[0], "installation");
    assert_eq!(missing, [path("cars/lost.jpg")]);
}

#[test]
fn restore_stores_pictures_before_rows() {
    let mut order = Sequence::new();
    let mut images = images(&[], &[]);
    images.expect_owner().returning(|| Ok(None));
    let put = images.expect_put().once().in_sequence(&mut order);
    put.returning(|_, _| Ok(()));
    let mut rows = MockRowRepository::new();
    let inserted = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&inserted);
    rows.expect_count().returning(move |table| match table {
        Table::Cars => Ok(*counted.lock().unwrap()),
        _ => Ok(0),
    });
    let insert = rows.expect_insert().once().in_sequence(&mut order);
    insert.returning(move |rows| {
        *inserted.lock().unwrap() += rows.len() as u64;
        Ok(())
    });
    rows.expect_set_next_id()
        .withf(|_, id| *id == 11)
        .times(Table::ALL.len())
        .returning(|_, _| Ok(()));
    let app = app(images, rows);
    restore(
        &app,
        &Caller::system(),
        &mut Archived::new(),
        Restore::Real,
        &mut |_| {},
    )
    .unwrap();
}

/// Returns the error of a restore that must not insert a row.
fn refused(images: MockImageStore, counts: BTreeMap<Table, u64>) -> Error {
    let mut rows = MockRowRepository::new();
    rows.expect_count()
        .returning(move |table| Ok(counts.get(&table).copied().unwrap_or(0)));
    rows.expect_list().returning(|_, _, _| {
        Ok(vec![Row::Installation(Installation {
            id: "own".into(),
            created_at: samples::now(),
        })])
    });
    let app = app(images, rows);
    restore(
        &app,
        &Caller::system(),
        &mut Archived::new(),
        Restore::Real,
        &mut |_| {},
    )
    .unwrap_err()
}

#[test]
fn restore_into_used_database_says_what_it_has() {
    let counts = [(Table::Users, 3), (Table::Installation, 1), (Table::AuditLog, 7)];
    let error = refused(MockImageStore::new(), counts.into());
    let text = "the database is not empty: it has 3 users, 7 entries of the audit log";
    assert_eq!(error.to_string(), text);
}

#[test]
fn restore_into_pictures_of_another_database_is_refused() {
    let mut images = MockImageStore::new();
    images.expect_owner().returning(|| Ok(Some("other".into())));
    assert!(matches!(refused(images, BTreeMap::new()), Error::OtherImages));
}

#[test]
fn restore_never_replaces_a_picture() {
    let mut images = MockImageStore::new();
    images.expect_owner().returning(|| Ok(Some("own".into())));
    images.expect_open().returning(|_| Ok(Some(file(b"other"))));
    assert!(matches!(refused(images, BTreeMap::new()), Error::ImageDiffers(_)));
}

#[test]
fn missing_rows_fail_the_restore() {
    let mut images = images(&[], &["cars/a.jpg"]);
    images.expect_owner().returning(|| Ok(None));
    let mut rows = MockRowRepository::new();
    rows.expect_count().returning(|_| Ok(0));
    rows.expect_insert().returning(|_| Ok(()));
    rows.expect_set_next_id().returning(|_, _| Ok(()));
    let (app, store) = mocks(images, rows).into_app();
    let failed = restore(
        &app,
        &Caller::system(),
        &mut Archived::new(),
        Restore::Real,
        &mut |_| {},
    );
    assert!(
        matches!(
            failed,
            Err(Error::Incomplete {
                table: Table::Cars,
                ..
            })
        ),
        "{failed:?}"
    );
    assert_eq!((store.commits(), store.rollbacks()), (0, 1));
}

#[test]
fn dry_run_writes_and_rolls_back() {
    let mut images = images(&[], &[]);
    images.expect_owner().returning(|| Ok(None));
    let mut rows = MockRowRepository::new();
    rows.expect_count().returning(|_| Ok(0));
    rows.expect_insert().once().returning(|_| Ok(()));
    let (app, store) = mocks(images, rows).into_app();
    restore(
        &app,
        &Caller::system(),
        &mut Archived::new(),
        Restore::DryRun,
        &mut |_| {},
    )
    .unwrap();
    assert_eq!((store.commits(), store.rollbacks()), (0, 1));
}
