//! The id of a request, which joins its response to its lines in the log.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use actix_web::http::header::HeaderName;

/// The response header that names a request's id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, among its extensions.
#[derive(Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// Makes ids for requests: some random digits for the process, so that those of several don't mix, and a
/// number.
pub(crate) struct RequestIds {
    process: String,
    next: AtomicU64,
}

impl RequestIds {
    pub(crate) fn new(process: String) -> Arc<Self> {
        Arc::new(Self {
            process,
            next: AtomicU64::new(1),
        })
    }

    pub(crate) fn next(&self) -> String {
        format!("{}-{}", self.process, self.next.fetch_add(1, Ordering::Relaxed))
    }
}
