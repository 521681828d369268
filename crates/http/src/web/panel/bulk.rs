//! Actions on several objects: the selected rows of a page, or all that a list shows on all its pages.
//!
//! An action has to be confirmed. It then runs for one object after the other, each in its own transaction and with its
//! own entry in the audit log.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
};

use actix_web::http::StatusCode;
use askama::Template;
use mycars_application::{
    App, Caller,
    ports::CarCount,
    security_log::{Details, SecurityEvent},
};
use mycars_domain::audit::ObjectType;

use super::{
    Answer, Context, Stream, export,
    lists::{Action, Changelist, Outcome, Version},
    message::Message,
    render::{self, Frame},
};
use crate::{
    digest::sha256_hex,
    error::ApiError,
    web::ui::{
        self,
        entries::{self, LogEntry},
        links::{Crumb, Link, url},
        text::counted,
    },
};

/// Objects that can be listed, exported and acted on.
pub(super) trait BulkResource {
    const LIST: &'static Changelist;
    /// Whether the objects are users. The caller comes last then: an action may end their own session.
    const ARE_USERS: bool = false;

    /// Returns the ids of all objects that the list shows on all its pages.
    fn ids(context: &Context<'_>) -> Result<Vec<i64>, ApiError>;

    /// Returns links to objects.
    fn links(_app: &App, _caller: &Caller, _ids: &[i64]) -> Result<Vec<Link>, ApiError> {
        Ok(Vec::new())
    }

    /// Counts what is deleted together with objects.
    fn counts(_app: &App, _caller: &Caller, _ids: &[i64]) -> Result<Vec<(&'static str, u64)>, ApiError> {
        Ok(Vec::new())
    }

    /// Returns the state of objects, which a deletion expects.
    fn snapshot(_app: &App, _caller: &Caller, _ids: &[i64]) -> Result<Snapshot, ApiError> {
        Ok(Snapshot::default())
    }

    /// Returns the exported rows of objects.
    fn rows(app: &App, caller: &Caller, ids: &[i64]) -> Result<Vec<export::Row>, ApiError>;

    /// Returns the names of the exported fields, in order.
    fn names() -> Vec<&'static str>;
}

/// The state of the selected objects. A confirmed action applies to this state only.
#[derive(Default)]
pub(super) struct Snapshot {
    /// The cars that are deleted, and their pictures.
    pub(super) cars: CarCount,
    /// Version of each user or car by its id.
    pub(super) versions: BTreeMap<i64, Version>,
}

/// Number of objects in one step, between which other requests run and progress is reported.
const BATCH: usize = 50;

/// Number of objects that a confirmation names.
const NAMED: usize = 20;

/// Asks for confirmation.
#[derive(Default, Template)]
#[template(path = "panel/confirm.html")]
pub(super) struct ConfirmPage<'a> {
    pub(super) frame: Frame<'a>,
    pub(super) crumbs: Vec<Crumb>,
    pub(super) title: String,
    pub(super) lead: String,
    /// The change since the previous confirmation.
    pub(super) warning: Option<String>,
    /// The latest changes, if they are the reason to ask again.
    pub(super) changes: Vec<LogEntry>,
    pub(super) counts: Vec<(&'static str, u64)>,
    pub(super) items: Vec<Link>,
    /// Number of items that are not named.
    pub(super) more: u64,
    /// Hidden fields.
    pub(super) hidden: Vec<(&'static str, String)>,
    pub(super) button: String,
    pub(super) is_danger: bool,
    pub(super) action: String,
    pub(super) back: String,
}

/// The page around the progress of an action. The steps take the place of [`STEPS`].
#[derive(Template)]
#[template(path = "panel/progress.html")]
struct ProgressPage<'a> {
    frame: Frame<'a>,
    crumbs: Vec<Crumb>,
    title: String,
}

const STEPS: &str = "<!-- progress -->";

/// The progress after a step, or the final report.
#[derive(Template)]
#[template(path = "panel/progress_step.html")]
struct ProgressStep<'a> {
    total: usize,
    reached: usize,
    report: Option<String>,
    has_stopped: bool,
    back: &'a str,
}

