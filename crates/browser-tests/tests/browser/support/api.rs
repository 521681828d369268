//! Calls the API, to set up data before a test and to verify the result after it.

use serde_json::{Value, json};
use ureq::{Agent, http::Request};

use super::MAX_WAIT;

/// An API client of one server, with or without a token.
pub(crate) struct Api {
    agent: Agent,
    url: String,
    token: Option<String>,
}

impl Api {
    pub(crate) fn new(url: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .max_idle_connections(0)
            .timeout_global(Some(MAX_WAIT))
            .build();
        Self {
            agent: config.into(),
            url: url.to_owned(),
            token: None,
        }
    }

    /// Returns a client that is logged in as a user.
    #[track_caller]
    pub(crate) fn log_in(&self, username: &str, password: &str) -> Self {
        let credentials = json!({"username": username, "password": password});
        let (status, tokens) = self.send("POST", "/api/token/", Some(&credentials));
        assert_eq!(status, 200, "{tokens}");
        Self {
            agent: self.agent.clone(),
            url: self.url.clone(),
            token: tokens["access"].as_str().map(str::to_owned),
        }
    }

    /// Returns the access token.
    pub(crate) fn token(&self) -> &str {
        self.token.as_deref().expect("a user is logged in")
    }

    /// Returns the body of a GET.
    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Value {
        let (status, body) = self.send("GET", path, None);
        assert_eq!(status, 200, "{path}: {body}");
        body
    }

    /// Returns the status of a GET.
    pub(crate) fn status(&self, path: &str) -> u16 {
        self.send("GET", path, None).0
    }

    /// Returns the status of a GET with this cookie.
    pub(crate) fn status_with_cookie(&self, path: &str, cookie: &str) -> u16 {
        let request = Request::get(format!("{}{path}", self.url)).header("Cookie", cookie);
        let answer = self.agent.run(request.body(()).expect("it is a request"));
        answer.expect("the server answers").status().as_u16()
    }

    /// Creates an object and returns its id.
    #[track_caller]
    pub(crate) fn create(&self, path: &str, body: &Value) -> u64 {
        let (status, made) = self.send("POST", path, Some(body));
        assert_eq!(status, 201, "{path}: {made}");
        made["id"].as_u64().expect("it has an id")
    }

    /// Changes fields of an object.
    #[track_caller]
    pub(crate) fn change(&self, path: &str, body: &Value) {
        let (status, changed) = self.send("PATCH", path, Some(body));
        assert_eq!(status, 200, "{path}: {changed}");
    }

    fn send(&self, method: &str, path: &str, body: Option<&Value>) -> (u16, Value) {
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url))
            .header("Accept", "application/json");
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("Content-Type", "application/json");
        }
        let body = body.map(Value::to_string).unwrap_or_default();
        let request = request.body(body).expect("it is a request");
        let mut answer = self.agent.run(request).expect("the server answers");
        let text = answer.body_mut().read_to_string().expect("it is text");
        let status = answer.status().as_u16();
        (status, serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }
}
