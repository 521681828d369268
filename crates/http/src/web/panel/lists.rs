//! Lists of the panel: search, filters with counts, columns to sort by, pages, and actions on several rows. The URL
//! holds the whole state of a list.

use actix_web::http::StatusCode;
use askama::Template;
use chrono::{DateTime, Utc};
use mycars_application::{App, Caller, lists::LimitOffset};
use mycars_domain::strip;

use super::{
    Answer, Context,
    render::{self, Cell, Frame, Row},
};
use crate::{
    error::ApiError,
    request::query::{ListSettings, Query},
    web::ui::{
        self,
        links::{Crumb, Link, changed_url, url, url_with},
        lists::{Filter, ListControls, Pager},
    },
};

/// Number of rows on a page, and the maximum for `?limit=`.
pub(super) const PAGES: ListSettings = ListSettings {
    page_size: Some(50),
    max_page_size: 200,
};

/// The description of a list.
pub(super) struct Changelist {
    pub(super) path: &'static str,
    pub(super) title: &'static str,
    pub(super) singular: &'static str,
    pub(super) plural: &'static str,
    pub(super) searched: &'static str,
    /// Name, label and type of each `<input>` that filters.
    pub(super) inputs: &'static [(&'static str, &'static str, &'static str)],
    /// Filters that links set.
    pub(super) facets: &'static [&'static str],
    /// Label of each column, and the name by which it is ordered.
    pub(super) columns: &'static [(&'static str, Option<&'static str>)],
    /// Actions on several rows, besides the exports.
    pub(super) actions: &'static [Action],
}

impl Changelist {
    /// Returns whether rows can be selected. Otherwise only all that match can be exported.
    pub(super) fn has_choice(&self) -> bool {
        !self.actions.is_empty()
    }
}

/// The version of a user or a car.
pub(super) struct Version {
    pub(super) updated_at: DateTime<Utc>,
    /// The digest of a user's cars.
    pub(super) cars: Option<String>,
}

/// Runs an action on the object with this id, if it still has this version.
type Run = fn(&App, &Caller, i64, Option<&Version>) -> Result<Outcome, ApiError>;

/// An action on several objects.
pub(super) struct Action {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// Past participle for the report, such as “deleted”.
    pub(super) past: &'static str,
    pub(super) button: &'static str,
    pub(super) lead: &'static str,
    pub(super) is_danger: bool,
    pub(super) run: Run,
}

/// The result of an action for one object.
pub(super) enum Outcome {
    Done,
    /// The object had the requested state already.
    Unchanged,
}

impl Outcome {
    pub(super) fn of(is_done: bool) -> Self {
        if is_done { Self::Done } else { Self::Unchanged }
    }
}

/// The content of a list.
#[derive(Default)]
pub(super) struct ListData {
    pub(super) rows: Vec<Row>,
    pub(super) total: u64,
    pub(super) facets: Vec<Facet>,
    pub(super) add: Option<Link>,
}

/// Values to filter by, each with its number of rows.
pub(super) struct Facet {
    pub(super) title: &'static str,
    pub(super) choices: Vec<Choice>,
}

pub(super) struct Choice {
    label: String,
    count: u64,
    /// Sets the filter, or removes it if it is set.
    url: String,
    is_chosen: bool,
}

/// The header of a column.
struct Column {
    label: &'static str,
    sort: Option<Sort>,
}

struct Sort {
    /// Orders by this column first, or reverses it.
    url: String,
    /// `ascending`, `descending`, or "".
    direction: &'static str,
    /// Position among the orderings, from 1; 0 if it is none.
    priority: usize,
    /// Removes this column from the orderings.
    remove: String,
}

/// The form of the actions on several rows.
struct Bulk {
    url: String,
    actions: &'static [Action],
    has_choice: bool,
}

#[derive(Template)]
#[template(path = "panel/list.html")]
struct ListPage<'a> {
    frame: Frame<'a>,
    crumbs: Vec<Crumb>,
    title: &'a str,
    add: Option<Link>,
    list: ListControls,
    facets: Vec<Facet>,
    columns: Vec<Column>,
    rows: Vec<Row>,
    total: u64,
    plural: &'static str,
    pager: Pager,
    bulk: Bulk,
    problems: Vec<String>,
}

