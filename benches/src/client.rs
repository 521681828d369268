//! Single requests: logins, and what is counted or timed one by one.

use std::time::Duration;

use serde_json::{Value, json};
use ureq::{Agent, http::Response};

use crate::{Outcome, database::PASSWORD};

/// What stands between the parts of an upload.
const BOUNDARY: &str = "benchmark-boundary";

/// A client of one server, which keeps its connection.
#[derive(Clone)]
pub(crate) struct Client {
    agent: Agent,
    url: String,
}

/// What a server answered.
pub(crate) struct Answer {
    pub(crate) status: u16,
    cookies: Vec<String>,
    pub(crate) body: Vec<u8>,
}

impl Client {
    pub(crate) fn new(url: &str) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(Duration::from_mins(2)))
            .build();
        Self {
            agent: config.into(),
            url: url.to_owned(),
        }
    }

    /// Reads a path, with headers as they are sent: `Authorization: Bearer …`.
    pub(crate) fn get(&self, path: &str, headers: &[String]) -> Outcome<Answer> {
        let mut request = self.agent.get(format!("{}{path}", self.url));
        for (name, value) in headers.iter().filter_map(|header| header.split_once(": ")) {
            request = request.header(name, value);
        }
        read(request.call()?)
    }

    /// Sends a body.
    pub(crate) fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Outcome<Answer> {
        let mut request = ureq::http::Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        read(self.agent.run(request.body(body)?)?)
    }

    /// Asks for tokens.
    pub(crate) fn ask_for_token(&self, username: &str) -> Outcome<Answer> {
        let body = json!({"username": username, "password": PASSWORD}).to_string();
        self.send(
            "POST",
            "/api/token/",
            &[("Content-Type", "application/json")],
            body.as_bytes(),
        )
    }

    /// An access token.
    pub(crate) fn token(&self, username: &str) -> Outcome<String> {
        let answer = self.ask_for_token(username)?.expect(200)?;
        let token = answer["access"].as_str().ok_or("a login answers no token")?;
        Ok(token.to_owned())
    }

    /// The cookie of a browser that has logged in.
    pub(crate) fn session(&self, username: &str) -> Outcome<String> {
        let page = self.get("/api-auth/login/", &["Accept: text/html".to_owned()])?;
        let csrf = page
            .cookie("csrftoken")
            .ok_or("the login's page sets no cookie")?;
        let form = format!("csrfmiddlewaretoken={csrf}&username={username}&password={PASSWORD}");
        let headers = [
            ("Content-Type", "application/x-www-form-urlencoded"),
            ("Cookie", &format!("csrftoken={csrf}")),
        ];
        let answer = self.send("POST", "/api-auth/login/", &headers, form.as_bytes())?;
        let session = answer
            .cookie("sessionid")
            .ok_or("a login in a browser sets no cookie")?;
        Ok(format!("Cookie: sessionid={session}"))
    }

    /// Uploads the picture of a car. The body is made by [`upload`].
    pub(crate) fn upload(&self, path: &str, token: &str, body: &[u8]) -> Outcome<Answer> {
        let headers = [
            (
                "Content-Type",
                &*format!("multipart/form-data; boundary={BOUNDARY}"),
            ),
            ("Authorization", &*format!("Bearer {token}")),
        ];
        self.send("POST", path, &headers, body)
    }
}

/// The body of an upload.
pub(crate) fn upload(picture: &[u8]) -> Vec<u8> {
    let head = format!(
        "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"image\"; filename=\"car.jpg\"\r\n\r\n"
    );
    let tail = format!("\r\n--{BOUNDARY}--\r\n");
    [head.as_bytes(), picture, tail.as_bytes()].concat()
}

fn read(mut response: Response<ureq::Body>) -> Outcome<Answer> {
    let cookies = response.headers().get_all("set-cookie").iter();
    let cookies = cookies.filter_map(|value| value.to_str().ok()).map(str::to_owned);
    Ok(Answer {
        status: response.status().as_u16(),
        cookies: cookies.collect(),
        body: response.body_mut().with_config().limit(1 << 30).read_to_vec()?,
    })
}

impl Answer {
    /// The JSON of an answer that must have this status.
    pub(crate) fn expect(self, status: u16) -> Outcome<Value> {
        if self.status == status {
            Ok(serde_json::from_slice(&self.body).unwrap_or(Value::Null))
        } else {
            let body = String::from_utf8_lossy(&self.body);
            Err(format!("{} instead of {status}: {body}", self.status).into())
        }
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies
            .iter()
            .filter_map(|cookie| cookie.split(';').next()?.split_once('='))
            .find(|(known, _)| *known == name)
            .map(|(_, value)| value)
    }
}
