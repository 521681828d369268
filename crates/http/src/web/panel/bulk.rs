//! What is done to many at once: chosen on a page, or all that a list would show, on every page. It is confirmed
//! first, and done one by one by the same use-cases as anywhere, so that each has its own transaction and its own
//! entry in the history.

use std::{
    collections::{BTreeMap, HashSet},
    fmt::Write as _,
};

use actix_web::http::StatusCode;
use chrono::{DateTime, Utc};
use mycars_application::{App, Caller, ports::CarCount};
use mycars_domain::audit::ObjectType;
use sha2::{Digest as _, Sha256};

use super::{
    Answer, Context, Stream, export,
    lists::ListSpec,
    message::Message,
    render::{self, ConfirmPage, Frame, PROGRESS, ProgressPage, counted},
};
use crate::{
    error::ApiError,
    web::browsable::{Link, url},
};

/// Finds something out about those with these numbers.
type OfMany<T> = fn(&App, &Caller, &[i64]) -> Result<Vec<T>, ApiError>;

/// What can be listed and chosen.
pub(super) struct BulkResource {
    pub(super) spec: &'static ListSpec,
    /// The numbers of everything that the list would show, on every page.
    pub(super) ids: fn(&Context<'_>) -> Result<Vec<i64>, ApiError>,
    /// What those with these numbers are called, and where they are.
    pub(super) links: OfMany<Link>,
    /// What goes when those with these numbers do: how many of what.
    pub(super) counts: OfMany<(&'static str, u64)>,
    /// The state of those with these numbers, which a deletion expects.
    pub(super) seen: fn(&App, &Caller, &[i64]) -> Result<Seen, ApiError>,
    /// What is exported of those with these numbers.
    pub(super) rows: OfMany<export::Row>,
    /// The names of the fields of an exported row, in order.
    pub(super) names: fn() -> Vec<&'static str>,
    pub(super) actions: &'static [Action],
    /// Whether these are users, of whom who asks comes last: it may end their own login, and with it the rest.
    pub(super) are_users: bool,
}

/// The state of what was chosen. What the user confirmed is done to this state alone.
#[derive(Default)]
pub(super) struct Seen {
    /// The cars that go, and their pictures.
    pub(super) going: CarCount,
    /// The version of each user or car by its number.
    pub(super) versions: BTreeMap<i64, Version>,
}

/// The version of a user or a car.
pub(super) struct Version {
    pub(super) updated_at: DateTime<Utc>,
    /// The digest of a user's cars.
    pub(super) cars: Option<String>,
}

/// Does something to the one with this number, if it still has this version.
type Run = fn(&App, &Caller, i64, Option<&Version>) -> Result<Outcome, ApiError>;

/// What can be done to many.
pub(super) struct Action {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// What was done to them then, such as “deleted”.
    pub(super) past: &'static str,
    pub(super) button: &'static str,
    pub(super) lead: &'static str,
    pub(super) is_danger: bool,
    pub(super) run: Run,
}

/// What became of one of many.
pub(super) enum Outcome {
    Done,
    /// It was so already.
    Unchanged,
}

impl Outcome {
    pub(super) fn of(is_done: bool) -> Self {
        if is_done { Self::Done } else { Self::Unchanged }
    }
}

/// So many are done in one go, before others have their turn and progress is told.
const BATCH: usize = 50;

/// So many are named before something is confirmed.
const NAMED: usize = 20;

pub(super) fn answer(context: &Context<'_>, resource: &'static BulkResource) -> Result<Answer, ApiError> {
    let mut ids = chosen(context, resource)?;
    let name = context.sent("action");
    let to_list = url(resource.spec.path, context.query_text);
    let format = export::Format::named(name);
    // A list without an item can be exported, while a selection without one was forgotten.
    if ids.is_empty() && !(format.is_some() && takes_all(context, resource)) {
        let text = format!("Nothing was done: first choose some {}.", resource.spec.plural);
        return Answer::redirect(to_list, Message::warning(text));
    }
    if let Some(format) = format {
        return Ok(Answer::Stream(export::stream(resource, format, ids)));
    }
    let Some(action) = resource.actions.iter().find(|action| action.name == name) else {
        return Answer::redirect(
            to_list,
            Message::warning("Nothing was done: first choose an action."),
        );
    };
    if resource.are_users {
        ids.sort_by_key(|id| *id == context.user.id.0);
    }
    // It is read before anything that the page shows: so what changes after that is noticed.
    let seen = if action.is_danger {
        (resource.seen)(context.app, context.caller, &ids)?
    } else {
        Seen::default()
    };
    let digest = digest(&ids, &seen);
    if context.body.text_of("confirmed").is_none() {
        return confirm(context, resource, action, &ids, digest, None);
    }
    if context.sent("digest") != digest {
        let warning = format!(
            "Nothing was done yet: what was chosen has changed meanwhile. It is about {} now.",
            counted(ids.len() as u64, resource.spec.singular)
        );
        return confirm(context, resource, action, &ids, digest, Some(warning));
    }
    if ids.len() <= BATCH {
        let mut tally = BulkReport::default();
        tally.run_batch(context.app, Some(context.caller), action, &ids, &seen);
        return Answer::redirect(to_list, tally.message(resource.spec, action));
    }
    Ok(Answer::Stream(progress(context, resource, action, ids, seen)))
}

/// The numbers that were chosen: all that the list shows, or those that were ticked.
fn chosen(context: &Context<'_>, resource: &BulkResource) -> Result<Vec<i64>, ApiError> {
    if takes_all(context, resource) {
        return (resource.ids)(context);
    }
    let ticked = context.body.texts_of("selected");
    let mut ids: Vec<i64> = ticked
        .iter()
        .flat_map(|ids| ids.split(','))
        .filter_map(|id| id.trim().parse().ok())
        .collect();
    let mut seen = HashSet::new();
    ids.retain(|id| seen.insert(*id));
    Ok(ids)
}

/// Tells whether an action is about all that the list shows, on every page.
fn takes_all(context: &Context<'_>, resource: &BulkResource) -> bool {
    context.body.text_of("all").is_some() || !resource.spec.has_choice
}

/// Returns the SHA-256 of the chosen numbers and of the state that was seen: it detects that either changed since the
/// confirmation was shown.
fn digest(ids: &[i64], seen: &Seen) -> String {
    let mut numbers = ids.to_vec();
    numbers.sort_unstable();
    let versions = seen.versions.iter();
    numbers.extend(versions.flat_map(|(id, version)| [*id, version.updated_at.timestamp_micros()]));
    let going = [seen.going.cars, seen.going.pictures].map(u64::cast_signed);
    numbers.extend(going);
    let mut bytes: Vec<u8> = numbers.into_iter().flat_map(i64::to_be_bytes).collect();
    let cars = seen
        .versions
        .values()
        .filter_map(|version| version.cars.as_deref());
    bytes.extend(cars.flat_map(str::bytes));
    let hash = Sha256::digest(bytes);
    hash.iter().take(16).fold(String::new(), |mut hex, byte| {
        // Writing to a string never fails.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

fn confirm(
    context: &Context<'_>,
    resource: &BulkResource,
    action: &Action,
    ids: &[i64],
    digest: String,
    warning: Option<String>,
) -> Result<Answer, ApiError> {
    let spec = resource.spec;
    let named = ids.get(..NAMED).unwrap_or(ids);
    let mut hidden = vec![
        ("action", action.name.to_owned()),
        ("confirmed", "1".to_owned()),
        ("digest", digest),
    ];
    if context.body.text_of("all").is_some() {
        hidden.push(("all", "1".to_owned()));
    } else {
        let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
        hidden.push(("selected", ids.join(",")));
    }
    let counts = if action.is_danger {
        (resource.counts)(context.app, context.caller, ids)?
    } else {
        Vec::new()
    };
    let to_list = url(spec.path, context.query_text);
    let what = counted(ids.len() as u64, spec.singular);
    Answer::page(render::write(&ConfirmPage {
        frame: Frame::of(context),
        crumbs: render::crumbs(&[(spec.title, &to_list)], action.title),
        title: format!("{}: {what}?", action.title),
        lead: action.lead.to_owned(),
        warning,
        changes: Vec::new(),
        counts,
        items: (resource.links)(context.app, context.caller, named)?,
        more: (ids.len() - named.len()) as u64,
        hidden,
        button: format!("{} ({what})", action.button),
        is_danger: action.is_danger,
        action: url(&format!("{}bulk/", spec.path), context.query_text),
        back: to_list,
    }))
}

/// What a page says that asks again.
const CHANGED: &str = "It was changed meanwhile, and nothing was deleted. Below is what is there now.";

/// What is asked before something is done to one thing.
pub(super) struct Question {
    /// What it is about, where it was changed since it was asked before.
    pub(super) changed: Option<(ObjectType, i64)>,
    /// Hidden fields with the state that the page shows.
    pub(super) hidden: Vec<(&'static str, String)>,
    pub(super) title: String,
    pub(super) lead: String,
    pub(super) counts: Vec<(&'static str, u64)>,
    pub(super) items: Vec<Link>,
    pub(super) more: u64,
    pub(super) button: &'static str,
    pub(super) is_danger: bool,
    pub(super) back: String,
}

pub(super) fn confirm_one(
    context: &Context<'_>,
    steps: &[(&str, &str)],
    question: Question,
) -> Result<Answer, ApiError> {
    let status = match question.changed {
        Some(_) => StatusCode::CONFLICT,
        None => StatusCode::OK,
    };
    let changes = match question.changed {
        Some(object) => super::history::latest_changes(context, object)?,
        None => Vec::new(),
    };
    let html = render::write(&ConfirmPage {
        frame: Frame::of(context),
        crumbs: render::crumbs(steps, "Confirm"),
        title: question.title,
        lead: question.lead,
        warning: question.changed.map(|_| CHANGED.to_owned()),
        changes,
        counts: question.counts,
        items: question.items,
        more: question.more,
        hidden: question.hidden,
        button: question.button.to_owned(),
        is_danger: question.is_danger,
        action: context.with_back(context.path),
        back: question.back,
    });
    Ok(Answer::Page(status, html))
}

/// What became of many.
#[derive(Default)]
struct BulkReport {
    done: usize,
    unchanged: usize,
    /// Why some were refused, and how many for each reason.
    refused: BTreeMap<String, usize>,
    /// Why the rest was not even tried.
    broken_off: Option<String>,
}

impl BulkReport {
    /// Does it to each, one after the other. What is refused of one does not keep the others from it; a fault of ours
    /// does, and so does that the caller may not any more.
    fn run_batch(&mut self, app: &App, caller: Option<&Caller>, action: &Action, ids: &[i64], seen: &Seen) {
        let Some(caller) = caller else {
            self.broken_off = Some("You may not do this any more.".to_owned());
            return;
        };
        for id in ids {
            match (action.run)(app, caller, *id, seen.versions.get(id)) {
                Ok(Outcome::Done) => self.done += 1,
                Ok(Outcome::Unchanged) => self.unchanged += 1,
                Err(error) if error.status().is_server_error() => {
                    // The log says why.
                    drop(error.response());
                    self.broken_off = Some(error.sentence());
                    return;
                }
                Err(error) => *self.refused.entry(error.sentence()).or_default() += 1,
            }
        }
    }

    fn seen(&self) -> usize {
        self.done + self.unchanged + self.refused.values().sum::<usize>()
    }

    fn text(&self, spec: &ListSpec, action: &Action) -> String {
        let mut text = format!("{} {}.", counted(self.done as u64, spec.singular), action.past);
        // Writing to a string never fails.
        if self.unchanged > 0 {
            let _ = write!(text, " {} {} already.", self.unchanged, action.past);
        }
        for (reason, count) in &self.refused {
            let _ = write!(text, " {count} refused: {reason}");
        }
        if let Some(reason) = &self.broken_off {
            let _ = write!(text, " Then it broke off: {reason}");
        }
        text
    }

    fn message(&self, spec: &ListSpec, action: &Action) -> Message {
        let text = self.text(spec, action);
        if self.refused.is_empty() && self.broken_off.is_none() {
            Message::success(text)
        } else {
            Message::warning(text)
        }
    }
}

/// Tells how far it is, while it is done: a page that grows, which needs no script.
fn progress(
    context: &Context<'_>,
    resource: &'static BulkResource,
    action: &'static Action,
    ids: Vec<i64>,
    seen: Seen,
) -> Stream {
    let spec = resource.spec;
    let to_list = url(spec.path, context.query_text);
    let what = counted(ids.len() as u64, spec.singular);
    let page = render::write(&ProgressPage {
        frame: Frame::of(context),
        crumbs: render::crumbs(&[(spec.title, &to_list)], action.title),
        title: format!("{}: {what}", action.title),
    });
    let (head, tail) = page.split_once(PROGRESS).unwrap_or((&page, ""));
    let mut head = Some(head.as_bytes().to_vec());
    let mut tail = Some(tail.to_owned());
    let mut tally = BulkReport::default();
    let total = ids.len();
    let step = move |app: &App, caller: Option<&Caller>| {
        if let Some(head) = head.take() {
            return Ok(Some(head));
        }
        let batch: Vec<i64> = ids.iter().skip(tally.seen()).take(BATCH).copied().collect();
        if batch.is_empty() || tally.broken_off.is_some() {
            let end = tail.take().map(|tail| {
                let link = format!(
                    "<p class=\"actions\"><a class=\"button primary\" href=\"{}\">Back to the list</a></p>",
                    escape(&to_list)
                );
                let text = escape(&tally.text(spec, action));
                let class = if tally.broken_off.is_some() {
                    "problems"
                } else {
                    "notice"
                };
                format!("<p class=\"{class}\" role=\"status\">{text}</p>{link}{tail}").into_bytes()
            });
            return Ok(end);
        }
        tally.run_batch(app, caller, action, &batch, &seen);
        let reached = tally.seen().min(total);
        let told = format!(
            "<p class=\"progress\"><progress max=\"{total}\" value=\"{reached}\" aria-label=\"Progress\"></progress> {reached} of {total}</p>\n"
        );
        Ok(Some(told.into_bytes()))
    };
    Stream {
        media_type: "text/html; charset=utf-8",
        file_name: None,
        step: Box::new(step),
    }
}

/// Text as HTML.
fn escape(text: &str) -> String {
    askama::filters::escape(text, askama::filters::Html)
        .map_or_else(|never| match never {}, |safe| safe.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_knows_a_selection_whatever_its_order() {
        let digest = |ids: &[i64]| digest(ids, &Seen::default());
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
            let seen = Seen {
                going: CarCount { cars, pictures },
                versions: versions.iter().filter_map(version).collect(),
            };
            digest(&[1, 2], &seen)
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
