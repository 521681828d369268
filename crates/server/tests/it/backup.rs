//! Backups, restores and copies of whole installations.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::PathBuf,
    process::Command,
    thread,
    time::{Duration, Instant},
};

use mycars_application::ports::{Row, Table};
use mycars_testkit::{TestDatabase, store_contract::Rows};
use serde_json::json;

use crate::support::{
    Installation, Request, Server,
    accounts::{self, PASSWORD, SUPERUSER_PASSWORD, Tokens, add_car, add_picture, join},
    browser::Browser,
    document::Document,
    installation::SECRET_KEY,
    process::Process,
    random::{Random, how_to_repeat, seed},
    wait_for,
};

/// Number of restores that are killed on each database. `MYCARS_TEST_KILLS` raises it.
const KILLS: usize = 5;

/// Number of cars in the archive of a restore that is killed.
const CARS: usize = 600;

/// Responses that must not change when the data move: status, path, and the body. All GETs of the API by two users, and
/// pages by session.
fn answers(
    server: &Server,
    tokens: [&Tokens; 2],
    session: &Browser<'_>,
    picture: &str,
) -> Vec<(String, Vec<u8>)> {
    let ann = accounts::id_of(server, &tokens[0].access);
    let document = Document::of(server);
    let operations = document.operations();
    // The file of an export states the time of the request.
    let gets = operations.iter().filter(|(path, methods)| {
        path.starts_with("/api/") && **path != "/api/me/export/" && methods.contains_key("GET")
    });
    let mut paths: Vec<_> = gets
        .map(|(path, _)| {
            path.replace("{user_id}", &ann.to_string())
                .replace("{car_id}", "1")
        })
        .collect();
    assert!(paths.iter().all(|path| !path.contains('{')), "{paths:?}");
    paths.extend([
        "/api/cars/?search=toyota&ordering=-year&limit=2".to_owned(),
        "/api/cars/?format=csv".to_owned(),
        picture.to_owned(),
    ]);
    // Links have the host of the request, and the servers have different ports.
    let get = |path: &str| Request::get(path).header("Host", "127.0.0.1");
    let mut answers = Vec::new();
    for path in &paths {
        for user in tokens {
            let answer = server.send(&get(path).bearer(&user.access));
            answers.push((format!("{} {path}", answer.status), answer.body));
        }
    }
    for path in [
        "/admin/users/",
        "/admin/cars/",
        "/admin/cars/1/",
        "/admin/cars/1/history/",
        "/admin/history/",
    ] {
        let answer = session.send(get(path).header("Accept", "text/html"));
        assert_eq!(answer.status, 200, "{path}");
        answers.push((format!("{} {path}", answer.status), answer.body));
    }
    answers
}

