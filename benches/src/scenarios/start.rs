//! How long it takes from the start of the program to its first good answer, on a database that is there.

use crate::{
    Bench, Outcome,
    database::Kind,
    report::{median, milliseconds},
};

/// How often it is started.
const STARTS: usize = 10;

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    bench.report.heading("Start: until `/health/ready` answers 200")?;
    let mut table = Vec::new();
    for kind in [Kind::Postgres, Kind::Sqlite] {
        let database = bench.database(kind)?;
        let mut times = Vec::new();
        for _ in 0..STARTS {
            let server = bench.programs.serve(&database)?;
            times.push(server.ready_after);
            server.stop()?;
        }
        let time = median(times.iter().copied());
        let columns = [time, times.iter().min().copied(), times.iter().max().copied()];
        table.push([vec![kind.to_string()], columns.map(milliseconds).to_vec()].concat());
        let is_quick = time.is_some_and(|time| time.as_millis() <= 100);
        let goal = format!("start, {kind}: ready within 100 ms");
        bench
            .report
            .goal(&goal, format!("{} ms", milliseconds(time)), is_quick);
    }
    bench.report.table(&["on", "median ms", "least", "most"], &table)
}
