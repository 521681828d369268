//! Cookies: reading those of a request, and those that the server sets.

use actix_web::{
    cookie::{Cookie, SameSite, time::Duration},
    http::header::{COOKIE, HeaderMap},
};
use chrono::TimeDelta;

use crate::request::headers;

/// The cookie that holds the key of a session.
pub(crate) const SESSION_COOKIE: &str = "sessionid";

/// The cookie that holds the CSRF token. Scripts of other sites can neither read nor set it.
pub(crate) const CSRF_COOKIE: &str = "csrftoken";

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

/// Returns the cookie of a session. Scripts can't read it, forms of other sites don't send it, and it is sent over
/// HTTPS only if the site uses HTTPS. It expires with the session.
pub(crate) fn session_cookie(key: &str, lifetime: TimeDelta, is_https: bool) -> Cookie<'static> {
    build(SESSION_COOKIE, key, is_https)
        .http_only(true)
        .max_age(Duration::seconds(lifetime.num_seconds()))
        .finish()
}

/// Returns the cookie that removes that of a session.
pub(crate) fn no_session_cookie(is_https: bool) -> Cookie<'static> {
    build(SESSION_COOKIE, "", is_https)
        .http_only(true)
        .max_age(Duration::ZERO)
        .finish()
}

/// Returns the cookie with the CSRF token.
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

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    /// Returns the cookie `sessionid` of a request with these `Cookie` headers.
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
}