#[test]
fn moved_data_give_the_same_responses_and_logins() {
    let sqlite = Installation::on(TestDatabase::sqlite());
    let postgres = TestDatabase::empty_postgres();
    let (first, other) = (sqlite.path("first.zip"), sqlite.path("other.zip"));

    sqlite.create_superuser("root");
    let server = sqlite.start();
    let tokens = join(&server, "ann");
    let car = add_car(&server, &tokens.access, "B-AB 1");
    let picture = add_picture(&server, &tokens.access, car);
    add_car(&server, &tokens.access, "B-AB 2");
    let ended = accounts::log_in(&server, "ann", PASSWORD);
    let log_out = Request::post("/api/logout/", &json!({"refresh": ended.refresh})).bearer(&tokens.access);
    assert!(server.send(&log_out).status < 300);
    let gone = join(&server, "bob");
    let bob = accounts::id_of(&server, &gone.access);
    let delete = Request::new("DELETE", "/api/delete-account/").bearer(&gone.access);
    assert!(server.send(&delete).status < 300);
    let mut root = Browser::new(&server);
    root.log_in("root", SUPERUSER_PASSWORD, "/admin/");
    let superuser = accounts::log_in(&server, "root", SUPERUSER_PASSWORD);
    let both = [&tokens, &superuser];
    let expected = answers(&server, both, &root, &picture);
    let granted = expected
        .iter()
        .filter(|(name, _)| name.starts_with("200 "))
        .count();
    assert!(granted > 25, "{granted} of {}", expected.len());

    // The server may run during a backup.
    let printed = sqlite.run(&["backup", first.to_str().unwrap()]).success();
    assert!(printed.contains("2 users, 2 cars"), "{printed}");
    assert!(printed.contains("1 pictures"), "{printed}");
    assert_eq!(fs::metadata(&first).unwrap().permissions().mode() & 0o777, 0o600);
    let again = sqlite.run(&["backup", first.to_str().unwrap()]).refusal();
    assert!(again.contains("exists"), "{again}");
    let (key, token) = (root.session.clone(), root.token.clone());
    server.stop();

    let printed = sqlite.run(&["copy-database", "--to", &postgres.url()]).success();
    assert!(printed.contains("2 users, 2 cars"), "{printed}");
    let refused = sqlite.run(&["copy-database", "--to", &postgres.url()]).refusal();
    assert!(refused.contains("2 users, 2 cars"), "{refused}");

    let check = |server: &Server| {
        let mut session = Browser::new(server);
        session.session.clone_from(&key);
        session.token.clone_from(&token);
        let found = answers(server, both, &session, &picture);
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            assert_eq!(found.0, expected.0);
            assert_eq!(
                String::from_utf8_lossy(&found.1),
                String::from_utf8_lossy(&expected.1),
                "{}",
                found.0
            );
        }
        assert_eq!(accounts::refresh(server, &tokens.refresh), 200);
        assert_eq!(accounts::refresh(server, &ended.refresh), 401);
    };
    let moved = sqlite.start_with("DATABASE_URL", &postgres.url());
    check(&moved);
    assert!(!moved.log().contains("another database"), "{}", moved.log());
    moved.stop();
    let other_name = other.to_str().unwrap();
    sqlite
        .run_with(&["backup", other_name], "DATABASE_URL", &postgres.url())
        .success();

    let copy = TestDatabase::empty_sqlite();
    let back = ["copy-database", "--to", &copy.url()];
    sqlite.run_with(&back, "DATABASE_URL", &postgres.url()).success();
    let copied = sqlite.start_with("DATABASE_URL", &copy.url());
    check(&copied);
    copied.stop();

    for archive in [first, other] {
        let back = Installation::on(TestDatabase::sqlite());
        let archive = archive.to_str().unwrap();
        let printed = back.run(&["restore", archive, "--dry-run"]).success();
        assert!(printed.contains("nothing was changed"), "{printed}");
        assert!(!back.path("data/media/cars").exists());
        back.run(&["restore", archive]).success();
        let refused = back.run(&["restore", archive]).refusal();
        assert!(
            refused.contains("the database is not empty: it has 2 users"),
            "{refused}"
        );
        let server = back.start();
        check(&server);
        assert!(!server.log().contains("another database"), "{}", server.log());
        // The id of a deleted user is not used again.
        assert!(accounts::new_client(&server, "eve").1 > bob);
    }
}

#[test]
fn archive_passes_a_pipe_and_takes_the_key_along() {
    let installation = Installation::on(TestDatabase::sqlite());
    installation.create_superuser("root");
    let archive = installation.path("piped.zip");
    let script = format!(
        "{} backup - --with-secret-key > piped.zip",
        env!("CARGO_BIN_EXE_mycars")
    );
    let mut shell = Command::new("sh");
    shell.args(["-c", &script]);
    let piped = Process::spawn(installation.prepare(&mut shell)).wait();
    assert!(piped.stderr.contains("Backed up 1 users"), "{piped:?}");
    assert_eq!(piped.success(), "");

    let database = TestDatabase::sqlite();
    let other = Installation::empty()
        .with("DATABASE_URL", &database.url())
        .with("DEBUG", "true");
    other
        .run(&["restore", archive.to_str().unwrap(), "--dry-run"])
        .success();
    assert!(!other.path("data/secret_key").exists());
    other.run(&["restore", archive.to_str().unwrap()]).success();
    assert_eq!(
        fs::read_to_string(other.path("data/secret_key")).unwrap(),
        SECRET_KEY
    );
    fs::remove_file(other.path("data/secret_key")).unwrap();
    let refused = other.run(&["restore", archive.to_str().unwrap()]).refusal();
    assert!(refused.contains("the database is not empty"), "{refused}");
    assert!(!other.path("data/secret_key").exists(), "nothing was prepared");

    let mut bytes = fs::read(&archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&archive, bytes).unwrap();
    let fresh = Installation::on(TestDatabase::sqlite());
    let refused = fresh.run(&["restore", archive.to_str().unwrap()]).refusal();
    assert!(refused.contains("changed or damaged"), "{refused}");
    assert!(Rows::of_store(&*fresh.database().store()).rows.is_empty());
}

