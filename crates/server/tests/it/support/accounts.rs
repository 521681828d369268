//! Users, tokens and cars, created over HTTP.

use serde_json::{Value, json};

use super::{Answer, Request, Server};

/// The password of every user that [`register`] creates.
pub(crate) const PASSWORD: &str = "Quartz-meadow-71";

/// The two tokens of a login.
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

/// Registers a user with an e-mail address made from the username.
pub(crate) fn register(server: &Server, username: &str) {
    server
        .send(&registration(username, &format!("{username}@example.com")))
        .json(201);
}

pub(crate) fn registration(username: &str, email: &str) -> Request {
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

pub(crate) fn login(username: &str, password: &str) -> Request {
    Request::post(
        "/api/token/",
        &json!({"username": username, "password": password}),
    )
}

#[track_caller]
pub(crate) fn log_in(server: &Server, username: &str, password: &str) -> Tokens {
    let tokens = server.send(&login(username, password)).json(200);
    let token = |name: &str| tokens[name].as_str().expect("it is text").to_owned();
    Tokens {
        access: token("access"),
        refresh: token("refresh"),
    }
}

/// Registers a client and logs in.
pub(crate) fn join(server: &Server, username: &str) -> Tokens {
    register(server, username);
    log_in(server, username, PASSWORD)
}

pub(crate) fn me(server: &Server, access: &str) -> Answer {
    server.send(&Request::get("/api/me/").bearer(access))
}

pub(crate) fn new_car(access: &str, plate: &str) -> Request {
    let body = json!({"brand": "Toyota", "model": "Camry", "year": 2023, "license": plate});
    Request::post("/api/cars/", &body).bearer(access)
}

/// Returns the plates of the caller's cars.
#[track_caller]
pub(crate) fn plates(server: &Server, access: &str) -> Vec<String> {
    let cars = server.send(&Request::get("/api/cars/").bearer(access)).json(200);
    let plate = |car: &Value| car["license"].as_str().expect("it is text").to_owned();
    cars.as_array().expect("it is a list").iter().map(plate).collect()
}