pub(super) fn answer<R: BulkResource>(context: &Context<'_>) -> Result<Answer, ApiError> {
    let mut ids = selected::<R>(context)?;
    let name = context.sent("action");
    let to_list = url(R::LIST.path, context.query_text);
    let format = export::Format::named(name);
    let nothing = |reason: &str| {
        let text = format!("Nothing was done: choose {reason}.");
        Answer::redirect(&*to_list, Message::warning(text))
    };
    // An export of a list may be empty, but an empty selection is a mistake.
    if ids.is_empty() && !(format.is_some() && takes_all::<R>(context)) {
        return nothing(&format!("some {}", R::LIST.plural));
    }
    if let Some(format) = format {
        let file = R::LIST.plural.replace(' ', "-");
        SecurityEvent::DataExported.log(&Details {
            address: context.caller.origin.address,
            account: Some(context.user.username.as_str()),
            user_id: Some(context.user.id),
            detail: Some(&format!("{} of {file}", ids.len())),
            ..Details::default()
        });
        return Ok(Answer::Stream(export::stream(
            &file,
            format,
            ids,
            &R::names(),
            R::rows,
        )));
    }
    let Some(action) = R::LIST.actions.iter().find(|action| action.name == name) else {
        return nothing("an action");
    };
    if R::ARE_USERS {
        ids.sort_by_key(|id| *id == context.user.id.0);
    }
    // Read before everything that the page shows, so that later changes are detected.
    let snapshot = if action.is_danger {
        R::snapshot(context.app, context.caller, &ids)?
    } else {
        Snapshot::default()
    };
    let digest = digest(&ids, &snapshot);
    if context.body.text_of("confirmed").is_none() {
        return confirm::<R>(context, action, &ids, digest, None);
    }
    if context.sent("digest") != digest {
        let warning = format!(
            "Nothing was done yet: the selection has changed meanwhile. It holds {} now.",
            counted(ids.len() as u64, R::LIST.singular)
        );
        return confirm::<R>(context, action, &ids, digest, Some(warning));
    }
    if ids.len() <= BATCH {
        let mut report = BulkReport::default();
        report.run_batch(context.app, Some(context.caller), action, &ids, &snapshot);
        return Answer::redirect(to_list, report.message(R::LIST, action));
    }
    Ok(Answer::Stream(progress(context, R::LIST, action, ids, snapshot)))
}

/// Returns the ids of all that the list shows, or of the selected rows.
fn selected<R: BulkResource>(context: &Context<'_>) -> Result<Vec<i64>, ApiError> {
    if takes_all::<R>(context) {
        return R::ids(context);
    }
    let selected = context.body.texts_of("selected");
    let ids = selected.iter().flat_map(|ids| ids.split(','));
    let mut seen = HashSet::new();
    Ok(ids
        .filter_map(|id| id.trim().parse().ok())
        .filter(|id| seen.insert(*id))
        .collect())
}

/// Returns whether an action applies to all that the list shows, on all its pages.
fn takes_all<R: BulkResource>(context: &Context<'_>) -> bool {
    context.body.text_of("all").is_some() || !R::LIST.has_choice()
}

/// Returns the SHA-256 of the selected ids and of their state: it detects that either changed since the confirmation was
/// shown.
fn digest(ids: &[i64], snapshot: &Snapshot) -> String {
    let mut numbers = ids.to_vec();
    numbers.sort_unstable();
    let versions = snapshot.versions.iter();
    numbers.extend(versions.flat_map(|(id, version)| [*id, version.updated_at.timestamp_micros()]));
    numbers.extend([snapshot.cars.cars, snapshot.cars.pictures].map(u64::cast_signed));
    let mut bytes: Vec<u8> = numbers.into_iter().flat_map(i64::to_be_bytes).collect();
    let digests = snapshot
        .versions
        .values()
        .filter_map(|version| version.cars.as_deref());
    bytes.extend(digests.flat_map(str::bytes));
    sha256_hex(&bytes, 16)
}

