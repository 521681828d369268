//! Calls the API, to set up data before a test and to verify the result after it.

use mycars_testkit::http::{Answer, Client, Request, accounts};
use serde_json::Value;

/// An API client of one server, with or without a token.
pub(crate) struct Api {
    client: Client,
    token: Option<String>,
}

impl Api {
    pub(crate) fn new(url: &str) -> Self {
        Self {
            client: Client::new(url.trim_start_matches("http://")),
            token: None,
        }
    }

    /// Returns a client that is logged in as a user.
    #[track_caller]
    pub(crate) fn log_in(&self, username: &str, password: &str) -> Self {
        Self {
            client: self.client.clone(),
            token: Some(accounts::log_in(&self.client, username, password).access),
        }
    }

    /// Returns the access token.
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().expect("a user is logged in")
    }

    /// Returns the body of a GET.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        self.send(Request::get(path)).json(200)
    }

    /// Returns the status of a GET.
    pub(crate) fn status(&self, path: &str) -> u16 {
        self.send(Request::get(path)).status
    }

    /// Returns the status of a GET with this cookie.
    pub(crate) fn status_with_cookie(&self, path: &str, cookie: &str) -> u16 {
        self.client
            .send(&Request::get(path).header("Cookie", cookie))
            .status
    }

    /// Creates an object and returns its id.
    #[track_caller]
    pub(crate) fn create(&self, path: &str, body: &Value) -> u64 {
        let made = self.send(Request::post(path, body)).json(201);
        made["id"].as_u64().expect("it has an id")
    }

    /// Changes fields of an object.
    #[track_caller]
    pub(crate) fn change(&self, path: &str, body: &Value) {
        self.send(Request::new("PATCH", path).json(body)).json(200);
    }

    #[track_caller]
    fn send(&self, request: Request) -> Answer {
        let request = request.header("Accept", "application/json");
        match &self.token {
            Some(token) => self.client.send(&request.bearer(token)),
            None => self.client.send(&request),
        }
    }
}
