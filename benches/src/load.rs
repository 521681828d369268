//! Load: `wrk` over HTTP, and `pgbench` on PostgreSQL itself.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use clap::Args;

use crate::Outcome;

/// How hard, and how long.
#[derive(Debug, Clone, Args)]
pub(crate) struct Load {
    /// How long each measurement takes, in seconds.
    #[arg(long, default_value_t = 10)]
    pub(crate) seconds: u64,
    /// How many connections there are at once, each with one request at a time.
    #[arg(long, default_value_t = 8)]
    pub(crate) connections: u32,
    /// How many threads the load comes from.
    #[arg(long, default_value_t = 1)]
    pub(crate) threads: u32,
}

/// What is asked for: by a script of `wrk/`, or one path again and again.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub(crate) path: String,
    pub(crate) script: &'static str,
    pub(crate) headers: Vec<String>,
    pub(crate) arguments: Vec<String>,
}

impl Request {
    /// The same path again and again.
    pub(crate) fn get(path: impl Into<String>) -> Self {
        Self::script("report", path, [])
    }

    pub(crate) fn script(
        script: &'static str,
        path: impl Into<String>,
        arguments: impl IntoIterator<Item = String>,
    ) -> Self {
        Self {
            path: path.into(),
            script,
            headers: Vec::new(),
            arguments: arguments.into_iter().collect(),
        }
    }

    pub(crate) fn bearer(self, token: &str) -> Self {
        self.header(format!("Authorization: Bearer {token}"))
    }

    pub(crate) fn header(mut self, header: String) -> Self {
        self.headers.push(header);
        self
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Answers {
    pub(crate) requests: u64,
    pub(crate) seconds: f64,
    /// The time that half of the requests took at most; `pgbench` knows only the mean, and of none there is none.
    pub(crate) p50: Option<Duration>,
    pub(crate) p99: Option<Duration>,
    /// Answers with a status of 400 or more.
    pub(crate) refused: u64,
    /// Requests without an answer.
    pub(crate) broken: u64,
}

impl Answers {
    #[expect(clippy::cast_precision_loss, reason = "no run has 2^52 requests")]
    pub(crate) fn per_second(&self) -> f64 {
        self.requests as f64 / self.seconds
    }
}

impl Load {
    /// Asks a server.
    pub(crate) fn wrk(&self, url: &str, request: &Request) -> Outcome<Answers> {
        let mut command = Command::new("wrk");
        command
            .arg(format!("-t{}", self.threads))
            .arg(format!("-c{}", self.connections))
            .arg(format!("-d{}s", self.seconds))
            // A login waits for its turn for seconds, and is no error for that.
            .args(["--timeout", "120s", "-s"])
            .arg(beside("wrk").join(format!("{}.lua", request.script)))
            .env("LUA_PATH", beside("wrk/?.lua"));
        for header in &request.headers {
            command.args(["-H", header]);
        }
        command.arg(format!("{url}{}", request.path));
        command.arg("--").args(&request.arguments);
        let output = output(&mut command)?;
        parse_wrk(&output).ok_or_else(|| format!("wrk: {output}").into())
    }

    /// Runs a script of `pgbench/` on a database.
    pub(crate) fn pgbench(
        &self,
        binaries: &Path,
        url: &str,
        script: &str,
        variables: &[(&str, String)],
    ) -> Outcome<Answers> {
        let mut command = Command::new(binaries.join("pgbench"));
        command
            .args(["--no-vacuum", "--protocol=prepared", "--client"])
            .arg(self.connections.to_string())
            .arg(format!("--jobs={}", self.threads))
            .arg(format!("--time={}", self.seconds))
            .arg("--file")
            .arg(beside("pgbench").join(format!("{script}.sql")));
        for (name, value) in variables {
            command.arg("-D").arg(format!("{name}={value}"));
        }
        let output = output(command.arg(url))?;
        parse_pgbench(&output).ok_or_else(|| format!("pgbench: {output}").into())
    }
}

/// A file of this package.
fn beside(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// What a program prints, if it succeeds.
pub(crate) fn output(command: &mut Command) -> Outcome<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().map_err(|error| format!("{program}: {error}"))?;
    let stdout = String::from_utf8_lossy(&stdout).into_owned();
    if status.success() {
        Ok(stdout)
    } else {
        Err(format!(
            "{program}: {status}\n{stdout}{}",
            String::from_utf8_lossy(&stderr)
        )
        .into())
    }
}

/// The line that `report.lua` writes.
fn parse_wrk(output: &str) -> Option<Answers> {
    let line = output.lines().find_map(|line| line.strip_prefix("RESULT "))?;
    let number = |name: &str| -> Option<u64> {
        line.split(' ')
            .filter_map(|pair| pair.split_once('='))
            .find(|(known, _)| *known == name)
            .and_then(|(_, value)| value.parse().ok())
    };
    let requests = number("requests")?;
    let time = |name| number(name).filter(|_| requests > 0).map(Duration::from_micros);
    Some(Answers {
        requests,
        seconds: Duration::from_micros(number("duration")?).as_secs_f64(),
        p50: time("p50"),
        p99: time("p99"),
        refused: number("refused")?,
        broken: number("broken")?,
    })
}

/// The number of transactions and their rate, without the time that connecting took.
fn parse_pgbench(output: &str) -> Option<Answers> {
    let after = |name: &str| {
        let rest = output.lines().find_map(|line| line.strip_prefix(name))?;
        rest.split([' ', '/']).find(|word| !word.is_empty())
    };
    let requests: u32 = after("number of transactions actually processed:")?
        .parse()
        .ok()?;
    let per_second: f64 = after("tps =")?.parse().ok()?;
    Some(Answers {
        requests: requests.into(),
        seconds: f64::from(requests) / per_second,
        p50: None,
        p99: None,
        refused: after("number of failed transactions:").map_or(Some(0), |count| count.parse().ok())?,
        broken: 0,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_a_script_is_read_and_nothing_else() {
        let output = "Running 1s test @ http://127.0.0.1:1/\n\
            RESULT requests=12000 duration=2000000 p50=420 p99=1900 refused=3 broken=0\n";
        let answers = parse_wrk(output).unwrap();
        assert!((answers.per_second() - 6000.0).abs() < 0.01);
        assert_eq!(answers.p50, Some(Duration::from_micros(420)));
        assert_eq!((answers.refused, answers.broken), (3, 0));
        assert_eq!(parse_wrk("Running 1s test\n"), None);
    }

    #[test]
    fn pgbench_says_how_many_transactions_there_were_and_how_fast() {
        let output = "number of transactions actually processed: 5000\n\
            number of failed transactions: 2 (0.040%)\n\
            latency average = 1.6 ms\n\
            tps = 2500.000000 (without initial connection time)\n";
        let answers = parse_pgbench(output).unwrap();
        assert_eq!((answers.requests, answers.refused), (5000, 2));
        assert!((answers.seconds - 2.0).abs() < 0.01);
    }
}
