//! The memory of the server when nobody asks, and while pictures are uploaded.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Instant,
};

use crate::{
    Bench, Outcome,
    client::{Client, upload},
    database::{Database, Kind, OWNER_OF_20, username},
    process::{Server, wait_until_idle},
    report::megabytes,
};

/// How many upload at once.
const AT_ONCE: usize = 32;

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    let uploads = bench.arguments.uploads;
    bench.report.heading(&format!(
        "Memory: idle, and during {uploads} uploads, {AT_ONCE} at once"
    ))?;
    let mut table = Vec::new();
    for kind in [Kind::Postgres, Kind::Sqlite] {
        let database = bench.database(kind)?;
        let server = bench.programs.serve(&database)?;
        wait_until_idle(|| server.cpu())?;
        let idle = server.rss()?;
        let started = Instant::now();
        let statuses = upload_all(&server, &database, &bench.picture, uploads)?;
        let seconds = started.elapsed().as_secs_f64();
        let peak = server.peak()?;
        let statuses: Vec<_> = statuses
            .iter()
            .map(|(status, count)| format!("{status}: {count}"))
            .collect();
        table.push(vec![
            kind.to_string(),
            megabytes(idle),
            megabytes(peak),
            megabytes(server.rss()?),
            format!("{seconds:.1}"),
            statuses.join(", "),
        ]);
        let report = &mut bench.report;
        let goal = format!("memory, {kind}: at most 25 MB idle");
        report.goal(&goal, format!("{} MB", megabytes(idle)), idle <= 25_000_000);
        let goal = format!("memory, {kind}: at most 200 MB during uploads");
        report.goal(&goal, format!("{} MB", megabytes(peak)), peak <= 200_000_000);
    }
    let columns = [
        "on",
        "idle MB",
        "peak MB",
        "afterwards MB",
        "seconds",
        "uploads by status",
    ];
    bench.report.table(&columns, &table)
}

/// Uploads to the 20 cars in turn, and answers how often each status came.
fn upload_all(
    server: &Server,
    database: &Database,
    picture: &[u8],
    count: usize,
) -> Outcome<BTreeMap<String, usize>> {
    let token = Client::new(&server.url).token(&username(OWNER_OF_20))?;
    let cars: Vec<u64> = database.cars_of_20().collect();
    let body = upload(picture);
    let next = AtomicUsize::new(0);
    let statuses = Mutex::new(BTreeMap::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                let client = Client::new(&server.url);
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count {
                        break;
                    }
                    let path = format!("/api/cars/{}/upload-image/", cars[number % cars.len()]);
                    let status = match client.upload(&path, &token, &body) {
                        Ok(answer) => answer.status.to_string(),
                        Err(_) => "no answer".to_owned(),
                    };
                    if let Ok(mut statuses) = statuses.lock() {
                        *statuses.entry(status).or_insert(0) += 1;
                    }
                }
            });
        }
    });
    statuses.into_inner().map_err(|_| "an upload panicked".into())
}
