//! Compression of responses, and conditional requests.

use std::io::Read as _;

use flate2::read::GzDecoder;
use mycars_testkit::TestDatabase;
use serde_json::{Value, json};

use crate::support::{
    Answer, Installation, Request, Server,
    accounts::{SUPERUSER_PASSWORD, add_car, add_picture, join, log_in},
    at_once, on_both_databases,
};

on_both_databases!(
    unchanged_objects_are_not_sent_again,
    of_two_changes_of_one_version_one_fails,
);

fn gunzipped(answer: &Answer) -> Vec<u8> {
    assert_eq!(answer.header("Content-Encoding").as_deref(), Some("gzip"));
    let mut body = Vec::new();
    GzDecoder::new(&answer.body[..]).read_to_end(&mut body).unwrap();
    body
}

#[test]
fn long_lists_are_compressed_to_a_sixth() {
    let installation = Installation::on(TestDatabase::sqlite());
    let server = installation.start();
    let ann = join(&server, "ann").access;
    let csv = (0..3000).fold(
        "brand,model,year,license,mileage,notes\n".to_owned(),
        |csv, number| {
            let mileage = number * 7919 % 250_000;
            csv + &format!(
                "Toyota,Corolla {number},{},B-AB {number},{mileage},Service in {number} days\n",
                1990 + number % 30
            )
        },
    );
    let import = Request::form_with_file("/api/cars/import/", &[], "file", csv.as_bytes());
    assert!(server.send(&import.bearer(&ann)).status < 300);
    for path in [
        "/api/cars/",
        "/api/cars/?limit=1000",
        "/api/cars/?format=csv",
        "/api/schema/",
        "/api/schema/?format=yaml",
    ] {
        let get = || Request::get(path).bearer(&ann).header("Accept", "*/*");
        let plain = server.send(&get());
        assert_eq!(plain.header("Content-Encoding"), None);
        assert!(
            !plain.header("Vary").unwrap_or_default().contains("Encoding"),
            "{path}"
        );
        let packed = server.send(&get().header("Accept-Encoding", "gzip"));
        assert!(
            packed.header("Vary").unwrap().contains("Accept-Encoding"),
            "{path}"
        );
        assert!(gunzipped(&packed) == plain.body, "{path}");
        let (packed, plain) = (packed.body.len(), plain.body.len());
        // CSV does not repeat the names of fields.
        let ratio = if path.contains("csv") { 4 } else { 6 };
        assert!(packed * ratio <= plain, "{path}: {packed} of {plain}");
    }
    let page = Request::get("/api/cars/?limit=100")
        .bearer(&ann)
        .header("Accept", "text/html")
        .header("Accept-Encoding", "gzip");
    assert_eq!(server.send(&page).header("Content-Encoding"), None);
}

fn tag(answer: &Answer) -> String {
    let tag = answer
        .header("ETag")
        .expect("a response with one object has a tag");
    assert!(tag.starts_with("W/\""), "{tag}");
    tag
}