fn confirm<R: BulkResource>(
    context: &Context<'_>,
    action: &Action,
    ids: &[i64],
    digest: String,
    warning: Option<String>,
) -> Result<Answer, ApiError> {
    let list = R::LIST;
    let named = ids.get(..NAMED).unwrap_or(ids);
    let selection = if context.body.text_of("all").is_some() {
        ("all", "1".to_owned())
    } else {
        let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
        ("selected", ids.join(","))
    };
    let counts = if action.is_danger {
        R::counts(context.app, context.caller, ids)?
    } else {
        Vec::new()
    };
    let to_list = url(list.path, context.query_text);
    let what = counted(ids.len() as u64, list.singular);
    Answer::page(ui::render(&ConfirmPage {
        frame: Frame::of(context),
        crumbs: render::crumbs(&[(list.title, &to_list)], action.title),
        title: format!("{}: {what}?", action.title),
        lead: action.lead.to_owned(),
        warning,
        changes: Vec::new(),
        counts,
        items: R::links(context.app, context.caller, named)?,
        more: (ids.len() - named.len()) as u64,
        hidden: vec![
            ("action", action.name.to_owned()),
            ("confirmed", "1".to_owned()),
            ("digest", digest),
            selection,
        ],
        button: format!("{} ({what})", action.button),
        is_danger: action.is_danger,
        action: url(&format!("{}bulk/", list.path), context.query_text),
        back: to_list,
    }))
}

/// Asks for confirmation of an action on one object: again, if the object `changed` since the previous confirmation.
pub(super) fn confirm_one(
    context: &Context<'_>,
    steps: &[(&str, &str)],
    changed: Option<(ObjectType, i64)>,
    page: ConfirmPage<'_>,
) -> Result<Answer, ApiError> {
    let mut page = ConfirmPage {
        frame: Frame::of(context),
        crumbs: render::crumbs(steps, "Confirm"),
        action: context.with_back(context.path),
        ..page
    };
    let Some(object) = changed else {
        return Answer::page(ui::render(&page));
    };
    page.changes = entries::latest(context.app, context.caller, object)?;
    let warning = "It was changed meanwhile, and nothing was deleted. The values below are current.";
    page.warning = Some(warning.to_owned());
    Ok(Answer::Page(StatusCode::CONFLICT, ui::render(&page)))
}

/// The results of an action on several objects.
#[derive(Default)]
struct BulkReport {
    done: usize,
    unchanged: usize,
    /// Number of refusals by their reason.
    refused: BTreeMap<String, usize>,
    /// Why the remaining objects were not tried.
    broken_off: Option<String>,
}

impl BulkReport {
    /// Runs an action on objects, one after the other. A refusal does not stop the others; an internal error does, and so
    /// does the loss of the caller's rights.
    fn run_batch(
        &mut self,
        app: &App,
        caller: Option<&Caller>,
        action: &Action,
        ids: &[i64],
        snapshot: &Snapshot,
    ) {
        let Some(caller) = caller else {
            self.broken_off = Some("You no longer have permission to do this.".to_owned());
            return;
        };
        for id in ids {
            match (action.run)(app, caller, *id, snapshot.versions.get(id)) {
                Ok(Outcome::Done) => self.done += 1,
                Ok(Outcome::Unchanged) => self.unchanged += 1,
                Err(error) if error.status().is_server_error() => {
                    // Making the response logs the cause.
                    drop(error.response());
                    self.broken_off = Some(error.sentence());
                    return;
                }
                Err(error) => *self.refused.entry(error.sentence()).or_default() += 1,
            }
        }
    }

    fn reached(&self) -> usize {
        self.done + self.unchanged + self.refused.values().sum::<usize>()
    }

    fn text(&self, list: &Changelist, action: &Action) -> String {
        let mut text = format!("{} {}.", counted(self.done as u64, list.singular), action.past);
        // Writing to a string never fails.
        if self.unchanged > 0 {
            let _ = write!(text, " {} {} already.", self.unchanged, action.past);
        }
        for (reason, count) in &self.refused {
            let _ = write!(text, " {count} refused: {reason}");
        }
        if let Some(reason) = &self.broken_off {
            let _ = write!(text, " Then it stopped: {reason}");
        }
        text
    }

