//! The time from the start of the program to the first 200 of `/health/ready`, on an existing database.

use crate::{Outcome, bench::Bench, database::KINDS, report::median};

/// Number of starts.
const STARTS: usize = 10;

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    bench.report.table(
        "Start: until `/health/ready` returns 200",
        "database | median ms | min–max",
    )?;
    for kind in KINDS {
        let database = bench.database(kind, bench.arguments.cars)?;
        let times = (0..STARTS).map(|_| Ok(bench.serve(&bench.arguments.mycars, &database)?.ready_ms));
        let mut times = times.collect::<Outcome<Vec<f64>>>()?;
        times.sort_by(f64::total_cmp);
        let (min, max, median) = (times[0], times[STARTS - 1], median(times.iter().copied()));
        bench
            .report
            .row(&format!("{kind} | {median:.1} | {min:.1}–{max:.1}"))?;
    }
    Ok(())
}
