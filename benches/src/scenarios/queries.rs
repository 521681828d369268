//! The statements of each request and their plans, from PostgreSQL's log. The tests of the crate `persistence` check the
//! number of statements of the use-cases and the use of indexes on both databases.

use std::{fmt::Write as _, fs};

use crate::{
    Outcome,
    bench::Bench,
    database::Kind,
    rows::{ROWS, Row},
    site::Site,
};

/// The texts before statements without and with parameters.
const STATEMENTS: [&str; 2] = ["LOG:  statement: ", "LOG:  execute "];

/// Settings that log all statements, their parameters and their plans.
const SETTINGS: [&str; 4] = [
    "log_statement = 'all'",
    "session_preload_libraries = 'auto_explain'",
    "auto_explain.log_min_duration = 0",
    "auto_explain.log_analyze = on",
];

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    let database = bench.database(Kind::Postgres, bench.arguments.cars)?;
    for setting in SETTINGS {
        database.execute(&format!("ALTER DATABASE {} SET {setting}", database.name))?;
    }
    let logged = requests(bench);
    database.execute(&format!("ALTER DATABASE {} RESET ALL", database.name))?;
    let mut text = String::new();
    bench.report.table(
        "Statements of each request, on PostgreSQL",
        "request | statements",
    )?;
    for (name, log) in logged? {
        let is_statement = |line: &&str| STATEMENTS.iter().any(|prefix| line.contains(prefix));
        let count = log.lines().filter(is_statement).count();
        bench.report.row(&format!("{name} | {count}"))?;
        write!(text, "## {name}\n\n{log}\n")?;
    }
    fs::write(bench.arguments.folder.join("queries.txt"), text)?;
    bench
        .report
        .add("\nThe statements and their plans are in `queries.txt`.")
}

/// Sends the request of each row twice and returns the log of the second one: the first one may prepare statements.
fn requests(bench: &mut Bench) -> Outcome<Vec<(&'static str, String)>> {
    let site = Site::open(bench, Kind::Postgres, bench.arguments.cars)?;
    let mut logged = Vec::new();
    for Row(name, _, request) in ROWS {
        let request = request(&site);
        site.mycars.client.json(&request, 1)?;
        let before = bench.cluster.log()?.len();
        site.mycars.client.json(&request, 2)?;
        logged.push((*name, bench.cluster.log()?.split_off(before)));
    }
    Ok(logged)
}
