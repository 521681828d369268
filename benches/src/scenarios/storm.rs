//! Reads of one car during many concurrent logins, whose password hashes must not occupy all cores.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use crate::{
    Outcome,
    bench::Bench,
    client::{Statuses, send_all},
    database::{KINDS, OWNER_OF_1000, username},
    load::Results,
    request::Request,
    rows::read,
    site::Site,
};

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    let heading = format!(
        "Storm: reads of a car during {} concurrent logins",
        bench.arguments.logins
    );
    let columns = "database | concurrent logins | reads/s | p50 ms | p99 ms | failed reads | logins by status (0: none)";
    bench.report.table(&heading, columns)?;
    for kind in KINDS {
        let site = Site::open(bench, kind, bench.arguments.cars)?;
        let (mut calm, mut storm, mut logins) = (Vec::new(), Vec::new(), Statuses::new());
        // The first measurement fills the caches and does not count.
        bench.wrk(&site.mycars, &read(&site))?;
        for _ in 0..bench.arguments.repetitions {
            calm.push(bench.wrk(&site.mycars, &read(&site))?);
            let (reads, statuses) = read_in_storm(bench, &site)?;
            storm.push(reads);
            for (status, count) in statuses {
                *logins.entry(status).or_default() += count;
            }
        }
        bench
            .report
            .row(&format!("{kind} | no | {} | –", Results::cells(&calm)))?;
        bench
            .report
            .row(&format!("{kind} | yes | {} | {logins:?}", Results::cells(&storm)))?;
    }
    Ok(())
}

/// Measures reads during logins, and returns the statuses of all logins.
fn read_in_storm(bench: &Bench, site: &Site) -> Outcome<(Results, Statuses)> {
    let is_over = AtomicBool::new(false);
    let login = Request::login(&username(OWNER_OF_1000));
    thread::scope(|scope| {
        let logins = scope.spawn(|| {
            let continues = |_| !is_over.load(Ordering::Relaxed);
            send_all(&site.mycars.client.url, bench.arguments.logins, &login, continues)
        });
        // Time to send the first logins.
        thread::sleep(Duration::from_millis(500));
        let reads = bench.wrk(&site.mycars, &read(site));
        is_over.store(true, Ordering::Relaxed);
        Ok((reads?, logins.join().map_err(|_| "a login panicked")?))
    })
}
