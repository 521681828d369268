//! Turns the answer that a program would get into a page of the browsable API.

use std::time::Duration;

use actix_web::{
    HttpRequest, HttpResponse,
    body::MessageBody as _,
    http::{
        StatusCode,
        header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, LOCATION, VARY},
    },
};

use crate::{
    api::endpoint::{Endpoint, Method, Operation},
    request::{body::SentForm, csrf::csrf_cookie, pipeline::Visit},
    web::browsable::{self, Page, Sent},
};

/// Nothing but our own files, no script or style in the page itself, and no frame around it.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The headers of an answer that matter to a person.
const SHOWN: [&str; 6] = [
    "Allow",
    "Content-Type",
    "Vary",
    "Location",
    "WWW-Authenticate",
    "Retry-After",
];

/// The page that shows an answer. It has the answer's status, but for 204, which has no page: that one is 200.
pub(crate) fn present(
    endpoint: Option<&'static Endpoint>,
    answer: HttpResponse,
    http: &HttpRequest,
    visit: &Visit,
    elapsed: Duration,
) -> HttpResponse {
    let status = answer.status();
    let headers = shown(&answer);
    let (head, body) = answer.into_parts();
    let json = body.try_into_bytes().unwrap_or_default();
    let object = visit
        .seen
        .object
        .as_deref()
        .and_then(|object| serde_json::from_slice(object).ok());
    let operations = endpoint
        .map(|endpoint| offered(endpoint, status, visit))
        .unwrap_or_default();
    let html = browsable::render(&Page {
        title: endpoint.map_or(status.canonical_reason().unwrap_or("Error"), |endpoint| {
            endpoint.name
        }),
        description: endpoint.map_or("", |endpoint| endpoint.description),
        method: visit.verb.map_or(http.method().as_str(), |verb| verb.as_str()),
        path: http.path(),
        query: http.query_string(),
        base_url: &visit.base_url,
        status: status.as_u16(),
        headers: &headers,
        json: &json,
        username: visit.seen.username.as_deref(),
        is_admin: visit.seen.is_admin,
        csrf_token: &visit.csrf_token,
        operations: &operations,
        object: object.as_ref(),
        sent: sent(status, visit),
        list: endpoint
            .and_then(|endpoint| endpoint.list)
            .filter(|_| shows_list(status, http)),
        is_shortened: visit.seen.is_shortened,
        elapsed,
    });
    let status = if status == StatusCode::NO_CONTENT {
        StatusCode::OK
    } else {
        status
    };
    let mut page = as_page(status, html, visit);
    for (name, value) in head.headers() {
        if *name != CONTENT_TYPE && *name != LOCATION {
            page.headers_mut().insert(name.clone(), value.clone());
        }
    }
    page
}

/// A page, with the token that its forms send back.
pub(crate) fn as_page(status: StatusCode, html: String, visit: &Visit) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    response
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .insert_header((VARY, HeaderValue::from_static("Accept, Cookie")));
    if visit.browser.csrf_token().is_none() {
        response.cookie(csrf_cookie(&visit.csrf_token, visit.client.is_https));
    }
    response.body(html)
}

fn shown(answer: &HttpResponse) -> Vec<(&'static str, String)> {
    SHOWN
        .into_iter()
        .filter_map(|name| Some((name, answer.headers().get(name)?)))
        .map(|(name, value)| (name, String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

/// What may be done here: nothing where the answer says that it can't be.
fn offered(endpoint: &'static Endpoint, status: StatusCode, visit: &Visit) -> Vec<&'static Operation> {
    let is_gone = status == StatusCode::NO_CONTENT && visit.verb == Some(Method::Delete);
    let is_open = status.is_success()
        || matches!(
            status,
            StatusCode::BAD_REQUEST
                | StatusCode::METHOD_NOT_ALLOWED
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::UNSUPPORTED_MEDIA_TYPE
        );
    // The access tokens of these are good or not, whoever is logged in: a wrong one is no reason to hide the form.
    let is_login =
        status == StatusCode::UNAUTHORIZED && endpoint.access == crate::api::endpoint::Access::Open;
    if is_gone || !(is_open || is_login) {
        return Vec::new();
    }
    endpoint.operations.iter().collect()
}

/// Whether there is a list to be asked for something else: also where a filter was wrong.
fn shows_list(status: StatusCode, http: &HttpRequest) -> bool {
    status.is_success() || (status == StatusCode::BAD_REQUEST && http.method().is_safe())
}

/// What was sent, where it was refused.
fn sent(status: StatusCode, visit: &Visit) -> Sent<'_> {
    let verb = visit.verb.filter(|_| status.is_client_error());
    match (verb, &visit.sent) {
        (Some(verb), SentForm::Fields(fields)) => Sent::Fields(verb, fields),
        (Some(verb), SentForm::Raw(media_type, content)) => Sent::Raw(verb, content, media_type),
        _ => Sent::Nothing,
    }
}
