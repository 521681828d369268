//! The first page: counts, health, and the latest entries of the audit log.

use std::time::{Duration, Instant};

use askama::Template;
use mycars_application::{
    history,
    lists::HistoryQuery,
    ports::StoreError,
    status::{self, Backups, Counts},
};

use super::{Answer, Context, render::Frame};
use crate::{
    error::ApiError,
    web::ui::{
        self,
        entries::{self, LogEntry},
        text::{bytes, counted},
    },
};

/// The first page.
#[derive(Template)]
#[template(path = "panel/index.html")]
struct IndexPage<'a> {
    frame: Frame<'a>,
    counts: Vec<(&'static str, String, &'static str)>,
    health: Vec<Health>,
    /// `None` if the audit log can't be read.
    entries: Option<Vec<LogEntry>>,
    version: &'static str,
}

/// The state of one part.
struct Health {
    part: &'static str,
    is_good: bool,
    text: String,
}

/// Number of entries of the audit log that are shown.
const RECENT: u32 = 10;

/// Free disk space below which the disk is unhealthy, in bytes.
const MIN_FREE_SPACE: u64 = 1024 * 1024 * 1024;

pub(super) fn show(context: &Context<'_>) -> Result<Answer, ApiError> {
    let asked = Instant::now();
    let ping = context.app.store.ping();
    let answered = asked.elapsed();
    let has_space = context.app.disk_space.check().is_ok();
    let status = status::read(context.app, context.caller)?;
    let counts = logged(status.counts.map_err(ApiError::from));
    let entries = history::newest(context.app, context.caller, &HistoryQuery::default(), RECENT);
    let entries = logged(
        entries
            .map_err(ApiError::from)
            .and_then(|entries| entries::views(context.app, context.caller, &entries)),
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
                is_good: free >= MIN_FREE_SPACE && has_space,
                text: if has_space {
                    format!("{} free", bytes(free))
                } else {
                    format!("{} free: nothing can be added until space is freed", bytes(free))
                },
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
    Answer::page(ui::render(&IndexPage {
        frame: Frame::of(context),
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
        health: [Some(database), Some(media), disk, status.backups.map(backups)]
            .into_iter()
            .flatten()
            .collect(),
        entries,
        version: env!("CARGO_PKG_VERSION"),
    }))
}

/// Returns the state of the scheduled backups.
fn backups(backups: Backups) -> Health {
    let text = match backups.newest {
        Ok(Some(newest)) => {
            let at = newest.created_at.format("%Y-%m-%d %H:%M UTC");
            format!("last backup on {at}, {}", bytes(newest.bytes))
        }
        Ok(None) => "there is no backup yet".to_owned(),
        Err(error) => {
            tracing::warn!(%error, "could not list the backups");
            "can’t be listed: see the log".to_owned()
        }
    };
    Health {
        part: "Backups",
        is_good: !backups.are_overdue,
        text,
    }
}

/// Returns a result, or logs the error: the page is shown without it.
fn logged<T>(read: Result<T, ApiError>) -> Option<T> {
    // Making the response logs the cause.
    read.inspect_err(|error| drop(error.response())).ok()
}

/// Returns the state of the database. `is_readable`: whether all data of the page could be read.
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
