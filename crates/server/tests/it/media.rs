//! The folder of pictures: a start never deletes from it, and `sweepmedia` moves only pictures without a car.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, Utc};
use mycars_testkit::TestDatabase;

use crate::support::{
    Installation, Request, Server,
    accounts::{join, log_in, new_car},
    at_once,
    http::TINY_JPEG,
    installation::SUPERUSER_PASSWORD,
    on_both_databases,
};

on_both_databases!(
    start_on_empty_database_keeps_all_pictures,
    start_on_older_backup_keeps_all_pictures,
    start_with_folder_of_other_database_warns_once,
    start_of_upgraded_installation_claims_its_folder,
    starts_at_once_claim_the_folder_for_one_database,
    sweep_on_empty_database_is_refused,
    sweep_of_more_than_a_tenth_is_refused_unless_forced,
    sweep_moves_only_generated_old_orphans_to_trash,
    sweep_deletes_trash_after_thirty_days,
    sweep_dry_run_changes_nothing,
    sweep_with_the_right_database_restores_pictures,
    sweep_in_folder_of_other_database_is_refused,
    adopted_folder_is_swept_and_starts_without_warning,
    delete_car_keeps_picture_of_another_car,
);

/// A time longer than the hour in which the sweep ignores pictures.
const LONG_AGO: Duration = Duration::from_hours(2);

/// Returns a name as the server generates them for pictures.
fn generated(number: usize) -> String {
    format!("car_{number}_{number:032x}.jpg")
}

fn cars(installation: &Installation) -> PathBuf {
    installation.path("data/media/cars")
}

fn marker(installation: &Installation) -> PathBuf {
    installation.path("data/media/.mycars-database")
}

/// Returns all files below a folder with their content, without following links.
fn tree(folder: &Path) -> BTreeSet<(PathBuf, Vec<u8>)> {
    let Ok(entries) = fs::read_dir(folder) else {
        return BTreeSet::new();
    };
    entries
        .map(|entry| entry.unwrap())
        .flat_map(|entry| {
            let (path, kind) = (entry.path(), entry.file_type().unwrap());
            if kind.is_dir() {
                tree(&path)
            } else {
                let content = kind.is_file().then(|| fs::read(&path).unwrap());
                BTreeSet::from([(path, content.unwrap_or_default())])
            }
        })
        .collect()
}

/// Returns the current day by the clock of the file system.
fn today(installation: &Installation) -> String {
    let file = File::create(installation.path("clock")).unwrap();
    let now = file.metadata().unwrap().modified().unwrap();
    DateTime::<Utc>::from(now).format("%Y-%m-%d").to_string()
}

fn names(folder: &Path) -> BTreeSet<String> {
    let files = tree(folder).into_iter();
    files
        .map(|(path, _)| path.file_name().unwrap().to_str().unwrap().to_owned())
        .collect()
}

fn put_old(folder: &Path, name: &str) {
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(name), TINY_JPEG).unwrap();
    make_old(&folder.join(name));
}

fn make_old(file: &Path) {
    let file = File::options().append(true).open(file).unwrap();
    let modified = file.metadata().unwrap().modified().unwrap();
    file.set_modified(modified - LONG_AGO).unwrap();
}

/// Creates this number of cars of Ann, each with an old picture, and returns their ids.
fn add_pictures(installation: &Installation, server: &Server, count: usize) -> Vec<i64> {
    let access = join(server, "ann").access;
    let ids = (0..count).map(|number| {
        let car = server
            .send(&new_car(&access, &format!("B-AB {number}")))
            .json(201);
        let id = car["id"].as_i64().unwrap();
        let upload = Request::upload(&format!("/api/cars/{id}/upload-image/"), TINY_JPEG);
        server.send(&upload.bearer(&access)).json(200);
        id
    });
    let ids = ids.collect();
    for name in names(&cars(installation)) {
        make_old(&cars(installation).join(name));
    }
    ids
}

/// Ends the server and returns its log.
fn log_of(server: Server) -> String {
    let finished = server.stop();
    assert_eq!(finished.code, Some(0), "{finished:?}");
    finished.stderr
}

