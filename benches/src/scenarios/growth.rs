//! The same reads with few cars and with many. The 20 cars that are read in turn are far from each other in the table.

use crate::{Outcome, bench::Bench, database::KINDS, load::Results, rows::read, site::Site};

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    let columns = "database | cars | req/s | p50 ms | p99 ms | failed";
    bench
        .report
        .table("Growth: reads of a car among few and among many", columns)?;
    for kind in KINDS {
        let few = Site::open(bench, kind, bench.arguments.few_cars)?;
        let many = Site::open(bench, kind, bench.arguments.cars)?;
        let mut measured = [(few, Vec::new()), (many, Vec::new())];
        // The first measurement fills the caches and does not count.
        for repetition in 0..=bench.arguments.repetitions {
            for (site, results) in &mut measured {
                let request = read(site).to(&site.database.cars_of_20(), String::clone);
                let result = bench.wrk(&site.mycars, &request)?;
                results.extend((repetition > 0).then_some(result));
            }
        }
        for (site, results) in &measured {
            let cars = site.database.cars;
            bench
                .report
                .row(&format!("{kind} | {cars} | {}", Results::cells(results)))?;
        }
    }
    Ok(())
}
