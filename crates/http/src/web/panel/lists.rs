//! What all lists of the panel have: search, filters with counts, columns to sort by, pages, actions on many.
//! Everything about what is shown stands in the URL.

use mycars_application::lists::LimitOffset;
use mycars_domain::strip;

use super::{
    Answer, Context,
    render::{self, Frame, ListPage, Row},
};
use crate::{
    error::ApiError,
    request::query::{ListSettings, Query},
    web::{
        bidi::isolated,
        browsable::{Link, Parameters, url},
    },
};

/// So many rows has a page, unless `?limit=` says otherwise.
pub(super) const PAGES: ListSettings = ListSettings {
    page_size: Some(50),
    max_page_size: 200,
};

/// What is said of a list once and for all.
pub(super) struct ListSpec {
    pub(super) path: &'static str,
    pub(super) title: &'static str,
    pub(super) singular: &'static str,
    pub(super) plural: &'static str,
    pub(super) searched: &'static str,
    /// The fields that filter beside those with counts: name and label, and the type of the control.
    pub(super) inputs: &'static [(&'static str, &'static str, &'static str)],
    /// The filters that links set, or who writes the URL.
    pub(super) facets: &'static [&'static str],
    /// What each column is called, and the order that it stands for.
    pub(super) columns: &'static [(&'static str, Option<&'static str>)],
    /// What can be done to many at once: name and label.
    pub(super) actions: &'static [(&'static str, &'static str)],
    /// Whether rows can be chosen; if not, actions are about all that match.
    pub(super) has_choice: bool,
}

/// What is in a list at the moment.
pub(super) struct ListData {
    pub(super) rows: Vec<Row>,
    pub(super) total: u64,
    pub(super) facets: Vec<Facet>,
    pub(super) add: Option<Link>,
}

/// A field that filters.
pub(super) struct Input {
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) kind: &'static str,
    pub(super) value: String,
    pub(super) errors: Vec<String>,
}

/// Values to filter by, each with how many there are.
pub(super) struct Facet {
    pub(super) title: &'static str,
    pub(super) choices: Vec<Choice>,
}

pub(super) struct Choice {
    pub(super) label: String,
    pub(super) count: u64,
    /// Sets it, or takes it away where it is set.
    pub(super) url: String,
    pub(super) is_chosen: bool,
}

/// The head of a column.
pub(super) struct Column {
    pub(super) label: &'static str,
    pub(super) sort: Option<Sort>,
}

pub(super) struct Sort {
    /// Orders by this column first, or the other way round.
    pub(super) url: String,
    /// `ascending`, `descending`, or nothing.
    pub(super) direction: &'static str,
    /// Its place among the orders, from 1; 0 if it is none.
    pub(super) priority: usize,
    /// Orders no longer by this column.
    pub(super) remove: String,
}

/// Where one is in a list.
pub(super) struct Pages {
    pub(super) position: String,
    pub(super) first: Option<String>,
    pub(super) previous: Option<String>,
    pub(super) next: Option<String>,
    pub(super) last: Option<String>,
}

/// What can be done to many rows.
pub(super) struct Bulk {
    pub(super) url: String,
    pub(super) actions: &'static [(&'static str, &'static str)],
    pub(super) has_choice: bool,
}

/// The page that is asked for.
pub(super) fn page(query: &Query) -> LimitOffset {
    query.page(PAGES).unwrap_or(LimitOffset { limit: 50, offset: 0 })
}

/// Shows a list. What is wrong with a filter is said beside it; a page beyond the last leads to the last.
pub(super) fn show(
    context: &Context<'_>,
    spec: &'static ListSpec,
    found: Result<ListData, ApiError>,
) -> Result<Answer, ApiError> {
    let (found, errors) = match found {
        Ok(found) => (found, Vec::new()),
        Err(ApiError::Parameters(errors)) => (ListData::empty(), errors),
        Err(error) => return Err(error),
    };
    let parameters = Parameters::parse(context.query_text);
    let page = page(context.query);
    if found.rows.is_empty() && page.offset > 0 && errors.is_empty() {
        let last = last_offset(found.total, page.limit);
        return Ok(Answer::Redirect(at(spec.path, &parameters, last), None));
    }
    let status = if errors.is_empty() { 200 } else { 400 };
    let html = render::write(&list_page(context, spec, found, &parameters, &errors));
    let status = actix_web::http::StatusCode::from_u16(status).unwrap_or_default();
    Ok(Answer::Page(status, html))
}

impl ListData {
    fn empty() -> Self {
        Self {
            rows: Vec::new(),
            total: 0,
            facets: Vec::new(),
            add: None,
        }
    }
}

fn list_page<'a>(
    context: &Context<'a>,
    spec: &'static ListSpec,
    found: ListData,
    parameters: &Parameters,
    errors: &[(&'static str, String)],
) -> ListPage<'a> {
    let of = |name: &str| -> Vec<String> {
        errors
            .iter()
            .filter(|(known, _)| *known == name)
            .map(|(_, message)| message.clone())
            .collect()
    };
    let inputs: Vec<Input> = spec
        .inputs
        .iter()
        .map(|&(name, label, kind)| Input {
            name,
            label,
            kind,
            value: parameters.get(name).to_owned(),
            errors: of(name),
        })
        .collect();
    let input_names: Vec<&str> = spec.inputs.iter().map(|(name, ..)| *name).collect();
    let filters = [input_names.as_slice(), spec.facets, &["search", "offset"]].concat();
    let in_form = [input_names.as_slice(), &["search", "offset"]].concat();
    ListPage {
        frame: Frame::of(context),
        crumbs: render::crumbs(&[], spec.title),
        title: spec.title,
        add: found.add,
        searched: spec.searched,
        search: parameters.get("search").to_owned(),
        kept: parameters.without(&in_form),
        facets: found.facets,
        active: active(spec, parameters),
        unfiltered: url(spec.path, &parameters.query(&filters, None)),
        columns: columns(spec, parameters),
        rows: found.rows,
        pages: Pages::new(spec.path, parameters, page(context.query), found.total),
        total: found.total,
        plural: spec.plural,
        bulk: Bulk {
            url: url(&format!("{}bulk/", spec.path), context.query_text),
            actions: spec.actions,
            has_choice: spec.has_choice,
        },
        problems: errors
            .iter()
            .filter(|(name, _)| !input_names.contains(name))
            .map(|(name, message)| format!("{}: {message}", name.replace('_', " ")))
            .collect(),
        inputs,
    }
}

