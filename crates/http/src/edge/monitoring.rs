//! Health checks and metrics, for monitoring.

use actix_web::{
    HttpRequest, HttpResponse,
    http::header::{FORWARDED, X_FORWARDED_FOR},
    web::Data,
};
use serde_json::json;

use crate::{
    edge::metrics::MEDIA_TYPE,
    error::{ApiError, Resource},
    request::pools::Pool,
    state::State,
};

/// `GET /health/live`: 200 while the process runs.
pub(crate) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// `GET /health/ready`: 200 if the database responds and is writable, and the disks have enough free space; otherwise 503.
pub(crate) async fn ready(state: Data<State>) -> HttpResponse {
    let blocking = state.pools.clone();
    let ping = blocking
        .run(Pool::Database, move || {
            state.app.check_writable().map_err(ApiError::from)
        })
        .await;
    match ping.map_err(ApiError::from).flatten() {
        Ok(()) => HttpResponse::Ok().json(json!({"status": "ok"})),
        Err(error) => error.response(),
    }
}

/// `GET /metrics`: all metrics in OpenMetrics' text format; 404 for clients that may not read them.
pub(crate) async fn metrics(state: Data<State>, http: HttpRequest) -> HttpResponse {
    if !may_read_metrics(&state, &http) {
        return ApiError::NotFound(Resource::Route).response();
    }
    for (pool, jobs) in state.pools.waiting() {
        state.metrics.set_waiting(pool, jobs);
    }
    match state.metrics.text() {
        Ok(text) => HttpResponse::Ok().content_type(MEDIA_TYPE).body(text),
        Err(error) => ApiError::Internal(error.into()).response(),
    }
}

/// Returns whether a request comes from a network that may read the metrics. A request that an untrusted proxy
/// forwarded does not, even if the proxy is in such a network.
fn may_read_metrics(state: &State, http: &HttpRequest) -> bool {
    let client = state.proxies.client(http.head());
    let is_forwarded = [X_FORWARDED_FOR, FORWARDED]
        .iter()
        .any(|header| http.headers().contains_key(header));
    let is_peer = http
        .peer_addr()
        .is_some_and(|peer| peer.ip().to_canonical() == client.address);
    state.metrics_for.contain(client.address) && !(is_forwarded && is_peer)
}
