//! The table: requests per second, latency, processor time and memory, for each path on both databases.

use std::time::Duration;

use crate::{
    Bench, Outcome,
    client::Client,
    database::{BUYER, Kind, OWNER_OF_20},
    load::{Answers, Load, Request},
    postgres::Cluster,
    process::{Server, wait_until_idle},
    report::{median, megabytes, milliseconds},
    rows::{CREATE, LIST_OF_20, READ, ROWS, Row, plates},
    site::Site,
};

const COLUMNS: [&str; 11] = [
    "what",
    "on",
    "by",
    "req/s (min–max)",
    "p50 ms",
    "p99 ms",
    "CPU µs",
    "database's CPU µs",
    "RSS MB (peak)",
    "failed",
    "of reference",
];

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    MyCars(Kind),
    Reference(Kind),
    Pgbench(&'static str),
}

/// One measurement.
struct Run {
    answers: Answers,
    /// Processor time of the server, and of PostgreSQL, for each request.
    cpu: Option<Duration>,
    postgres_cpu: Option<Duration>,
    rss: u64,
    peak: u64,
}

/// All measurements of one thing.
struct Runs {
    by: By,
    runs: Vec<Run>,
}

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    bench.report.heading("Requests")?;
    let wanted = bench.arguments.row.clone();
    let sites = [Kind::Postgres, Kind::Sqlite]
        .map(|kind| Site::open(&bench.programs.clone(), &bench.database(kind)?, &bench.picture));
    let [postgres, sqlite] = sites;
    let sites = [postgres?, sqlite?];
    let mut table = Vec::new();
    for row in ROWS.iter().filter(|row| row.name.contains(&wanted)) {
        println!("{}", row.name);
        let measured = measure_row(bench, row, &sites)?;
        table.extend(measured.iter().map(|runs| cells(row, runs, &measured)));
        judge(bench, row, &measured);
    }
    bench.report.table(&COLUMNS, &table)
}

/// All that is compared takes turns, so that what else the machine does falls on all of them.
fn measure_row(bench: &Bench, row: &Row, sites: &[Site]) -> Outcome<Vec<Runs>> {
    let mut measured = Vec::new();
    for site in sites {
        let kind = site.database.kind;
        check(&site.mycars, &(row.request)(site))?;
        measured.push(By::MyCars(kind));
        if let Some(reference) = row.reference {
            check(&site.reference, &reference(site))?;
            measured.push(By::Reference(kind));
        }
    }
    measured.extend(row.pgbench.iter().map(|script| By::Pgbench(script)));
    let mut measured: Vec<Runs> = measured
        .into_iter()
        .map(|by| Runs { by, runs: Vec::new() })
        .collect();
    let warm_up = Load {
        seconds: 1,
        ..bench.arguments.load.clone()
    };
    for repetition in 0..=bench.arguments.repetitions {
        for Runs { by, runs } in &mut measured {
            let load = if repetition == 0 {
                &warm_up
            } else {
                &bench.arguments.load
            };
            let run = measure(bench, load, row, *by, sites)?;
            if repetition > 0 {
                println!("  {by:?}: {:.1} req/s", run.answers.per_second());
                runs.push(run);
            }
        }
    }
    Ok(measured)
}

/// Asks once for what is only read: nobody counts redirects to a login.
fn check(server: &Server, request: &Request) -> Outcome<()> {
    if request.script == "report" {
        let answer = Client::new(&server.url).get(&request.path, &request.headers)?;
        answer
            .expect(200)
            .map_err(|error| format!("{}: {error}", request.path))?;
    }
    Ok(())
}

fn measure(bench: &Bench, load: &Load, row: &Row, by: By, sites: &[Site]) -> Outcome<Run> {
    let cluster = &bench.cluster;
    let site_on = |kind| {
        sites
            .iter()
            .find(|site| site.database.kind == kind)
            .ok_or("no such site")
    };
    match by {
        By::MyCars(kind) => {
            let site = site_on(kind)?;
            measure_server(cluster, &site.mycars, || {
                load.wrk(&site.mycars.url, &(row.request)(site))
            })
        }
        By::Reference(kind) => {
            let site = site_on(kind)?;
            let request = row.reference.ok_or("no reference")?(site);
            measure_server(cluster, &site.reference, || {
                load.wrk(&site.reference.url, &request)
            })
        }
        By::Pgbench(script) => {
            let site = site_on(Kind::Postgres)?;
            let variables = pgbench_variables(site);
            let before = cluster.cpu()?;
            let answers = load.pgbench(&cluster.binaries, &site.database.url, script, &variables)?;
            Ok(Run {
                answers,
                cpu: None,
                postgres_cpu: per_request(cluster.cpu()?.saturating_sub(before), &answers),
                rss: 0,
                peak: 0,
            })
        }
    }
}

/// The variables of the scripts in `pgbench/`.
fn pgbench_variables(site: &Site) -> Vec<(&'static str, String)> {
    vec![
        ("user", OWNER_OF_20.to_string()),
        ("car", site.car_id().to_string()),
        ("buyer", BUYER.to_string()),
        ("number", "0".to_owned()),
        (
            "plates",
            u64::from_str_radix(&plates(), 16).unwrap_or_default().to_string(),
        ),
    ]
}

