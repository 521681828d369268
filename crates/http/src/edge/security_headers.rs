//! Headers that restrict what browsers do with a response: those of Django's `SecurityMiddleware`, and a
//! `Content-Security-Policy`.

use actix_web::{
    Error,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{
        CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
        X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
    },
    middleware::Next,
    web::Data,
};

use crate::{state::State, web::page};

/// The headers of each response that does not set them itself. Pages have a policy of their own; what is not a page,
/// such as JSON, runs and loads nothing if a browser opens it.
static HEADERS: [(HeaderName, HeaderValue); 5] = [
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox"),
    ),
];

/// Returns the value of `Strict-Transport-Security` for browsers that remember for so many seconds to use HTTPS alone;
/// `None` for zero.
pub(crate) fn strict_transport_security(seconds: u64) -> Option<HeaderValue> {
    (seconds > 0).then(|| HeaderValue::try_from(format!("max-age={seconds}")).ok())?
}

/// Returns the policy of pages that show pictures of another origin, which has the scheme, host and port.
pub(crate) fn page_policy(image_origin: &str) -> Option<HeaderValue> {
    let policy = page::POLICY.replace("img-src 'self'", &format!("img-src 'self' {image_origin}"));
    HeaderValue::try_from(policy).ok()
}

/// Adds the headers to the response.
pub(crate) async fn add(
    state: Data<State>,
    request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let is_https = state.proxies.client(request.request()).is_https;
    let mut response = next.call(request).await?;
    let headers = response.headers_mut();
    if let Some(policy) = &state.page_policy
        && headers
            .get(CONTENT_SECURITY_POLICY)
            .is_some_and(|own| own == page::POLICY)
    {
        headers.insert(CONTENT_SECURITY_POLICY, policy.clone());
    }
    for (name, value) in &HEADERS {
        if !headers.contains_key(name) {
            headers.insert(name.clone(), value.clone());
        }
    }
    if let Some(value) = state.strict_transport_security.as_ref().filter(|_| is_https) {
        headers.insert(STRICT_TRANSPORT_SECURITY, value.clone());
    }
    Ok(response)
}
