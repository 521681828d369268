//! CSRF protection, as in Django: requests of browsers must come from this site's own pages.

use std::borrow::Cow;

use actix_web::http::{
    Method,
    header::{HeaderMap, HeaderName, ORIGIN},
};
use subtle::ConstantTimeEq as _;

use crate::{
    edge::cors::{AllowedOrigins, is_of_host},
    error::ApiError,
    request::{
        cookies::{CSRF_COOKIE, SESSION_COOKIE, cookie},
        headers,
    },
};

/// The form field with the CSRF token.
pub(crate) const CSRF_FIELD: &str = "csrfmiddlewaretoken";

const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrftoken");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The browser's cookies and headers in a request. Must not be printed: it holds keys.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    /// The session key, if the request has one.
    pub(crate) session_key: Option<String>,
    csrf_cookie: Option<String>,
    csrf_header: Option<String>,
    origin: Option<String>,
    fetch_site: Option<String>,
}

impl Browser {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let text = |name: &HeaderName| headers::first(headers, name).map(Cow::into_owned);
        Self {
            session_key: cookie(headers, SESSION_COOKIE),
            csrf_cookie: cookie(headers, CSRF_COOKIE),
            csrf_header: text(&CSRF_HEADER),
            origin: text(&ORIGIN),
            fetch_site: text(&SEC_FETCH_SITE),
        }
    }

    /// Returns the CSRF token in the browser's cookie, if there is one.
    pub(crate) fn csrf_token(&self) -> Option<&str> {
        self.csrf_cookie.as_deref()
    }

    /// Returns whether a page of another site made the browser send the request, unless the settings allow that site's
    /// origin.
    pub(crate) fn is_cross_site(&self, base_url: &str, origins: &AllowedOrigins) -> bool {
        match (self.fetch_site.as_deref(), self.origin.as_deref()) {
            (Some("same-origin" | "none"), _) | (None, None) => false,
            (_, Some(origin)) => !(is_of_host(origin, base_url) || origins.allow(origin)),
            (Some(_), None) => true,
        }
    }

    /// Checks that a request that changes something comes from this site's own pages. `field` is the token in the form.
    ///
    /// # Errors
    /// [`ApiError::Csrf`] with the reason, in Django's words.
    pub(crate) fn check_csrf(
        &self,
        method: &Method,
        base_url: &str,
        field: Option<&str>,
    ) -> Result<(), ApiError> {
        if matches!(
            *method,
            Method::GET | Method::HEAD | Method::OPTIONS | Method::TRACE
        ) {
            return Ok(());
        }
        if let Some(origin) = self
            .origin
            .as_deref()
            .filter(|origin| !origin.eq_ignore_ascii_case(base_url))
        {
            return Err(ApiError::Csrf(format!(
                "Origin checking failed - {origin} does not match any trusted origins."
            )));
        }
        if self
            .fetch_site
            .as_deref()
            .is_some_and(|site| !matches!(site, "same-origin" | "none"))
        {
            return Err(ApiError::Csrf("Request comes from another site.".into()));
        }
        let sent = field
            .filter(|field| !field.is_empty())
            .or(self.csrf_header.as_deref());
        match (sent, self.csrf_cookie.as_deref()) {
            (None, _) => Err(ApiError::Csrf("CSRF token missing.".into())),
            (Some(_), None) => Err(ApiError::Csrf("CSRF cookie not set.".into())),
            (Some(sent), Some(cookie)) if is_same(sent, cookie) => Ok(()),
            (Some(_), Some(_)) if field.is_some_and(|field| !field.is_empty()) => {
                Err(ApiError::Csrf("CSRF token from POST incorrect.".into()))
            }
            _ => Err(ApiError::Csrf(
                "CSRF token from the 'X-Csrftoken' HTTP header incorrect.".into(),
            )),
        }
    }
}

