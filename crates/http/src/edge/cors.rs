//! Cross-origin resource sharing (CORS): scripts of other origins may read responses only if a setting allows it.

use std::{
    collections::HashSet,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
};

use actix_cors::{Cors, CorsError};
use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{RequestHead, ServiceRequest, ServiceResponse},
    http::header::{ACCESS_CONTROL_REQUEST_METHOD, ETAG, HOST, LOCATION, ORIGIN, RETRY_AFTER},
    middleware::Next,
};
use url::{Host, Url};

use crate::{edge::request_id::REQUEST_ID, error::ApiError, request::headers};

/// The origins with scripts that may read responses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// These origins, also with cookies.
    Listed(Vec<String>),
    /// Origins on this machine and in private networks, on any port.
    Local,
    /// All origins, without cookies.
    Any,
}

/// The text is not an origin as browsers send it, so that no request can match it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadOrigin {
    /// Browsers write this origin differently.
    #[error("{0}, as browsers write it")]
    Written(String),
    /// The text is an origin with a wildcard in it.
    #[error(
        "a list of all origins in full, such as https://app.example.org: * stands alone, for all of them"
    )]
    Wildcard,
    /// The text is not an origin.
    #[error("origins such as https://app.example.org or http://localhost:3000, without a path, or *")]
    NoOrigin,
}

impl AllowedOrigins {
    /// Parses origins such as `https://example.org`, or `*` for all. Upper case is read as lower case.
    ///
    /// # Errors
    /// [`BadOrigin`] if one of them can never match the origin that a browser sends.
    pub fn new(origins: &[String]) -> Result<Self, BadOrigin> {
        if origins.iter().any(|origin| origin == "*") {
            return Ok(Self::Any);
        }
        let origins = origins.iter().map(|origin| origin.to_lowercase());
        let origins: Vec<String> = origins.collect();
        origins.iter().try_for_each(|origin| check(origin))?;
        Ok(Self::Listed(origins))
    }

    /// Returns whether scripts of an origin may read responses.
    pub(crate) fn allow(&self, origin: &str) -> bool {
        match self {
            Self::Listed(origins) => origins.iter().any(|listed| listed == origin),
            Self::Local => is_local(origin),
            Self::Any => true,
        }
    }

    /// Returns the middleware that responds to preflights and names the allowed origins in all other responses.
    pub(crate) fn middleware(&self) -> Cors {
        let closed = Cors::default()
            .allowed_methods(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
            .allow_any_header()
            .expose_headers([ETAG, LOCATION, RETRY_AFTER, REQUEST_ID])
            .max_age(MAX_AGE);
        match self {
            Self::Listed(origins) if origins.is_empty() => closed,
            Self::Listed(origins) => origins
                .iter()
                .fold(closed, |cors, origin| cors.allowed_origin(origin))
                .supports_credentials(),
            Self::Local => closed.allowed_origin_fn(|origin, _| is_local(&headers::text(origin))),
            Self::Any => closed.allow_any_origin().send_wildcard(),
        }
    }
}

/// Time for which browsers may cache the response to a preflight, in seconds.
const MAX_AGE: usize = 60 * 60;

/// Checks that a text is an origin as browsers write it: scheme, host, and port if it is not the default.
fn check(text: &str) -> Result<(), BadOrigin> {
    let url = Url::parse(text).map_err(|_| BadOrigin::NoOrigin)?;
    let host = url
        .host_str()
        .filter(|host| !host.is_empty())
        .ok_or(BadOrigin::NoOrigin)?;
    if host.contains(['*', '%']) || url.scheme() == "file" {
        return Err(if host.contains('*') {
            BadOrigin::Wildcard
        } else {
            BadOrigin::NoOrigin
        });
    }
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let origin = format!("{}://{host}{port}", url.scheme());
    if origin == text {
        Ok(())
    } else {
        Err(BadOrigin::Written(origin))
    }
}

/// Returns whether an origin is on this machine or in a private network, such as a development server that is opened on
/// this machine or on a phone.
fn is_local(origin: &str) -> bool {
    let Some(url) = Url::parse(origin).ok().filter(|_| check(origin).is_ok()) else {
        return false;
    };
    let is_web = matches!(url.scheme(), "http" | "https");
    is_web
        && match url.host() {
            Some(Host::Domain(name)) => name == "localhost",
            Some(Host::Ipv4(address)) => is_private(address.into()),
            Some(Host::Ipv6(address)) => is_private(address.into()),
            None => false,
        }
}

/// Whether an address is that of this machine or in a private network.
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_loopback() || address.is_private() || address.is_link_local(),
        IpAddr::V6(address) => {
            address.is_loopback() || address.is_unique_local() || address.is_unicast_link_local()
        }
    }
}

