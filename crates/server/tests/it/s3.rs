//! Pictures in an S3 store, private pictures, and moves between stores.

use std::{
    collections::BTreeSet,
    fs,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use mycars_testkit::{S3Program, S3Server, TestDatabase};
use serde_json::Value;

use crate::{
    export,
    support::{
        Installation, Request, Server,
        accounts::{SUPERUSER_PASSWORD, Tokens, add_car, add_picture, join},
        browser::Browser,
        http::TINY_JPEG,
        process::Process,
        random::{Random, how_to_repeat, seed},
    },
};

/// The place of the pictures in the bucket. All its characters occur in names of folders.
const PLACE: &str = "s3://pictures/my cars+é";

/// Number of moves that are killed.
const KILLS: usize = 20;

/// Returns an installation whose settings name an S3 store, and not yet a place in it.
fn beside(server: &S3Server) -> Installation {
    Installation::on(TestDatabase::sqlite())
        .with("MYCARS__MEDIA__S3__ENDPOINT", &server.endpoint())
        .with("MYCARS__MEDIA__S3__ACCESS_KEY", S3Server::ACCESS_KEY)
        .with("MYCARS__MEDIA__S3__SECRET_KEY", S3Server::SECRET_KEY)
}

fn on(server: &S3Server) -> Installation {
    beside(server).with("MYCARS__MEDIA__ROOT", PLACE)
}

/// Registers Ann with a car that has a picture, and returns her tokens, the id and the path of the picture.
fn ann_with_picture(server: &Server) -> (Tokens, i64, String) {
    let tokens = join(server, "ann");
    let car = add_car(server, &tokens.access, "B-AB 1");
    let picture = add_picture(server, &tokens.access, car);
    (tokens, car, picture)
}

#[test]
fn pictures_on_s3_are_served_like_those_in_a_folder() {
    let s3 = S3Server::start(S3Program::Nanio);
    let installation = on(&s3);
    let server = installation.start();
    let (tokens, car, picture) = ann_with_picture(&server);
    let whole = server.send(&Request::get(&picture));
    assert_eq!(whole.status, 200, "{}", whole.text());
    for (name, expected) in [
        ("Content-Type", "image/jpeg"),
        ("Cache-Control", "private, max-age=31536000, immutable"),
        ("Accept-Ranges", "bytes"),
    ] {
        assert_eq!(whole.header(name).as_deref(), Some(expected));
    }
    let modified = whole.header("Last-Modified").unwrap();
    let part = server.send(&Request::get(&picture).header("Range", "bytes=2-9"));
    assert_eq!((part.status, &*part.body), (206, &whole.body[2..=9]));
    let unchanged = server.send(&Request::get(&picture).header("If-Modified-Since", &modified));
    assert_eq!(unchanged.status, 304);
    let tag = whole.header("ETag").unwrap();
    let known = server.send(&Request::get(&picture).header("If-None-Match", &tag));
    assert_eq!(
        (known.status, known.body.len(), known.header("ETag")),
        (304, 0, Some(tag))
    );
    let other = server.send(&Request::get(&picture).header("If-None-Match", "\"a\""));
    assert_eq!(other.status, 200);
    assert_eq!(server.send(&Request::get("/media/cars/nothing.jpg")).status, 404);

    let replaced = add_picture(&server, &tokens.access, car);
    assert_ne!(replaced, picture);
    assert_eq!(server.send(&Request::get(&picture)).status, 404);
    assert_eq!(server.send(&Request::get(&replaced)).status, 200);

    let exported = server.send(&Request::get(export::PATH).bearer(&tokens.access));
    assert_eq!(
        export::files(&exported)[&replaced.replace("/media/cars/", "pictures/")],
        server.send(&Request::get(&replaced)).body
    );

    let archive = installation.path("backup.zip");
    let archive = archive.to_str().unwrap();
    installation.run(&["backup", archive]).success();
    let folder = Installation::on(TestDatabase::empty_sqlite());
    folder.run(&["restore", archive]).success();
    let restored = folder.path("data").join(replaced.replacen('/', "", 1));
    assert_eq!(
        fs::read(restored).unwrap(),
        server.send(&Request::get(&replaced)).body
    );

    let finished = server.stop();
    assert!(!finished.stderr.contains("WARN"), "{}", finished.stderr);
    let swept = installation.run(&["sweepmedia", "--dry-run"]).success();
    assert!(swept.contains(PLACE), "{swept}");
}

#[test]
fn store_that_is_away_is_503_and_leaves_other_requests_alone() {
    let mut s3 = S3Server::start(S3Program::Moto);
    // A stop waits for the deletion of the picture only so long.
    let server = on(&s3).with("MYCARS__SERVER__SHUTDOWN_SECONDS", "1").start();
    let (tokens, car, picture) = ann_with_picture(&server);
    s3.kill();
    let upload = format!("/api/cars/{car}/upload-image/");
    let started = Instant::now();
    for request in [
        Request::get(&picture),
        Request::upload(&upload, TINY_JPEG).bearer(&tokens.access),
    ] {
        let answer = server.send(&request);
        assert_eq!(answer.status, 503, "{}", answer.text());
        assert!(answer.header("Retry-After").is_some());
    }
    assert!(started.elapsed() < Duration::from_secs(6));
    let cars = server.send(&Request::get("/api/cars/").bearer(&tokens.access));
    assert_eq!(cars.json(200)[0]["image"], *picture);
    assert_eq!(server.send(&Request::get("/health/ready")).status, 200);
    let delete = Request::new("DELETE", &format!("/api/cars/{car}/")).bearer(&tokens.access);
    assert_eq!(server.send(&delete).status, 204);
    let log = server.stop().stderr;
    assert!(
        !log.contains(S3Server::SECRET_KEY) && !log.contains("X-Amz-"),
        "{log}"
    );
}

#[test]
fn redirected_clients_read_pictures_from_the_store() {
    let s3 = S3Server::start(S3Program::Nanio);
    let installation = on(&s3).with("MYCARS__MEDIA__DELIVERY", "redirect");
    installation.create_superuser("root");
    let server = installation.start();
    let (_, _, picture) = ann_with_picture(&server);
    let redirect = server.send(&Request::get(&picture));
    assert_eq!(redirect.status, 302, "{}", redirect.text());
    let location = redirect.header("Location").unwrap();
    assert!(location.starts_with(&s3.endpoint()), "{location}");
    let cache = redirect.header("Cache-Control").unwrap();
    let seconds: u64 = cache.strip_prefix("private, max-age=").unwrap().parse().unwrap();
    assert!((3540..=7140).contains(&seconds), "{cache}");
    let store = crate::support::Client::new(s3.endpoint().strip_prefix("http://").unwrap());
    let path = location.strip_prefix(&s3.endpoint()).unwrap();
    let read = store.send(&Request::get(path));
    assert_eq!(read.status, 200);
    assert_eq!(read.header("Content-Type").as_deref(), Some("image/jpeg"));
    assert!(read.body.starts_with(&[0xff, 0xd8]));

    let mut root = Browser::new(&server);
    root.log_in("root", SUPERUSER_PASSWORD, "/admin/");
    let policy = root
        .get("/admin/cars/")
        .header("Content-Security-Policy")
        .unwrap();
    assert!(
        policy.contains(&format!("img-src 'self' {};", s3.endpoint())),
        "{policy}"
    );
}

#[test]
fn private_pictures_need_the_signed_url() {
    let s3 = S3Server::start(S3Program::Moto);
    for installation in [beside(&s3), on(&s3)] {
        let installation = installation.with("MYCARS__MEDIA__PRIVATE", "true");
        installation.create_superuser("root");
        let server = installation.start();
        let (tokens, car, signed) = ann_with_picture(&server);
        let (path, query) = signed.split_once("?expires=").unwrap();
        assert!(path.starts_with("/media/cars/car_") && query.contains("&signature="));
        assert_eq!(server.send(&Request::get(&signed)).status, 200);
        for refused in [
            path.to_owned(),
            format!("{path}?expires={query}x"),
            format!("{path}?expires=9{query}"),
            format!("{path}?expires={}", query.split('&').next().unwrap()),
            signed.replace("car_", "car_0"),
        ] {
            assert_eq!(server.send(&Request::get(&refused)).status, 404, "{refused}");
        }
        let get = |path: &str| server.send(&Request::get(path).bearer(&tokens.access));
        let detail = get(&format!("/api/cars/{car}/")).json(200);
        let list = get("/api/cars/").json(200);
        for shown in [&detail["image"], &list[0]["image"]] {
            let shown = shown.as_str().unwrap();
            assert!(shown.starts_with(&format!("{path}?expires=")), "{shown}");
            assert_eq!(server.send(&Request::get(shown)).status, 200);
        }
        let mut root = Browser::new(&server);
        root.log_in("root", SUPERUSER_PASSWORD, "/admin/");
        for page in [
            "/admin/cars/".to_owned(),
            format!("/admin/cars/{car}/"),
            "/admin/users/2/".to_owned(),
        ] {
            let html = root.get(&page).text();
            let shown = html.split(&format!("src=\"{path}")).nth(1).expect(&page);
            let query = shown
                .split('"')
                .next()
                .unwrap()
                .replace("&#38;", "&")
                .replace("&amp;", "&");
            assert_eq!(
                server.send(&Request::get(&format!("{path}{query}"))).status,
                200,
                "{page}"
            );
        }
    }
}

#[test]
fn signature_by_older_key_is_accepted() {
    let installation = Installation::on(TestDatabase::sqlite()).with("MYCARS__MEDIA__PRIVATE", "true");
    let server = installation.start();
    let (_, _, signed) = ann_with_picture(&server);
    server.stop();
    let new_key = "another-key-of-the-black-box-tests-9876543210";
    let server = installation.start_with_all(&[
        ("SECRET_KEY", new_key),
        ("SECRET_KEY_FALLBACKS", crate::support::installation::SECRET_KEY),
    ]);
    assert_eq!(server.send(&Request::get(&signed)).status, 200);
    server.stop();
    let server = installation.start_with("SECRET_KEY", new_key);
    assert_eq!(server.send(&Request::get(&signed)).status, 404);
}

/// Returns the paths and contents of the pictures in cars, from a server.
fn contents(server: &Server, tokens: &Tokens) -> BTreeSet<(String, Vec<u8>)> {
    let cars = server.send(&Request::get("/api/cars/").bearer(&tokens.access));
    let Value::Array(cars) = cars.json(200) else {
        panic!("no list")
    };
    let images = cars
        .iter()
        .filter_map(|car| Some(car["image"].as_str()?.to_owned()));
    images
        .map(|image| {
            let read = server.send(&Request::get(&image));
            assert_eq!(read.status, 200, "{image}");
            (image, read.body)
        })
        .collect()
}

#[test]
fn killed_moves_end_with_the_same_pictures() {
    let seed = seed();
    let mut random = Random::new(seed, 0);
    let s3 = S3Server::start(S3Program::Moto);
    let installation = beside(&s3);
    let server = installation.start();
    let tokens = join(&server, "ann");
    for number in 0..30 {
        let car = add_car(&server, &tokens.access, &format!("B-AB {number}"));
        add_picture(&server, &tokens.access, car);
    }
    let before = contents(&server, &tokens);
    server.stop();
    assert_eq!(before.len(), 30);

    let arguments = ["media", "move", "--to", PLACE, "--delete"];
    for _ in 0..KILLS {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mycars"));
        let mut process = Process::spawn(installation.prepare(&mut command).args(arguments));
        thread::sleep(Duration::from_millis(random.number() % 400));
        process.kill();
    }
    let moved = installation.run(&arguments);
    assert_eq!(moved.stderr, "", "nothing but the summary");
    assert!(moved.success().contains(PLACE));
    let server = installation.start_with("MYCARS__MEDIA__ROOT", PLACE);
    assert_eq!(contents(&server, &tokens), before, "{}", how_to_repeat(seed));
    server.stop();
    let left = fs::read_dir(installation.path("data/media/cars")).unwrap();
    let left: Vec<_> = left.map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");

    let folder = installation.path("pictures");
    let back = ["media", "move", "--to", folder.to_str().unwrap()];
    installation
        .run_with(&back, "MYCARS__MEDIA__ROOT", PLACE)
        .success();
    let server = installation.start_with("MYCARS__MEDIA__ROOT", folder.to_str().unwrap());
    assert_eq!(contents(&server, &tokens), before);
}

#[test]
fn move_to_the_same_place_by_another_name_is_refused() {
    let installation = Installation::on(TestDatabase::sqlite());
    let server = installation.start();
    let (_, _, picture) = ann_with_picture(&server);
    let link = installation.path("link");
    std::os::unix::fs::symlink("data/media", &link).unwrap();
    for place in [
        "data/media",
        "data/media/.",
        "./data/../data/media/",
        link.to_str().unwrap(),
    ] {
        let refused = installation
            .run(&["media", "move", "--delete", "--to", place])
            .refusal();
        assert!(
            refused.contains("the same") || refused.contains("already"),
            "{place}: {refused}"
        );
    }
    assert_eq!(server.send(&Request::get(&picture)).status, 200);
    let left = fs::read_dir(installation.path("data/media/cars")).unwrap();
    assert_eq!(left.count(), 1, "the picture alone");
}

#[test]
fn move_to_the_store_of_another_database_is_refused() {
    let s3 = S3Server::start(S3Program::Moto);
    let other = on(&s3);
    other.start().stop();
    let refusal = beside(&s3).run(&["media", "move", "--to", PLACE]).refusal();
    assert!(refusal.contains("another database"), "{refusal}");
    let refusal = other.run(&["media", "move", "--to", PLACE]).refusal();
    assert!(refusal.contains("already"), "{refusal}");
    let refusal = other.run(&["media", "move", "--to", "s3://"]).refusal();
    assert!(refusal.contains("s3://"), "{refusal}");
    let without_key = Installation::on(TestDatabase::sqlite()).with("MYCARS__MEDIA__ROOT", PLACE);
    let refusal = without_key.run(&[]).refusal();
    assert!(refusal.contains("MYCARS__MEDIA__S3__ACCESS_KEY"), "{refusal}");
}
