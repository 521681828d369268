//! What browsers need beside the API: the cookies of a login, and the proof that a request comes from our own
//! pages (CSRF), as Django has them.

use std::borrow::Cow;

use actix_web::{
    cookie::{Cookie, SameSite, time::Duration},
    http::{
        Method,
        header::{COOKIE, HeaderMap, HeaderName, ORIGIN},
    },
};

use chrono::TimeDelta;

use crate::{
    edge::cors::{AllowedOrigins, is_of_host},
    error::ApiError,
    request::headers,
};

/// The cookie that holds the key of a session.
pub(crate) const SESSION_COOKIE: &str = "sessionid";

/// The cookie that holds the token which a form must send back. Scripts of other sites can neither read it nor
/// set it.
pub(crate) const CSRF_COOKIE: &str = "csrftoken";

/// The form field that sends the token back.
pub(crate) const CSRF_FIELD: &str = "csrfmiddlewaretoken";

const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrftoken");
const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What a request says about the browser that sent it. Not for printing: it holds keys.
#[derive(Clone, Default)]
pub(crate) struct Browser {
    /// The key of a session, if it holds one.
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

    /// The token that our pages send back, if the browser has one already.
    pub(crate) fn csrf_token(&self) -> Option<&str> {
        self.csrf_cookie.as_deref()
    }

    /// Whether a page of another site made the browser send the request, unless the settings allow that site's origin.
    pub(crate) fn is_cross_site(&self, base_url: &str, origins: &AllowedOrigins) -> bool {
        match (self.fetch_site.as_deref(), self.origin.as_deref()) {
            (Some("same-origin" | "none"), _) | (None, None) => false,
            (_, Some(origin)) => !(is_of_host(origin, base_url) || origins.allow(origin)),
            (Some(_), None) => true,
        }
    }

    /// Whether a request that changes something comes from our own pages. `field` is what the form sent as
    /// its token.
    ///
    /// # Errors
    /// [`ApiError::Csrf`] says why not, in Django's words.
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

/// Compares without telling by its time how much is the same.
fn is_same(one: &str, other: &str) -> bool {
    let differences = one
        .bytes()
        .zip(other.bytes())
        .fold(0, |all, (a, b)| all | (a ^ b));
    one.len() == other.len() && one.len() >= 32 && differences == 0
}

/// Returns the value of a cookie. As in Django, the last cookie of a name counts, quotation marks around a value are no
/// part of it, and a cookie that cannot be read does not matter to the others. An empty one counts as none.
pub(crate) fn cookie(headers: &HeaderMap, name: &str) -> Option<String> {
    let (_, value) = headers
        .get_all(COOKIE)
        .flat_map(|header| headers::elements(header, b';'))
        .filter_map(|pair| pair.split_once('='))
        .filter(|(known, _)| known.trim_end() == name)
        .last()?;
    let value = value.trim_start();
    let unquoted = value.strip_prefix('"').and_then(|value| value.strip_suffix('"'));
    Some(unquoted.unwrap_or(value))
        .filter(|value| !value.is_empty())
        .map(str::to_owned)
}

/// The cookie of a login. Scripts can't read it, other sites' forms don't send it, and it goes over HTTPS alone
/// where the site does. It lives as long as a login may.
pub(crate) fn session_cookie(key: &str, lifetime: TimeDelta, is_https: bool) -> Cookie<'static> {
    build(SESSION_COOKIE, key, is_https)
        .http_only(true)
        .max_age(Duration::seconds(lifetime.num_seconds()))
        .finish()
}

/// The cookie that ends a login.
pub(crate) fn no_session_cookie(is_https: bool) -> Cookie<'static> {
    build(SESSION_COOKIE, "", is_https)
        .http_only(true)
        .max_age(Duration::ZERO)
        .finish()
}

/// The cookie with the token that our pages send back.
pub(crate) fn csrf_cookie(token: &str, is_https: bool) -> Cookie<'static> {
    build(CSRF_COOKIE, token, is_https)
        .max_age(Duration::weeks(52))
        .finish()
}

