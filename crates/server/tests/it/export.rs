//! The export of all data about a user: a zip file with documents and pictures.

use std::{
    collections::BTreeMap,
    fs,
    io::{Cursor, Read as _},
};

use mycars_testkit::TestDatabase;
use regex::Regex;
use serde_json::{Value, json};
use zip::ZipArchive;

use crate::support::{
    Answer, Installation, Request, Server,
    accounts::{PASSWORD, SUPERUSER_PASSWORD, add_car, add_picture, id_of, join, log_in},
    browser::Browser,
    on_both_databases,
};

on_both_databases!(
    export_has_all_data_of_its_user_and_none_of_others,
    export_of_many_cars_and_entries_is_complete,
);

pub(crate) const PATH: &str = "/api/me/export/";

/// Returns the files of an export.
#[track_caller]
pub(crate) fn files(answer: &Answer) -> BTreeMap<String, Vec<u8>> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let mut zip = ZipArchive::new(Cursor::new(answer.body.clone())).unwrap();
    (0..zip.len())
        .map(|number| {
            let mut file = zip.by_index(number).unwrap();
            let mut content = Vec::new();
            file.read_to_end(&mut content).unwrap();
            (file.name().unwrap().into_owned(), content)
        })
        .collect()
}

fn document(files: &BTreeMap<String, Vec<u8>>, name: &str) -> Value {
    serde_json::from_slice(&files[name]).unwrap()
}

/// A user with data of all kinds, who makes requests from an address and with a program of their own.
struct Person<'s> {
    server: &'s Server,
    name: &'static str,
    address: &'static str,
    access: String,
    id: i64,
    picture: String,
    /// Texts that only data about this user has.
    texts: Vec<String>,
    /// Credentials, or parts of them.
    secrets: Vec<String>,
}

impl<'s> Person<'s> {
    fn join(server: &'s Server, name: &'static str, address: &'static str) -> Self {
        let mut person = Self {
            server,
            name,
            address,
            access: String::new(),
            id: 0,
            picture: String::new(),
            texts: Vec::new(),
            secrets: Vec::new(),
        };
        person.live();
        person
    }

    fn send(&self, request: Request) -> Answer {
        let request = request
            .header("X-Forwarded-For", self.address)
            .header("User-Agent", &format!("{} browser/1", self.name));
        self.server.send(&request)
    }

    fn live(&mut self) {
        let Self { name, address, .. } = *self;
        let text = |text: &str| format!("{text} of {name}");
        let body = json!({
            "username": name, "email": format!("{name}@post.example"), "first_name": text("First"),
            "last_name": text("Last"), "password": PASSWORD, "password2": PASSWORD, "phone": format!("+49 {name}"),
        });
        self.send(Request::post("/api/register/", &body)).json(201);
        let credentials = json!({"username": name, "password": PASSWORD});
        let tokens = self.send(Request::post("/api/token/", &credentials)).json(200);
        tokens["access"].as_str().unwrap().clone_into(&mut self.access);
        let access = self.access.clone();
        self.id = id_of(self.server, &access);
        let key = json!({"name": text("Key"), "rights": "read", "password": PASSWORD});
        let key = self
            .send(Request::post("/api/me/keys/", &key).bearer(&access))
            .json(201);
        let car = json!({
            "brand": text("Brand"), "model": "Camry", "year": 2023, "license": format!("B-{name} 1"),
            "notes": text("Notes"),
        });
        let car = self
            .send(Request::post("/api/cars/", &car).bearer(&access))
            .json(201);
        self.picture = add_picture(self.server, &access, car["id"].as_i64().unwrap());
        let patch = Request::new("PATCH", &format!("/api/cars/{}/", car["id"]))
            .json(&json!({"color": text("Color")}));
        self.send(patch.bearer(&access)).json(200);
        let browser = Browser::of(self.server, name);

        self.texts = ["First", "Last", "Key", "Brand", "Notes", "Color"]
            .map(text)
            .into();
        self.texts.extend([
            name.to_owned(),
            address.to_owned(),
            self.picture.clone(),
            key["prefix"].as_str().unwrap().to_owned(),
        ]);
        // The parts that no other token or key has.
        let last = |value: &Value, separator| {
            value
                .as_str()
                .unwrap()
                .rsplit(separator)
                .next()
                .unwrap()
                .to_owned()
        };
        self.secrets = vec![
            last(&tokens["access"], '.'),
            last(&tokens["refresh"], '.'),
            last(&key["key"], '_'),
            browser.session.unwrap(),
            PASSWORD.to_owned(),
        ];
    }

