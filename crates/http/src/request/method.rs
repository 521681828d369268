//! The methods that endpoints serve.

use actix_web::http;

/// The methods that operations have. HEAD goes with GET, and OPTIONS goes with everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}

impl Method {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// The verb of this name, for what changes something.
    pub(crate) fn named(name: &str) -> Option<Self> {
        [Self::Put, Self::Patch, Self::Delete]
            .into_iter()
            .find(|verb| verb.as_str().eq_ignore_ascii_case(name))
    }

    /// The verb that answers a method: GET answers HEAD.
    pub(crate) fn answering(method: &http::Method) -> Option<Self> {
        match *method {
            http::Method::GET | http::Method::HEAD => Some(Self::Get),
            http::Method::POST => Some(Self::Post),
            http::Method::PUT => Some(Self::Put),
            http::Method::PATCH => Some(Self::Patch),
            http::Method::DELETE => Some(Self::Delete),
            _ => None,
        }
    }
}