fn measure_server(
    cluster: &Cluster,
    server: &Server,
    ask: impl FnOnce() -> Outcome<Answers>,
) -> Outcome<Run> {
    server.empty_log()?;
    server.forget_peak()?;
    let before = (server.cpu()?, cluster.cpu()?);
    let answers = ask()?;
    let after = (server.cpu()?, cluster.cpu()?);
    // The next measurement must not pay for this one.
    wait_until_idle(|| Ok(server.cpu()? + cluster.cpu()?))?;
    Ok(Run {
        answers,
        cpu: per_request(after.0.saturating_sub(before.0), &answers),
        postgres_cpu: per_request(after.1.saturating_sub(before.1), &answers),
        rss: server.rss()?,
        peak: server.peak()?,
    })
}

fn per_request(time: Duration, answers: &Answers) -> Option<Duration> {
    time.checked_div(u32::try_from(answers.requests).ok()?)
}

impl Runs {
    fn per_second(&self) -> f64 {
        median(self.runs.iter().map(|run| run.answers.per_second())).unwrap_or_default()
    }

    fn p99(&self) -> Option<Duration> {
        self.of(|run| run.answers.p99)
    }

    fn of<T: Copy + PartialOrd>(&self, value: impl Fn(&Run) -> Option<T>) -> Option<T> {
        median(self.runs.iter().filter_map(value))
    }
}

fn cells(row: &Row, runs: &Runs, measured: &[Runs]) -> Vec<String> {
    let (on, by) = match runs.by {
        By::MyCars(kind) => (kind, "My Cars".to_owned()),
        By::Reference(kind) => (kind, "reference".to_owned()),
        By::Pgbench(script) => (Kind::Postgres, format!("pgbench {script}")),
    };
    let rates = || runs.runs.iter().map(|run| run.answers.per_second());
    let (least, most) = rates().fold((f64::MAX, 0_f64), |(least, most), rate| {
        (least.min(rate), most.max(rate))
    });
    let microseconds = |time: Option<Duration>| {
        time.map_or_else(
            || "–".to_owned(),
            |time| format!("{:.1}", time.as_secs_f64() * 1e6),
        )
    };
    let has_server = !matches!(runs.by, By::Pgbench(_));
    let failed: u64 = runs
        .runs
        .iter()
        .map(|run| run.answers.refused + run.answers.broken)
        .sum();
    let reference = match runs.by {
        By::MyCars(kind) => find(measured, By::Reference(kind)),
        _ => None,
    };
    vec![
        row.name.to_owned(),
        on.to_string(),
        by,
        format!("{:.1} ({least:.1}–{most:.1})", runs.per_second()),
        milliseconds(runs.of(|run| run.answers.p50)),
        milliseconds(runs.p99()),
        microseconds(runs.of(|run| run.cpu)),
        if on == Kind::Postgres {
            microseconds(runs.of(|run| run.postgres_cpu))
        } else {
            "in the server".to_owned()
        },
        if has_server {
            format!(
                "{} ({})",
                megabytes(runs.of(|run| Some(run.rss)).unwrap_or_default()),
                megabytes(runs.of(|run| Some(run.peak)).unwrap_or_default())
            )
        } else {
            "–".to_owned()
        },
        failed.to_string(),
        reference.map_or_else(
            || "–".to_owned(),
            |reference| format!("{:.2}", runs.per_second() / reference.per_second()),
        ),
    ]
}

fn find(measured: &[Runs], by: By) -> Option<&Runs> {
    measured.iter().find(|runs| runs.by == by)
}

/// Compares with the goals.
fn judge(bench: &mut Bench, row: &Row, measured: &[Runs]) {
    for kind in [Kind::Postgres, Kind::Sqlite] {
        let Some(ours) = find(measured, By::MyCars(kind)) else {
            continue;
        };
        if let Some(reference) = find(measured, By::Reference(kind)) {
            let least = match row.name {
                READ => 0.85,
                LIST_OF_20 => 0.8,
                _ => continue,
            };
            let ratio = ours.per_second() / reference.per_second();
            let goal = format!("{}, {kind}: at least {least} of the reference", row.name);
            bench.report.goal(&goal, format!("{ratio:.2}"), ratio >= least);
            if let (READ, Some(p99), Some(reference)) = (row.name, ours.p99(), reference.p99()) {
                let ratio = p99.as_secs_f64() / reference.as_secs_f64();
                let goal = format!("{}, {kind}: p99 at most 1.5 × the reference's", row.name);
                bench.report.goal(&goal, format!("{ratio:.2} ×"), ratio <= 1.5);
            }
        }
    }
    if let (CREATE, Some(ours)) = (row.name, find(measured, By::MyCars(Kind::Postgres))) {
        for script in row.pgbench {
            let Some(alone) = find(measured, By::Pgbench(script)) else {
                continue;
            };
            let ratio = ours.per_second() / alone.per_second();
            let goal = format!("{}, PostgreSQL: at least 0.9 of pgbench {script}", row.name);
            bench.report.goal(&goal, format!("{ratio:.2}"), ratio >= 0.9);
        }
    }
}
