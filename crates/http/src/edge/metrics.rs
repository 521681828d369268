//! Metrics for Prometheus (wire contract, section 7): number and duration of requests, and the jobs that wait for each
//! worker pool. The names follow OpenTelemetry's semantic conventions where those define one.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use actix_web::http::{Method, StatusCode};
use chrono::{DateTime, TimeDelta, Utc};
use mycars_application::housekeeping::Job;
use prometheus_client::{
    encoding::{EncodeLabelSet, text::encode},
    metrics::{counter::Counter, family::Family, gauge::Gauge, histogram::Histogram},
    registry::{Registry, Unit},
};

use crate::request::pools::{PoolLabels, PoolWaits};

/// The canonical path of a route, in the data of its resource.
pub(crate) struct Route(pub(crate) &'static str);

/// Bounds of the histogram, in seconds: four below those that OpenTelemetry recommends, because most requests take less
/// than its first.
const BUCKETS: [f64; 18] = [
    0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0,
    7.5, 10.0,
];

/// Media type of OpenMetrics' text format.
pub(crate) const MEDIA_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Labels of requests. Each label has few values, because every combination is stored until the server stops.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
#[expect(
    clippy::struct_field_names,
    reason = "the fields are the labels, with the names of OpenTelemetry"
)]
struct RequestLabels {
    http_request_method: &'static str,
    http_route: &'static str,
    http_response_status_code: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabels {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ScopeLabels {
    scope: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BuildLabels {
    version: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct JobLabels {
    job: &'static str,
}

/// Results of the recurring jobs. Clones share their numbers.
#[derive(Debug, Clone, Default)]
pub struct JobMetrics {
    last_success: Family<JobLabels, Gauge>,
    last_items: Family<JobLabels, Gauge>,
    failures: Family<JobLabels, Counter>,
    lag: Family<JobLabels, Gauge>,
    /// The time at which each job was or will be due, as last seen.
    due: Arc<Mutex<HashMap<Job, Due>>>,
}

/// A point in time, by its distance to another one.
#[derive(Debug, Clone, Copy)]
struct Due {
    seen: Instant,
    due_in: TimeDelta,
}

impl JobMetrics {
    /// Records in which time a job is due; zero or less if it is due.
    pub fn due_in(&self, job: Job, due_in: TimeDelta) {
        let seen = Instant::now();
        self.due().insert(job, Due { seen, due_in });
    }

    fn due(&self) -> MutexGuard<'_, HashMap<Job, Due>> {
        self.due.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets for how long each job is due by now.
    fn set_lags(&self) {
        for (job, due) in &*self.due() {
            let passed = TimeDelta::from_std(due.seen.elapsed()).unwrap_or(TimeDelta::MAX);
            let lag = (passed - due.due_in).num_seconds().max(0);
            self.lag.get_or_create(&labels(*job)).set(lag);
        }
    }

    /// Records that a job has processed this number of items.
    pub fn succeeded(&self, job: Job, items: u64, at: DateTime<Utc>) {
        let items = items.try_into().unwrap_or(i64::MAX);
        self.last_succeeded(job, at);
        self.last_items.get_or_create(&labels(job)).set(items);
    }

    /// Records when a job last succeeded, such as before the start of the server.
    pub fn last_succeeded(&self, job: Job, at: DateTime<Utc>) {
        self.last_success.get_or_create(&labels(job)).set(at.timestamp());
    }

    /// Counts a failure of a job.
    pub fn failed(&self, job: Job) {
        self.failures.get_or_create(&labels(job)).inc();
    }

    fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "mycars_job_last_success_timestamp",
            "When a recurring job last succeeded, in seconds since 1970",
            Unit::Seconds,
            self.last_success.clone(),
        );
        registry.register(
            "mycars_job_last_items",
            "Number of items that a recurring job processed when it last succeeded",
            self.last_items.clone(),
        );
        registry.register(
            "mycars_job_failures",
            "Number of failures of a recurring job",
            self.failures.clone(),
        );
        registry.register_with_unit(
            "mycars_job_lag",
            "For how long a recurring job has been due without being done; 0 if it is not due",
            Unit::Seconds,
            self.lag.clone(),
        );
    }
}

fn labels(job: Job) -> JobLabels {
    JobLabels { job: job.as_str() }
}

/// The metrics.
pub(crate) struct Metrics {
    registry: Registry,
    jobs: JobMetrics,
    requests: Family<RequestLabels, Histogram, fn() -> Histogram>,
    waiting: Family<PoolLabels, Gauge>,
    refused: Family<PoolLabels, Counter>,
    throttled: Family<ScopeLabels, Counter>,
    connections: Gauge,
    refused_connections: Family<ReasonLabels, Counter>,
}

impl Metrics {
    pub(crate) fn new(jobs: &JobMetrics, waits: PoolWaits) -> Self {
        let requests = Family::new_with_constructor((|| Histogram::new(BUCKETS)) as fn() -> Histogram);
        let waiting = Family::<PoolLabels, Gauge>::default();
        let refused = Family::<PoolLabels, Counter>::default();
        let throttled = Family::<ScopeLabels, Counter>::default();
        let connections = Gauge::default();
        let refused_connections = Family::<ReasonLabels, Counter>::default();
        let build = Family::<BuildLabels, Gauge>::default();
        let version = env!("CARGO_PKG_VERSION");
        build.get_or_create(&BuildLabels { version }).set(1);
        let mut registry = Registry::default();
        registry.register_with_unit(
            "http_server_request_duration",
            "Duration of requests until the response's head is sent",
            Unit::Seconds,
            requests.clone(),
        );
        registry.register_with_unit(
            "mycars_pool_wait",
            "Time that jobs waited for a thread",
            Unit::Seconds,
            waits.0,
        );
        registry.register(
            "mycars_pool_waiting",
            "Jobs that wait for a thread",
            waiting.clone(),
        );
        registry.register(
            "mycars_pool_refused",
            "Jobs that were refused because of a full queue, with 503, or because their client had too many, with 429",
            refused.clone(),
        );
        registry.register(
            "mycars_throttled",
            "Requests refused with 429, by the setting of the rate limit",
            throttled.clone(),
        );
        registry.register("mycars_connections", "Open connections", connections.clone());
        registry.register(
            "mycars_connections_refused",
            "Connections that were closed at once, by the limit that they exceeded",
            refused_connections.clone(),
        );
        jobs.register(&mut registry);
        registry.register("mycars_build_info", "Build information", build);
        Self {
            registry,
            jobs: jobs.clone(),
            requests,
            waiting,
            refused,
            throttled,
            connections,
            refused_connections,
        }
    }

    /// Counts a request by the canonical path of its route; the path is empty if it has none.
    pub(crate) fn count(&self, method: &Method, route: &'static str, status: StatusCode, took: Duration) {
        let labels = RequestLabels {
            http_request_method: name(method),
            http_route: route,
            http_response_status_code: status.as_u16(),
        };
        self.requests.get_or_create(&labels).observe(took.as_secs_f64());
    }

    /// Sets how many jobs wait for a thread of a pool.
    pub(crate) fn set_waiting(&self, pool: &'static str, jobs: usize) {
        let jobs = jobs.try_into().unwrap_or(i64::MAX);
        self.waiting.get_or_create(&PoolLabels { pool }).set(jobs);
    }

    /// Sets how many jobs a pool has refused so far.
    pub(crate) fn set_refused(&self, pool: &'static str, jobs: u64) {
        let counter = self.refused.get_or_create(&PoolLabels { pool });
        counter.inner().store(jobs, Ordering::Relaxed);
    }

    /// Sets how many requests a rate limit has refused so far.
    pub(crate) fn set_throttled(&self, scope: &'static str, requests: u64) {
        let counter = self.throttled.get_or_create(&ScopeLabels { scope });
        counter.inner().store(requests, Ordering::Relaxed);
    }

    /// Sets how many connections are open, and how many were refused so far because their address had too many.
    pub(crate) fn set_connections(&self, open: usize, refused: u64) {
        self.connections.set(open.try_into().unwrap_or(i64::MAX));
        let labels = ReasonLabels { reason: "address" };
        let counter = self.refused_connections.get_or_create(&labels);
        counter.inner().store(refused, Ordering::Relaxed);
    }

    /// Formats all metrics in `OpenMetrics`' text format.
    pub(crate) fn text(&self) -> Result<String, std::fmt::Error> {
        self.jobs.set_lags();
        let mut text = String::new();
        encode(&mut text, &self.registry).map(|()| text)
    }
}

/// The name of all methods that HTTP does not define.
pub(crate) const OTHER: &str = "_OTHER";

/// Returns a method's name, or [`OTHER`].
pub(crate) fn name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => OTHER,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const OPERATION: &str = include_str!("../../../../docs/operation.md");
    const CONTRIB: [&str; 2] = [
        include_str!("../../../../contrib/alerts.yml"),
        include_str!("../../../../contrib/grafana-dashboard.json"),
    ];

    /// Returns the names and types of all metrics, as the beginnings of rows of a table.
    fn rows() -> BTreeSet<String> {
        let (jobs, waits) = (JobMetrics::default(), PoolWaits::default());
        jobs.succeeded(Job::BackUp, 1, DateTime::default());
        jobs.failed(Job::BackUp);
        jobs.due_in(Job::BackUp, TimeDelta::zero());
        waits.of("database").observe(0.1);
        let metrics = Metrics::new(&jobs, waits);
        metrics.count(&Method::GET, "/", StatusCode::OK, Duration::ZERO);
        metrics.set_waiting("database", 1);
        metrics.set_refused("database", 1);
        metrics.set_throttled("login", 1);
        metrics.set_connections(1, 1);
        let text = metrics.text().unwrap();
        let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
        types
            .map(|line| line.split_once(' ').unwrap())
            .map(|(name, kind)| format!("| `{name}` | {kind} |"))
            .collect()
    }

    #[test]
    fn lag_of_a_job_is_the_time_since_it_was_due() {
        let (jobs, waits) = (JobMetrics::default(), PoolWaits::default());
        jobs.due_in(Job::BackUp, TimeDelta::hours(-2));
        jobs.due_in(Job::ClearSessions, TimeDelta::hours(2));
        let text = Metrics::new(&jobs, waits).text().unwrap();
        let lag = |job| {
            let line = format!("mycars_job_lag_seconds{{job=\"{job}\"}} ");
            text.lines().find_map(|found| found.strip_prefix(&line)).unwrap()
        };
        assert!(lag("back_up").parse::<i64>().unwrap() >= 7200, "{text}");
        assert_eq!(lag("clear_sessions"), "0");
    }

    #[test]
    fn metrics_in_operation_document_are_complete() {
        let (_, rest) = OPERATION.split_once("\n### Metrics\n").unwrap();
        let section = rest.split("\n#").next().unwrap();
        let is_row = |line: &&str| line.starts_with("| `");
        let documented: BTreeSet<String> = section
            .lines()
            .filter(is_row)
            .map(|line| line.split_inclusive('|').take(3).collect())
            .collect();
        assert_eq!(documented, rows());
    }

    #[test]
    fn dashboard_and_alerts_use_existing_metrics() {
        let is_part = |c: char| c.is_ascii_lowercase() || c == '_';
        let rows = rows();
        for text in CONTRIB {
            let mut count = 0;
            for prefix in ["mycars_", "http_server_"] {
                for (start, _) in text.match_indices(prefix) {
                    let name = text[start..].split(|c| !is_part(c)).next().unwrap();
                    let name = ["_total", "_bucket", "_count", "_sum"]
                        .iter()
                        .find_map(|suffix| name.strip_suffix(suffix))
                        .unwrap_or(name);
                    let row = format!("| `{name}` |");
                    assert!(rows.iter().any(|found| found.starts_with(&row)), "{name}");
                    count += 1;
                }
            }
            assert!(count > 10);
        }
    }
}