/// Returns the requested page.
pub(super) fn page(query: &Query) -> LimitOffset {
    query.page(PAGES).unwrap_or(LimitOffset { limit: 50, offset: 0 })
}

/// Shows a list, with the errors of filters beside them. A page beyond the last redirects to the last.
pub(super) fn show(
    context: &Context<'_>,
    spec: &'static Changelist,
    data: Result<ListData, ApiError>,
) -> Result<Answer, ApiError> {
    let (data, errors) = match data {
        Ok(data) => (data, Vec::new()),
        Err(ApiError::Parameters(errors)) => (ListData::default(), errors),
        Err(error) => return Err(error),
    };
    let page = page(context.query);
    if data.rows.is_empty() && page.offset > 0 && errors.is_empty() {
        let last = last_offset(data.total, page.limit);
        return Ok(Answer::Redirect(at(spec.path, context.query, last), None));
    }
    let status = if errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    let is_input = |name: &str| spec.inputs.iter().any(|(input, ..)| *input == name);
    let inputs = spec.inputs.iter().map(|&(name, label, kind)| Filter {
        name,
        label,
        kind,
        choices: &[],
        value: context.query.raw(name).to_owned(),
        errors: errors
            .iter()
            .filter(|(known, _)| *known == name)
            .map(|(_, message)| message.clone())
            .collect(),
    });
    let html = ui::render(&ListPage {
        frame: Frame::of(context),
        crumbs: render::crumbs(&[], spec.title),
        title: spec.title,
        add: data.add,
        list: ListControls::new(
            spec.path,
            context.query,
            spec.searched,
            inputs.collect(),
            spec.facets,
            &[],
        ),
        facets: data.facets,
        columns: columns(spec, context.query),
        rows: data.rows,
        pager: pager(spec.path, context.query, page, data.total),
        total: data.total,
        plural: spec.plural,
        bulk: Bulk {
            url: url(&format!("{}bulk/", spec.path), context.query_text),
            actions: spec.actions,
            has_choice: spec.has_choice(),
        },
        problems: errors
            .iter()
            .filter(|(name, _)| !is_input(name))
            .map(|(name, message)| format!("{}: {message}", name.replace('_', " ")))
            .collect(),
    });
    Ok(Answer::Page(status, html))
}

/// Returns one choice of a facet.
pub(super) fn choice(
    spec: &Changelist,
    context: &Context<'_>,
    (name, value): (&str, &str),
    label: impl Into<String>,
    count: u64,
) -> Choice {
    let is_chosen = strip(context.query.raw(name)) == value;
    let added = (!is_chosen).then_some((name, value));
    Choice {
        label: label.into(),
        count,
        url: changed_url(spec.path, context.query, &[name, "offset"], added),
        is_chosen,
    }
}

/// Returns the requested orderings: the name, and whether it is descending.
fn orderings(query: &Query) -> Vec<(&str, bool)> {
    query
        .raw("ordering")
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| name.strip_prefix('-').map_or((name, false), |name| (name, true)))
        .collect()
}

fn columns(spec: &Changelist, query: &Query) -> Vec<Column> {
    let orders = orderings(query);
    let with = |orders: Vec<(&str, bool)>| {
        let names: Vec<String> = orders
            .iter()
            .map(|(name, is_descending)| format!("{}{name}", if *is_descending { "-" } else { "" }))
            .collect();
        let ordering = names.join(",");
        let added = (!ordering.is_empty()).then_some(("ordering", ordering.as_str()));
        changed_url(spec.path, query, &["ordering", "offset"], added)
    };
    let sort = |name: &'static str| {
        let place = orders.iter().position(|(known, _)| *known == name);
        let is_descending = place
            .and_then(|place| orders.get(place))
            .map(|(_, is_descending)| *is_descending);
        let others: Vec<(&str, bool)> = orders
            .iter()
            .copied()
            .filter(|(known, _)| *known != name)
            .collect();
        let mut first = vec![(name, is_descending == Some(false))];
        first.extend(&others);
        Sort {
            url: with(first),
            direction: match is_descending {
                None => "",
                Some(false) => "ascending",
                Some(true) => "descending",
            },
            priority: place.map_or(0, |place| place + 1),
            remove: with(others),
        }
    };
    spec.columns
        .iter()
        .map(|(label, order)| Column {
            label,
            sort: order.map(sort),
        })
        .collect()
}

