//! The requests of honest users while a server is attacked.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread::{self, Scope, ScopedJoinHandle},
    time::{Duration, Instant},
};

use crate::{
    Outcome,
    client::{Client, Statuses},
    database::{OWNER_OF_20, username},
    request::Request,
    server::Server,
};

/// A valid picture.
const PICTURE: &[u8] = include_bytes!("../../../../crates/server/tests/contract/files/tiny.jpg");

/// The requests of honest users, with a pause between two requests of each user.
pub(super) struct Honest {
    url: String,
    requests: [(&'static str, Request, Duration); 4],
}

/// The latencies of one sort of requests, and the statuses of those that failed.
pub(super) struct Latencies {
    name: &'static str,
    milliseconds: Vec<f64>,
    failed: Statuses,
}

impl Honest {
    pub(super) fn new(server: &Server, token: &str) -> Outcome<Self> {
        let cars = server
            .client
            .json(&Request::get("/api/cars/?limit=1").bearer(token), 0)?;
        let car = format!("/api/cars/{}/", cars["results"][0]["id"]);
        let from = |request: Request, address: &str| request.header("X-Forwarded-For", address.to_owned());
        let me = Request::get("/api/me/").bearer(token);
        let upload = Request::upload(&[car], PICTURE).bearer(token);
        let login = Request::login(&username(OWNER_OF_20));
        let pause = Duration::from_millis;
        Ok(Self {
            url: server.client.url.clone(),
            requests: [
                ("me", from(me, "198.51.100.1"), pause(20)),
                // Fewer than the rate of one user allows.
                ("login", from(login, "198.51.100.2"), pause(900)),
                ("upload", from(upload, "198.51.100.1"), pause(200)),
                ("ready", Request::get("/health/ready"), pause(100)),
            ],
        })
    }

    /// Sends the requests until the flag is set.
    pub(super) fn measure<'scope, 'a: 'scope>(
        &'a self,
        is_over: &'a AtomicBool,
        scope: &'scope Scope<'scope, '_>,
    ) -> Vec<ScopedJoinHandle<'scope, Latencies>> {
        let requests = self.requests.iter();
        requests
            .map(|(name, request, pause)| scope.spawn(|| repeat(&self.url, name, request, *pause, is_over)))
            .collect()
    }
}

fn repeat(
    url: &str,
    name: &'static str,
    request: &Request,
    pause: Duration,
    is_over: &AtomicBool,
) -> Latencies {
    let client = Client::new(url.to_owned());
    let mut latencies = Latencies {
        name,
        milliseconds: Vec::new(),
        failed: BTreeMap::new(),
    };
    // The attack begins first.
    thread::sleep(Duration::from_millis(500));
    while !is_over.load(Ordering::Relaxed) {
        let sent = Instant::now();
        let status = client
            .send(request, 0)
            .map_or(0, |response| response.status().as_u16());
        latencies.milliseconds.push(sent.elapsed().as_secs_f64() * 1000.0);
        if status != 200 {
            *latencies.failed.entry(status).or_default() += 1;
        }
        thread::sleep(pause);
    }
    latencies
}

impl Latencies {
    /// Returns the cells of the median and the 99th percentile; of the latter alone for the readiness.
    pub(super) fn cells(&self) -> String {
        let mut sorted = self.milliseconds.clone();
        sorted.sort_by(f64::total_cmp);
        let percentile = |share: usize| {
            let last = sorted.len().saturating_sub(1);
            sorted.get(last * share / 100).copied().unwrap_or(f64::NAN)
        };
        let p99 = sorted
            .get((sorted.len() * 99).div_ceil(100).saturating_sub(1))
            .copied()
            .unwrap_or(f64::NAN);
        if self.name == "ready" {
            return format!("{p99:.0}");
        }
        format!("{:.0} | {p99:.0}", percentile(50))
    }

    /// Returns the number of failures by status, if there are any. 0 stands for requests without a response.
    pub(super) fn failures(&self) -> Option<String> {
        let all = self.milliseconds.len();
        (!self.failed.is_empty()).then(|| format!("{} of {all}: {:?}", self.name, self.failed))
    }
}
