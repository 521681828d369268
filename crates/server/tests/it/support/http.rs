//! An HTTP client: requests are plain data, and responses may have any status.

use serde::Serialize;
use serde_json::Value;
use ureq::{
    Agent,
    config::AutoHeaderValue,
    http::{self, HeaderMap},
};

use super::PATIENCE;

/// A valid picture.
pub(crate) const TINY_JPEG: &[u8] = include_bytes!("../../contract/files/tiny.jpg");

/// The boundary between the parts of an upload.
const BOUNDARY: &str = "----upload-7d1c93ab50e2f864";

/// A request. Parts without a value are not sent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn new(method: &str, path: &str) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            ..Self::default()
        }
    }

    pub(crate) fn get(path: &str) -> Self {
        Self::new("GET", path)
    }

    pub(crate) fn post(path: &str, body: &impl Serialize) -> Self {
        Self::new("POST", path).json(body)
    }

    pub(crate) fn json(mut self, body: &impl Serialize) -> Self {
        self.body = serde_json::to_vec(body).expect("it can be written as JSON");
        self.header("Content-Type", "application/json")
    }

    /// Creates the upload of a car's picture.
    pub(crate) fn upload(path: &str, file: &[u8]) -> Self {
        let mut request = Self::new("POST", path).header(
            "Content-Type",
            &format!("multipart/form-data; boundary={BOUNDARY}"),
        );
        request.body = [
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"image\"; filename=\"a.jpg\"\r\n\r\n"
            )
            .as_bytes(),
            file,
            format!("\r\n--{BOUNDARY}--\r\n").as_bytes(),
        ]
        .concat();
        request
    }

    /// Adds an access token.
    pub(crate) fn bearer(self, access: &str) -> Self {
        self.header("Authorization", &format!("Bearer {access}"))
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A response.
#[derive(Debug, Clone)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// Returns a header; several of the same name are joined.
    pub(crate) fn header(&self, name: &str) -> Option<String> {
        let values: Vec<_> = self
            .headers
            .get_all(name)
            .iter()
            .map(|value| String::from_utf8_lossy(value.as_bytes()))
            .collect();
        (!values.is_empty()).then(|| values.join(", "))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// Returns the body as JSON, and panics if the status is another one.
    #[track_caller]
    pub(crate) fn json(&self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text());
        assert_eq!(self.header("Content-Type").as_deref(), Some("application/json"));
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }
}

/// A client of one server. Each request has its own connection, so that none uses one that the server is closing.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    address: String,
}

impl Client {
    pub(crate) fn new(address: &str) -> Self {
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
        }
    }

    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Sends a request, and returns the response, or the reason why there is none.
    pub(crate) fn send(&self, request: &Request) -> Result<Answer, String> {
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
