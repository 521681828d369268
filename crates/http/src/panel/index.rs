//! The first page: how much there is, how it is doing, and what was done last.

use std::time::Instant;

use mycars_application::{history, lists::HistoryQuery, status};

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
    context.app.store.ping()?;
    let answered = asked.elapsed();
    let status = status::read(context.app, context.caller)?;
    let entries = history::newest(context.app, context.caller, &HistoryQuery::default(), RECENT)?;
    let database = Health {
        part: "Database",
        is_good: true,
        text: format!("answers in {:.2} ms", answered.as_secs_f64() * 1000.0),
    };
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
    Answer::page(render::write(&IndexPage {
        frame: Frame::of(context),
        crumbs: Vec::new(),
        counts: vec![
            ("Users", status.users.to_string(), "/admin/users/"),
            (
                "Active users",
                status.active_users.to_string(),
                "/admin/users/?is_active=true",
            ),
            ("Cars", status.cars.cars.to_string(), "/admin/cars/"),
            ("Pictures", status.cars.pictures.to_string(), "/admin/cars/"),
        ],
        health: [Some(database), Some(media), disk]
            .into_iter()
            .flatten()
            .collect(),
        entries: super::history::views(context, &entries)?,
        version: env!("CARGO_PKG_VERSION"),
    }))
}
