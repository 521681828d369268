//! The place of traces in a build without the feature `otel`.

use std::convert::Infallible;

use mycars_http::TraceHooks;

use crate::{error::CommandError, logging::TraceLayer};

/// Traces, which this build does not have.
pub(crate) struct Traces(Infallible);

impl Traces {
    /// Refuses the URL of a collector.
    ///
    /// # Errors
    /// Always.
    pub(crate) fn start(_endpoint: &str) -> Result<Self, CommandError> {
        Err(CommandError::Refused(
            "this build sends no traces: build with the feature `otel`, or unset MYCARS__TELEMETRY__OTLP_ENDPOINT"
                .to_owned(),
        ))
    }

    pub(crate) fn layer(&self) -> TraceLayer {
        match self.0 {}
    }

    /// Returns functions that do nothing, which are never used.
    pub(crate) fn hooks() -> TraceHooks {
        TraceHooks {
            join: |_, _| (),
            rename: |_, _| (),
        }
    }

    pub(crate) fn stop(&self) {
        match self.0 {}
    }
}