/// Returns whether an origin has the host and port of this URL. The scheme may differ behind a proxy that does not
/// forward it.
pub(crate) fn is_of_host(origin: &str, base_url: &str) -> bool {
    let authority = |url: &str| {
        url.split_once("://")
            .map(|(_, authority)| authority.to_ascii_lowercase())
    };
    let (origin, own) = (authority(origin), authority(base_url));
    origin.is_some() && origin == own
}

/// The refused origins that have been logged.
#[derive(Debug, Default)]
pub(crate) struct RefusedOrigins(Mutex<HashSet<String>>);

/// Maximum number of refused origins that are logged and remembered.
const MAX_REFUSED: usize = 100;

/// Maximum length of an origin in the log, in characters.
const MAX_LOGGED: usize = 200;

impl RefusedOrigins {
    /// Stores a refused origin. Returns the number of stored origins, or `None` if it was stored before or there are
    /// [`MAX_REFUSED`].
    fn add(&self, origin: &str) -> Option<usize> {
        let mut origins = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = origins.len() < MAX_REFUSED && origins.insert(origin.to_owned());
        is_new.then(|| origins.len())
    }
}

/// Logs once that the origin of a request is not allowed.
fn log_refusal(allowed: &AllowedOrigins, refused: &RefusedOrigins, head: &RequestHead) {
    let Some(origin) = headers::first(head.headers(), &ORIGIN) else {
        return;
    };
    let host = headers::first(head.headers(), &HOST).unwrap_or_default();
    if allowed.allow(&origin) || is_of_host(&origin, &format!("http://{host}")) {
        return;
    }
    let origin: String = origin.chars().take(MAX_LOGGED).collect();
    let Some(count) = refused.add(&origin) else {
        return;
    };
    tracing::info!(
        ?origin,
        "scripts of the origin {origin:?} may not read responses. If they should, add it to \
         MYCARS__CORS__ALLOWED_ORIGINS"
    );
    if count == MAX_REFUSED {
        tracing::warn!(
            count,
            "{count} refused origins have been logged. Further ones are not logged until the server is restarted"
        );
    }
}

