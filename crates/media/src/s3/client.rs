//! Signed requests to a bucket, with time limits.

use std::{
    io::{self, ErrorKind, Read as _},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use mycars_application::ports::ImageStoreError;
use rusty_s3::{Bucket, Credentials, Method, S3Action, UrlStyle};
use ureq::{
    Agent, Body, Error,
    http::{Request, Response, StatusCode},
    tls::{Certificate, RootCerts, TlsConfig},
};
use url::Url;

use super::{S3Error, S3Settings};

/// Maximum time to look up the host name.
const RESOLVE_TIMEOUT: Duration = Duration::from_millis(400);
/// Maximum time to connect, with TLS.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(700);
/// Maximum time to wait for a response, and for each further piece of it.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(1800);
/// Maximum time to send or receive a body.
const BODY_TIMEOUT: Duration = Duration::from_secs(30);
/// Time after [`FAILURES`] failed connections or missing responses in which all requests fail at once. Otherwise each thread
/// would wait for its own time limit.
const AWAY: Duration = Duration::from_secs(1);
/// Number of successive failures after which the store counts as away: one request may fail by itself.
const FAILURES: u32 = 2;
/// Time for which the signature of a request is valid. Clocks may differ by so much.
const SIGNATURE_HOLDS: Duration = Duration::from_mins(5);
/// Maximum number of bytes that are read of an error or of the result of a copy.
const MAX_MESSAGE_BYTES: u64 = 64 * 1024;

/// A bucket of an S3 store.
pub(super) struct Client {
    bucket: Bucket,
    credentials: Credentials,
    agent: Agent,
    failures: Mutex<Failures>,
}

/// The failures since the last response.
#[derive(Default)]
struct Failures {
    number: u32,
    /// The end of the time in which requests fail at once.
    away_until: Option<Instant>,
}

/// The reason why a request failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// The store cannot be reached, or does not respond in time.
    #[error("cannot be reached: {0}")]
    Away(#[source] Error),
    /// Another request has just found that the store cannot be reached.
    #[error("could not be reached a moment ago")]
    StillAway,
    /// The store reports a failure of its own, or too many requests.
    #[error("reports a failure: {0}")]
    Busy(String),
    /// The store refuses the request.
    #[error("refuses the request: {0}")]
    Refused(String),
}

/// A failed request. Its text names neither keys nor signatures.
#[derive(Debug, thiserror::Error)]
#[error("the S3 store {origin} {failure} ({request})")]
pub(super) struct RequestError {
    origin: String,
    request: String,
    failure: Failure,
}

impl RequestError {
    /// Returns whether a later attempt may succeed.
    pub(super) fn is_temporary(&self) -> bool {
        match self.failure {
            Failure::Away(_) | Failure::StillAway | Failure::Busy(_) => true,
            Failure::Refused(_) => false,
        }
    }
}

impl From<RequestError> for ImageStoreError {
    fn from(error: RequestError) -> Self {
        if error.is_temporary() {
            Self::Unavailable(error.into())
        } else {
            Self::Other(error.into())
        }
    }
}

impl Client {
    pub(super) fn new(settings: &S3Settings) -> Result<Self, S3Error> {
        let endpoint: Url = settings
            .endpoint
            .parse()
            .map_err(|_| S3Error::Endpoint(settings.endpoint.clone()))?;
        let style = if settings.path_style {
            UrlStyle::Path
        } else {
            UrlStyle::VirtualHost
        };
        let is_https = endpoint.scheme() == "https";
        let bucket = Bucket::new(endpoint, style, settings.bucket.clone(), settings.region.clone())
            .map_err(|_| S3Error::Endpoint(settings.endpoint.clone()))?;
        Ok(Self {
            bucket,
            credentials: Credentials::new(&*settings.access_key, &*settings.secret_key),
            agent: agent(is_https)?,
            failures: Mutex::default(),
        })
    }

    pub(super) fn bucket(&self) -> &Bucket {
        &self.bucket
    }

    pub(super) fn credentials(&self) -> &Credentials {
        &self.credentials
    }

    /// Returns the scheme, host and port of the store.
    pub(super) fn origin(&self) -> String {
        self.bucket.base_url().origin().ascii_serialization()
    }

    /// Sends a request with these headers, which are signed. Returns `None` if there is no such object.
    pub(super) fn send<'a, A: S3Action<'a>>(
        &self,
        mut action: A,
        headers: &[(&'static str, String)],
        body: Option<&[u8]>,
    ) -> Result<Option<Response<Body>>, RequestError> {
        for (name, value) in headers {
            action.headers_mut().insert(*name, value.clone());
        }
        let url = action.sign(SIGNATURE_HOLDS);
        self.try_send(A::METHOD, &url, headers, body)
            .map_err(|failure| self.failed(&format!("{} {}", A::METHOD, url.path()), failure))
    }

    /// Returns the error of a response that was received but cannot be used.
    pub(super) fn unusable(&self, what: &str, problem: impl Into<String>) -> RequestError {
        self.failed(what, Failure::Refused(problem.into()))
    }

    fn failed(&self, request: &str, failure: Failure) -> RequestError {
        RequestError {
            origin: self.origin(),
            request: request.to_owned(),
            failure,
        }
    }

    fn try_send(
        &self,
        method: Method,
        url: &Url,
        headers: &[(&'static str, String)],
        body: Option<&[u8]>,
    ) -> Result<Option<Response<Body>>, Failure> {
        if self
            .failures()
            .away_until
            .is_some_and(|until| Instant::now() < until)
        {
            return Err(Failure::StillAway);
        }
        let mut sent = self.send_once(method, url, headers, body);
        if sent.as_ref().is_err_and(is_closed_connection) {
            sent = self.send_once(method, url, headers, body);
        }
        match sent {
            Ok(response) => {
                *self.failures() = Failures::default();
                outcome(response)
            }
            Err(error) => {
                let mut failures = self.failures();
                failures.number = failures.number.saturating_add(1);
                if failures.number >= FAILURES {
                    failures.away_until = Some(Instant::now() + AWAY);
                }
                Err(Failure::Away(error))
            }
        }
    }

    fn send_once(
        &self,
        method: Method,
        url: &Url,
        headers: &[(&'static str, String)],
        body: Option<&[u8]>,
    ) -> Result<Response<Body>, Error> {
        let mut request = Request::builder().method(method.to_str()).uri(url.as_str());
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        match body {
            Some(body) => self.agent.run(request.body(body)?),
            None => self.agent.run(request.body(())?),
        }
    }

    fn failures(&self) -> std::sync::MutexGuard<'_, Failures> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns an HTTP client with time limits, which follows no redirects: they would need another signature.
fn agent(is_https: bool) -> Result<Agent, S3Error> {
    let mut config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .max_idle_connections_per_host(16)
        .timeout_resolve(Some(RESOLVE_TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_per_read(Some(RESPONSE_TIMEOUT))
        .timeout_per_write(Some(RESPONSE_TIMEOUT))
        .timeout_send_body(Some(BODY_TIMEOUT))
        .timeout_recv_response(Some(RESPONSE_TIMEOUT))
        .timeout_recv_body(Some(BODY_TIMEOUT));
    if is_https {
        let found = rustls_native_certs::load_native_certs();
        if found.certs.is_empty() {
            return Err(S3Error::NoAuthorities);
        }
        let authorities = found
            .certs
            .iter()
            .map(|der| Certificate::from_der(der).to_owned());
        let tls = TlsConfig::builder()
            .root_certs(RootCerts::from(authorities))
            .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::ring::default_provider()));
        config = config.tls_config(tls.build());
    }
    Ok(config.build().into())
}

/// Returns whether the store had closed an idle connection. All requests can be sent again.
fn is_closed_connection(error: &Error) -> bool {
    matches!(error, Error::Io(error) if matches!(
        error.kind(),
        ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof
    ))
}

fn outcome(mut response: Response<Body>) -> Result<Option<Response<Body>>, Failure> {
    let status = response.status();
    if status.is_success() {
        return Ok(Some(response));
    }
    let message = message(response.body_mut()).unwrap_or_default();
    let code = element(&message, "Code").unwrap_or_default();
    if status == StatusCode::NOT_FOUND && code != "NoSuchBucket" {
        return Ok(None);
    }
    let text = format!("{status} {code}").trim().to_owned();
    if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS {
        Err(Failure::Busy(text))
    } else {
        Err(Failure::Refused(text))
    }
}

/// Reads a short body.
pub(super) fn message(body: &mut Body) -> io::Result<String> {
    let mut text = Vec::new();
    body.as_reader().take(MAX_MESSAGE_BYTES).read_to_end(&mut text)?;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

/// Returns the text of the first XML element with this name.
fn element<'a>(xml: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once('<')?.0)
}
