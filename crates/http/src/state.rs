//! The state that all handlers share.

use std::sync::Arc;

use actix_web::http::header::HeaderValue;
use mycars_application::App;
use mycars_domain::UserId;
use tracing::Span;

use crate::{
    edge::{
        allowed_hosts::AllowedHosts,
        client_addr::{Client, Networks, TrustedProxies},
        connections::Connections,
        cors::AllowedOrigins,
        metrics::Metrics,
        readiness::Readiness,
    },
    request::{
        body::budget::BodyBudget,
        pools::WorkerPools,
        query::ListSettings,
        throttle::{Share, Throttles},
    },
};

/// The functions for spans of requests that only the library for traces has.
#[derive(Debug, Clone, Copy)]
pub struct TraceHooks {
    /// Makes a span part of the trace that a value of the header `traceparent` names.
    pub join: fn(&Span, &str),
    /// Gives a span its final name.
    pub rename: fn(&Span, String),
}

/// The use-cases, the worker pools, and the settings of requests.
pub(crate) struct State {
    pub(crate) app: Arc<App>,
    pub(crate) pools: WorkerPools,
    pub(crate) readiness: Readiness,
    pub(crate) lists: ListSettings,
    pub(crate) proxies: TrustedProxies,
    /// The origins with scripts that may read responses.
    pub(crate) origins: AllowedOrigins,
    pub(crate) metrics: Metrics,
    /// The networks that may read the metrics.
    pub(crate) metrics_for: Networks,
    pub(crate) hosts: AllowedHosts,
    /// The header of responses to clients that use HTTPS.
    pub(crate) strict_transport_security: Option<HeaderValue>,
    /// The policy of pages, if they show pictures of another origin.
    pub(crate) page_policy: Option<HeaderValue>,
    /// Counts requests; `None` if the throttles are off.
    pub(crate) throttles: Option<Throttles>,
    /// Maximum size of a body without a file, in bytes.
    pub(crate) max_body: usize,
    /// Maximum size of a body that may hold a file, in bytes.
    pub(crate) max_upload: usize,
    /// The memory for the bodies of all requests.
    pub(crate) bodies: BodyBudget,
    pub(crate) connections: Connections,
    /// `None` if traces are off.
    pub(crate) traces: Option<TraceHooks>,
}

impl State {
    /// Returns the share of the worker pools that a request counts to.
    pub(crate) fn share(&self, client: Client, user: Option<UserId>) -> Share {
        match &self.throttles {
            Some(throttles) => throttles.share(client, user),
            None => Share::ALL,
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use mycars_application::mocks::Mocks;

    use super::*;
    use crate::{
        PoolSizes,
        edge::{connections::ConnectionLimits, metrics::JobMetrics, readiness::MAX_AGE},
    };

    /// Returns a state with these mocks, one thread for each pool, and bodies of at most 100 bytes.
    pub(crate) fn state(mocks: Mocks) -> State {
        let app = Arc::new(mocks.into_app().0);
        let pools = WorkerPools::start(PoolSizes::SMALLEST).unwrap();
        State {
            readiness: Readiness::start(Arc::clone(&app), MAX_AGE).unwrap(),
            app,
            metrics: Metrics::new(&JobMetrics::default(), pools.waits()),
            pools,
            proxies: TrustedProxies::default(),
            origins: AllowedOrigins::Local,
            metrics_for: Networks::default(),
            hosts: AllowedHosts::new(&[]),
            strict_transport_security: None,
            page_policy: None,
            throttles: None,
            lists: ListSettings::default(),
            max_body: 100,
            max_upload: 100,
            bodies: BodyBudget::new(0),
            traces: None,
            connections: Connections::new(
                ConnectionLimits {
                    all: 0,
                    per_address: 0,
                },
                0,
                TrustedProxies::default(),
            ),
        }
    }
}