fn warnings(log: &str) -> Vec<&str> {
    log.lines().filter(|line| line.contains("WARN")).collect()
}

/// Returns the pictures of a stopped installation with this number of them.
fn with_pictures(installation: &Installation, count: usize) -> BTreeSet<(PathBuf, Vec<u8>)> {
    let server = installation.start();
    add_pictures(installation, &server, count);
    assert_eq!(warnings(&log_of(server)), [""; 0]);
    let before = tree(&installation.path("data/media"));
    assert_eq!(before.len(), count + 1, "the pictures and the marker");
    before
}

/// Creates an empty database of the same kind as that of an installation.
fn empty_like(installation: &Installation) -> TestDatabase {
    if installation.database().url().starts_with("sqlite:") {
        TestDatabase::empty_sqlite()
    } else {
        TestDatabase::empty_postgres()
    }
}

/// Uploads a picture and removes it again. Background work of the start has begun by then.
fn use_for_a_while(server: &Server, username: &str) {
    let access = join(server, username).access;
    let car = server.send(&new_car(&access, &format!("C-{username}"))).json(201);
    let image = format!("/api/cars/{}/upload-image/", car["id"]);
    server
        .send(&Request::upload(&image, TINY_JPEG).bearer(&access))
        .json(200);
    let removed = server.send(&Request::new("DELETE", &image).bearer(&access));
    assert!(removed.status < 300, "{}", removed.text());
}

fn start_on_empty_database_keeps_all_pictures(installation: &Installation) {
    let before = with_pictures(installation, 3);
    let empty = empty_like(installation);
    let server = installation.start_with("DATABASE_URL", &empty.url());
    use_for_a_while(&server, "eve");
    server.stop();
    assert_eq!(tree(&installation.path("data/media")), before);
}

fn start_on_older_backup_keeps_all_pictures(installation: &Installation) {
    let before = with_pictures(installation, 3);
    let oldest = "SELECT min(id) FROM cars";
    installation
        .database()
        .execute(&format!("DELETE FROM cars WHERE id > ({oldest})"));
    let server = installation.start();
    use_for_a_while(&server, "eve");
    server.stop();
    assert_eq!(tree(&installation.path("data/media")), before);
}

fn start_with_folder_of_other_database_warns_once(installation: &Installation) {
    with_pictures(installation, 1);
    let other = empty_like(installation);
    for _ in 0..2 {
        let log = log_of(installation.start_with("DATABASE_URL", &other.url()));
        let [warning] = warnings(&log)[..] else {
            panic!("one warning was expected: {log}")
        };
        let name = other.url().rsplit_once('/').unwrap().1.to_owned();
        for part in ["data/media", &name, "mycars adoptmedia"] {
            assert!(warning.contains(part), "{part:?} is not in {warning}");
        }
    }
    // The right database still has its folder.
    assert_eq!(warnings(&log_of(installation.start())), [""; 0]);
}

fn start_of_upgraded_installation_claims_its_folder(installation: &Installation) {
    with_pictures(installation, 2);
    fs::remove_file(marker(installation)).unwrap();
    let other = empty_like(installation);
    let log = log_of(installation.start_with("DATABASE_URL", &other.url()));
    assert_eq!(warnings(&log).len(), 1, "{log}");
    assert!(!marker(installation).exists());

    assert_eq!(warnings(&log_of(installation.start())), [""; 0]);
    assert!(marker(installation).exists());
}

fn starts_at_once_claim_the_folder_for_one_database(installation: &Installation) {
    let servers = at_once(4, |_| installation.start());
    let id = fs::read(marker(installation)).unwrap();
    for server in servers {
        assert_eq!(warnings(&log_of(server)), [""; 0]);
    }
    assert_eq!(fs::read(marker(installation)).unwrap(), id);
    assert_eq!(
        names(&installation.path("data/media")),
        [".mycars-database".to_owned()].into()
    );
}