/// Returns the pager of a list.
pub(super) fn pager(path: &str, query: &Query, page: LimitOffset, total: u64) -> Pager {
    let LimitOffset { limit, offset } = page;
    let to = |offset: u64| at(path, query, offset);
    let last = last_offset(total, limit);
    let shown_to = offset.saturating_add(limit.into()).min(total);
    Pager {
        position: match total {
            0 => "None".to_owned(),
            _ => format!("{}–{shown_to} of {total}", offset.saturating_add(1).min(total)),
        },
        first: (offset > 0).then(|| to(0)),
        previous: (offset > 0).then(|| to(offset.saturating_sub(limit.into()))),
        next: (offset < last).then(|| to(offset.saturating_add(limit.into()))),
        last: (offset < last).then(|| to(last)),
        ..Pager::default()
    }
}

/// Returns the offset of the last page.
fn last_offset(total: u64, limit: u32) -> u64 {
    let limit = u64::from(limit.max(1));
    total.saturating_sub(1) / limit * limit
}

fn at(path: &str, query: &Query, offset: u64) -> String {
    let text = offset.to_string();
    let added = (offset > 0).then_some(("offset", text.as_str()));
    changed_url(path, query, &["offset"], added)
}

/// Returns the URL of a page that is opened from a list and leads back to it.
pub(super) fn from_list(path: &str, context: &Context<'_>) -> String {
    with_back(path, context.query_text)
}

/// Returns a path with the query of a list in its parameter `back`.
pub(super) fn with_back(path: &str, query: &str) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    url_with(path, "back", query)
}

#[cfg(test)]
mod tests {
    use super::*;

    static SPEC: Changelist = Changelist {
        path: "/admin/cars/",
        title: "Cars",
        singular: "car",
        plural: "cars",
        searched: "",
        inputs: &[],
        facets: &[],
        columns: &[("Year", Some("year")), ("Brand", Some("brand")), ("Owner", None)],
        actions: &[],
    };

    #[test]
    fn column_link_sorts_by_it_first_and_keeps_the_others() {
        let columns = columns(&SPEC, &Query::parse("ordering=-year,brand&search=x&offset=50"));
        let year = columns[0].sort.as_ref().unwrap();
        assert_eq!((year.direction, year.priority), ("descending", 1));
        assert_eq!(year.url, "/admin/cars/?search=x&ordering=year%2Cbrand");
        assert_eq!(year.remove, "/admin/cars/?search=x&ordering=brand");
        let brand = columns[1].sort.as_ref().unwrap();
        assert_eq!((brand.direction, brand.priority), ("ascending", 2));
        assert_eq!(brand.url, "/admin/cars/?search=x&ordering=-brand%2C-year");
        assert!(columns[2].sort.is_none());
    }

    #[test]
    fn pager_links_to_both_ends() {
        let pages = |offset, total| {
            let page = LimitOffset { limit: 50, offset };
            pager("/admin/cars/", &Query::parse("search=x"), page, total)
        };
        let middle = pages(50, 160);
        assert_eq!(middle.position, "51–100 of 160");
        assert_eq!(middle.first.as_deref(), Some("/admin/cars/?search=x"));
        assert_eq!(middle.next.as_deref(), Some("/admin/cars/?search=x&offset=100"));
        assert_eq!(middle.last.as_deref(), Some("/admin/cars/?search=x&offset=150"));
        let only = pages(0, 50);
        assert!(only.next.is_none() && only.previous.is_none() && only.last.is_none());
        assert_eq!(pages(0, 0).position, "None");
    }
}
