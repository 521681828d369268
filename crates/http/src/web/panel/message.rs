//! Messages that are shown once, on the page after a form. They are stored in a cookie.

use actix_web::{
    cookie::{Cookie, SameSite, time::Duration},
    http::header::HeaderMap,
};

use crate::request::{cookies::cookie, urlencoded};

/// A message, with an optional link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) is_warning: bool,
    pub(super) text: String,
    /// Label and URL of a link within the panel.
    pub(super) link: Option<(String, String)>,
}

const COOKIE: &str = "messages";

/// Maximum length of the text in a cookie, in bytes after encoding.
const MAX_TEXT: usize = 2000;

impl Message {
    pub(super) fn success(text: impl Into<String>) -> Self {
        Self {
            is_warning: false,
            text: text.into(),
            link: None,
        }
    }

    pub(super) fn warning(text: impl Into<String>) -> Self {
        Self {
            is_warning: true,
            ..Self::success(text)
        }
    }

    pub(super) fn with_link(self, label: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            link: Some((label.into(), url.into())),
            ..self
        }
    }

    /// Reads the message from a request's cookie. Links that do not lead into the panel are dropped.
    pub(super) fn of(headers: &HeaderMap) -> Option<Self> {
        let cookie = cookie(headers, COOKIE)?;
        let mut message = Self::success("");
        let mut label = String::new();
        for (name, value) in urlencoded::parameters(&cookie) {
            let value = value?;
            match &*name {
                "warning" => message.is_warning = true,
                "text" => message.text = value,
                "label" => label = value,
                "url" if value.starts_with("/admin/") => message.link = Some((label.clone(), value)),
                _ => {}
            }
        }
        (!message.text.is_empty()).then_some(message)
    }

    pub(super) fn cookie(&self, is_https: bool) -> Cookie<'static> {
        let text = shortened(&self.text);
        let mut pairs = form_urlencoded::Serializer::new(String::new());
        if self.is_warning {
            pairs.append_pair("warning", "1");
        }
        pairs.append_pair("text", &text);
        if let Some((label, url)) = &self.link {
            pairs.append_pair("label", label).append_pair("url", url);
        }
        build(pairs.finish(), Duration::minutes(5))
            .secure(is_https)
            .finish()
    }
}

/// Cuts a text to the maximum length.
fn shortened(text: &str) -> String {
    let mut left = MAX_TEXT;
    text.chars()
        .take_while(|letter| {
            let written: usize = form_urlencoded::byte_serialize(letter.encode_utf8(&mut [0; 4]).as_bytes())
                .map(str::len)
                .sum();
            let fits = written <= left;
            left = left.saturating_sub(written);
            fits
        })
        .collect()
}

/// Returns the cookie that removes a message.
pub(super) fn no_cookie() -> Cookie<'static> {
    build(String::new(), Duration::ZERO).finish()
}

fn build(value: String, age: Duration) -> actix_web::cookie::CookieBuilder<'static> {
    Cookie::build(COOKIE, value)
        .path("/admin")
        .same_site(SameSite::Lax)
        .http_only(true)
        .max_age(age)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{COOKIE as HEADER, HeaderValue};

    use super::*;

    fn read(value: &str) -> Option<Message> {
        let mut headers = HeaderMap::new();
        headers.insert(
            HEADER,
            HeaderValue::from_str(&format!("messages={value}")).unwrap(),
        );
        Message::of(&headers)
    }

    #[test]
    fn message_survives_the_cookie() {
        for message in [
            Message::success("Saved; “ö”, 100 % & more"),
            Message::warning("No.").with_link("Golf", "/admin/cars/1/"),
        ] {
            assert_eq!(read(message.cookie(true).value()), Some(message));
        }
        assert_eq!(read("nonsense"), None);
        assert_eq!(read("text=Saved%FF"), None);
    }

    #[test]
    fn long_message_is_cut_to_fit_a_cookie() {
        for text in ["x".repeat(10_000), "🚗".repeat(10_000)] {
            let cookie = Message::success(&text).cookie(true);
            assert!((1500..3000).contains(&cookie.value().len()));
            assert!(text.starts_with(&read(cookie.value()).unwrap().text));
        }
    }

    #[test]
    fn links_out_of_the_panel_are_dropped() {
        for url in [
            "https://evil.example/",
            "//evil.example/",
            "javascript:alert(1)",
            "/api/",
        ] {
            let message = Message::success("Look").with_link("here", url);
            assert_eq!(read(message.cookie(true).value()), Some(Message::success("Look")));
        }
    }
}
