//! An HTTP client: requests are plain data, and responses may have any status.

pub mod accounts;
pub mod browser;
pub mod panel;

use std::{sync::Arc, time::Duration};

use serde::Serialize;
use serde_json::Value;
pub use ureq::http::{HeaderMap, HeaderName, HeaderValue};
use ureq::{Agent, config::AutoHeaderValue, http};

/// Maximum time that a test waits for an event. Only a failing test waits this long, although on a busy
/// machine a single hash may take most of a minute, because its thread has a low priority.
pub const PATIENCE: Duration = Duration::from_mins(3);

/// A valid picture.
pub const TINY_JPEG: &[u8] = include_bytes!("../../server/tests/contract/files/tiny.jpg");

/// The boundary between the parts of an upload.
const BOUNDARY: &str = "----upload-7d1c93ab50e2f864";

/// A request. Parts without a value are not sent.
#[derive(Debug, Clone, Default)]
pub struct Request {
    pub method: String,
    pub path: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            ..Self::default()
        }
    }

    pub fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub fn post(path: &str, body: &impl Serialize) -> Self {
        Self::new("POST", path).json(body)
    }

    pub fn json(mut self, body: &impl Serialize) -> Self {
        self.body = serde_json::to_vec(body).expect("it can be written as JSON");
        self.header("Content-Type", "application/json")
    }

    /// Creates the upload of a car's picture.
    pub fn upload(path: &str, file: &[u8]) -> Self {
        Self::multipart(path, &[], file)
    }

    /// Creates a form with a picture, as browsers send it. An empty file is none.
    pub fn multipart(path: &str, fields: &[(&str, &str)], file: &[u8]) -> Self {
        Self::form_with_file(path, fields, "image", file)
    }

    /// Creates a form with a file in the field `field`, as browsers send it. An empty file is none.
    pub fn form_with_file(path: &str, fields: &[(&str, &str)], field: &str, file: &[u8]) -> Self {
        let part = |parameters: &str, content: &[u8]| {
            let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; {parameters}\r\n\r\n");
            [head.as_bytes(), content, b"\r\n"].concat()
        };
        let name = if file.is_empty() { "" } else { "a.jpg" };
        let mut body: Vec<u8> = fields
            .iter()
            .flat_map(|(name, value)| part(&format!("name=\"{name}\""), value.as_bytes()))
            .collect();
        body.extend(part(&format!("name=\"{field}\"; filename=\"{name}\""), file));
        body.extend(format!("--{BOUNDARY}--\r\n").bytes());
        let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
        Self {
            body,
            ..Self::new("POST", path).header("Content-Type", &content_type)
        }
    }

    /// Adds an access token.
    pub fn bearer(self, access: &str) -> Self {
        self.header("Authorization", &format!("Bearer {access}"))
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A response.
#[derive(Debug, Clone)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    /// Returns a header; several of the same name are joined.
    pub fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body as JSON, and panics if the status is another one.
    #[track_caller]
    pub fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("Content-Type").as_deref(), Some("application/json"));
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// A client of one server. Each request has its own connection, so that none uses one that the server is closing.
#[derive(Clone)]
pub struct Client {
    agent: Agent,
    address: String,
    log: Arc<dyn Fn() -> String + Send + Sync>,
}

impl Client {
    /// A client of the server at this host and port.
    pub fn new(address: &str) -> Self {
        Self::with_log(address, String::new)
    }

    /// The same with the server's log, which a panic shows.
    pub fn with_log(address: &str, log: impl Fn() -> String + Send + Sync + 'static) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .accept(AutoHeaderValue::None)
            .user_agent(AutoHeaderValue::None)
            .max_idle_connections(0)
            .timeout_global(Some(PATIENCE))
            .build();
        Self {
            agent: config.into(),
            address: address.to_owned(),
            log: Arc::new(log),
        }
    }

    /// Where the server listens: host and port.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// Returns the server's log so far.
    pub fn log(&self) -> String {
        (self.log)()
    }

    /// Sends a request, and returns the response.
    #[track_caller]
    pub fn send(&self, request: &Request) -> Answer {
        self.try_send(request)
            .unwrap_or_else(|error| panic!("{request:?} got no answer: {error}\n{}", self.log()))
    }

    /// Sends a request, and returns the response, or the reason why there is none.
    ///
    /// # Errors
    /// The text of the client's error.
    pub fn try_send(&self, request: &Request) -> Result<Answer, String> {
        let mut builder = http::Request::builder()
            .method(request.method.as_str())
            .uri(format!("http://{}{}", self.address, request.path));
        for (name, value) in &request.headers {
            builder = builder.header(name, value.as_bytes());
        }
        let ready = builder
            .body(&request.body[..])
            .map_err(|error| error.to_string())?;
        let mut response = self.agent.run(ready).map_err(|error| error.to_string())?;
        let body = response
            .body_mut()
            .read_to_vec()
            .map_err(|error| error.to_string())?;
        Ok(Answer {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body,
        })
    }
}