fn sweep_on_empty_database_is_refused(installation: &Installation) {
    let before = with_pictures(installation, 2);
    installation.database().execute("DELETE FROM cars");
    let refusal = installation.run(&["sweepmedia"]).refusal();
    for part in ["refers to no picture", "2 pictures", "data/media", "--force"] {
        assert!(refusal.contains(part), "{part:?} is not in {refusal}");
    }
    assert_eq!(tree(&installation.path("data/media")), before);

    installation.run(&["sweepmedia", "--force"]).success();
    assert_eq!(names(&cars(installation)), BTreeSet::new());
    assert_eq!(tree(&installation.path("data/media/trash")).len(), 2);
}

fn sweep_of_more_than_a_tenth_is_refused_unless_forced(installation: &Installation) {
    with_pictures(installation, 10);
    put_old(&cars(installation), &generated(1000));
    let said = installation.run(&["sweepmedia"]).success();
    assert!(said.starts_with("Moved 1 picture "), "{said}");

    for number in 1001..1003 {
        put_old(&cars(installation), &generated(number));
    }
    let before = tree(&installation.path("data/media"));
    let refusal = installation.run(&["sweepmedia"]).refusal();
    for part in ["2 of 12 pictures", "a tenth", "--dry-run", "--force"] {
        assert!(refusal.contains(part), "{part:?} is not in {refusal}");
    }
    assert_eq!(tree(&installation.path("data/media")), before);

    let said = installation.run(&["sweepmedia", "--force"]).success();
    assert!(said.starts_with("Moved 2 pictures "), "{said}");
    assert_eq!(names(&cars(installation)).len(), 10);
}

/// Names that the server does not generate. The media store accepts each as the name of a picture.
const FOREIGN: [&str; 12] = [
    "camry.jpg",
    "car_1.jpg",
    "car_1_front.jpg",
    "car_1_0123456789abcdef.jpg",
    "car_1_0123456789abcdef0123456789abcdeF.jpg",
    "car_1_0123456789abcdef0123456789abcdef0.jpg",
    "car_1_0123456789abcdef0123456789abcdef.jpeg",
    "car_1_0123456789abcdef0123456789abcdef.jpg.bak",
    "car_x_0123456789abcdef0123456789abcdef.jpg",
    "car__0123456789abcdef0123456789abcdef.jpg",
    "car_-1_0123456789abcdef0123456789abcdef.jpg",
    "IMG_20240101.JPG",
];

fn sweep_moves_only_generated_old_orphans_to_trash(installation: &Installation) {
    let server = installation.start();
    add_pictures(installation, &server, 1);
    let named = names(&cars(installation));
    for name in FOREIGN {
        put_old(&cars(installation), name);
    }
    put_old(&cars(installation), &generated(7));
    put_old(&cars(installation), ".tmp-Xy12Zz");
    put_old(&cars(installation), ".tmp-notes.txt");
    fs::write(cars(installation).join(generated(8)), TINY_JPEG).unwrap();
    symlink("nowhere", cars(installation).join(generated(9))).unwrap();

    let (first, said, last) = (
        today(installation),
        installation.run(&["sweepmedia", "--force"]).success(),
        today(installation),
    );
    let kept: BTreeSet<String> = FOREIGN
        .map(str::to_owned)
        .into_iter()
        .chain(named)
        .chain([".tmp-notes.txt".to_owned(), generated(8), generated(9)])
        .collect();
    assert_eq!(names(&cars(installation)), kept);
    let [(trashed, content)] = tree(&installation.path("data/media/trash"))
        .into_iter()
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    assert_eq!(content, TINY_JPEG);
    let folder = trashed.parent().unwrap();
    let date = folder.file_name().unwrap().to_str().unwrap().to_owned();
    assert!(date == first || date == last, "{date}");
    let bytes = format!("{} bytes", TINY_JPEG.len());
    for part in [
        "Moved 1 picture ",
        &bytes,
        "data/media/trash/",
        &date,
        "data/media/cars",
    ] {
        assert!(said.contains(part), "{part:?} is not in {said}");
    }

    // The trash is not served, and a picture that is moved back is.
    let name = generated(7);
    for path in [
        format!("/media/trash/{date}/{name}"),
        format!("/media/cars/../trash/{date}/{name}"),
        format!("/media/cars/%2e%2e/trash/{date}/{name}"),
        format!("/media/cars/{name}"),
        "/media/.mycars-database".to_owned(),
        "/media/cars/../.mycars-database".to_owned(),
    ] {
        let status = server.send(&Request::get(&path)).status;
        assert!(matches!(status, 400 | 404), "{path}: {status}");
    }
    fs::rename(&trashed, cars(installation).join(&name)).unwrap();
    let picture = server.send(&Request::get(&format!("/media/cars/{name}")));
    assert_eq!((picture.status, &*picture.body), (200, TINY_JPEG));
}