/// Compares two tokens in constant time. Tokens have at least 32 characters.
fn is_same(one: &str, other: &str) -> bool {
    one.len() >= 32 && bool::from(one.as_bytes().ct_eq(other.as_bytes()))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    const BASE: &str = "http://localhost:8000";
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";

    fn browser(headers: &[(&'static str, &'static str)]) -> Browser {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        Browser::of(&map)
    }

    fn refusal(browser: &Browser, field: Option<&str>) -> String {
        match browser.check_csrf(&Method::POST, BASE, field) {
            Err(ApiError::Csrf(why)) => why,
            other => panic!("must be refused: {other:?}"),
        }
    }

    #[test]
    fn cookies_are_found_among_others() {
        let browser = browser(&[
            ("cookie", "a=b; sessionid=key; csrftoken="),
            ("cookie", "csrftoken=t"),
        ]);
        assert_eq!(browser.session_key.as_deref(), Some("key"));
        assert_eq!(browser.csrf_token(), Some("t"));
    }

    #[test]
    fn request_is_cross_site_if_another_sites_page_sent_it() {
        let origins = AllowedOrigins::Listed(vec!["https://app.example".into()]);
        let is_cross_site = |headers: &[_]| browser(headers).is_cross_site(BASE, &origins);
        for own in [
            &[][..],
            &[("origin", BASE)],
            &[("origin", "https://localhost:8000")],
            &[("origin", "https://app.example")],
            &[
                ("origin", "https://app.example"),
                ("sec-fetch-site", "cross-site"),
            ],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "same-origin"), ("origin", "null")],
        ] {
            assert!(!is_cross_site(own), "{own:?}");
        }
        for foreign in [
            &[("origin", "https://evil.example")][..],
            &[("origin", "null")],
            &[("origin", "http://localhost")],
            &[("origin", "http://localhost:80001")],
            &[("sec-fetch-site", "cross-site")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "?")],
        ] {
            assert!(is_cross_site(foreign), "{foreign:?}");
        }
    }

    #[test]
    fn safe_methods_need_no_token() {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            assert!(Browser::default().check_csrf(&method, BASE, None).is_ok());
        }
    }

    #[test]
    fn token_must_be_in_the_form_or_header() {
        let with_cookie = browser(&[("cookie", "csrftoken=0123456789abcdef0123456789abcdef")]);
        assert_eq!(refusal(&with_cookie, None), "CSRF token missing.");
        assert_eq!(
            refusal(&with_cookie, Some("wrong")),
            "CSRF token from POST incorrect."
        );
        assert!(with_cookie.check_csrf(&Method::POST, BASE, Some(TOKEN)).is_ok());
        assert_eq!(refusal(&Browser::default(), Some(TOKEN)), "CSRF cookie not set.");
        let by_header = browser(&[
            ("cookie", "csrftoken=0123456789abcdef0123456789abcdef"),
            ("x-csrftoken", "0123456789abcdef0123456789abcdef"),
        ]);
        assert!(by_header.check_csrf(&Method::DELETE, BASE, None).is_ok());
        let wrong = browser(&[
            ("cookie", "csrftoken=0123456789abcdef0123456789abcdef"),
            ("x-csrftoken", "x"),
        ]);
        assert_eq!(
            refusal(&wrong, None),
            "CSRF token from the 'X-Csrftoken' HTTP header incorrect."
        );
    }

    #[test]
    fn empty_or_short_token_is_refused() {
        let short = browser(&[("cookie", "csrftoken=abc")]);
        assert_eq!(refusal(&short, Some("abc")), "CSRF token from POST incorrect.");
        assert_eq!(refusal(&short, Some("")), "CSRF token missing.");
    }

    #[test]
    fn foreign_origin_is_refused_even_with_the_token() {
        let cookie = ("cookie", "csrftoken=0123456789abcdef0123456789abcdef");
        let evil = browser(&[cookie, ("origin", "https://evil.example")]);
        assert!(refusal(&evil, Some(TOKEN)).starts_with("Origin checking failed - https://evil.example"));
        assert!(refusal(&browser(&[cookie, ("origin", "null")]), Some(TOKEN)).starts_with("Origin"));
        assert!(!refusal(&browser(&[cookie, ("sec-fetch-site", "cross-site")]), Some(TOKEN)).is_empty());
        assert!(!refusal(&browser(&[cookie, ("sec-fetch-site", "same-site")]), Some(TOKEN)).is_empty());
        let own = browser(&[cookie, ("origin", BASE), ("sec-fetch-site", "same-origin")]);
        assert!(own.check_csrf(&Method::POST, BASE, Some(TOKEN)).is_ok());
    }
}
