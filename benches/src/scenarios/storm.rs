//! Reads of one person while many log in at once: hashing passwords must not take the machine from everybody else.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use crate::{
    Bench, Outcome,
    client::Client,
    database::{Kind, OWNER_OF_1000, username},
    load::{Answers, Request},
    report::{median, milliseconds},
    site::Site,
};

/// How often each outcome of a login came about: its status, or `no answer`.
type Outcomes = BTreeMap<String, usize>;

/// What a storm of one kind came to.
#[derive(Default)]
struct Weather {
    reads: Vec<Answers>,
    logins: Outcomes,
}

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    let count = bench.arguments.logins;
    bench.report.heading(&format!(
        "Storm: reads of a car while {count} log in at once, again and again"
    ))?;
    let mut table = Vec::new();
    for kind in [Kind::Postgres, Kind::Sqlite] {
        let database = bench.database(kind)?;
        let site = Site::open(&bench.programs, &database, &bench.picture)?;
        let (mut calm, mut storm) = (Weather::default(), Weather::default());
        // The first time, the databases read from the disk what they keep in memory from then on.
        read(bench, &site)?;
        for _ in 0..bench.arguments.repetitions {
            calm.reads.push(read(bench, &site)?);
            let (reads, logins) = read_in_a_storm(bench, &site, count)?;
            storm.reads.push(reads);
            for (outcome, count) in logins {
                *storm.logins.entry(outcome).or_default() += count;
            }
        }
        table.push(cells(kind, "calm", &calm));
        table.push(cells(kind, "storm", &storm));
        judge(bench, kind, &calm, &storm);
    }
    let columns = [
        "on",
        "weather",
        "reads/s",
        "p50 ms",
        "p99 ms",
        "failed reads",
        "logins by status",
    ];
    bench.report.table(&columns, &table)
}

fn read(bench: &Bench, site: &Site) -> Outcome<Answers> {
    site.mycars.empty_log()?;
    let request = Request::get(site.car()).bearer(&site.owner_of_20);
    bench.arguments.load.wrk(&site.mycars.url, &request)
}

/// Reads, while so many threads log in until the reads are over. Each login is waited for and counted.
fn read_in_a_storm(bench: &Bench, site: &Site, count: usize) -> Outcome<(Answers, Outcomes)> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|_| scope.spawn(|| log_in_until(&is_over, &site.mycars.url)))
            .collect();
        // The first logins are under way.
        thread::sleep(Duration::from_millis(500));
        let reads = read(bench, site);
        is_over.store(true, Ordering::Relaxed);
        let mut outcomes = Outcomes::new();
        for thread in threads {
            for outcome in thread.join().map_err(|_| "a login panicked")? {
                *outcomes.entry(outcome).or_default() += 1;
            }
        }
        Ok((reads?, outcomes))
    })
}

fn log_in_until(is_over: &AtomicBool, url: &str) -> Vec<String> {
    let client = Client::new(url);
    let mut outcomes = Vec::new();
    while !is_over.load(Ordering::Relaxed) {
        outcomes.push(match client.ask_for_token(&username(OWNER_OF_1000)) {
            Ok(answer) => answer.status.to_string(),
            Err(_) => "no answer".to_owned(),
        });
    }
    outcomes
}

impl Weather {
    fn per_second(&self) -> f64 {
        median(self.reads.iter().map(Answers::per_second)).unwrap_or_default()
    }

    fn p50(&self) -> Option<Duration> {
        median(self.reads.iter().filter_map(|reads| reads.p50))
    }
}

fn cells(kind: Kind, name: &str, weather: &Weather) -> Vec<String> {
    let logins = weather
        .logins
        .iter()
        .map(|(outcome, count)| format!("{outcome}: {count}"));
    let failed: u64 = weather
        .reads
        .iter()
        .map(|reads| reads.refused + reads.broken)
        .sum();
    vec![
        kind.to_string(),
        name.to_owned(),
        format!("{:.0}", weather.per_second()),
        milliseconds(weather.p50()),
        milliseconds(median(weather.reads.iter().filter_map(|reads| reads.p99))),
        failed.to_string(),
        logins.collect::<Vec<_>>().join(", "),
    ]
}

fn judge(bench: &mut Bench, kind: Kind, calm: &Weather, storm: &Weather) {
    let kept = storm.per_second() / calm.per_second();
    let report = &mut bench.report;
    let goal = format!("storm, {kind}: reads keep at least half of their throughput");
    report.goal(&goal, format!("{kept:.2}"), kept >= 0.5);
    let p50 = storm.p50();
    let is_quick = p50.is_some_and(|p50| p50 <= Duration::from_millis(2));
    let goal = format!("storm, {kind}: half of the reads take at most 2 ms");
    report.goal(&goal, format!("{} ms", milliseconds(p50)), is_quick);
    let lost: usize = storm
        .logins
        .iter()
        .filter(|(outcome, _)| !matches!(outcome.as_str(), "200" | "429" | "503"))
        .map(|(_, count)| count)
        .sum();
    let goal = format!("storm, {kind}: no login is lost in silence");
    report.goal(&goal, format!("{lost} lost"), lost == 0);
}
