//! The audit log: all entries, and those of one user or car.

use askama::Template;
use mycars_application::{
    App, Caller,
    cars::{self, CarScope},
    history,
    lists::{HistoryQuery, Page},
    users,
};
use mycars_domain::{
    CarId, UserId,
    audit::{Action, ObjectType},
};

use super::{
    Answer, Context,
    bulk::{self, BulkResource},
    export,
    lists::{self, Changelist, Facet, ListData},
    render::{self, Cell, Frame, Row},
};
use crate::{
    api::{entry::EntryView, history::ENTRY},
    error::{ApiError, Resource},
    web::ui::{
        self,
        bidi::isolated,
        entries::{self, LogEntry, object_type},
        links::{Crumb, Link},
        lists::Pager,
    },
};

static LIST: Changelist = Changelist {
    path: "/admin/history/",
    title: "History",
    singular: "entry",
    plural: "entries",
    searched: "the names of objects and actors",
    inputs: &[
        ("at_min", "From (UTC)", "date"),
        ("at_max", "To (UTC)", "date"),
        ("object_id", "Object’s ID", "text"),
        ("actor", "Actor’s ID", "number"),
    ],
    facets: &["action", "object_type"],
    columns: &[
        ("Time (UTC)", Some("at")),
        ("Actor", None),
        ("Action", None),
        ("Object", None),
        ("Changes", None),
        ("From", None),
    ],
    actions: &[],
};

pub(super) fn list(context: &Context<'_>) -> Result<Answer, ApiError> {
    let found = query(context).and_then(|query| found(context, &query));
    lists::show(context, &LIST, found)
}

fn query(context: &Context<'_>) -> Result<HistoryQuery, ApiError> {
    context.query.history(lists::PAGES)
}

fn found(context: &Context<'_>, query: &HistoryQuery) -> Result<ListData, ApiError> {
    let listed = history::list(context.app, context.caller, query)?;
    Ok(ListData {
        rows: entries::views(context.app, context.caller, &listed.items)?
            .into_iter()
            .map(row)
            .collect(),
        total: listed.total.unwrap_or_default(),
        facets: facets(context, query)?,
        add: None,
    })
}

fn facets(context: &Context<'_>, query: &HistoryQuery) -> Result<Vec<Facet>, ApiError> {
    let counts = history::counts(context.app, context.caller, query)?;
    let count = |action: Option<Action>, kind: Option<ObjectType>| {
        let alike = counts.iter().filter(|alike| {
            action.is_none_or(|action| alike.action == action)
                && kind.is_none_or(|kind| alike.object_type == kind)
        });
        alike.map(|alike| alike.count).sum()
    };
    let actions = Action::ALL.into_iter().map(|action| {
        let (name, count) = (action.as_str(), count(Some(action), query.object_type));
        lists::choice(&LIST, context, ("action", name), name, count)
    });
    let kinds = ObjectType::ALL.into_iter().map(|kind| {
        let (name, count) = (kind.as_str(), count(query.action, Some(kind)));
        lists::choice(&LIST, context, ("object_type", name), object_type(kind), count)
    });
    Ok(vec![
        Facet {
            title: "Action",
            choices: actions.collect(),
        },
        Facet {
            title: "Object",
            choices: kinds.collect(),
        },
    ])
}

fn row(entry: LogEntry) -> Row {
    let link_or_text = |label: String, url: Option<String>| match url {
        Some(url) => Cell::Link(Link { label, url }),
        None => Cell::Text(label),
    };
    let object = format!("{} {}", entry.object_type, isolated(&entry.object));
    Row {
        key: None,
        name: String::new(),
        cells: vec![
            Cell::Moment(entry.at),
            link_or_text(entry.actor, entry.actor_url),
            Cell::Text(entry.action.to_owned()),
            link_or_text(object, entry.object_url),
            if entry.is_whole {
                Cell::Whole(entry.changes)
            } else {
                Cell::Changes(entry.changes)
            },
            Cell::Text(match entry.address {
                Some(address) => format!("{}, {address}", entry.channel),
                None => entry.channel.to_owned(),
            }),
        ],
    }
}

struct Entries;