fn sweep_deletes_trash_after_thirty_days(installation: &Installation) {
    with_pictures(installation, 1);
    let trash = installation.path("data/media/trash");
    put_old(&trash.join("2020-02-29"), &generated(1));
    put_old(&trash.join("2020-02-29"), &generated(2));
    put_old(&trash.join("2020-03-01"), "notes.txt");
    put_old(&trash.join("2020-03-01"), &generated(3));
    put_old(&trash.join("2020-02-30"), &generated(4));
    put_old(&trash.join("2999-01-01"), &generated(5));
    put_old(&trash, &generated(6));
    let elsewhere = installation.path("elsewhere");
    put_old(&elsewhere, &generated(7));
    symlink(&elsewhere, trash.join("2020-01-01")).unwrap();

    let said = installation.run(&["sweepmedia"]).success();
    let expected = format!("Deleted 3 pictures ({} bytes)", 3 * TINY_JPEG.len());
    assert!(said.contains(&expected) && said.contains("30 days"), "{said}");
    assert!(!trash.join("2020-02-29").exists());
    assert_eq!(names(&trash.join("2020-03-01")), ["notes.txt".to_owned()].into());
    for (folder, number) in [
        ("2020-02-30", 4),
        ("2999-01-01", 5),
        (".", 6),
        ("../../../elsewhere", 7),
    ] {
        assert!(trash.join(folder).join(generated(number)).exists(), "{folder}");
    }
}

/// With an older backup of the database, a sweep moves newer pictures to the trash. The right database names them.
fn sweep_with_the_right_database_restores_pictures(installation: &Installation) {
    let before = with_pictures(installation, 2);
    let named: Vec<String> = names(&cars(installation)).into_iter().collect();
    let database = installation.database();
    database.execute("CREATE TABLE kept AS SELECT id, image FROM cars");
    database.execute("UPDATE cars SET image = NULL");
    installation.run(&["sweepmedia", "--force"]).success();
    assert_eq!(names(&cars(installation)), BTreeSet::new());

    database.execute("UPDATE cars SET image = (SELECT image FROM kept WHERE kept.id = cars.id)");
    let trash = installation.path("data/media/trash");
    let day = fs::read_dir(&trash).unwrap().next().unwrap().unwrap();
    fs::rename(day.path(), trash.join("2020-02-29")).unwrap();
    put_old(&trash.join("2020-02-29"), &generated(1000));
    // The other picture is already back, so that it is in both places.
    fs::copy(
        trash.join("2020-02-29").join(&named[1]),
        cars(installation).join(&named[1]),
    )
    .unwrap();
    let planned = installation.run(&["sweepmedia", "--dry-run"]).success();
    assert!(
        planned.contains(&format!("trash/2020-02-29/{} ", named[0])) && planned.contains("would be restored"),
        "{planned}"
    );
    let said = installation.run(&["sweepmedia"]).success();
    for part in [
        format!("Restored trash/2020-02-29/{0} to cars/{0}", named[0]),
        format!("Skipped cars/{0}: trash/2020-02-29/{0} exists", named[1]),
        "Deleted 1 picture ".to_owned(),
    ] {
        assert!(said.contains(&part), "{part:?} is not in {said}");
    }
    assert_eq!(
        names(&trash.join("2020-02-29")),
        [named[1].clone()].into(),
        "a picture that a car names is not deleted"
    );
    fs::remove_dir_all(&trash).unwrap();
    assert_eq!(tree(&installation.path("data/media")), before);
}