fn active(spec: &ListSpec, parameters: &Parameters) -> Vec<Link> {
    let inputs = spec
        .inputs
        .iter()
        .map(|(name, label, _)| (*name, (*label).to_owned()));
    let facets = spec.facets.iter().map(|name| (*name, name.replace('_', " ")));
    std::iter::once(("search", "Search".to_owned()))
        .chain(inputs)
        .chain(facets)
        .filter_map(|(name, label)| {
            let value = strip(parameters.get(name));
            (!value.is_empty()).then(|| Link {
                label: format!("{label}: {}", isolated(value)),
                url: url(spec.path, &parameters.query(&[name, "offset"], None)),
            })
        })
        .collect()
}

/// One choice of a facet.
pub(super) fn choice(
    spec: &ListSpec,
    context: &Context<'_>,
    (name, value): (&str, &str),
    label: impl Into<String>,
    count: u64,
) -> Choice {
    let parameters = Parameters::parse(context.query_text);
    let is_chosen = strip(parameters.get(name)) == value;
    let added = (!is_chosen).then_some((name, value));
    Choice {
        label: label.into(),
        count,
        url: url(spec.path, &parameters.query(&[name, "offset"], added)),
        is_chosen,
    }
}

/// The orders that a query asks for: the name, and whether it is descending.
fn orders(parameters: &Parameters) -> Vec<(&str, bool)> {
    parameters
        .get("ordering")
        .split(',')
        .map(str::trim)
        .filter(|name| !name.is_empty())
        .map(|name| name.strip_prefix('-').map_or((name, false), |name| (name, true)))
        .collect()
}

fn columns(spec: &ListSpec, parameters: &Parameters) -> Vec<Column> {
    let orders = orders(parameters);
    let with = |orders: Vec<(&str, bool)>| {
        let names: Vec<String> = orders
            .iter()
            .map(|(name, is_descending)| format!("{}{name}", if *is_descending { "-" } else { "" }))
            .collect();
        let ordering = names.join(",");
        let added = (!ordering.is_empty()).then_some(("ordering", ordering.as_str()));
        url(spec.path, &parameters.query(&["ordering", "offset"], added))
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

impl Pages {
    pub(super) fn new(path: &str, parameters: &Parameters, page: LimitOffset, total: u64) -> Self {
        let LimitOffset { limit, offset } = page;
        let to = |offset: u64| at(path, parameters, offset);
        let last = last_offset(total, limit);
        let shown_to = offset.saturating_add(limit.into()).min(total);
        Self {
            position: match total {
                0 => "None".to_owned(),
                _ => format!("{}–{shown_to} of {total}", offset.saturating_add(1).min(total)),
            },
            first: (offset > 0).then(|| to(0)),
            previous: (offset > 0).then(|| to(offset.saturating_sub(limit.into()))),
            next: (offset < last).then(|| to(offset.saturating_add(limit.into()))),
            last: (offset < last).then(|| to(last)),
        }
    }
}

/// Where the last page begins.
fn last_offset(total: u64, limit: u32) -> u64 {
    let limit = u64::from(limit.max(1));
    total.saturating_sub(1) / limit * limit
}

fn at(path: &str, parameters: &Parameters, offset: u64) -> String {
    let text = offset.to_string();
    let added = (offset > 0).then_some(("offset", text.as_str()));
    url(path, &parameters.query(&["offset"], added))
}

/// The URL of the page of something in a list, from which one comes back to the list as it is.
pub(super) fn from_list(path: &str, context: &Context<'_>) -> String {
    with_back(path, context.query_text)
}

/// A path that remembers the query of a list.
pub(super) fn with_back(path: &str, query: &str) -> String {
    if query.is_empty() {
        return path.to_owned();
    }
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("back", query)
        .finish();
    format!("{path}?{query}")
}

#[cfg(test)]
mod tests {
    use super::*;

    static SPEC: ListSpec = ListSpec {
        path: "/admin/cars/",
        title: "Cars",
        singular: "car",
        plural: "cars",
        searched: "",
        inputs: &[],
        facets: &[],
        columns: &[("Year", Some("year")), ("Brand", Some("brand")), ("Owner", None)],
        actions: &[],
        has_choice: true,
    };

    #[test]
    fn a_click_sorts_by_a_column_first_and_keeps_the_others() {
        let columns = columns(
            &SPEC,
            &Parameters::parse("ordering=-year,brand&search=x&offset=50"),
        );
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
    fn pages_lead_to_both_ends() {
        let pages = |offset, total| {
            let page = LimitOffset { limit: 50, offset };
            Pages::new("/admin/cars/", &Parameters::parse("search=x"), page, total)
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
