//! Runs the load generators: `wrk` over HTTP, and `pgbench` on PostgreSQL directly.

use std::{fs, path::Path, process::Command};

use clap::Args;
use serde::Deserialize;

use crate::{Outcome, report::median, request::Request};

/// The intensity and the length of each measurement.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Load {
    /// Length of each measurement, in seconds.
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,
    /// Number of connections, each with one request at a time.
    #[arg(long, default_value_t = 8)]
    pub(crate) connections: usize,
}

/// The results of a load generator.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Results {
    pub(crate) requests: f64,
    pub(crate) seconds: f64,
    /// Percentiles of the latency in milliseconds. `pgbench` has none.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Number of responses with a status of 400 or more, and of requests without a response.
    pub(crate) failed: f64,
}

impl Results {
    pub(crate) fn per_second(&self) -> f64 {
        self.requests / self.seconds
    }

    /// Returns table cells: medians of the throughput and of the percentiles, and the number of failures.
    pub(crate) fn cells(results: &[Self]) -> String {
        let median = |value: fn(&Self) -> f64| median(results.iter().map(value));
        let (rate, p50, p99) = (median(Self::per_second), median(|it| it.p50), median(|it| it.p99));
        let failed: f64 = results.iter().map(|results| results.failed).sum();
        format!("{rate:.1} | {p50:.2} | {p99:.2} | {failed}")
    }
}

impl Load {
    /// Sends requests to a server. The body is passed in a file in `folder`.
    pub(crate) fn wrk(&self, folder: &Path, url: &str, request: &Request) -> Outcome<Results> {
        let body = folder.join("request-body");
        fs::write(&body, &request.body)?;
        let mut command = Command::new("wrk");
        command
            .args([format!("-c{}", self.connections), format!("-d{}s", self.seconds)])
            // Logins queue for seconds, which is not an error.
            .args([
                "-t1",
                "--timeout=120s",
                concat!("-s", env!("CARGO_MANIFEST_DIR"), "/wrk/load.lua"),
            ]);
        for (name, value) in &request.headers {
            command.arg("-H").arg(format!("{name}: {value}"));
        }
        command.args([url, "--", request.method]).arg(body);
        let output = output(command.args(&request.paths))?;
        let results = output.lines().find(|line| line.starts_with('{'));
        Ok(serde_json::from_str(
            results.ok_or_else(|| format!("wrk: {output}"))?,
        )?)
    }

    /// Runs a script of `pgbench/` on a database.
    pub(crate) fn pgbench(&self, url: &str, script: &str, variables: &[(&str, String)]) -> Outcome<Results> {
        let file = format!("{}/pgbench/{script}.sql", env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new("pgbench");
        command
            .args(["--no-vacuum", "--protocol=prepared", "--file", &file])
            .arg(format!("--client={}", self.connections))
            .arg(format!("--time={}", self.seconds));
        for (name, value) in variables {
            command.arg(format!("--define={name}={value}"));
        }
        let output = output(command.arg(url))?;
        parse_pgbench(&output).ok_or_else(|| format!("pgbench: {output}").into())
    }
}

/// Runs a program that must succeed and returns its standard output.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let output = command
        .output()
        .map_err(|error| format!("{command:?}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(text);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(format!("{command:?}: {}\n{text}{errors}", output.status).into())
}

/// Reads the number of transactions and their rate, which excludes the time for connecting.
fn parse_pgbench(output: &str) -> Option<Results> {
    let number = |name: &str| -> Option<f64> {
        let rest = output.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split([' ', '/']).find(|word| !word.is_empty())?.parse().ok()
    };
    let requests = number("number of transactions actually processed:")?;
    Some(Results {
        requests,
        seconds: requests / number("tps =")?,
        p50: f64::NAN,
        p99: f64::NAN,
        // Versions before 15 do not print it.
        failed: number("number of failed transactions:").unwrap_or_default(),
    })
}
