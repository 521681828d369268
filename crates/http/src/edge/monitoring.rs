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
    request::throttle::Throttles,
    state::State,
};

/// Returns whether a path is for monitoring: it is served for any host, and not throttled.
pub(crate) fn is_path(path: &str) -> bool {
    path.starts_with("/health/") || path == "/metrics"
}

/// `GET /health/live`: 200 while the process runs.
pub(crate) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// `GET /health/ready`: 200 if the database responds, otherwise 503.
pub(crate) async fn ready(state: Data<State>) -> HttpResponse {
    match state.readiness.check().await {
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
    for (pool, jobs) in state.pools.refused() {
        state.metrics.set_refused(pool, jobs);
    }
    for (scope, requests) in state.throttles.iter().flat_map(Throttles::refused) {
        state.metrics.set_throttled(scope, requests);
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use actix_web::http::StatusCode;
    use mycars_application::mocks::Mocks;

    use super::*;
    use crate::{
        request::{pools::Pool, throttle::Share},
        state::tests::state,
    };

    #[actix_web::test]
    async fn ready_answers_while_all_database_threads_are_busy() {
        let state = Data::new(state(Mocks::new()));
        let (release, held) = mpsc::channel::<()>();
        let slow = state
            .pools
            .run(Pool::Database, Share::ALL, move || held.recv().unwrap());
        let mut slow = std::pin::pin!(slow);
        assert!(futures_util::poll!(slow.as_mut()).is_pending());
        assert_eq!(ready(state.clone()).await.status(), StatusCode::OK);
        release.send(()).unwrap();
        slow.await.unwrap();
    }
}
