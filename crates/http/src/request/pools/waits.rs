//! The times that jobs wait for a thread, for the metrics.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{family::Family, histogram::Histogram},
};

/// The label of metrics of worker pools.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct PoolLabels {
    pub(crate) pool: &'static str,
}

/// Bounds of the histogram, in seconds.
const BUCKETS: [f64; 7] = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10.0];

/// The histograms of all pools. Clones share their numbers.
#[derive(Debug, Clone)]
pub(crate) struct PoolWaits(pub(crate) Family<PoolLabels, Histogram, fn() -> Histogram>);

impl Default for PoolWaits {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(BUCKETS)))
    }
}

impl PoolWaits {
    /// Returns the histogram of a pool.
    pub(crate) fn of(&self, pool: &'static str) -> Histogram {
        self.0.get_or_create(&PoolLabels { pool }).clone()
    }
}
