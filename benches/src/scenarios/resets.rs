//! Requests for a new password of known and of unknown e-mail addresses, in turns: their times must not tell whether a user
//! exists. Mails go into files, so that the outbox is written and emptied as with a mail server.

use std::time::Instant;

use crate::{
    Outcome,
    bench::Bench,
    database::{KINDS, OWNER_OF_20, username},
    report::median,
    request::Request,
    server::Server,
};

/// Number of requests of each kind that are measured.
const REQUESTS: usize = 200;

/// Number of requests of each kind before, which fill the caches.
const WARM_UP: usize = 20;

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    let heading = format!("Resets: {REQUESTS} requests for a new password of each kind");
    let columns = "database | known: median ms | unknown: median ms | difference %";
    bench.report.table(&heading, columns)?;
    for kind in KINDS {
        let database = bench.database(kind, bench.arguments.few_cars)?;
        for _ in 0..bench.arguments.repetitions {
            let mut command = database.command(&bench.arguments.mycars);
            command.env("MYCARS__MAIL__URL", "files");
            command.env("MYCARS__SERVER__PUBLIC_URL", "https://cars.example.org");
            let server = Server::start(command, database.folder.join("resets.log"))?;
            let [known, unknown] = measure(&server, bench.arguments.users)?;
            let difference = (known / unknown - 1.0) * 100.0;
            bench
                .report
                .row(&format!("{kind} | {known:.3} | {unknown:.3} | {difference:+.1}"))?;
        }
    }
    Ok(())
}

/// Returns the median times for known and for unknown addresses, in milliseconds.
fn measure(server: &Server, users: u64) -> Outcome<[f64; 2]> {
    let mut times = [Vec::new(), Vec::new()];
    let mut ids = (OWNER_OF_20..=users).cycle();
    for number in 0..WARM_UP + REQUESTS {
        let id = ids.next().unwrap_or(OWNER_OF_20);
        // Another one begins each pair, because the first may pay for work since the last pair.
        let turns = if number % 2 == 0 { [0, 1] } else { [1, 0] };
        for turn in turns {
            let name = if turn == 0 {
                username(id)
            } else {
                format!("user{id:05}x")
            };
            let body = format!(r#"{{"email":"{name}@example.com"}}"#);
            let request = Request::post("/api/password/reset/", "application/json", body);
            let started = Instant::now();
            server.client.json(&request, 0)?;
            if number >= WARM_UP {
                times[turn].push(started.elapsed().as_secs_f64() * 1000.0);
            }
        }
    }
    Ok(times.map(median))
}
