//! The state that all handlers share.

use std::sync::Arc;

use mycars_application::App;
use mycars_domain::UserId;

use crate::{
    edge::{
        client_addr::{Client, Networks, TrustedProxies},
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
    /// Counts requests; `None` if the throttles are off.
    pub(crate) throttles: Option<Throttles>,
    /// Maximum size of a body without a file, in bytes.
    pub(crate) max_body: usize,
    /// Maximum size of a body that may hold a file, in bytes.
    pub(crate) max_upload: usize,
    /// The memory for the bodies of all requests.
    pub(crate) bodies: BodyBudget,
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
    use crate::edge::readiness::MAX_AGE;

    /// Returns a state with these mocks, one thread for each pool, and bodies of at most 100 bytes.
    pub(crate) fn state(mocks: Mocks) -> State {
        let app = mocks.into_app().0;
        State {
            readiness: Readiness::start(app.store.clone(), MAX_AGE).unwrap(),
            app: Arc::new(app),
            pools: WorkerPools::start(1, 1).unwrap(),
            proxies: TrustedProxies::default(),
            origins: AllowedOrigins::Local,
            metrics: Metrics::new(),
            metrics_for: Networks::default(),
            throttles: None,
            lists: ListSettings::default(),
            max_body: 100,
            max_upload: 100,
            bodies: BodyBudget::new(0),
        }
    }
}
