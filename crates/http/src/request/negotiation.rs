//! Content negotiation by Django REST framework's rules.
//!
//! They are simpler than HTTP's: more specific media ranges come first, `q` is ignored, and of several renderers that
//! match equally well the first is taken.

use std::cmp::Reverse;

use actix_web::{
    HttpRequest, HttpResponse,
    body::{BoxBody, MessageBody as _},
    http::header::{ACCEPT, HeaderMap},
};

use crate::{
    error::{ApiError, Resource},
    request::{headers, indentation::Indentation, urlencoded},
};

/// A renderer of responses.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Renderer {
    /// Name in `?format=`.
    pub(crate) format: &'static str,
    pub(crate) media_type: &'static str,
}

/// All renderers, the preferred one first.
pub(crate) const RENDERERS: [Renderer; 2] = [
    Renderer {
        format: "json",
        media_type: "application/json",
    },
    Renderer {
        format: PAGE,
        media_type: "text/html",
    },
];

/// The renderers of a list that is also returned as CSV.
pub(crate) static RENDERERS_OF_TABLES: [Renderer; 3] = {
    let [json, page] = RENDERERS;
    let csv = Renderer {
        format: CSV,
        media_type: "text/csv",
    };
    [json, page, csv]
};

/// The renderer of an export.
pub(crate) static ZIP: Renderer = FILE;

/// The renderers of an export, which is a file.
pub(crate) static RENDERERS_OF_FILES: [Renderer; 2] = {
    let [_, page] = RENDERERS;
    [FILE, page]
};

const FILE: Renderer = Renderer {
    format: "zip",
    media_type: "application/zip",
};

const CSV: &str = "csv";

/// The format of the browsable API.
const PAGE: &str = "api";

/// The negotiated renderer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Accepted {
    pub(crate) renderer: &'static Renderer,
    /// Number of spaces that indent JSON, if the client requests it.
    pub(crate) indent: Option<usize>,
}

impl Accepted {
    /// Returns whether a list is returned as CSV.
    pub(crate) fn is_csv(&self) -> bool {
        self.renderer.format == CSV
    }

    /// Returns whether the response is a page of the browsable API.
    pub(crate) fn is_page(&self) -> bool {
        self.renderer.format == PAGE
    }
}

/// Negotiates the renderer of a response.
///
/// # Errors
/// 404 if `?format=` names no renderer, 406 if the client accepts none of the remaining ones.
pub(crate) fn negotiate(renderers: &'static [Renderer], http: &HttpRequest) -> Result<Accepted, ApiError> {
    choose(renderers, http.query_string(), &accept(http.headers()))
}

/// Negotiates among other renderers.
///
/// # Errors
/// Those of [`negotiate`].
pub(crate) fn negotiate_among(
    renderers: &'static [Renderer],
    http: &HttpRequest,
) -> Result<&'static Renderer, ApiError> {
    negotiate(renderers, http).map(|accepted| accepted.renderer)
}

/// Returns the header `Accept`; everything if there is none.
fn accept(headers: &HeaderMap) -> String {
    let values: Vec<_> = headers.get_all(ACCEPT).map(headers::text).collect();
    if values.is_empty() {
        return "*/*".to_owned();
    }
    values.join(",")
}

fn choose(renderers: &'static [Renderer], query: &str, accept: &str) -> Result<Accepted, ApiError> {
    let format = format(query);
    let named: Vec<_> = renderers
        .iter()
        .filter(|renderer| {
            format
                .as_deref()
                .is_none_or(|format| renderer.format.as_bytes() == format)
        })
        .collect();
    if named.is_empty() {
        return Err(ApiError::NotFound(Resource::Route));
    }
    let ranges: Vec<MediaRange> = accept.split(',').map(MediaRange::from).collect();
    named
        .into_iter()
        .flat_map(|renderer| ranges.iter().map(move |range| (renderer, range)))
        .filter(|(renderer, range)| range.holds(renderer.media_type))
        .min_by_key(|(_, range)| Reverse(range.precedence()))
        .map(|(renderer, range)| Accepted {
            renderer,
            indent: range.indent(),
        })
        .ok_or(ApiError::NotAcceptable)
}

/// Returns the format in the query; the last one, as everywhere in Django.
fn format(query: &str) -> Option<Vec<u8>> {
    urlencoded::pairs(query.as_bytes())
        .filter(|(name, _)| name == b"format")
        .last()
        .map(|(_, format)| format)
        .filter(|format| !format.is_empty())
}

/// A media range in the header `Accept`, such as `application/*;q=0.5`.
struct MediaRange {
    kind: String,
    subtype: String,
    parameters: Vec<(String, String)>,
}

impl From<&str> for MediaRange {
    fn from(text: &str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let full = parts.next().unwrap_or_default().to_ascii_lowercase();
        let (kind, subtype) = full.split_once('/').unwrap_or((&full, ""));
        let parameters = parts.filter(|part| !part.is_empty()).map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            let value = value.trim().trim_matches('"');
            (name.trim().to_ascii_lowercase(), value.to_owned())
        });
        Self {
            kind: kind.to_owned(),
            subtype: subtype.to_owned(),
            parameters: parameters.collect(),
        }
    }
}

