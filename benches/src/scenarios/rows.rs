//! The table: throughput, latency, processor time and memory, for each path on both databases.

use crate::{
    Outcome,
    bench::Bench,
    database::{BUYER, KINDS, Kind, OWNER_OF_20},
    load::Results,
    report::median,
    request::Request,
    rows::{Program, ROWS, Row, timestamp},
    server::{Server, wait_until_idle},
    site::Site,
};

const COLUMNS: &str = "request | database | program | req/s | p50 ms | p99 ms | failed | req/s min–max | CPU µs \
    | PostgreSQL CPU µs | RSS MB | My Cars' req/s, of this program's";

/// One measurement of a program: its results; the processor time of the server and of PostgreSQL for each request, in
/// µs; the memory of the server afterwards, in MB. What was not measured is NaN.
type Run = (Results, [f64; 3]);

/// All measurements of one program on one database.
struct Measured<'a> {
    site: &'a Site,
    program: Program,
    runs: Vec<Run>,
}

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    let cars = bench.arguments.cars;
    let sites = KINDS.map(|kind| Site::open(bench, kind, cars));
    let sites = sites.into_iter().collect::<Outcome<Vec<Site>>>()?;
    bench.report.table("Requests", COLUMNS)?;
    for row in ROWS.iter().filter(|row| row.0.contains(&bench.arguments.row)) {
        let mut mycars_rate = f64::NAN;
        for runs in measure(bench, row, &sites)? {
            if runs.program == Program::MyCars {
                mycars_rate = runs.rate();
            }
            let share = mycars_rate / runs.rate();
            bench
                .report
                .row(&format!("{} | {} | {share:.2}", row.0, runs.cells()))?;
        }
    }
    Ok(())
}

/// Measures all programs of a row in turn, so that other work of the machine affects all of them.
fn measure<'a>(bench: &Bench, row: &Row, sites: &'a [Site]) -> Outcome<Vec<Measured<'a>>> {
    let Row(_, programs, request) = row;
    let mut measured = Vec::new();
    for site in sites {
        let is_postgres = site.database.kind == Kind::Postgres;
        let programs = programs.iter().copied();
        let programs = programs.filter(|program| is_postgres || !matches!(program, Program::Pgbench(_)));
        measured.extend(programs.map(|program| Measured {
            site,
            program,
            runs: Vec::new(),
        }));
    }
    // The first measurement fills the caches and does not count.
    for repetition in 0..=bench.arguments.repetitions {
        for Measured { site, program, runs } in &mut measured {
            let request = request(site);
            let run = match program {
                Program::MyCars => measure_server(bench, &site.mycars, &request)?,
                Program::Reference => {
                    let paths = request.paths.clone();
                    let request = request.to(&paths, |path| path.replacen("/api", "", 1));
                    measure_server(bench, &site.reference, &request)?
                }
                Program::Pgbench(script) => measure_postgres(bench, site, script)?,
            };
            runs.extend((repetition > 0).then_some(run));
        }
    }
    Ok(measured)
}

fn measure_server(bench: &Bench, server: &Server, request: &Request) -> Outcome<Run> {
    // wrk does not count redirects to the login as failures.
    server.client.json(request, 0)?;
    let before = [server.cpu()?, bench.cluster.cpu()?];
    let results = bench.wrk(server, request)?;
    let after = [server.cpu()?, bench.cluster.cpu()?];
    wait_until_idle(|| Ok(server.cpu()? + bench.cluster.cpu()?))?;
    let [cpu, postgres_cpu] = [0, 1].map(|index| (after[index] - before[index]) / results.requests * 1e6);
    Ok((results, [cpu, postgres_cpu, server.memory()?[0]]))
}

fn measure_postgres(bench: &Bench, site: &Site, script: &str) -> Outcome<Run> {
    let variables = [
        ("user", OWNER_OF_20.to_string()),
        ("car", (site.database.cars / 20).to_string()),
        ("buyer", BUYER.to_string()),
        ("number", "0".to_owned()),
        ("plates", timestamp().to_string()),
    ];
    let before = bench.cluster.cpu()?;
    let results = bench
        .arguments
        .load
        .pgbench(&site.database.url, script, &variables)?;
    let cpu = (bench.cluster.cpu()? - before) / results.requests * 1e6;
    Ok((results, [f64::NAN, cpu, f64::NAN]))
}

impl Measured<'_> {
    fn rate(&self) -> f64 {
        median(self.runs.iter().map(|(results, _)| results.per_second()))
    }

    fn cells(&self) -> String {
        let kind = self.site.database.kind;
        let program = match self.program {
            Program::MyCars => "My Cars".to_owned(),
            Program::Reference => "reference".to_owned(),
            Program::Pgbench(script) => format!("pgbench {script}"),
        };
        let results: Vec<Results> = self.runs.iter().map(|(results, _)| *results).collect();
        let rates = || results.iter().map(Results::per_second);
        let (min, max) = (rates().fold(f64::INFINITY, f64::min), rates().fold(0.0, f64::max));
        let [cpu, mut postgres_cpu, rss] =
            [0, 1, 2].map(|index| median(self.runs.iter().map(|run| run.1[index])));
        if kind == Kind::Sqlite {
            // SQLite runs in the server.
            postgres_cpu = f64::NAN;
        }
        let cells = Results::cells(&results);
        format!("{kind} | {program} | {cells} | {min:.1}–{max:.1} | {cpu:.1} | {postgres_cpu:.1} | {rss:.1}")
    }
}