    fn message(&self, list: &Changelist, action: &Action) -> Message {
        let text = self.text(list, action);
        if self.refused.is_empty() && self.broken_off.is_none() {
            Message::success(text)
        } else {
            Message::warning(text)
        }
    }
}

/// Runs an action while a page that grows reports the progress. It needs no script.
fn progress(
    context: &Context<'_>,
    list: &'static Changelist,
    action: &'static Action,
    ids: Vec<i64>,
    snapshot: Snapshot,
) -> Stream {
    let back = url(list.path, context.query_text);
    let what = counted(ids.len() as u64, list.singular);
    let page = ui::render(&ProgressPage {
        frame: Frame::of(context),
        crumbs: render::crumbs(&[(list.title, &back)], action.title),
        title: format!("{}: {what}", action.title),
    });
    let (head, tail) = page.split_once(STEPS).unwrap_or((&page, ""));
    let mut head = Some(head.as_bytes().to_vec());
    let mut tail = Some(tail.to_owned());
    let mut report = BulkReport::default();
    let step = move |app: &App, caller: Option<&Caller>| {
        if let Some(head) = head.take() {
            return Ok(Some(head));
        }
        let batch: Vec<i64> = ids.iter().skip(report.reached()).take(BATCH).copied().collect();
        let is_over = batch.is_empty() || report.broken_off.is_some();
        if !is_over {
            report.run_batch(app, caller, action, &batch, &snapshot);
        }
        let html = ui::render(&ProgressStep {
            total: ids.len(),
            reached: report.reached().min(ids.len()),
            report: is_over.then(|| report.text(list, action)),
            has_stopped: report.broken_off.is_some(),
            back: &back,
        });
        if is_over {
            return Ok(tail.take().map(|tail| (html + &tail).into_bytes()));
        }
        Ok(Some(html.into_bytes()))
    };
    Stream {
        media_type: "text/html; charset=utf-8",
        file_name: None,
        step: Box::new(step),
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::*;

    #[test]
    fn digest_ignores_the_order_of_ids() {
        let digest = |ids: &[i64]| digest(ids, &Snapshot::default());
        assert_eq!(digest(&[1, 2, 3]), digest(&[3, 1, 2]));
        assert_ne!(digest(&[1, 2, 3]), digest(&[1, 2]));
        assert_ne!(digest(&[12]), digest(&[1, 2]));
    }

    #[test]
    fn digest_of_a_changed_state_differs() {
        let seen_with = |versions: &[(i64, i64)], cars, pictures, of_cars: &str| {
            let version = |(id, micros): &(i64, i64)| {
                let updated_at = DateTime::from_timestamp_micros(*micros)?;
                let cars = Some(of_cars.to_owned());
                Some((*id, Version { updated_at, cars }))
            };
            let snapshot = Snapshot {
                cars: CarCount { cars, pictures },
                versions: versions.iter().filter_map(version).collect(),
            };
            digest(&[1, 2], &snapshot)
        };
        let seen = |versions: &[(i64, i64)], cars, pictures| seen_with(versions, cars, pictures, "ab");
        let before = seen(&[(1, 5), (2, 5)], 3, 2);
        assert_eq!(before, seen(&[(2, 5), (1, 5)], 3, 2));
        for after in [
            seen(&[(1, 5), (2, 6)], 3, 2),
            seen(&[(1, 4), (2, 5)], 3, 2),
            seen(&[(1, 5)], 3, 2),
            seen(&[], 3, 2),
            seen(&[(1, 5), (2, 5)], 4, 2),
            seen(&[(1, 5), (2, 5)], 3, 3),
            seen(&[(1, 5), (2, 5)], 2, 3),
            seen_with(&[(1, 5), (2, 5)], 3, 2, "ac"),
        ] {
            assert_ne!(before, after);
        }
    }
}
