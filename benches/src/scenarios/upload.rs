//! How long one upload takes, and how long decoding and encoding the picture takes alone, with the same library.

use std::{
    io::Cursor,
    time::{Duration, Instant},
};

use mycars_application::ports::ImageProcessor as _;
use mycars_media::JpegProcessor;

use crate::{
    Bench, Outcome,
    client::{Client, upload},
    database::{Kind, OWNER_OF_20, username},
    report::{median, milliseconds},
};

/// How often each is done.
const UPLOADS: usize = 10;

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    bench
        .report
        .heading("Upload: one picture, and its decoding and encoding alone")?;
    let mut table = Vec::new();
    for kind in [Kind::Postgres, Kind::Sqlite] {
        let database = bench.database(kind)?;
        let server = bench.programs.serve(&database)?;
        let client = Client::new(&server.url);
        let token = client.token(&username(OWNER_OF_20))?;
        let path = format!("/api/cars/{}/upload-image/", database.size.cars);
        let body = upload(&bench.picture);
        let (mut whole, mut alone) = (Vec::new(), Vec::new());
        for _ in 0..UPLOADS {
            let started = Instant::now();
            client.upload(&path, &token, &body)?.expect(200)?;
            whole.push(started.elapsed());
            alone.push(process(&bench.picture)?);
        }
        let (whole, alone) = (median(whole), median(alone));
        let seconds = |time: Option<Duration>| time.unwrap_or_default().as_secs_f64();
        let ratio = seconds(whole) / seconds(alone);
        table.push(vec![
            kind.to_string(),
            milliseconds(whole),
            milliseconds(alone),
            format!("{ratio:.2}"),
        ]);
        let goal = format!("upload, {kind}: at most 1.3 × decoding and encoding");
        bench.report.goal(&goal, format!("{ratio:.2} ×"), ratio <= 1.3);
    }
    bench
        .report
        .table(&["on", "upload ms", "alone ms", "ratio"], &table)
}

/// Does what the server does to the pixels, and answers how long it took.
fn process(picture: &[u8]) -> Outcome<Duration> {
    let mut picture = Cursor::new(picture.to_vec());
    let started = Instant::now();
    JpegProcessor { max_megapixels: 40 }.process(&mut picture)?;
    Ok(started.elapsed())
}
