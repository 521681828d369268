//! Traces of requests, use-cases and statements, sent to a collector by OTLP over HTTP (OpenTelemetry).

use std::{
    collections::HashMap,
    error::Error,
    sync::atomic::{AtomicBool, Ordering},
    time::Duration,
};

use async_trait::async_trait;
use mycars_application::ports::TRACE_TARGET;
use mycars_http::TraceHooks;
use opentelemetry::{
    KeyValue,
    propagation::TextMapPropagator as _,
    trace::{TraceContextExt as _, TracerProvider as _},
};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::{Resource, propagation::TraceContextPropagator, trace::SdkTracerProvider};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::{Layer as _, filter::filter_fn};
use ureq::Agent;

use crate::{error::CommandError, logging::TraceLayer};

/// The path at which collectors accept traces.
const PATH: &str = "/v1/traces";

/// Maximum time of one request to the collector. Spans that do not fit into the queue meanwhile are dropped.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Traces to a collector.
pub(crate) struct Traces(SdkTracerProvider);

impl Traces {
    /// Starts the thread that sends spans to the collector with this URL.
    ///
    /// # Errors
    /// If the URL is not valid.
    pub(crate) fn start(endpoint: &str) -> Result<Self, CommandError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}{PATH}", endpoint.trim_end_matches('/')))
            .with_http_client(Collector::new(endpoint))
            .build()
            .map_err(|error| CommandError::Refused(format!("can't send traces to {endpoint}: {error}")))?;
        let resource = Resource::builder()
            .with_service_name(env!("CARGO_BIN_NAME"))
            .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
            .build();
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_batch_exporter(exporter)
            .build();
        Ok(Self(provider))
    }

    /// Returns the layer that makes spans of OpenTelemetry from those of [`TRACE_TARGET`].
    pub(crate) fn layer(&self) -> TraceLayer {
        tracing_opentelemetry::layer()
            .with_tracer(self.0.tracer(env!("CARGO_BIN_NAME")))
            .with_location(false)
            .with_target(false)
            .with_threads(false)
            .with_tracked_inactivity(false)
            .with_filter(filter_fn(|metadata| metadata.target() == TRACE_TARGET))
            .boxed()
    }

    /// Returns the functions for spans of requests.
    pub(crate) fn hooks() -> TraceHooks {
        TraceHooks { join, rename }
    }

    /// Sends the remaining spans, if the collector accepts them in time.
    pub(crate) fn stop(&self) {
        // The collector's client has logged a failure.
        let _ = self.0.shutdown_with_timeout(TIMEOUT);
    }
}

fn join(span: &Span, traceparent: &str) {
    let headers = HashMap::from([("traceparent".to_owned(), traceparent.to_owned())]);
    // It fails only if the span is not one of a trace.
    let _ = span.set_parent(TraceContextPropagator::new().extract(&headers));
}

fn rename(span: &Span, name: String) {
    span.context().span().update_name(name);
}

/// The client of the collector. It runs on the thread that sends spans, which may wait.
#[derive(Debug)]
struct Collector {
    agent: Agent,
    endpoint: String,
    /// Whether the last request failed: each outage is logged once.
    has_failed: AtomicBool,
}

impl Collector {
    fn new(endpoint: &str) -> Self {
        let config = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            .max_redirects(0)
            .build();
        Self {
            agent: config.into(),
            endpoint: endpoint.to_owned(),
            has_failed: AtomicBool::new(false),
        }
    }

    fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, ureq::Error> {
        let (head, body) = request.into_parts();
        let mut response = self.agent.run(Request::from_parts(head, &body[..]))?;
        let body = response.body_mut().read_to_vec()?;
        Ok(response.map(|_| body.into()))
    }

    fn note(&self, failure: Option<String>) {
        let had_failed = self.has_failed.swap(failure.is_some(), Ordering::Relaxed);
        match failure {
            Some(error) if !had_failed => {
                tracing::warn!(
                    error,
                    "could not send traces to {}: they are dropped",
                    self.endpoint
                );
            }
            None if had_failed => tracing::info!("traces are sent to {} again", self.endpoint),
            _ => {}
        }
    }
}

#[async_trait]
impl HttpClient for Collector {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let sent = self.send(request);
        self.note(match &sent {
            Ok(response) if response.status().is_success() => None,
            Ok(response) => Some(format!("status {}", response.status())),
            Err(error) => Some(error.to_string()),
        });
        sent.map_err(|error| Box::new(error) as Box<dyn Error + Send + Sync>)
    }
}
