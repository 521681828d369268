//! The data of a request that are known before its body is read.

use actix_web::{
    HttpMessage as _, HttpRequest,
    http::{
        Method,
        header::{self, HeaderMap, HeaderValue},
    },
};
use mycars_application::ports::Device;
use mycars_domain::audit::{Channel, Origin};

use crate::{
    edge::{client_addr::Client, request_id::RequestId},
    request::{csrf::Browser, headers, preconditions::Preconditions},
    state::State,
};

/// The request context of the API, its pages, the panel and the login.
pub(crate) struct RequestContext {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// The query as it stands in the URL.
    pub(crate) query: String,
    /// The ids in the path, by name.
    pub(crate) ids: Vec<(String, i64)>,
    pub(crate) client: Client,
    /// `http://host`, as the client wrote it.
    pub(crate) base_url: String,
    pub(crate) authorization: Option<HeaderValue>,
    user_agent: Option<HeaderValue>,
    /// The session and the CSRF proof of a browser.
    pub(crate) browser: Browser,
    /// The CSRF token for the forms of the response: the browser's, or a new one for its cookie. Empty if the response
    /// is not a page.
    pub(crate) csrf_token: String,
    /// `If-Match` and `If-None-Match`.
    pub(crate) preconditions: Preconditions,
    request_id: Option<String>,
    /// Whether the response is a page.
    pub(crate) is_page: bool,
    /// Whether a list is returned as CSV.
    pub(crate) is_csv: bool,
}

impl RequestContext {
    pub(crate) fn new(state: &State, http: &HttpRequest, is_page: bool) -> Self {
        let mut client = state.proxies.client(http);
        let browser = Browser::of(http.headers());
        let base_url = base_url(client, http.headers());
        client.is_cross_site = browser.is_cross_site(&base_url, &state.origins);
        let csrf_token = match browser.csrf_token() {
            Some(token) => token.to_owned(),
            None if is_page => state.app.random.hex(16),
            None => String::new(),
        };
        Self {
            method: http.method().clone(),
            path: http.path().to_owned(),
            query: http.query_string().to_owned(),
            ids: ids(http),
            client,
            base_url,
            authorization: http.headers().get(header::AUTHORIZATION).cloned(),
            user_agent: http.headers().get(header::USER_AGENT).cloned(),
            browser,
            csrf_token,
            preconditions: Preconditions::of(http.headers()),
            request_id: http.extensions().get::<RequestId>().map(|id| id.0.clone()),
            is_page,
            is_csv: false,
        }
    }

    /// Returns the device of the client, for the list of its user's logins.
    pub(crate) fn device(&self) -> Device {
        let program = self.user_agent.as_ref();
        let program = program.map(|program| String::from_utf8_lossy(program.as_bytes()));
        Device::new(self.client.address, program.as_deref())
    }

    /// Returns the origin of a change, as the audit log keeps it.
    pub(crate) fn origin(&self, channel: Channel) -> Origin {
        Origin {
            channel,
            request_id: self.request_id.clone(),
            address: Some(self.client.address),
        }
    }
}

/// Returns the ids in the path. A number that is too large or too small for any id becomes `i64::MAX`, which is never
/// an id.
fn ids(http: &HttpRequest) -> Vec<(String, i64)> {
    http.match_info()
        .iter()
        .map(|(name, digits)| (name.to_owned(), digits.parse().unwrap_or(i64::MAX)))
        .collect()
}

/// Returns the start of absolute URLs, as the client wrote it.
pub(crate) fn base_url(client: Client, headers: &HeaderMap) -> String {
    let scheme = if client.is_https { "https" } else { "http" };
    let host = headers::first(headers, &header::HOST).unwrap_or("localhost".into());
    format!("{scheme}://{host}")
}
