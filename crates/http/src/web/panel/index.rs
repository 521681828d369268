//! The first page: how much there is, how it is doing, and what was done last.

use std::time::{Duration, Instant};

use mycars_application::{
    history,
    lists::HistoryQuery,
    ports::StoreError,
    status::{self, Counts},
};

use super::{
    Answer, Context,
    render::{self, Frame, Health, IndexPage, bytes, counted},
};
use crate::error::ApiError;

/// So many entries of the history are shown.
const RECENT: u32 = 10;

/// Less room than this on the disk is a worry, in bytes.
const LITTLE_ROOM: u64 = 1024 * 1024 * 1024;

pub(super) fn show(context: &Context<'_>) -> Result<Answer, ApiError> {
    let asked = Instant::now();
    let ping = context.app.store.ping();
    let answered = asked.elapsed();
    let status = status::read(context.app, context.caller)?;
    let counts = logged(status.counts.map_err(ApiError::from));
    let entries = history::newest(context.app, context.caller, &HistoryQuery::default(), RECENT);
    let entries = logged(
        entries
            .map_err(ApiError::from)
            .and_then(|entries| super::history::views(context, &entries)),
    );
    let database = database(ping, answered, counts.is_some() && entries.is_some());
    let (media, disk) = match &status.images {
        Ok(usage) => (
            Health {
                part: "Pictures",
                is_good: true,
                text: format!("{}, {}", counted(usage.count, "file"), bytes(usage.bytes)),
            },
            usage.free_bytes.map(|free| Health {
                part: "Disk",
                is_good: free >= LITTLE_ROOM,
                text: format!("{} free", bytes(free)),
            }),
        ),
        Err(_) => (
            Health {
                part: "Pictures",
                is_good: false,
                text: "can’t be read: see the log".to_owned(),
            },
            None,
        ),
    };
    let count = |number: fn(&Counts) -> u64| {
        counts
            .as_ref()
            .map_or_else(|| "?".to_owned(), |counts| number(counts).to_string())
    };
    Answer::page(render::write(&IndexPage {
        frame: Frame::of(context),
        crumbs: Vec::new(),
        counts: vec![
            ("Users", count(|counts| counts.users), "/admin/users/"),
            (
                "Active users",
                count(|counts| counts.active_users),
                "/admin/users/?is_active=true",
            ),
            ("Cars", count(|counts| counts.cars.cars), "/admin/cars/"),
            ("Pictures", count(|counts| counts.cars.pictures), "/admin/cars/"),
        ],
        health: [Some(database), Some(media), disk]
            .into_iter()
            .flatten()
            .collect(),
        entries,
        version: env!("CARGO_PKG_VERSION"),
    }))
}

/// What was read. The page is shown without what can't be read, and the cause is logged.
fn logged<T>(read: Result<T, ApiError>) -> Option<T> {
    // Making the response logs the cause.
    read.inspect_err(|error| drop(error.response())).ok()
}

/// How the database is doing. `is_readable` says whether everything could be read that the page shows.
fn database(ping: Result<(), StoreError>, took: Duration, is_readable: bool) -> Health {
    let (is_good, text) = match (ping, is_readable) {
        (Ok(()), true) => (true, format!("answers in {:.2} ms", took.as_secs_f64() * 1000.0)),
        (Err(StoreError::NotWritable(_)), true) => (
            false,
            "can be read, but not written: its disk is full, or it is read-only. See the log.".to_owned(),
        ),
        _ => (false, "can’t be read: see the log".to_owned()),
    };
    Health {
        part: "Database",
        is_good,
        text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn database_is_good_only_if_it_can_be_read_and_written() {
        let took = Duration::from_micros(1500);
        for (ping, is_readable, is_good, text) in [
            (Ok(()), true, true, "1.50 ms"),
            (Ok(()), false, false, "can’t be read"),
            (
                Err(StoreError::NotWritable("full".into())),
                true,
                false,
                "not written",
            ),
            (
                Err(StoreError::NotWritable("full".into())),
                false,
                false,
                "can’t be read",
            ),
            (
                Err(StoreError::Unavailable("away".into())),
                true,
                false,
                "can’t be read",
            ),
            (
                Err(StoreError::Other("broken".into())),
                true,
                false,
                "can’t be read",
            ),
        ] {
            let health = database(ping, took, is_readable);
            assert_eq!(health.is_good, is_good, "{}", health.text);
            assert!(health.text.contains(text), "{}", health.text);
        }
    }
}
