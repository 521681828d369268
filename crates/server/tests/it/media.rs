//! The folder of pictures: a start never deletes from it, and `sweepmedia` moves only pictures without a car.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    time::Duration,
};

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use mycars_testkit::TestDatabase;

use crate::support::{
    Installation, Request, Server,
    accounts::{SUPERUSER_PASSWORD, join, log_in, new_car},
    at_once,
    http::TINY_JPEG,
    on_both_databases, on_sqlite,
};

on_sqlite!(file_that_is_no_picture_is_a_download, sweep_reports_each_step,);

on_both_databases!(
    start_on_older_backup_keeps_all_pictures,
    start_with_folder_of_other_database_warns_once,
    start_of_upgraded_installation_claims_its_folder,
    starts_at_once_claim_the_folder_for_one_database,
    sweep_moves_only_generated_old_orphans_to_trash,
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

fn file_that_is_no_picture_is_a_download(installation: &Installation) {
    let server = installation.start();
    fs::create_dir_all(cars(installation)).unwrap();
    let get = |name: &str| {
        fs::write(cars(installation).join(name), "<script>alert(1)</script>").unwrap();
        let answer = server.send(&Request::get(&format!("/media/cars/{name}")).header("Accept", "text/html"));
        assert_eq!(answer.status, 200, "{name}");
        let policy = answer.header("Content-Security-Policy").unwrap();
        assert!(
            policy.contains("default-src 'none'") && policy.contains("sandbox"),
            "{policy}"
        );
        assert_eq!(
            answer.header("X-Content-Type-Options").as_deref(),
            Some("nosniff")
        );
        let header = |name: &str| answer.header(name).unwrap();
        (header("Content-Type"), header("Content-Disposition"))
    };
    for (name, media_type) in [
        ("a.jpg", "image/jpeg"),
        ("a.JPEG", "image/jpeg"),
        ("a.png", "image/png"),
        ("a.gif", "image/gif"),
        ("a.webp", "image/webp"),
    ] {
        let (content_type, disposition) = get(name);
        assert_eq!(content_type, media_type, "{name}");
        assert!(disposition.starts_with("inline"), "{disposition}");
    }
    for name in [
        "evil.html",
        "evil.HTM",
        "evil.xhtml",
        "evil.svg",
        "evil.svgz",
        "evil.xml",
        "evil.js",
        "evil.mjs",
        "evil.css",
        "evil.txt",
        "evil.pdf",
        "evil.json",
        "evil.mp4",
        "evil.swf",
        "evil.jpg.html",
        "evil",
    ] {
        let expected = ("application/octet-stream".to_owned(), "attachment".to_owned());
        assert_eq!(get(name), expected, "{name}");
    }
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

/// The rules of the sweep are tests of the use-case; those of the files are tests of the media store.
fn sweep_reports_each_step(installation: &Installation) {
    with_pictures(installation, 2);
    let media = installation.path("data/media");
    let named: Vec<String> = names(&cars(installation)).into_iter().collect();
    put_old(&cars(installation), &generated(7));
    put_old(&cars(installation), "camry.jpg");
    put_old(&media.join("trash/2020-02-29"), &generated(1));
    let database = installation.database();
    let (first, mut steps) = (today(installation), Vec::new());
    let mut step = |title: &str, arguments: &[&str]| {
        let finished = installation.run(&[&["sweepmedia"][..], arguments].concat());
        let is_success = finished.code == Some(0);
        let said = if is_success {
            finished.stdout
        } else {
            finished.stderr
        };
        // The order of files in a folder is not defined.
        let mut lines: Vec<&str> = said.lines().collect();
        lines.sort_unstable();
        steps.push(format!(
            "# {title}: {}\n{}\n",
            if is_success { "done" } else { "refused" },
            lines.join("\n")
        ));
    };
    let before = tree(&media);
    step("dry run", &["--dry-run"]);
    step("more than a tenth", &[]);
    assert_eq!(tree(&media), before);
    step("forced", &["--force"]);
    database.execute("CREATE TABLE kept AS SELECT id, image FROM cars");
    database.execute("UPDATE cars SET image = NULL");
    step("database without pictures", &[]);
    step("forced on a database without pictures", &["--force"]);
    database.execute("UPDATE cars SET image = (SELECT image FROM kept WHERE kept.id = cars.id)");
    fs::write(cars(installation).join(&named[1]), TINY_JPEG).unwrap();
    step("dry run with the right database", &["--dry-run"]);
    step("right database, and a picture in both places", &[]);
    let other = TestDatabase::sqlite();
    let mismatch = installation
        .run_with(&["sweepmedia"], "DATABASE_URL", &other.url())
        .refusal();
    assert!(mismatch.contains("belongs to another database"), "{mismatch}");

    let mut text = steps.join("\n");
    for (index, name) in named.iter().enumerate() {
        text = text.replace(name, &format!("(picture {index})"));
    }
    for (path, name) in [
        (installation.folder().to_str().unwrap(), "(folder)"),
        (database.url().trim_start_matches("sqlite://"), "(database)"),
    ] {
        text = text.replace(path, name);
    }
    for day in [first, today(installation)] {
        let kept_until = day.parse::<NaiveDate>().unwrap() + TimeDelta::days(30);
        text = text
            .replace(&day, "(today)")
            .replace(&kept_until.to_string(), "(in 30 days)");
    }
    insta::assert_snapshot!(text);
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
