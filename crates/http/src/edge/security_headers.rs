//! Security headers of all responses: those that Django sends.

use actix_web::{
    http::header::{REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS},
    middleware::DefaultHeaders,
};

/// Adds the headers to responses that do not set them.
pub(crate) fn headers() -> DefaultHeaders {
    DefaultHeaders::new()
        .add((X_FRAME_OPTIONS, "DENY"))
        .add((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .add((REFERRER_POLICY, "same-origin"))
        .add(("Cross-Origin-Opener-Policy", "same-origin"))
}
