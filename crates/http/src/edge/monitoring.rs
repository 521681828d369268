//! Health checks and metrics, for monitoring.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Version,
        header::{HOST, HeaderName},
    },
    web::Data,
};
use serde_json::json;

use crate::{
    edge::{client_addr::peer_address, metrics::MEDIA_TYPE},
    error::{ApiError, Resource},
    request::{headers, throttle::Throttles},
    state::State,
};

/// `GET /health/live`: 200 while the process runs.
pub(crate) async fn live() -> HttpResponse {
    HttpResponse::Ok().json(json!({"status": "ok"}))
}

/// `GET /health/ready`: 200 if the database responds and is writable, and the disks have enough free space; otherwise 503.
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
    let connections = &state.connections;
    state
        .metrics
        .set_connections(connections.open(), connections.refused());
    match state.metrics.text() {
        Ok(text) => HttpResponse::Ok().content_type(MEDIA_TYPE).body(text),
        Err(error) => ApiError::Internal(error.into()).response(),
    }
}

/// Returns whether a request comes from a network that may read the metrics. A request through a proxy does not, even if
/// the proxy is in such a network, unless the proxy is trusted and names the client. No client behind a proxy has a
/// loopback address.
fn may_read_metrics(state: &State, http: &HttpRequest) -> bool {
    let address = state.proxies.client(http).address;
    let is_known = if peer_address(http.peer_addr()) == address {
        !is_forwarded(state, http)
    } else {
        !address.is_loopback()
    };
    is_known && state.metrics_for.contain(address)
}

/// Headers that proxies add, beside those that begin with `X-Forwarded-`.
const ADDED_BY_PROXIES: [&str; 6] = [
    "forwarded",
    "via",
    "x-real-ip",
    "x-client-ip",
    "true-client-ip",
    "cf-connecting-ip",
];

/// Returns whether a request seems to come through a proxy: by a header, by the name that clients elsewhere use for this
/// server, or by HTTP/1.0, nginx's default to upstream servers.
fn is_forwarded(state: &State, http: &HttpRequest) -> bool {
    let is_added = |name: &HeaderName| {
        name.as_str().starts_with("x-forwarded-") || ADDED_BY_PROXIES.contains(&name.as_str())
    };
    let host = headers::first(http.headers(), &HOST).unwrap_or_default();
    http.version() < Version::HTTP_11
        || http.headers().keys().any(is_added)
        || state.hosts.allow_from_elsewhere(&host)
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