fn unchanged_objects_are_not_sent_again(installation: &Installation) {
    installation.create_superuser("root");
    let server = installation.start();
    let root = log_in(&server, "root", SUPERUSER_PASSWORD).access;
    let ann = join(&server, "ann").access;
    let car = add_car(&server, &ann, "B-AB 1");
    let send = |method: &str, path: &str, header: (&str, &str), body: Option<Value>| {
        let access = if path.starts_with("/api/admin/") {
            &root
        } else {
            &ann
        };
        let request = Request::new(method, path)
            .bearer(access)
            .header(header.0, header.1);
        server.send(&body.map_or(request.clone(), |body| request.json(&body)))
    };
    let paths = [
        format!("/api/cars/{car}/"),
        format!("/api/admin/users/2/cars/{car}/"),
        "/api/admin/users/2/".to_owned(),
    ];
    for path in &paths {
        let whole = send("GET", path, ("Accept", "*/*"), None);
        let tag = tag(&whole);
        let known = send("GET", path, ("If-None-Match", &format!("\"a\", {tag}")), None);
        assert_eq!((known.status, known.body.len()), (304, 0), "{path}");
        for name in ["ETag", "Vary", "Cache-Control"] {
            assert_eq!(known.header(name), whole.header(name), "{path}: {name}");
        }
        let packed = Request::get(path)
            .bearer(if path.starts_with("/api/admin/") {
                &root
            } else {
                &ann
            })
            .header("If-None-Match", &tag)
            .header("Accept-Encoding", "gzip");
        let packed = server.send(&packed);
        assert_eq!(packed.status, 304);
        assert!(packed.header("Vary").unwrap().contains("Accept-Encoding"));
        assert_eq!(send("GET", path, ("If-None-Match", "W/\"1\""), None).status, 200);
    }
    // A new name of the owner changes the cars' bodies, but not their versions.
    let tags: Vec<String> = paths
        .iter()
        .map(|path| tag(&send("GET", path, ("Accept", "*/*"), None)))
        .collect();
    let renamed = send(
        "PATCH",
        "/api/me/",
        ("Accept", "*/*"),
        Some(json!({"first_name": "Anna"})),
    );
    assert_eq!(renamed.status, 200);
    for (path, tag) in paths.iter().zip(&tags) {
        assert_eq!(
            send("GET", path, ("If-None-Match", tag), None).status,
            200,
            "{path}"
        );
    }
    let still = send(
        "PATCH",
        &paths[0],
        ("If-Match", &tags[0]),
        Some(json!({"mileage": 5})),
    );
    assert_eq!(still.status, 200, "the version of the car is the same");
    add_picture(&server, &ann, car);
    let gone = send(
        "PATCH",
        &paths[0],
        ("If-Match", &tag(&still)),
        Some(json!({"mileage": 6})),
    );
    assert_eq!(gone.status, 412);
}

/// Sends changes with the tag of one version at the same time.
fn of_two_changes_of_one_version_one_fails(installation: &Installation) {
    installation.create_superuser("root");
    let server = installation.start();
    let root = log_in(&server, "root", SUPERUSER_PASSWORD).access;
    let ann = join(&server, "ann").access;
    let car = add_car(&server, &ann, "B-AB 1");
    let detail = format!("/api/cars/{car}/");
    for (path, access, field) in [
        (&*detail, &ann, "color"),
        (&*format!("/api/admin/users/2/cars/{car}/"), &root, "color"),
        ("/api/admin/users/2/", &root, "first_name"),
    ] {
        let tag = tag(&server.send(&Request::get(path).bearer(access)));
        let mut statuses = at_once(4, |number| {
            let body = json!({field: format!("value {number} of {path}")});
            let change = Request::new("PATCH", path)
                .bearer(access)
                .header("If-Match", &tag);
            server.send(&change.json(&body)).status
        });
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412, 412, 412], "{path}");
        let refused = Request::new("DELETE", path)
            .bearer(access)
            .header("If-Match", &tag);
        assert_eq!(server.send(&refused).status, 412, "{path}");
        let missing = Request::new("PATCH", &path.replace('2', "9").replace("/cars/", "/cars/9"));
        let missing = missing.bearer(access).header("If-Match", &tag).json(&json!({}));
        assert_eq!(server.send(&missing).status, 404, "{path}");
    }
    let put = |header: Option<&str>| {
        let request = Request::new("PUT", &detail).bearer(&ann);
        let request = header.map_or(request.clone(), |tags| request.header("If-Match", tags));
        let body = json!({"brand": "VW", "model": "Golf", "year": 2020, "license": "B-AB 1"});
        server.send(&request.json(&body)).status
    };
    assert_eq!([put(None), put(Some("*")), put(Some("\"a\""))], [200, 200, 412]);
    let present = tag(&server.send(&Request::get(&detail).bearer(&ann)));
    let delete = Request::new("DELETE", &detail)
        .bearer(&ann)
        .header("If-Match", &format!("\"a\", {present}"));
    assert_eq!(server.send(&delete).status, 204);
}

#[test]
fn pages_have_no_tag() {
    let installation = Installation::on(TestDatabase::sqlite());
    let server: Server = installation.start();
    let ann = join(&server, "ann").access;
    let car = add_car(&server, &ann, "B-AB 1");
    let page = Request::get(&format!("/api/cars/{car}/"))
        .bearer(&ann)
        .header("Accept", "text/html")
        .header("If-None-Match", "*");
    let page = server.send(&page);
    assert_eq!((page.status, page.header("ETag")), (200, None));
}
