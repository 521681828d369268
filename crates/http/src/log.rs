//! One line in the log for each request, the id that joins it to what else the request logged, and its place in the
//! metrics.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use actix_web::{
    Error, HttpMessage as _,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    http::header::{HeaderName, HeaderValue},
    middleware::Next,
    web::Data,
};
use tracing::Instrument as _;

use crate::dispatch::State;

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

    fn next(&self) -> String {
        format!("{}-{}", self.process, self.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// Gives the request an id, does it inside a span of that id, counts it, and logs who asked for what and what became
/// of it. The query is not logged: it may hold what people searched for.
pub(crate) async fn log(
    ids: Arc<RequestIds>,
    state: Data<State>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let id = ids.next();
    let started = Instant::now();
    let span = tracing::info_span!("request", %id);
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.call(request).instrument(span.clone()).await?;
    let took = started.elapsed();
    state.metrics.count(&response, took);
    let request = response.request();
    span.in_scope(|| {
        tracing::info!(
            address = %state.proxies.client(request.head()).address,
            method = %request.method(),
            path = request.path(),
            status = response.status().as_u16(),
            milliseconds = (took.as_secs_f64() * 10_000.0).round() / 10.0,
            "answered"
        );
    });
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    Ok(response)
}
