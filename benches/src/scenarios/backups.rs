//! New cars during one backup after the other, which must not delay writes.

use std::{
    fs,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Instant,
};

use crate::{
    Outcome,
    bench::Bench,
    database::{Database, KINDS},
    load::{Results, output},
    report::median,
    rows::create,
    site::Site,
};

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    let columns = "database | backups | req/s | p50 ms | p99 ms | failed | seconds of a backup";
    bench
        .report
        .table("Backups: new cars during one backup after the other", columns)?;
    for kind in KINDS {
        let site = Site::open(bench, kind, bench.arguments.cars)?;
        let (mut calm, mut busy, mut backups) = (Vec::new(), Vec::new(), Vec::new());
        // The first measurement fills the caches and does not count.
        bench.wrk(&site.mycars, &create(&site))?;
        for _ in 0..bench.arguments.repetitions {
            calm.push(bench.wrk(&site.mycars, &create(&site))?);
            let (writes, seconds) = write_during_backups(bench, &site)?;
            busy.push(writes);
            backups.extend(seconds);
        }
        bench
            .report
            .row(&format!("{kind} | no | {} | –", Results::cells(&calm)))?;
        let seconds = median(backups);
        bench.report.row(&format!(
            "{kind} | yes | {} | {seconds:.1}",
            Results::cells(&busy)
        ))?;
    }
    Ok(())
}

/// Measures writes during backups, and returns the seconds of each backup.
fn write_during_backups(bench: &Bench, site: &Site) -> Outcome<(Results, Vec<f64>)> {
    let is_over = AtomicBool::new(false);
    thread::scope(|scope| {
        let backups = scope.spawn(|| {
            let mut seconds = Vec::new();
            while !is_over.load(Ordering::Relaxed) {
                seconds.push(back_up(bench, &site.database)?);
            }
            Outcome::Ok(seconds)
        });
        let writes = bench.wrk(&site.mycars, &create(site));
        is_over.store(true, Ordering::Relaxed);
        Ok((writes?, backups.join().map_err(|_| "a backup panicked")??))
    })
}

/// Makes one backup and returns its seconds.
fn back_up(bench: &Bench, database: &Database) -> Outcome<f64> {
    let file = database.folder.join("backup.zip");
    let started = Instant::now();
    output(database.command(&bench.arguments.mycars).arg("backup").arg(&file))?;
    let seconds = started.elapsed().as_secs_f64();
    fs::remove_file(file)?;
    Ok(seconds)
}
