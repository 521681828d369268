//! Users, tokens and cars, created over HTTP.

use serde_json::{Value, json};

use super::{Answer, Client, Request, TINY_JPEG};

/// The password of every user that [`register`] creates.
pub const PASSWORD: &str = "Quartz-meadow-71";

/// The password of every superuser.
pub const SUPERUSER_PASSWORD: &str = "Lantern-river-83";

/// The two tokens of a login.
pub struct Tokens {
    pub access: String,
    pub refresh: String,
}

/// Registers a user with an e-mail address made from the username.
pub fn register(client: &Client, username: &str) {
    client
        .send(&registration(username, &format!("{username}@example.com")))
        .json(201);
}

pub fn registration(username: &str, email: &str) -> Request {
    let body = json!({
        "username": username,
        "email": email,
        "first_name": "Ann",
        "last_name": "Lee",
        "password": PASSWORD,
        "password2": PASSWORD,
    });
    Request::post("/api/register/", &body)
}

pub fn login(username: &str, password: &str) -> Request {
    Request::post(
        "/api/token/",
        &json!({"username": username, "password": password}),
    )
}

#[track_caller]
pub fn log_in(client: &Client, username: &str, password: &str) -> Tokens {
    let tokens = client.send(&login(username, password)).json(200);
    let token = |name: &str| tokens[name].as_str().expect("it is text").to_owned();
    Tokens {
        access: token("access"),
        refresh: token("refresh"),
    }
}

/// Registers a client and logs in.
pub fn join(client: &Client, username: &str) -> Tokens {
    register(client, username);
    log_in(client, username, PASSWORD)
}

pub fn me(client: &Client, access: &str) -> Answer {
    client.send(&Request::get("/api/me/").bearer(access))
}

pub fn new_car(access: &str, plate: &str) -> Request {
    let body = json!({"brand": "Toyota", "model": "Camry", "year": 2023, "license": plate});
    Request::post("/api/cars/", &body).bearer(access)
}

/// Returns the plates of the caller's cars.
#[track_caller]
pub fn plates(client: &Client, access: &str) -> Vec<String> {
    let cars = client.send(&Request::get("/api/cars/").bearer(access)).json(200);
    let plate = |car: &Value| car["license"].as_str().expect("it is text").to_owned();
    cars.as_array().expect("it is a list").iter().map(plate).collect()
}

pub fn id_of(client: &Client, access: &str) -> i64 {
    me(client, access).json(200)["id"].as_i64().unwrap()
}

/// Registers a client, and returns their tokens and id.
pub fn new_client(client: &Client, username: &str) -> (Tokens, i64) {
    let tokens = join(client, username);
    let id = id_of(client, &tokens.access);
    (tokens, id)
}

/// Registers an admin, and returns their id.
pub fn new_admin(client: &Client, username: &str) -> i64 {
    let (_, id) = new_client(client, username);
    patch_user(client, id, &json!({"role": "admin"}));
    id
}

pub fn patch_user(client: &Client, id: i64, body: &Value) {
    let root = log_in(client, "root", SUPERUSER_PASSWORD).access;
    let request = Request::new("PATCH", &format!("/api/admin/users/{id}/")).json(body);
    client.send(&request.bearer(&root)).json(200);
}

pub fn add_car(client: &Client, access: &str, plate: &str) -> i64 {
    client.send(&new_car(access, plate)).json(201)["id"]
        .as_i64()
        .unwrap()
}

/// Uploads a picture of a car, and returns its path.
pub fn add_picture(client: &Client, access: &str, car: i64) -> String {
    let upload = Request::upload(&format!("/api/cars/{car}/upload-image/"), TINY_JPEG);
    let car = client.send(&upload.bearer(access)).json(200);
    car["image"].as_str().expect("it has a picture").to_owned()
}

pub fn refresh(client: &Client, token: &str) -> u16 {
    let request = Request::post("/api/token/refresh/", &json!({"refresh": token}));
    client.send(&request).status
}
