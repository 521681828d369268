//! The audit log: everything, and of one user or car.

use mycars_application::{
    cars::{self, CarScope},
    history,
    lists::{HistoryQuery, Page},
    users,
};
use mycars_domain::{
    CarId, Field, User, UserId,
    audit::{Action, Entry, ObjectType, Value},
};

use super::{
    Answer, Context,
    bulk::{self, BulkResource, Seen},
    export,
    lists::{self, Facet, ListData, ListSpec, Pages},
    render::{self, Cell, ChangeView, Frame, Names, ObjectHistoryPage, Row, Time},
};
use crate::{
    api::{history::ENTRY, views::EntryView},
    error::{ApiError, Resource},
    web::{
        bidi::isolated,
        browsable::{Link, Parameters},
    },
};

static LIST: ListSpec = ListSpec {
    path: "/admin/history/",
    title: "History",
    singular: "entry",
    plural: "entries",
    searched: "the name of what it is about, and of who did it",
    inputs: &[
        ("at_min", "From (UTC)", "date"),
        ("at_max", "To (UTC)", "date"),
        ("object_id", "Object’s ID", "text"),
        ("actor", "Actor’s ID", "number"),
    ],
    facets: &["action", "object_type"],
    columns: &[
        ("When (UTC)", Some("at")),
        ("Who", None),
        ("Did", None),
        ("What", None),
        ("Changes", None),
        ("From", None),
    ],
    actions: &[("export_csv", "Export as CSV"), ("export_json", "Export as JSON")],
    has_choice: false,
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
        rows: {
            let names = names(context, &listed.items)?;
            listed.items.iter().map(|entry| row(entry, &names)).collect()
        },
        total: listed.total.unwrap_or_default(),
        facets: facets(context, query)?,
        add: None,
    })
}