fn sweep_dry_run_changes_nothing(installation: &Installation) {
    with_pictures(installation, 1);
    put_old(&cars(installation), &generated(1));
    put_old(&cars(installation), ".tmp-Xy12Zz");
    put_old(&installation.path("data/media/trash/2020-02-29"), &generated(2));
    let before = tree(&installation.path("data/media"));
    for arguments in [
        &["sweepmedia", "--dry-run"][..],
        &["sweepmedia", "--dry-run", "--force"],
    ] {
        let said = installation.run(arguments).success();
        for part in [
            &generated(1),
            &format!("2020-02-29/{}", generated(2)),
            "would be moved",
            "would be deleted",
        ] {
            assert!(said.contains(part), "{part:?} is not in {said}");
        }
        assert_eq!(said.contains("refuse"), arguments.len() == 2, "{said}");
    }
    assert_eq!(tree(&installation.path("data/media")), before);
}

fn sweep_in_folder_of_other_database_is_refused(installation: &Installation) {
    let before = with_pictures(installation, 2);
    let other = empty_like(installation);
    installation
        .run_with(
            &[
                "createsuperuser",
                "--noinput",
                "--username",
                "x",
                "--email",
                "x@example.com",
            ],
            "DATABASE_URL",
            &other.url(),
        )
        .success();
    // The other database names both pictures, so that the mismatch is the only reason.
    let server = installation.start_with("DATABASE_URL", &other.url());
    let access = join(&server, "eve").access;
    for number in 0..2 {
        server.send(&new_car(&access, &format!("E-{number}"))).json(201);
    }
    server.stop();
    for (number, name) in names(&cars(installation)).iter().enumerate() {
        other.execute(&format!(
            "UPDATE cars SET image = 'cars/{name}' WHERE license = 'E-{number}'"
        ));
    }
    let refusal = installation
        .run_with(&["sweepmedia"], "DATABASE_URL", &other.url())
        .refusal();
    for part in ["data/media", "another database", "mycars adoptmedia", "--force"] {
        assert!(refusal.contains(part), "{part:?} is not in {refusal}");
    }
    assert_eq!(tree(&installation.path("data/media")), before);
    installation
        .run_with(&["sweepmedia", "--force"], "DATABASE_URL", &other.url())
        .success();
    assert_eq!(tree(&installation.path("data/media")), before);
}

fn adopted_folder_is_swept_and_starts_without_warning(installation: &Installation) {
    with_pictures(installation, 1);
    let other = empty_like(installation);
    let said = installation
        .run_with(&["adoptmedia"], "DATABASE_URL", &other.url())
        .success();
    assert!(said.contains("data/media"), "{said}");
    let log = log_of(installation.start_with("DATABASE_URL", &other.url()));
    assert_eq!(warnings(&log), [""; 0]);
    let refusal = installation
        .run_with(&["sweepmedia"], "DATABASE_URL", &other.url())
        .refusal();
    assert!(refusal.contains("refers to no picture"), "{refusal}");
    assert_eq!(warnings(&log_of(installation.start())).len(), 1);
}

fn delete_car_keeps_picture_of_another_car(installation: &Installation) {
    installation.create_superuser("root");
    let server = installation.start();
    let ids = add_pictures(installation, &server, 3);
    // Imported rows may share a picture, such as a default one.
    installation
        .database()
        .execute("UPDATE cars SET image = (SELECT image FROM (SELECT min(image) AS image FROM cars) AS one)");
    let access = log_in(&server, "root", SUPERUSER_PASSWORD).access;
    let admin = |method: &str, path: &str| server.send(&Request::new(method, path).bearer(&access));
    let user = admin("GET", "/api/admin/users/").json(200)[0]["id"].clone();
    let car = |id: i64| format!("/api/admin/users/{user}/cars/{id}/");
    let shared = admin("GET", &car(ids[0])).json(200)["image"]
        .as_str()
        .unwrap()
        .to_owned();

    assert_eq!(admin("DELETE", &car(ids[0])).status, 204);
    let image = format!("{}upload-image/", car(ids[1]));
    server
        .send(&Request::upload(&image, TINY_JPEG).bearer(&access))
        .json(200);
    assert_eq!(server.send(&Request::get(&shared)).status, 200);
    assert_eq!(admin("DELETE", &car(ids[2])).status, 204);
    assert_eq!(server.send(&Request::get(&shared)).status, 404);
}