fn build(name: &'static str, value: &str, is_https: bool) -> actix_web::cookie::CookieBuilder<'static> {
    Cookie::build(name, value.to_owned())
        .path("/")
        .same_site(SameSite::Lax)
        .secure(is_https)
}

/// Where to go after a login or logout: a place on this site, or the API's root.
pub(crate) fn local(next: &str) -> &str {
    let is_local = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && !next.chars().any(char::is_control);
    if is_local { next } else { "/api/" }
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

    /// The cookie `sessionid` of a request with these `Cookie` headers.
    fn session_key(headers: &[&[u8]]) -> Option<String> {
        let mut map = HeaderMap::new();
        for header in headers {
            map.append(COOKIE, HeaderValue::from_bytes(header).unwrap());
        }
        cookie(&map, SESSION_COOKIE)
    }

    #[test]
    fn cookie_is_found_beside_cookies_that_cannot_be_read() {
        for headers in [
            &["theme=gr\u{fc}n; sessionid=key".as_bytes()][..],
            &[b"theme=gr\xfcn; sessionid=key"],
            &[b"sessionid=key; theme=\xff\xfe\xfd"],
            &[b"sessionid=key;gr\xfcn=1;"],
            &[b"\xff", b"sessionid=key", b"\xfe=1"],
            &[b";;=;a;=b; sessionid=key ; =; ;"],
            &[b"sessionid=key; sessionid2=x; xsessionid=y; SESSIONID=z"],
            &[b"sessionid=\"key\""],
            &[b"sessionid = key"],
            &[b"sessionid=old; sessionid=key"],
            &[b"sessionid=old", b"a=b; sessionid=key"],
            &[b"sessionid=\xff; sessionid=key"],
            &[b"a=\"; sessionid=key; b=\""],
            &[b"{\"json\": 1}; sessionid=key"],
            &[b"a=b,sessionid=no; sessionid=key"],
        ] {
            assert_eq!(session_key(headers).as_deref(), Some("key"), "{headers:?}");
        }
    }

    #[test]
    fn cookie_that_is_empty_or_cannot_be_read_is_none() {
        for headers in [
            &[b"" as &[u8]][..],
            &[b"sessionid"],
            &[b"sessionid="],
            &[b"sessionid=\"\""],
            &[b"sessionid=k\xffy"],
            &[b"sessionid=key; sessionid="],
        ] {
            assert_eq!(session_key(headers), None, "{headers:?}");
        }
        let equals = session_key(&[b"sessionid=a=b"]);
        assert_eq!(equals.as_deref(), Some("a=b"));
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
    fn reading_needs_no_token() {
        for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
            assert!(Browser::default().check_csrf(&method, BASE, None).is_ok());
        }
    }

    #[test]
    fn a_token_must_be_sent_back_by_form_or_header() {
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
    fn an_empty_or_short_token_is_none() {
        let short = browser(&[("cookie", "csrftoken=abc")]);
        assert_eq!(refusal(&short, Some("abc")), "CSRF token from POST incorrect.");
        assert_eq!(refusal(&short, Some("")), "CSRF token missing.");
    }

    #[test]
    fn another_origin_is_refused_even_with_the_token() {
        let cookie = ("cookie", "csrftoken=0123456789abcdef0123456789abcdef");
        let evil = browser(&[cookie, ("origin", "https://evil.example")]);
        assert!(refusal(&evil, Some(TOKEN)).starts_with("Origin checking failed - https://evil.example"));
        assert!(refusal(&browser(&[cookie, ("origin", "null")]), Some(TOKEN)).starts_with("Origin"));
        assert!(!refusal(&browser(&[cookie, ("sec-fetch-site", "cross-site")]), Some(TOKEN)).is_empty());
        assert!(!refusal(&browser(&[cookie, ("sec-fetch-site", "same-site")]), Some(TOKEN)).is_empty());
        let own = browser(&[cookie, ("origin", BASE), ("sec-fetch-site", "same-origin")]);
        assert!(own.check_csrf(&Method::POST, BASE, Some(TOKEN)).is_ok());
    }

    #[test]
    fn after_a_login_one_stays_on_this_site() {
        assert_eq!(local("/api/cars/?limit=2"), "/api/cars/?limit=2");
        for elsewhere in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "\\\\evil",
            "/\n/evil",
            "api/",
        ] {
            assert_eq!(local(elsewhere), "/api/", "{elsewhere:?}");
        }
    }
}
