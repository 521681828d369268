//! Logs one line for each request, inside a span with its id, counts it in the metrics, and makes its span in a trace.

use std::{
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpMessage as _, HttpResponse,
    body::MessageBody,
    dev::{ServiceRequest, ServiceResponse},
    error::InternalError,
    http::{
        Method, StatusCode,
        header::{HeaderMap, HeaderValue},
    },
    middleware::Next,
    web::Data,
};
use mycars_application::ports::{StatementUsage, TRACE_TARGET};
use tracing::{Instrument as _, Span, field::Empty};

use crate::{
    edge::{
        metrics::{self, Route},
        request_id::{REQUEST_ID, RequestId, RequestIds},
    },
    error::ApiError,
    request::pools::observe,
    state::State,
};

/// Assigns an id to the request, handles it inside a span with that id, counts it in the metrics, and logs it with the
/// status of its response. The query is not logged: it may hold search terms.
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
    let trace = trace(&state, &request, &id);
    let logged = LoggedRequest {
        address: state.proxies.client(request.request()).address,
        method: request.method().clone(),
        path: request.path().to_owned(),
        trace: trace.clone(),
    };
    let (result, statements) = observe(trace, next.call(request).instrument(span.clone())).await;
    let took = started.elapsed();
    let _entered = span.enter();
    match result {
        Ok(mut response) => {
            let route = response.request().app_data::<Route>().map_or("", |route| route.0);
            logged.record(&state, route, response.status(), took, statements);
            name_request(response.headers_mut(), &id);
            Ok(response)
        }
        // If a service fails, the request is dropped, and actix makes a response from the error.
        Err(error) => {
            let mut response = respond_to(&error);
            logged.record(&state, "", response.status(), took, statements);
            name_request(response.headers_mut(), &id);
            Err(InternalError::from_response(error, response).into())
        }
    }
}

/// The header by which a proxy names the trace of a request (W3C Trace Context).
const TRACEPARENT: &str = "traceparent";

/// Maximum number of characters of a path in a span: requests of anyone have spans, also those that are refused.
const MAX_PATH: usize = 256;

/// Returns the name of a span for a method, as OpenTelemetry specifies it.
fn span_name(method: &'static str) -> &'static str {
    if method == metrics::OTHER { "HTTP" } else { method }
}

/// Returns the span of a request, with the names of OpenTelemetry; a disabled one if traces are off. A trusted proxy may
/// name its trace, and decides then whether it is recorded.
fn trace(state: &State, request: &ServiceRequest, id: &str) -> Span {
    let method = metrics::name(request.method());
    let path = request.path();
    let path = path
        .char_indices()
        .nth(MAX_PATH)
        .map_or(path, |(end, _)| &path[..end]);
    let span = tracing::info_span!(
        target: TRACE_TARGET,
        parent: None,
        "request",
        otel.name = span_name(method),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method,
        http.route = Empty,
        http.response.status_code = Empty,
        url.path = path,
        mycars.request_id = id,
    );
    if let Some(traces) = state.traces
        && state.proxies.trust_peer_of(request.request())
        && let Some(traceparent) = request.headers().get(TRACEPARENT)
        && let Ok(traceparent) = traceparent.to_str()
    {
        (traces.join)(&span, traceparent);
    }
    span
}

/// The data of a request that are logged.
struct LoggedRequest {
    address: IpAddr,
    method: Method,
    path: String,
    trace: Span,
}

impl LoggedRequest {
    /// Counts and logs the request.
    fn record(
        &self,
        state: &State,
        route: &'static str,
        status: StatusCode,
        took: Duration,
        statements: StatementUsage,
    ) {
        state.metrics.count(&self.method, route, status, took);
        self.complete_trace(state, route, status);
        tracing::info!(
            address = %self.address,
            method = %self.method,
            path = self.path,
            status = status.as_u16(),
            milliseconds = milliseconds(took),
            queries = statements.count,
            db_ms = milliseconds(statements.time),
            "request completed"
        );
    }

    fn complete_trace(&self, state: &State, route: &str, status: StatusCode) {
        let Some(traces) = state.traces else {
            return;
        };
        if !route.is_empty() {
            self.trace.record("http.route", route);
            let method = span_name(metrics::name(&self.method));
            (traces.rename)(&self.trace, format!("{method} {route}"));
        }
        self.trace.record("http.response.status_code", status.as_u16());
        if status.is_server_error() {
            self.trace.record("otel.status_code", "ERROR");
        }
    }
}

/// Returns a time in milliseconds with one decimal.
fn milliseconds(time: Duration) -> f64 {
    (time.as_secs_f64() * 10_000.0).round() / 10.0
}

fn name_request(headers: &mut HeaderMap, id: &str) {
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
}

/// Returns the response to an error of a service, without internal details.
fn respond_to(error: &Error) -> HttpResponse {
    let response = error.error_response();
    if response.status().is_server_error() {
        ApiError::Internal(error.to_string().into()).response()
    } else {
        response
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{
        App,
        dev::Service as _,
        error::{ErrorBadRequest, ErrorInternalServerError},
        middleware::from_fn,
        test::{TestRequest, init_service},
        web,
    };
    use mycars_application::mocks::Mocks;

    use super::*;
    use crate::state::tests::state;

    /// Returns the status, the request id and the body of the response if the service fails with this error.
    async fn fail(state: &Data<State>, error: fn() -> Error) -> (u16, String, String) {
        let (ids, state) = (RequestIds::new("p".into()), state.clone());
        let app = App::new()
            .route("/", web::get().to(HttpResponse::Ok))
            .wrap(from_fn(move |_: ServiceRequest, _: Next<_>| async move {
                Err::<ServiceResponse, _>(error())
            }))
            .wrap(from_fn(move |request, next| {
                log(Arc::clone(&ids), state.clone(), request, next)
            }));
        let service = init_service(app).await;
        let request = TestRequest::get().uri("/").to_request();
        let Err(error) = service.call(request).await else {
            panic!("the service must fail")
        };
        let response = error.error_response();
        let id = response
            .headers()
            .get(REQUEST_ID)
            .unwrap()
            .to_str()
            .unwrap()
            .to_owned();
        let status = response.status().as_u16();
        let body = actix_web::body::to_bytes(response.into_body()).await.unwrap();
        (status, id, String::from_utf8(body.to_vec()).unwrap())
    }

    #[actix_web::test]
    async fn failing_service_has_id_metric_and_hides_internals() {
        let state = Data::new(state(Mocks::new()));
        let broken = fail(&state, || ErrorInternalServerError("secret")).await;
        let expected = r#"{"detail":"A server error occurred."}"#;
        assert_eq!(broken, (500, "p-1".into(), expected.into()));
        let refused = fail(&state, || ErrorBadRequest("no")).await;
        assert_eq!(refused, (400, "p-1".into(), "no".into()));
        let metrics = state.metrics.text().unwrap();
        for status in [500, 400] {
            let line = format!("http_response_status_code=\"{status}\"}} 1\n");
            assert!(metrics.contains(&line), "{metrics}");
        }
    }
}