    fn export(&self) -> BTreeMap<String, Vec<u8>> {
        files(&self.send(Request::get(PATH).bearer(&self.access)))
    }

    fn read(&self, path: &str) -> Value {
        self.send(Request::get(path).bearer(&self.access)).json(200)
    }
}

fn export_has_all_data_of_its_user_and_none_of_others(installation: &Installation) {
    installation.create_superuser("root");
    let server = installation.start_with("MYCARS__SERVER__TRUSTED_PROXIES", "127.0.0.1");
    let ann = Person::join(&server, "annamaria", "203.0.113.17");
    let mut eve = Person::join(&server, "evelina", "198.51.100.77");
    let root = log_in(&server, "root", SUPERUSER_PASSWORD).access;
    // Root changes Ann, who becomes an admin and changes Eve.
    let by_root = Request::new("PATCH", &format!("/api/admin/users/{}/", ann.id));
    let by_root = by_root.json(&json!({"role": "admin", "phone": "+49 new"}));
    let by_root = by_root.bearer(&root).header("X-Forwarded-For", "192.0.2.200");
    server.send(&by_root).json(200);
    let by_ann = Request::new("PATCH", &format!("/api/admin/users/{}/", eve.id));
    let by_ann = by_ann.json(&json!({"last_name": "Name by Ann"}));
    ann.send(by_ann.bearer(&ann.access)).json(200);
    eve.texts.push("Name by Ann".to_owned());

    for (person, other) in [(&ann, &eve), (&eve, &ann)] {
        let files = person.export();
        assert_has_all_data(installation, person, &files);
        let text: Vec<u8> = files.into_values().flatten().collect();
        let text = String::from_utf8_lossy(&text);
        let missing: Vec<_> = person.texts.iter().filter(|own| !text.contains(*own)).collect();
        assert!(missing.is_empty(), "{missing:?}");
        let of_root = ["root", "192.0.2.200"].map(str::to_owned);
        let foreign = other.texts.iter().chain(&other.secrets).chain(&of_root);
        let found: Vec<_> = foreign
            .chain(&person.secrets)
            .filter(|foreign| text.contains(*foreign))
            .collect();
        assert!(found.is_empty(), "{found:?} in the export of {}", person.name);
        assert!(!has_hash(&text));
    }
    let of_ann = document(&ann.export(), "history.json");
    let about_eve = of_ann.as_array().unwrap().iter();
    let about_eve: Vec<_> = about_eve
        .filter(|entry| entry["object"] == "another user")
        .collect();
    assert_eq!(about_eve.len(), 1);
    let hidden = json!([{"field": "last_name", "before": "********", "after": "********"}]);
    assert_eq!(about_eve[0]["changes"], hidden);
}

/// Returns whether a text has the hash of a password, a session or an API key.
fn has_hash(text: &str) -> bool {
    text.contains("bcrypt") || Regex::new("[0-9a-f]{64}").unwrap().is_match(text)
}

/// Compares the files of an export with the responses of the API, and the picture with the stored one.
fn assert_has_all_data(installation: &Installation, person: &Person<'_>, files: &BTreeMap<String, Vec<u8>>) {
    let picture = person.picture.replace("/media/cars/", "pictures/");
    let names: Vec<&str> = files.keys().map(String::as_str).collect();
    assert_eq!(
        names,
        [
            "README.txt",
            "account.json",
            "api_keys.json",
            "cars.json",
            "history.json",
            "logins.json",
            &picture,
        ]
    );
    let stored = installation.path("data").join(&person.picture[1..]);
    assert_eq!(files[&picture], fs::read(stored).unwrap());
    assert_eq!(document(files, "account.json"), person.read("/api/me/"));
    assert_eq!(document(files, "cars.json"), person.read("/api/cars/"));
    assert_eq!(document(files, "api_keys.json"), person.read("/api/me/keys/"));
    let by_id = |mut logins: Value| {
        let logins = logins.as_array_mut().unwrap();
        logins.sort_by_key(|login| login["id"].as_i64());
        logins.clone()
    };
    let logins = by_id(document(files, "logins.json"));
    assert_eq!(logins, by_id(person.read("/api/me/logins/")));
    assert_eq!(logins.len(), 2);

    let history = document(files, "history.json");
    let own = |entry: &&Value| entry["actor"] == person.id || entry["actor_name"] == "anonymous";
    let (own, by_others): (Vec<_>, Vec<_>) = history.as_array().unwrap().iter().partition(own);
    assert!(own.iter().all(|entry| entry["address"].is_string()), "{own:?}");
    assert_eq!(by_others.len(), 1, "{by_others:?}");
    let about_author = ["actor", "actor_name", "address"].map(|field| by_others[0][field].clone());
    assert_eq!(about_author, [Value::Null, "another user".into(), Value::Null]);
}