#[test]
fn scheduled_backup_is_in_log_metrics_and_panel() {
    let installation = Installation::on(TestDatabase::sqlite())
        .with("MYCARS__JOBS__EVERY_SECONDS", "1")
        .with("MYCARS__BACKUP__EVERY_HOURS", "24");
    installation.create_superuser("root");
    let server = installation.start();
    wait_for("the backup", || {
        server.log().contains("job back_up processed").then_some(())
    });
    let sample = "mycars_job_last_success_timestamp_seconds{job=\"back_up\"}";
    assert!(server.send(&Request::get("/metrics")).text().contains(sample));
    let mut root = Browser::new(&server);
    root.log_in("root", SUPERUSER_PASSWORD, "/admin/");
    let page = root.get("/admin/").text();
    assert!(page.contains("last backup on"), "{page}");
    let mut files = fs::read_dir(installation.path("data/backups")).unwrap();
    let file = files.next().unwrap().unwrap().path();
    assert!(files.next().is_none(), "one is enough for a day");
    server.stop();
    // A restart knows the last backup.
    let server = installation.start_with("MYCARS__JOBS__EVERY_SECONDS", "3600");
    assert!(server.send(&Request::get("/metrics")).text().contains(sample));
    let fresh = Installation::on(TestDatabase::sqlite());
    fresh.run(&["restore", file.to_str().unwrap()]).success();
}

/// Writes an archive with many cars, some of which have pictures.
fn archive_with_many_cars(installation: &Installation) -> (PathBuf, Rows) {
    let server = installation.start();
    let tokens = join(&server, "ann");
    let cars: Vec<_> = (0..CARS)
        .map(|number| add_car(&server, &tokens.access, &format!("B-AB {number}")))
        .collect();
    for car in cars.iter().step_by(30) {
        add_picture(&server, &tokens.access, *car);
    }
    server.stop();
    let archive = installation.path("many.zip");
    installation.run(&["backup", archive.to_str().unwrap()]).success();
    (archive, Rows::of_store(&*installation.database().store()))
}

#[test]
fn killed_restore_leaves_nothing_or_everything() {
    let seed = seed();
    let mut random = Random::new(seed, 0);
    let source = Installation::on(TestDatabase::sqlite());
    let (archive, rows) = archive_with_many_cars(&source);
    let kills = std::env::var("MYCARS_TEST_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    for make in [TestDatabase::sqlite, TestDatabase::postgres] {
        let started = Instant::now();
        let restored = Installation::on(make());
        restored.run(&["restore", archive.to_str().unwrap()]).success();
        let whole = started.elapsed();
        let (mut empty, mut complete) = (0, 0);
        for _ in 0..kills {
            let target = Installation::on(make());
            let mut command = Command::new(env!("CARGO_BIN_EXE_mycars"));
            target.prepare(&mut command).arg("restore").arg(&archive);
            let mut restore = Process::spawn(&mut command);
            // The moment is random: the end of the process is as good as any.
            let moment = whole.mul_f64(f64::from(u32::try_from(random.below(1000)).unwrap()) / 1000.0);
            thread::sleep(moment.min(Duration::from_mins(1)));
            restore.kill();
            target.database().wait_until_unused();
            let found = Rows::of_store(&*target.database().store());
            if found.rows.is_empty() {
                empty += 1;
                // An interrupted restore is repeated, and keeps the pictures that exist.
                target.run(&["restore", archive.to_str().unwrap()]).success();
            } else {
                assert!(
                    found == rows,
                    "{} rows\n{}",
                    found.rows.len(),
                    how_to_repeat(seed)
                );
                complete += 1;
            }
            assert_pictures_exist(&target, &rows);
        }
        println!("{kills} kills within {whole:?}: {empty} empty, {complete} complete");
    }
}

fn assert_pictures_exist(target: &Installation, rows: &Rows) {
    let mut count = 0;
    for row in rows.of(Table::Cars) {
        if let Row::Car { car, .. } = row
            && let Some(image) = car.image
        {
            let file = target.path("data/media").join(image.as_str());
            assert!(file.is_file(), "{}", file.display());
            count += 1;
        }
    }
    assert!(count > 10);
}