fn facets(context: &Context<'_>, query: &HistoryQuery) -> Result<Vec<Facet>, ApiError> {
    let counts = history::counts(context.app, context.caller, query)?;
    let actions = Action::ALL.into_iter().map(|action| {
        let alike = counts.iter().filter(|alike| {
            alike.action == action && query.object_type.is_none_or(|kind| alike.object_type == kind)
        });
        let count = alike.map(|alike| alike.count).sum();
        lists::choice(
            &LIST,
            context,
            ("action", action.as_str()),
            action.as_str(),
            count,
        )
    });
    let kinds = ObjectType::ALL.into_iter().map(|kind| {
        let alike = counts.iter().filter(|alike| {
            alike.object_type == kind && query.action.is_none_or(|action| alike.action == action)
        });
        let count = alike.map(|alike| alike.count).sum();
        lists::choice(
            &LIST,
            context,
            ("object_type", kind.as_str()),
            render::object_type(kind),
            count,
        )
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

fn row(entry: &Entry, names: &Names) -> Row {
    let Entry { id, entry } = entry;
    let link_or_text = |label: &str, url: Option<String>| match url {
        Some(url) => Cell::Link(Link {
            label: label.to_owned(),
            url,
        }),
        None => Cell::Text(label.to_owned()),
    };
    let actor_url = entry.author.id.map(|id| format!("/admin/users/{id}/history/"));
    let from = match entry.origin.address {
        Some(address) => format!("{}, {address}", render::channel(entry.origin.channel)),
        None => render::channel(entry.origin.channel).to_owned(),
    };
    Row {
        key: None,
        name: id.to_string(),
        cells: vec![
            Cell::Moment(Time(entry.at)),
            link_or_text(&entry.author.name, actor_url),
            Cell::Text(render::action(entry.action, entry.object.kind).to_owned()),
            link_or_text(
                &format!(
                    "{} {}",
                    render::object_type(entry.object.kind),
                    isolated(&entry.object.name)
                ),
                render::object_url(&entry.object),
            ),
            match entry.action {
                Action::Created | Action::Deleted => Cell::Whole(ChangeView::all(entry, names)),
                Action::Changed | Action::Revoked => Cell::Changes(ChangeView::all(entry, names)),
            },
            Cell::Text(from),
        ],
    }
}

/// Entries as pages show them.
pub(super) fn views(context: &Context<'_>, entries: &[Entry]) -> Result<Vec<render::EntryView>, ApiError> {
    let names = names(context, entries)?;
    let view = |entry| render::EntryView::new(entry, &names);
    Ok(entries.iter().map(view).collect())
}

/// What the owners are called whom entries name, in one query.
fn names(context: &Context<'_>, entries: &[Entry]) -> Result<Names, ApiError> {
    let values = entries
        .iter()
        .flat_map(|entry| &entry.entry.changes)
        .filter(|change| change.field == Field::Owner)
        .flat_map(|change| [&change.before, &change.after]);
    let mut ids: Vec<UserId> = values
        .filter_map(|value| match value {
            Value::Number(id) => Some(UserId(*id)),
            _ => None,
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    let owners = users::read_all(context.app, context.caller, &ids)?;
    let name = |owner: User| (owner.id.0, owner.username.to_string());
    Ok(owners.into_iter().map(name).collect())
}

static ENTRIES: BulkResource = BulkResource {
    spec: &LIST,
    ids: |context| Ok(history::ids(context.app, context.caller, &query(context)?)?),
    links: |_, _, _| Ok(Vec::new()),
    counts: |_, _, _| Ok(Vec::new()),
    names: || export::names(&ENTRY),
    rows: |app, caller, ids| {
        let entries = history::read_all(app, caller, ids)?;
        entries
            .iter()
            .map(|entry| export::row(&EntryView::whole(entry)))
            .collect()
    },
    seen: |_, _, _| Ok(Seen::default()),
    actions: &[],
    are_users: false,
};

pub(super) fn bulk(context: &Context<'_>) -> Result<Answer, ApiError> {
    bulk::answer(context, &ENTRIES)
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

/// How many of the latest changes a page shows that asks again before something is deleted.
const LATEST: u32 = 3;

/// Returns the latest changes of a user or a car: of a user, those of their cars too.
pub(super) fn latest_changes(
    context: &Context<'_>,
    (object_type, id): (ObjectType, i64),
) -> Result<Vec<render::EntryView>, ApiError> {
    let query = match object_type {
        ObjectType::User => HistoryQuery {
            owner: Some(UserId(id)),
            ..HistoryQuery::default()
        },
        _ => HistoryQuery {
            object_type: Some(object_type),
            object_id: Some(id.to_string()),
            ..HistoryQuery::default()
        },
    };
    let newest = history::newest(context.app, context.caller, &query, LATEST)?;
    views(context, &newest)
}

/// Whether an object exists: only "not found" means that it does not.
fn is_found<T, E: Into<ApiError>>(read: Result<T, E>) -> Result<bool, ApiError> {
    match read.map_err(Into::into) {
        Ok(_) => Ok(true),
        Err(ApiError::NotFound(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

/// What became of one thing: also of one that is gone.
fn of(
    context: &Context<'_>,
    object_type: ObjectType,
    list: &str,
    title: &str,
    missing: Resource,
) -> Result<Answer, ApiError> {
    let page = lists::page(context.query);
    let query = HistoryQuery {
        object_type: Some(object_type),
        object_id: Some(context.id.to_string()),
        page: Some(page),
        ..HistoryQuery::default()
    };
    let Page { items, total } = history::list(context.app, context.caller, &query)?;
    let (app, caller) = (context.app, context.caller);
    let is_there = match object_type {
        ObjectType::User => is_found(users::read(app, caller, UserId(context.id)))?,
        _ => is_found(cars::read(app, caller, CarScope::All, CarId(context.id)))?,
    };
    let name = match items.first() {
        Some(newest) => newest.entry.object.name.clone(),
        // Something from before there was a log.
        None if is_there => format!("{} {}", render::object_type(object_type), context.id),
        None => return Err(ApiError::NotFound(missing)),
    };
    let own = format!("{list}{}/", context.id);
    let mut steps = vec![(title, list)];
    if is_there {
        steps.push((&name, &own));
    }
    Answer::page(render::write(&ObjectHistoryPage {
        frame: Frame::of(context),
        crumbs: render::crumbs(&steps, "History"),
        title: if is_there {
            format!("History of {}", isolated(&name))
        } else {
            format!("History of {}, which is gone", isolated(&name))
        },
        entries: views(context, &items)?,
        pages: Pages::new(
            context.path,
            &Parameters::parse(context.query_text),
            page,
            total.unwrap_or_default(),
        ),
    }))
}

#[cfg(test)]
mod tests {
    use mycars_application::ports::StoreError;

    use super::*;

    #[test]
    fn only_not_found_means_that_an_object_is_gone() {
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