impl MediaRange {
    fn holds(&self, media_type: &str) -> bool {
        let fits = |wanted: &str, given: &str| wanted == "*" || wanted == given;
        media_type
            .split_once('/')
            .is_some_and(|(kind, subtype)| fits(&self.kind, kind) && fits(&self.subtype, subtype))
    }

    /// Returns how specific the range is.
    fn precedence(&self) -> u8 {
        let has_parameters = self.parameters.iter().any(|(name, _)| name != "q");
        match (self.kind.as_str(), self.subtype.as_str()) {
            ("*", _) => 0,
            (_, "*") => 1,
            _ if !has_parameters => 2,
            _ => 3,
        }
    }

    /// Returns the parameter `indent`, at most 8; `None` for 0 and less.
    fn indent(&self) -> Option<usize> {
        let (_, value) = self.parameters.iter().find(|(name, _)| name == "indent")?;
        let indent: i64 = value.trim().parse().ok()?;
        usize::try_from(indent.clamp(0, 8))
            .ok()
            .filter(|indent| *indent > 0)
    }
}

impl Accepted {
    /// Indents the JSON of a response if the client requests it. A response without a body stays as it is.
    pub(crate) fn indent(&self, response: HttpResponse) -> HttpResponse {
        let Some(spaces) = self.indent else {
            return response;
        };
        response.map_body(|_, body| match body.try_into_bytes() {
            Ok(json) => BoxBody::new(Indentation::new(spaces).apply(&json)),
            Err(body) => body,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static JSON_AND_HTML: [Renderer; 2] = [
        Renderer {
            format: "json",
            media_type: "application/json",
        },
        Renderer {
            format: "api",
            media_type: "text/html",
        },
    ];

    /// Returns the format that is chosen from JSON and HTML, or the status of the refusal.
    fn chosen(query: &str, accept: &str) -> Result<&'static str, u16> {
        choose(&JSON_AND_HTML, query, accept)
            .map(|accepted| accepted.renderer.format)
            .map_err(|error| error.status().as_u16())
    }

    #[test]
    fn most_specific_range_wins_then_the_first_renderer() {
        for (accept, format) in [
            ("*/*", "json"),
            ("text/html", "api"),
            ("TEXT/HTML", "api"),
            ("text/*, */*", "api"),
            ("text/html, application/json", "json"),
            ("application/json;q=0.1, text/html", "json"),
            ("application/json, text/html; level=1", "api"),
            ("*/*, text/html;q=0", "api"),
            ("application/*;q=0.5, text/csv", "json"),
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                "api",
            ),
        ] {
            assert_eq!(chosen("", accept), Ok(format), "{accept}");
        }
    }

    #[test]
    fn media_type_without_renderer_is_406() {
        for accept in [
            "application/xml",
            "",
            "*",
            "text/csv, image/*",
            "json",
            "application/json/",
        ] {
            assert_eq!(chosen("", accept), Err(406), "{accept:?}");
        }
    }

    #[test]
    fn format_parameter_must_match_accept() {
        assert_eq!(chosen("format=api", "*/*"), Ok("api"));
        assert_eq!(chosen("format=json", "text/html, */*;q=0.8"), Ok("json"));
        assert_eq!(chosen("format=json", "text/html"), Err(406));
        assert_eq!(chosen("format=", "*/*"), Ok("json"));
        assert_eq!(chosen("format=xml&a=b&format=api", "*/*"), Ok("api"));
    }

    #[test]
    fn unknown_format_is_404() {
        assert_eq!(chosen("format=xml", "*/*"), Err(404));
        assert_eq!(chosen("format=xml", "image/png"), Err(404));
        assert_eq!(chosen("format=JSON", "*/*"), Err(404));
        assert_eq!(chosen("format=json&format=%FF", "*/*"), Err(404));
    }

    #[test]
    fn accept_headers_are_joined_and_default_to_all() {
        let mut headers = HeaderMap::new();
        assert_eq!(accept(&headers), "*/*");
        headers.append(ACCEPT, "text/csv".parse().unwrap());
        headers.append(ACCEPT, "application/json".parse().unwrap());
        assert_eq!(accept(&headers), "text/csv,application/json");
    }

    #[test]
    fn indent_is_read_from_the_chosen_range() {
        let indent = |accept| choose(&RENDERERS, "", accept).unwrap().indent;
        for (accept, expected) in [
            ("application/json; indent=2", Some(2)),
            ("*/*;indent=\"4\"", Some(4)),
            ("application/json; q=0.5; indent=99", Some(8)),
            ("application/json; indent=0", None),
            ("application/json; indent=-1", None),
            ("application/json; indent=two", None),
            ("application/json", None),
            ("application/json, */*; indent=4", None),
        ] {
            assert_eq!(indent(accept), expected, "{accept}");
        }
    }
}
