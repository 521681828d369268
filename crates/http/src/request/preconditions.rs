//! Conditional requests (RFC 9110, section 13): `If-None-Match` on reads, and `If-Match` on changes.
//!
//! Tags are weak, because a response may be compressed or indented. RFC 9110 lets no weak tag match in `If-Match`; here
//! it does, because it names the version of a row.

use std::fmt;

use actix_web::http::header::{HeaderMap, HeaderName, IF_MATCH, IF_NONE_MATCH};
use chrono::{DateTime, Utc};
use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use crate::{error::ApiError, request::headers};

/// Number of bytes of the hash in a tag.
const HASH_BYTES: usize = 8;

/// The tag of a response: the version of the object, and a hash of the body, which may also hold data of other objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EntityTag(String);

impl EntityTag {
    pub(crate) fn new(version: DateTime<Utc>, body: &[u8]) -> Self {
        let hash = HEXLOWER.encode(&Sha256::digest(body)[..HASH_BYTES]);
        Self(format!("{}-{hash}", version.timestamp_micros()))
    }
}

impl fmt::Display for EntityTag {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "W/\"{}\"", self.0)
    }
}

/// The preconditions of a request.
#[derive(Debug, Default)]
pub(crate) struct Preconditions {
    if_match: Option<Tags>,
    if_none_match: Option<Tags>,
}

#[derive(Debug)]
enum Tags {
    Any,
    Listed(Vec<String>),
}

impl Preconditions {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        Self {
            if_match: tags(headers, &IF_MATCH),
            if_none_match: tags(headers, &IF_NONE_MATCH),
        }
    }

    /// Returns whether the client has the response with this tag.
    pub(crate) fn has(&self, tag: &EntityTag) -> bool {
        match &self.if_none_match {
            None => false,
            Some(Tags::Any) => true,
            Some(Tags::Listed(tags)) => tags.contains(&tag.0),
        }
    }

    /// Returns the version that a change expects; `None` if it may change any. `present` reads the present version.
    ///
    /// # Errors
    /// [`ApiError::PreconditionFailed`] if no tag of the client has the present version; those of `present`.
    pub(crate) fn version(
        &self,
        present: impl FnOnce() -> Result<DateTime<Utc>, ApiError>,
    ) -> Result<Option<DateTime<Utc>>, ApiError> {
        let Some(Tags::Listed(tags)) = &self.if_match else {
            return Ok(None);
        };
        let version = present()?;
        let micros = version.timestamp_micros().to_string();
        let names_version = |tag: &String| tag.split('-').next() == Some(&micros);
        if tags.iter().any(names_version) {
            Ok(Some(version))
        } else {
            Err(ApiError::PreconditionFailed)
        }
    }

    /// Returns the error of a change: another change between the check of the version and the transaction fails the
    /// precondition.
    pub(crate) fn failed(&self, error: impl Into<ApiError>) -> ApiError {
        match error.into() {
            ApiError::Conflict if self.if_match.is_some() => ApiError::PreconditionFailed,
            error => error,
        }
    }
}

/// Returns the tags in a header, without the marks of weak tags. Our tags have no comma.
fn tags(headers: &HeaderMap, name: &HeaderName) -> Option<Tags> {
    if !headers.contains_key(name) {
        return None;
    }
    let elements = headers
        .get_all(name)
        .flat_map(|value| headers::elements(value, b','));
    let mut tags = Vec::new();
    for element in elements {
        if element == "*" {
            return Some(Tags::Any);
        }
        let tag = element.strip_prefix("W/").unwrap_or(element);
        let tag = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"'));
        tags.extend(tag.map(str::to_owned));
    }
    Some(Tags::Listed(tags))
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderValue;

    use super::*;

    const MICROS: i64 = 1_795_435_200_250_000;

    fn version(micros: i64) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(micros).unwrap()
    }

    fn preconditions(name: &HeaderName, values: &[&str]) -> Preconditions {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(name.clone(), HeaderValue::from_str(value).unwrap());
        }
        Preconditions::of(&headers)
    }

    #[test]
    fn tag_is_weak_and_differs_with_version_and_body() {
        let tag = |micros, body| EntityTag::new(version(micros), body).to_string();
        assert_eq!(tag(MICROS, b"{}"), "W/\"1795435200250000-44136fa355b3678a\"");
        assert_ne!(tag(MICROS, b"{}"), tag(MICROS + 1, b"{}"));
        assert_ne!(tag(MICROS, b"{}"), tag(MICROS, b"[]"));
    }

    #[test]
    fn client_has_the_response_if_a_listed_tag_is_equal() {
        let tag = EntityTag::new(version(MICROS), b"{}");
        let strong = tag.0.clone();
        for (values, expected) in [
            (&[][..], false),
            (&["*"], true),
            (&[&*tag.to_string()], true),
            (&[&*format!("\"{strong}\"")], true),
            (&[&*format!("\"a\", {tag}")], true),
            (&["\"a\"", &*tag.to_string()], true),
            (&[&*strong], false),
            (&["W/\"1795435200250000\""], false),
            (&["\"\""], false),
            (&[""], false),
        ] {
            assert_eq!(
                preconditions(&IF_NONE_MATCH, values).has(&tag),
                expected,
                "{values:?}"
            );
            assert!(!preconditions(&IF_MATCH, values).has(&tag));
        }
    }

    #[test]
    fn change_expects_the_version_that_a_tag_names() {
        let of = |values: &[&str]| preconditions(&IF_MATCH, values).version(|| Ok(version(MICROS)));
        for values in [&[][..], &["*"], &["\"a\", *"]] {
            assert_eq!(of(values).unwrap(), None, "{values:?}");
        }
        for tag in [
            "W/\"1795435200250000-44136fa355b3678a\"",
            "\"1795435200250000-other\"",
            "W/\"1795435200250000\"",
            "\"a\", W/\"1795435200250000-b\"",
        ] {
            assert_eq!(of(&[tag]).unwrap(), Some(version(MICROS)), "{tag}");
        }
        for tag in [
            "W/\"1795435200250001-44136fa355b3678a\"",
            "W/\"179543520025000\"",
            "1795435200250000",
            "\"\"",
            "",
        ] {
            assert!(matches!(of(&[tag]), Err(ApiError::PreconditionFailed)), "{tag}");
        }
    }

    #[test]
    fn version_is_read_only_if_it_is_needed() {
        let unread = |preconditions: Preconditions| preconditions.version(|| Err(ApiError::Conflict));
        assert!(unread(preconditions(&IF_NONE_MATCH, &["\"a\""])).is_ok());
        assert!(unread(preconditions(&IF_MATCH, &["*"])).is_ok());
        assert!(matches!(
            unread(preconditions(&IF_MATCH, &["\"a\""])),
            Err(ApiError::Conflict)
        ));
    }
}
