//! Request ids, which link a response to its lines in the log.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use actix_web::http::header::HeaderName;

/// The response header with the request id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, in its extensions.
#[derive(Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// Generates request ids: random digits for the process, so that those of several processes differ, and a number.
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
