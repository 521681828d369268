//! Which other sites' scripts may read answers (CORS). None may unless the settings name them.

use actix_cors::{Cors, CorsError};
use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    http::{
        Uri,
        header::{ACCESS_CONTROL_REQUEST_METHOD, LOCATION, ORIGIN, RETRY_AFTER},
    },
    middleware::Next,
};

use crate::{error::ApiError, log::REQUEST_ID};

/// The origins whose scripts may read answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedOrigins {
    /// These and no others. To them cookies count, too.
    Listed(Vec<String>),
    /// Whatever is served from this machine, on any port.
    Local,
    /// All. Cookies count to none of them.
    Any,
}

impl AllowedOrigins {
    /// Origins such as `https://example.org`, or `*` for all; `None` if one of them is neither.
    #[must_use]
    pub fn new(origins: &[String]) -> Option<Self> {
        if origins.iter().any(|origin| origin == "*") {
            return Some(Self::Any);
        }
        let origins = origins.iter().map(|origin| origin.to_ascii_lowercase());
        let origins: Vec<String> = origins.collect();
        origins
            .iter()
            .all(|origin| is_origin(origin))
            .then_some(Self::Listed(origins))
    }

    /// Answers preflights, and tells browsers who may read other answers.
    pub(crate) fn middleware(&self) -> Cors {
        let closed = Cors::default()
            .allowed_methods(["GET", "POST", "PUT", "PATCH", "DELETE"])
            .allow_any_header()
            .expose_headers([LOCATION, RETRY_AFTER, REQUEST_ID])
            .max_age(MAX_AGE);
        match self {
            Self::Listed(origins) if origins.is_empty() => closed,
            Self::Listed(origins) => origins
                .iter()
                .fold(closed, |cors, origin| cors.allowed_origin(origin))
                .supports_credentials(),
            Self::Local => closed.allowed_origin_fn(|origin, _| origin.to_str().is_ok_and(is_local)),
            Self::Any => closed.allow_any_origin().send_wildcard(),
        }
    }
}

/// How long browsers may remember the answer to a preflight, in seconds.
const MAX_AGE: usize = 60 * 60;

/// Whether the text is a scheme and an authority, and nothing else.
fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else {
        return false;
    };
    match (uri.scheme_str(), uri.authority()) {
        (Some(scheme), Some(authority)) => text == format!("{scheme}://{authority}"),
        _ => false,
    }
}

fn is_local(origin: &str) -> bool {
    let Ok(uri) = origin.parse::<Uri>() else {
        return false;
    };
    matches!(uri.scheme_str(), Some("http" | "https"))
        && matches!(uri.host(), Some("localhost" | "127.0.0.1"))
}

/// Goes around the middleware: says in our own words that a preflight is refused, and keeps an OPTIONS without
/// an origin from being taken for one.
pub(crate) async fn around(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if !request.headers().contains_key(ORIGIN) {
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

    fn new(text: &str) -> Option<AllowedOrigins> {
        AllowedOrigins::new(&[text.to_owned()])
    }

    #[test]
    fn an_origin_is_a_scheme_and_a_host_and_perhaps_a_port() {
        for text in [
            "https://example.org",
            "http://localhost:3000",
            "http://[::1]:3000",
            "capacitor://localhost",
        ] {
            let listed = AllowedOrigins::Listed(vec![text.to_owned()]);
            assert_eq!(new(text), Some(listed), "{text}");
        }
        for text in [
            "",
            "null",
            "example.org",
            "https://",
            "https://example.org/",
            "https://example.org/app",
            "https://*.example.org/",
            "https://example.org?a",
        ] {
            assert_eq!(new(text), None, "{text}");
        }
        assert_eq!(
            new("HTTPS://Example.org"),
            new("https://example.org"),
            "browsers write it in lower case"
        );
        assert_eq!(new("*"), Some(AllowedOrigins::Any));
    }

    #[test]
    fn this_machine_is_localhost_on_any_port_and_nothing_like_it() {
        for origin in [
            "http://localhost",
            "http://localhost:5173",
            "https://127.0.0.1:8443",
        ] {
            assert!(is_local(origin), "{origin}");
        }
        for origin in [
            "null",
            "",
            "http://localhost.evil.example",
            "http://evil.example:80",
            "http://127.0.0.1.evil.example",
            "ftp://localhost",
        ] {
            assert!(!is_local(origin), "{origin}");
        }
    }
}
