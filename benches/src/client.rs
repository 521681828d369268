//! A small HTTP client for requests that are sent one at a time, or whose statuses are counted.

use std::{
    collections::BTreeMap,
    iter,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use serde_json::Value;
use ureq::{Agent, http};

use crate::{
    Outcome,
    request::{NUMBER, PASSWORD, Request},
};

/// A client of one server, which reuses its connection.
pub(crate) struct Client {
    agent: Agent,
    pub(crate) url: String,
}

impl Client {
    pub(crate) fn new(url: String) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(None)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_global(Some(Duration::from_mins(2)))
            .build();
        Self {
            agent: config.into(),
            url,
        }
    }

    /// Sends the request with this number, which selects the path and replaces [`NUMBER`] in the body.
    pub(crate) fn send(&self, request: &Request, number: usize) -> Outcome<http::Response<Vec<u8>>> {
        let path = &request.paths[number % request.paths.len()];
        let mut builder = http::Request::builder()
            .method(request.method)
            .uri(format!("{}{path}", self.url));
        for (name, value) in &request.headers {
            builder = builder.header(*name, value);
        }
        // Only pictures are not text.
        let body = match std::str::from_utf8(&request.body) {
            Ok(text) => &text.replace(NUMBER, &number.to_string()).into_bytes(),
            Err(_) => &request.body,
        };
        let mut response = self.agent.run(builder.body(&body[..])?)?;
        let content = response.body_mut().with_config().limit(1 << 30).read_to_vec()?;
        Ok(response.map(|_| content))
    }

    /// Sends a request that must succeed, and returns the JSON of the response, or null if it is not JSON.
    pub(crate) fn json(&self, request: &Request, number: usize) -> Outcome<Value> {
        let response = self.send(request, number)?;
        if response.status().is_success() {
            return Ok(serde_json::from_slice(response.body()).unwrap_or_default());
        }
        let (method, path, status) = (request.method, &request.paths[0], response.status());
        let body = String::from_utf8_lossy(response.body());
        Err(format!("{method} {path}: {status}: {body}").into())
    }

    /// Logs in and returns an access token.
    pub(crate) fn token(&self, username: &str) -> Outcome<String> {
        let tokens = self.json(&Request::login(username), 0)?;
        let token = tokens["access"].as_str().ok_or("a login returned no token")?;
        Ok(token.to_owned())
    }

    /// Logs in as a browser does and returns the value of the session's `Cookie` header.
    pub(crate) fn session(&self, username: &str) -> Outcome<String> {
        let path = "/api-auth/login/";
        let form_page = self.send(&Request::get(path).header("Accept", "text/html".to_owned()), 0)?;
        let csrf = cookie(&form_page, "csrftoken")?;
        let form = format!("csrfmiddlewaretoken={csrf}&username={username}&password={PASSWORD}");
        let login = Request::post(path, "application/x-www-form-urlencoded", form)
            .header("Cookie", format!("csrftoken={csrf}"));
        let session = cookie(&self.send(&login, 0)?, "sessionid")?;
        Ok(format!("sessionid={session}"))
    }
}

fn cookie(response: &http::Response<Vec<u8>>, name: &str) -> Outcome<String> {
    let cookies = response.headers().get_all("set-cookie").iter();
    cookies
        .filter_map(|value| value.to_str().ok()?.split(';').next()?.split_once('='))
        .find(|(known, _)| *known == name)
        .map(|(_, value)| value.to_owned())
        .ok_or_else(|| format!("a response set no cookie {name}").into())
}

/// The number of responses with each status. 0 stands for requests without a response.
pub(crate) type Statuses = BTreeMap<u16, usize>;

/// Sends requests over several connections while `continues` returns true for the number of the next request, and waits
/// for all responses.
pub(crate) fn send_all(
    url: &str,
    connections: usize,
    request: &Request,
    continues: impl Fn(usize) -> bool + Sync,
) -> Statuses {
    let next = AtomicUsize::new(0);
    let statuses = Mutex::new(Statuses::new());
    let send = || {
        let client = Client::new(url.to_owned());
        let numbers = iter::repeat_with(|| next.fetch_add(1, Ordering::Relaxed));
        for number in numbers.take_while(|number| continues(*number)) {
            let response = client.send(request, number);
            let status = response.map_or(0, |response| response.status().as_u16());
            if let Ok(mut statuses) = statuses.lock() {
                *statuses.entry(status).or_default() += 1;
            }
        }
    };
    thread::scope(|scope| (0..connections).for_each(|_| drop(scope.spawn(send))));
    statuses.into_inner().unwrap_or_default()
}
