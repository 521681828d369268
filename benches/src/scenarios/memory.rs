//! The memory of an idle server, and during uploads.

use crate::{
    Outcome,
    bench::Bench,
    client::send_all,
    database::{KINDS, OWNER_OF_20, username},
    request::Request,
    server::wait_until_idle,
};

/// Number of concurrent uploads.
const CONNECTIONS: usize = 32;

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    let uploads = bench.arguments.uploads;
    let heading = format!("Memory: idle, and during {uploads} uploads, {CONNECTIONS} at once");
    let columns = "database | idle MB | peak MB | afterwards MB | uploads by status";
    bench.report.table(&heading, columns)?;
    for kind in KINDS {
        let database = bench.database(kind, bench.arguments.cars)?;
        let server = bench.serve(&bench.arguments.mycars, &database)?;
        wait_until_idle(|| server.cpu())?;
        let [idle, _] = server.memory()?;
        let token = server.client.token(&username(OWNER_OF_20))?;
        let upload = Request::upload(&database.cars_of_20(), &bench.photograph).bearer(&token);
        let statuses = send_all(&server.client.url, CONNECTIONS, &upload, |number| {
            number < uploads
        });
        let [afterwards, peak] = server.memory()?;
        let cells = format!("{kind} | {idle:.1} | {peak:.1} | {afterwards:.1} | {statuses:?}");
        bench.report.row(&cells)?;
    }
    Ok(())
}
