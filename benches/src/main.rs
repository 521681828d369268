//! Measures the release binary of My Cars on PostgreSQL and SQLite, next to a bare reference server, and writes a
//! report. `scripts/bench` builds and runs it; docs/performance.md describes the measurements.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the benchmark prints its report"
)]

mod bench;
mod client;
mod database;
mod load;
mod photograph;
mod postgres;
mod report;
mod request;
mod rows;
mod scenarios;
mod server;
mod site;

use std::{
    error::Error,
    fs::{self, File},
    process::ExitCode,
};

use clap::{Parser as _, ValueEnum as _};

use crate::bench::{Arguments, Bench, Scenario};

pub(crate) type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Outcome<()> {
    fs::create_dir_all(&arguments.folder)?;
    let lock = File::create(arguments.folder.join("lock"))?;
    lock.try_lock()
        .map_err(|_| format!("another benchmark uses {}", arguments.folder.display()))?;
    let mut wanted = arguments.scenarios.clone();
    if wanted.is_empty() {
        wanted = Scenario::value_variants().to_vec();
    }
    let bench = &mut Bench::new(arguments)?;
    for scenario in wanted {
        match scenario {
            Scenario::Rows => scenarios::rows::run(bench)?,
            Scenario::Storm => scenarios::storm::run(bench)?,
            Scenario::Growth => scenarios::growth::run(bench)?,
            Scenario::Queries => scenarios::queries::run(bench)?,
            Scenario::Memory => scenarios::memory::run(bench)?,
            Scenario::Start => scenarios::start::run(bench)?,
            Scenario::Upload => scenarios::upload::run(bench)?,
            Scenario::Attacks => scenarios::attacks::run(bench)?,
            Scenario::Backups => scenarios::backups::run(bench)?,
            Scenario::Resets => scenarios::resets::run(bench)?,
        }
    }
    println!(
        "\nWritten to {}",
        bench.arguments.folder.join("report.md").display()
    );
    Ok(())
}
