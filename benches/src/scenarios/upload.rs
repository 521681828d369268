//! The time of one upload, compared with decoding and encoding the picture with the same code alone.

use std::{io::Cursor, time::Instant};

use mycars_application::ports::ImageProcessor as _;
use mycars_media::JpegProcessor;

use crate::{Outcome, bench::Bench, database::KINDS, report::median, site::Site};

/// Number of uploads.
const UPLOADS: usize = 10;

pub(crate) fn run(bench: &mut Bench) -> Outcome<()> {
    let heading = "Upload: one picture, compared with decoding and encoding alone";
    bench
        .report
        .table(heading, "database | upload ms | alone ms | ratio")?;
    for kind in KINDS {
        let site = Site::open(bench, kind, bench.arguments.cars)?;
        let (mut uploads, mut alone) = (Vec::new(), Vec::new());
        for number in 0..UPLOADS {
            let mut picture = Cursor::new(bench.photograph.clone());
            uploads.push(milliseconds(|| site.mycars.client.json(&site.upload, number))?);
            alone.push(milliseconds(|| JpegProcessor::new(40).process(&mut picture))?);
        }
        let (upload, alone) = (median(uploads), median(alone));
        let ratio = upload / alone;
        bench
            .report
            .row(&format!("{kind} | {upload:.1} | {alone:.1} | {ratio:.2}"))?;
    }
    Ok(())
}

fn milliseconds<T, E>(work: impl FnOnce() -> Result<T, E>) -> Result<f64, E> {
    let started = Instant::now();
    work()?;
    Ok(started.elapsed().as_secs_f64() * 1000.0)
}