fn export_of_many_cars_and_entries_is_complete(installation: &Installation) {
    let server = installation.start();
    let access = join(&server, "ann").access;
    let mut import = Request::post("/api/cars/import/", &json!({})).bearer(&access);
    "text/csv".clone_into(&mut import.headers[0].1);
    let rows = (0..450).map(|number| format!("VW,Golf,2020,B-{number:03},{}\n", "n".repeat(2000)));
    import.body = format!("brand,model,year,license,notes\n{}", rows.collect::<String>()).into_bytes();
    server.send(&import).json(200);
    let files = files(&server.send(&Request::get(PATH).bearer(&access)));
    let cars = server.send(&Request::get("/api/cars/").bearer(&access)).json(200);
    assert_eq!(document(&files, "cars.json"), cars);
    let entries = document(&files, "history.json");
    let ids: Vec<i64> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["id"].as_i64().unwrap())
        .collect();
    assert!(ids.is_sorted_by(|one, next| one < next));
    assert_eq!(ids.len(), 451, "the registration and 450 cars");
}

#[test]
fn exports_are_limited_and_logged() {
    let installation = Installation::on(TestDatabase::sqlite())
        .with("MYCARS__THROTTLE__ENABLED", "true")
        .with("MYCARS__THROTTLE__EXPORT", "2/day");
    let server = installation.start();
    let access = join(&server, "ann+1").access;
    let id = id_of(&server, &access);
    let key = json!({"name": "sync", "rights": "read", "password": PASSWORD});
    let key = server
        .send(&Request::post("/api/me/keys/", &key).bearer(&access))
        .json(201);
    let key = key["key"].as_str().unwrap();
    for _ in 0..3 {
        let refused = server.send(&Request::get(PATH).bearer(key));
        let reason = "An API key cannot do this. Log in with a username and a password.";
        assert_eq!(refused.json(403), json!({"detail": reason}));
    }
    let head = server.send(&Request::new("HEAD", PATH).bearer(&access));
    assert_eq!((head.status, head.body.len()), (200, 0));
    assert_eq!(head.header("Content-Type").as_deref(), Some("application/zip"));
    let page = Request::get(PATH).header("Accept", "text/html").bearer(&access);
    let page = server.send(&page);
    assert_eq!(page.status, 200);
    let link = format!("http://{}{PATH}?format=zip", server.address());
    assert!(page.text().contains(&link), "{}", page.text());
    let json = Request::get(PATH)
        .header("Accept", "application/json")
        .bearer(&access);
    assert_eq!(server.send(&json).status, 406);

    let export = || server.send(&Request::get(&format!("{PATH}?format=zip")).bearer(&access));
    let exported = export();
    for (name, expected) in [("Content-Type", "application/zip"), ("Cache-Control", "no-store")] {
        assert_eq!(exported.header(name).as_deref(), Some(expected));
    }
    let disposition = exported.header("Content-Disposition").unwrap();
    let expected = format!(r#"^attachment; filename="mycars-export-{id}-\d{{4}}-\d\d-\d\d\.zip"$"#);
    assert!(
        Regex::new(&expected).unwrap().is_match(&disposition),
        "{disposition}"
    );
    assert_eq!([export().status, export().status], [200, 429]);
    let other = join(&server, "eve").access;
    assert_eq!(server.send(&Request::get(PATH).bearer(&other)).status, 200);
    let events = server.log();
    let events = events
        .lines()
        .filter(|line| line.contains(r#"event="data_exported""#));
    let events: Vec<&str> = events.collect();
    assert_eq!(events.len(), 3, "{events:?}");
    assert!(events[0].contains(r#"detail="own data""#), "{events:?}");
}

/// A car without a picture in the store does not end the export.
#[test]
fn lost_picture_is_left_out() {
    let installation = Installation::on(TestDatabase::sqlite());
    let server = installation.start();
    let access = join(&server, "ann").access;
    let pictures = ["B-AB 1", "B-AB 2"].map(|plate| {
        let car = add_car(&server, &access, plate);
        add_picture(&server, &access, car).replace("/media/cars/", "")
    });
    fs::remove_file(installation.path("data/media/cars").join(&pictures[0])).unwrap();
    let files = files(&server.send(&Request::get(PATH).bearer(&access)));
    let names = files.keys().filter_map(|name| name.strip_prefix("pictures/"));
    assert_eq!(names.collect::<Vec<_>>(), [&*pictures[1]]);
}