/// Wraps the CORS middleware: refused preflights get the error response of the API, and OPTIONS requests without an
/// origin are not preflights.
pub(crate) async fn around(
    allowed: AllowedOrigins,
    refused: Arc<RefusedOrigins>,
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if request.headers().contains_key(ORIGIN) {
        log_refusal(&allowed, &refused, request.head());
    } else {
        request.headers_mut().remove(ACCESS_CONTROL_REQUEST_METHOD);
    }
    let response = next.call(request).await?.map_into_boxed_body();
    let is_refusal = response
        .response()
        .error()
        .is_some_and(|error| error.as_error::<CorsError>().is_some());
    Ok(if is_refusal {
        response.into_response(ApiError::OriginNotAllowed.response())
    } else {
        response
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn new(text: &str) -> Result<AllowedOrigins, BadOrigin> {
        AllowedOrigins::new(&[text.to_owned()])
    }

    #[test]
    fn origin_as_browsers_send_it_is_accepted() {
        for text in [
            "https://example.org",
            "https://example.org:8443",
            "http://localhost:3000",
            "http://example.org:443",
            "http://[::1]:3000",
            "http://192.168.1.20:5173",
            "https://xn--mller-kva.example",
            "https://a_b.example",
            "https://example.org.",
            "capacitor://localhost",
            "chrome-extension://abcdefghijklmnop",
        ] {
            let listed = AllowedOrigins::Listed(vec![text.to_owned()]);
            assert_eq!(new(text), Ok(listed), "{text}");
        }
        assert_eq!(new("HTTPS://Example.org"), new("https://example.org"));
        assert_eq!(new("*"), Ok(AllowedOrigins::Any));
    }

    #[test]
    fn origin_that_never_matches_is_refused_with_a_correction() {
        for (text, origin) in [
            ("https://example.com:443", "https://example.com"),
            ("http://example.com:80", "http://example.com"),
            ("https://example.com/", "https://example.com"),
            ("https://example.com/app", "https://example.com"),
            ("https://example.com?a", "https://example.com"),
            ("https://example.com#a", "https://example.com"),
            ("https://ann@example.com", "https://example.com"),
            ("https://ann:secret@example.com", "https://example.com"),
            ("https://example.com:", "https://example.com"),
            ("https://example.com:08443", "https://example.com:8443"),
            ("https://m\u{fc}ller.example", "https://xn--mller-kva.example"),
            ("https:example.com", "https://example.com"),
            ("https:\\\\example.com", "https://example.com"),
            ("http://127.1", "http://127.0.0.1"),
            ("http://[0:0::1]:3000", "http://[::1]:3000"),
            ("https://example.com ", "https://example.com"),
            ("capacitor://localhost/", "capacitor://localhost"),
        ] {
            assert_eq!(new(text), Err(BadOrigin::Written(origin.into())), "{text}");
            assert!(new(origin).is_ok(), "{origin}");
        }
        for text in [
            "https://*.example.com",
            "*.example.com",
            "https://*",
            "http://localhost:*",
            "**",
        ] {
            assert!(
                matches!(new(text), Err(BadOrigin::Wildcard | BadOrigin::NoOrigin)),
                "{text}"
            );
        }
        for text in [
            "",
            "null",
            "example.org",
            "localhost:3000",
            "//example.org",
            "https://",
            "https://exa mple.org",
            "https://example.org:99999",
            "file:///app",
            "file://host",
            "data:text/html,a",
            "https://[::1",
        ] {
            assert_eq!(new(text), Err(BadOrigin::NoOrigin), "{text}");
        }
    }

    #[test]
    fn local_origins_are_this_machine_and_private_networks() {
        for origin in [
            "http://localhost",
            "http://localhost:5173",
            "https://127.0.0.1:8443",
            "http://127.0.0.2",
            "http://[::1]:5173",
            "http://192.168.1.20:5173",
            "http://10.0.0.5:3000",
            "http://172.16.0.1",
            "http://172.31.255.255:1",
            "http://169.254.1.1",
            "http://[fe80::1]:5173",
            "http://[fd12:3456::1]",
            "http://[fc00::1]:3000",
        ] {
            assert!(is_local(origin), "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://localhost.evil.example",
            "http://evil.example:80",
            "http://127.0.0.1.evil.example",
            "http://192.168.1.20.evil.example",
            "http://evil.example/192.168.1.20",
            "http://localhost@evil.example",
            "http://evil.example#@localhost",
            "ftp://localhost",
            "capacitor://localhost",
            "http://192.169.1.1",
            "http://172.32.0.1",
            "http://172.15.0.1",
            "http://11.0.0.1",
            "http://0.0.0.0",
            "http://8.8.8.8",
            "http://[::]",
            "http://[2001:db8::1]",
            "http://[ff02::1]",
            "http://3232235777",
            "http://localhost/",
        ] {
            assert!(!is_local(origin), "{origin}");
        }
    }

    #[test]
    fn refused_origins_are_numbered_up_to_their_limit() {
        let refused = RefusedOrigins::default();
        assert_eq!(refused.add("https://a.example"), Some(1));
        assert_eq!(refused.add("https://a.example"), None);
        let numbers: Vec<usize> = (0..1000)
            .filter_map(|number| refused.add(&format!("https://{number}.example")))
            .collect();
        assert_eq!(numbers, (2..=MAX_REFUSED).collect::<Vec<_>>());
        assert_eq!(refused.add("https://b.example"), None);
    }
}
