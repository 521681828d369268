//! The same reads with few cars and with many. All 20 cars are read in turn, which lie far from each other in the
//! table.

use crate::{
    Bench, Outcome,
    database::Kind,
    load::{Answers, Request},
    report::{median, milliseconds},
    site::Site,
};

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    let (few, many) = (bench.arguments.few_cars, bench.arguments.cars);
    bench
        .report
        .heading(&format!("Growth: reads of a car among {few} and among {many}"))?;
    let mut table = Vec::new();
    for kind in [Kind::Postgres, Kind::Sqlite] {
        let databases = [bench.small_database(kind)?, bench.database(kind)?];
        let [small, large] = databases.map(|database| Site::open(&bench.programs, &database, &bench.picture));
        let sites = [small?, large?];
        let mut measured: [Vec<Answers>; 2] = [Vec::new(), Vec::new()];
        // The first time, the databases read from the disk what they keep in memory from then on.
        for repetition in 0..=bench.arguments.repetitions {
            for (site, answers) in sites.iter().zip(&mut measured) {
                let paths = site.other_cars();
                let request = Request::script("read", "/", paths).bearer(&site.owner_of_20);
                site.mycars.empty_log()?;
                let answer = bench.arguments.load.wrk(&site.mycars.url, &request)?;
                if repetition > 0 {
                    answers.push(answer);
                }
            }
        }
        let rates = measured.each_ref().map(|answers| per_second(answers));
        for ((site, answers), rate) in sites.iter().zip(&measured).zip(rates) {
            table.push(vec![
                kind.to_string(),
                site.database.size.cars.to_string(),
                format!("{rate:.0}"),
                milliseconds(median(answers.iter().filter_map(|answers| answers.p50))),
                milliseconds(median(answers.iter().filter_map(|answers| answers.p99))),
                answers
                    .iter()
                    .map(|answers| answers.refused + answers.broken)
                    .sum::<u64>()
                    .to_string(),
            ]);
        }
        let kept = rates[1] / rates[0];
        let goal = format!("growth, {kind}: at least 0.9 of the throughput with {few} cars");
        bench.report.goal(&goal, format!("{kept:.2}"), kept >= 0.9);
    }
    bench
        .report
        .table(&["on", "cars", "req/s", "p50 ms", "p99 ms", "failed"], &table)
}

fn per_second(answers: &[Answers]) -> f64 {
    median(answers.iter().map(Answers::per_second)).unwrap_or_default()
}
