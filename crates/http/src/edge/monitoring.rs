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

/// `GET /health/live`: the process answers.
pub(crate) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// `GET /health/ready`: the database responds and can be written, and the disks have enough free space; else 503.
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

/// `GET /metrics`: everything in OpenMetrics' text format. For others, the path does not exist.
pub(crate) async fn metrics(state: Data<State>, http: HttpRequest) -> HttpResponse {
    if !may_ask(&state, &http) {
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

/// Tells whether a request comes from a network that may read the metrics. What a proxy forwards that is not trusted comes from
/// anywhere, though the proxy may be near.
fn may_ask(state: &State, http: &HttpRequest) -> bool {
    let client = state.proxies.client(http.head());
    let is_forwarded = [X_FORWARDED_FOR, FORWARDED]
        .iter()
        .any(|header| http.headers().contains_key(header));
    let is_peer = http
        .peer_addr()
        .is_some_and(|peer| peer.ip().to_canonical() == client.address);
    state.metrics_for.contain(client.address) && !(is_forwarded && is_peer)
}
