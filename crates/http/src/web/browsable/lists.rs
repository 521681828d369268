//! The controls of lists: search, filters, order and pages.

use serde::{Deserialize, de::IgnoredAny};

use super::{Page, forms::Refusal};
use crate::{
    request::query::{BROWSER_PAGE_SIZE, FilterKind, ListSpec, Query},
    web::ui::{
        links::{changed_url, local_path},
        lists::{self, Filter, Pager},
    },
};

/// The form that searches, filters and orders a list.
pub(super) struct ListControls {
    pub(super) common: lists::ListControls,
    pub(super) orderings: Vec<Ordering>,
    pub(super) limit: String,
    /// Number of items on a page if no limit is given.
    pub(super) page_size: u32,
    /// Whether the filters are shown: if one is set or invalid.
    pub(super) is_open: bool,
}

pub(super) struct Ordering {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) is_chosen: bool,
}

impl ListControls {
    pub(super) fn new(page: &Page<'_>, query: &Query, spec: &'static ListSpec) -> Self {
        let refusal = Refusal::of_query(page);
        let filters = spec.filters.iter().map(|filter| Filter {
            name: filter.name,
            label: filter.label,
            kind: match filter.kind {
                FilterKind::Number => "number",
                _ => "text",
            },
            choices: match filter.kind {
                FilterKind::Choice(choices) => choices,
                _ => &[],
            },
            value: query.raw(filter.name).to_owned(),
            errors: refusal.of_field(filter.name),
        });
        let filters: Vec<Filter> = filters.collect();
        let is_set = |filter: &Filter| !filter.value.is_empty() || !filter.errors.is_empty();
        Self {
            is_open: filters.iter().any(is_set),
            common: lists::ListControls::new(
                page.path,
                query,
                spec.searched,
                filters,
                &[],
                &["ordering", "limit"],
            ),
            orderings: orderings(spec, query.raw("ordering")),
            limit: query.raw("limit").to_owned(),
            page_size: spec.page_size.unwrap_or(BROWSER_PAGE_SIZE),
        }
    }
}

/// Returns each ordering in both directions, and the requested one if it is none of these, such as two at once.
fn orderings(spec: &ListSpec, requested: &str) -> Vec<Ordering> {
    let known = spec.orderings.iter().flat_map(|name| {
        let words = name.replace('_', " ");
        [
            ((*name).to_owned(), format!("{words}, ascending")),
            (format!("-{name}"), format!("{words}, descending")),
        ]
    });
    let mut orderings: Vec<Ordering> = known
        .map(|(value, label)| Ordering {
            is_chosen: value == requested,
            value,
            label,
        })
        .collect();
    if !requested.is_empty() && !orderings.iter().any(|ordering| ordering.is_chosen) {
        orderings.push(Ordering {
            value: requested.to_owned(),
            label: requested.to_owned(),
            is_chosen: true,
        });
    }
    orderings
}

/// A response with a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum List {
    Page {
        count: u64,
        next: Option<String>,
        previous: Option<String>,
        results: Vec<IgnoredAny>,
    },
    Whole(Vec<IgnoredAny>),
}

/// Number of items on a page to which a whole list links.
const PAGE_SIZE: &str = "20";

/// Returns the pager of a response; `None` if it is no list.
pub(super) fn pager(page: &Page<'_>, query: &Query) -> Option<Pager> {
    page.list?;
    let local = |link: String| link.strip_prefix(page.base_url).map(local_path);
    let pager = match serde_json::from_slice(page.json).ok()? {
        List::Whole(items) => Pager {
            position: match items.len() {
                1 => "1 item".to_owned(),
                count => format!("{count} items"),
            },
            in_pages: (items.len() > 1)
                .then(|| changed_url(page.path, query, &["limit", "offset"], Some(("limit", PAGE_SIZE)))),
            ..Pager::default()
        },
        List::Page {
            count,
            next,
            previous,
            results,
        } => Pager {
            position: position(query.offset(), results.len(), count),
            previous: previous.and_then(local),
            next: next.and_then(local),
            whole: page
                .is_shortened
                .then(|| changed_url(page.path, query, &["offset", "format"], Some(("format", "json")))),
            ..Pager::default()
        },
    };
    Some(pager)
}

fn position(offset: u64, shown: usize, count: u64) -> String {
    let last = offset.saturating_add(u64::try_from(shown).unwrap_or(u64::MAX));
    match shown {
        0 => format!("none of {count}"),
        _ => format!("{}–{last} of {count}", offset.saturating_add(1)),
    }
}