impl BulkResource for Entries {
    const LIST: &'static Changelist = &LIST;

    fn ids(context: &Context<'_>) -> Result<Vec<i64>, ApiError> {
        Ok(history::ids(context.app, context.caller, &query(context)?)?)
    }

    fn rows(app: &App, caller: &Caller, ids: &[i64]) -> Result<Vec<export::Row>, ApiError> {
        let entries = history::read_all(app, caller, ids)?;
        entries
            .iter()
            .map(|entry| export::row(&EntryView::whole(entry)))
            .collect()
    }

    fn names() -> Vec<&'static str> {
        export::names(&ENTRY)
    }
}

pub(super) fn bulk(context: &Context<'_>) -> Result<Answer, ApiError> {
    bulk::answer::<Entries>(context)
}

pub(super) fn of_user(context: &Context<'_>) -> Result<Answer, ApiError> {
    of(
        context,
        ObjectType::User,
        "/admin/users/",
        "Users",
        Resource::User,
    )
}

pub(super) fn of_car(context: &Context<'_>) -> Result<Answer, ApiError> {
    of(context, ObjectType::Car, "/admin/cars/", "Cars", Resource::Car)
}

/// Returns whether an object exists: only "not found" means that it does not.
fn is_found<T, E: Into<ApiError>>(read: Result<T, E>) -> Result<bool, ApiError> {
    match read.map_err(Into::into) {
        Ok(_) => Ok(true),
        Err(ApiError::NotFound(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The audit log of one object, which may be deleted.
#[derive(Template)]
#[template(path = "panel/object_history.html")]
struct ObjectHistoryPage<'a> {
    frame: Frame<'a>,
    crumbs: Vec<Crumb>,
    title: String,
    entries: Vec<LogEntry>,
    pager: Pager,
}

fn of(
    context: &Context<'_>,
    kind: ObjectType,
    list: &str,
    title: &str,
    missing: Resource,
) -> Result<Answer, ApiError> {
    let page = lists::page(context.query);
    let query = HistoryQuery {
        object_type: Some(kind),
        object_id: Some(context.id.to_string()),
        page: Some(page),
        ..HistoryQuery::default()
    };
    let Page { items, total } = history::list(context.app, context.caller, &query)?;
    let (app, caller) = (context.app, context.caller);
    let is_there = match kind {
        ObjectType::User => is_found(users::read(app, caller, UserId(context.id)))?,
        _ => is_found(cars::read(app, caller, CarScope::All, CarId(context.id)))?,
    };
    let name = match items.first() {
        Some(newest) => newest.entry.object.name.clone(),
        // Objects can be older than the audit log.
        None if is_there => format!("{} {}", object_type(kind), context.id),
        None => return Err(ApiError::NotFound(missing)),
    };
    let own = format!("{list}{}/", context.id);
    let mut steps = vec![(title, list)];
    if is_there {
        steps.push((&name, &own));
    }
    Answer::page(ui::render(&ObjectHistoryPage {
        frame: Frame::of(context),
        crumbs: render::crumbs(&steps, "History"),
        title: if is_there {
            format!("History of {}", isolated(&name))
        } else {
            format!("History of {} (deleted)", isolated(&name))
        },
        entries: entries::views(context.app, context.caller, &items)?,
        pager: lists::pager(context.path, context.query, page, total.unwrap_or_default()),
    }))
}

#[cfg(test)]
mod tests {
    use mycars_application::ports::StoreError;

    use super::*;

    #[test]
    fn object_is_missing_only_if_not_found() {
        assert!(is_found(Ok::<_, users::Error>(())).unwrap());
        assert!(!is_found(Err::<(), _>(users::Error::NotFound)).unwrap());
        assert!(!is_found(Err::<(), _>(cars::Error::NotFound)).unwrap());
        for (error, expected) in [
            (StoreError::Unavailable("away".into()), 503),
            (StoreError::NotWritable("full".into()), 503),
            (StoreError::Other("damaged".into()), 500),
        ] {
            let error = is_found(Err::<(), _>(cars::Error::Store(error))).unwrap_err();
            assert_eq!(error.status().as_u16(), expected);
        }
    }
}
