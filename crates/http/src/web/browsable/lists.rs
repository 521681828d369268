//! What the page of a list has more than others: search, filters, order, pages.

use mycars_domain::strip;
use serde::{Deserialize, de::IgnoredAny};

use super::{
    Page,
    forms::Refusal,
    navigation::{Link, Parameters, local_path, url},
};
use crate::{
    request::query::{BROWSER_PAGE_SIZE, FilterKind, FilterSpec, ListSpec, Query},
    web::bidi::isolated,
};

/// The one form that asks for another view of a list.
pub(super) struct ListControls {
    pub(super) search: String,
    /// Empty where nothing is searched.
    pub(super) searched: &'static str,
    pub(super) filters: Vec<Filter>,
    pub(super) orderings: Vec<Ordering>,
    pub(super) limit: String,
    /// Number of items on a page where no limit is given.
    pub(super) page_size: u32,
    /// The parameters that the form has no field for.
    pub(super) kept: Vec<(String, String)>,
    /// The filters that count at the moment; each link takes one away.
    pub(super) active: Vec<Link>,
    /// The list without any filter.
    pub(super) unfiltered: String,
    /// Whether the filters stand open: if any counts, or is wrong.
    pub(super) is_open: bool,
}

pub(super) struct Filter {
    pub(super) id: String,
    pub(super) name: &'static str,
    pub(super) label: &'static str,
    pub(super) is_number: bool,
    /// Not empty where one of several is chosen.
    pub(super) choices: &'static [&'static str],
    pub(super) value: String,
    pub(super) errors: Vec<String>,
}

pub(super) struct Ordering {
    pub(super) value: String,
    pub(super) label: String,
    pub(super) is_chosen: bool,
}

impl ListControls {
    pub(super) fn new(page: &Page<'_>, spec: &'static ListSpec) -> Self {
        let parameters = Parameters::parse(page.query);
        let refusal = Refusal::of_query(page);
        let filters: Vec<Filter> = spec
            .filters
            .iter()
            .map(|filter| Filter::new(filter, &parameters, &refusal))
            .collect();
        let names: Vec<&str> = spec.filters.iter().map(|filter| filter.name).collect();
        let of_filters = [names.as_slice(), &["search", "offset"]].concat();
        let own = [of_filters.as_slice(), &["ordering", "limit"]].concat();
        let is_set = |filter: &Filter| !filter.value.is_empty() || !filter.errors.is_empty();
        Self {
            search: parameters.get("search").to_owned(),
            searched: spec.searched,
            orderings: orderings(spec, parameters.get("ordering")),
            limit: parameters.get("limit").to_owned(),
            page_size: spec.page_size.unwrap_or(BROWSER_PAGE_SIZE),
            kept: parameters.without(&own),
            active: active(page, spec, &parameters, &filters),
            unfiltered: url(page.path, &parameters.query(&of_filters, None)),
            is_open: filters.iter().any(is_set),
            filters,
        }
    }
}

impl Filter {
    pub(super) fn is_chosen(&self, choice: &str) -> bool {
        self.value == choice
    }

    fn new(spec: &FilterSpec, parameters: &Parameters, refusal: &Refusal<'_>) -> Self {
        Self {
            id: format!("filter-{}", spec.name),
            name: spec.name,
            label: spec.label,
            is_number: spec.kind == FilterKind::Number,
            choices: match spec.kind {
                FilterKind::Choice(choices) => choices,
                FilterKind::Text | FilterKind::Number | FilterKind::Moment => &[],
            },
            value: parameters.get(spec.name).to_owned(),
            errors: refusal.of_field(spec.name),
        }
    }
}

/// Each order, both ways. One that was asked for and is none of these, such as two at once, is kept.
fn orderings(spec: &ListSpec, asked: &str) -> Vec<Ordering> {
    let known = spec.orderings.iter().flat_map(|name| {
        let words = name.replace('_', " ");
        [
            ((*name).to_owned(), format!("{words}, ascending")),
            (format!("-{name}"), format!("{words}, descending")),
        ]
    });
    let mut orderings: Vec<Ordering> = known
        .map(|(value, label)| Ordering {
            is_chosen: value == asked,
            value,
            label,
        })
        .collect();
    if !asked.is_empty() && !orderings.iter().any(|ordering| ordering.is_chosen) {
        orderings.push(Ordering {
            value: asked.to_owned(),
            label: asked.to_owned(),
            is_chosen: true,
        });
    }
    orderings
}

fn active(page: &Page<'_>, spec: &ListSpec, parameters: &Parameters, filters: &[Filter]) -> Vec<Link> {
    let is_searched = !spec.searched.is_empty();
    let search = is_searched.then(|| ("search", "Search", parameters.get("search")));
    let filters = filters
        .iter()
        .map(|filter| (filter.name, filter.label, filter.value.as_str()));
    search
        .into_iter()
        .chain(filters)
        .filter(|(_, _, value)| !strip(value).is_empty())
        .map(|(name, label, value)| Link {
            label: format!("{label}: {}", isolated(value)),
            url: url(page.path, &parameters.query(&[name, "offset"], None)),
        })
        .collect()
}

/// Where one is in a list.
pub(super) struct Pager {
    /// Such as "21–40 of 57".
    pub(super) position: String,
    pub(super) previous: Option<String>,
    pub(super) next: Option<String>,
    /// Leads to the list in pages, where it came whole.
    pub(super) in_pages: Option<String>,
    /// Leads to the whole list as JSON, where a part is shown only because this is a page.
    pub(super) whole: Option<String>,
}

/// The two forms of an answer that is a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Answer {
    Page {
        count: u64,
        next: Option<String>,
        previous: Option<String>,
        results: Vec<IgnoredAny>,
    },
    Whole(Vec<IgnoredAny>),
}

/// More items than these are better looked at in pages.
const PAGE_SIZE: &str = "20";

impl Pager {
    /// Of an answer; `None` where it is no list.
    pub(super) fn new(page: &Page<'_>) -> Option<Self> {
        page.list?;
        let parameters = Parameters::parse(page.query);
        let local = |link: String| {
            let path = link.strip_prefix(page.base_url)?;
            Some(local_path(path))
        };
        match serde_json::from_slice(page.json).ok()? {
            Answer::Whole(items) => Some(Self {
                position: match items.len() {
                    1 => "1 item".to_owned(),
                    count => format!("{count} items"),
                },
                previous: None,
                next: None,
                in_pages: (items.len() > 1).then(|| {
                    let query = parameters.query(&["limit", "offset"], Some(("limit", PAGE_SIZE)));
                    url(page.path, &query)
                }),
                whole: None,
            }),
            Answer::Page {
                count,
                next,
                previous,
                results,
            } => Some(Self {
                position: position(page.query, results.len(), count),
                previous: previous.and_then(local),
                next: next.and_then(local),
                in_pages: None,
                whole: page.is_shortened.then(|| {
                    let query = parameters.query(&["offset", "format"], Some(("format", "json")));
                    url(page.path, &query)
                }),
            }),
        }
    }
}

fn position(query: &str, shown: usize, count: u64) -> String {
    let offset = Query::parse(query).offset();
    let last = offset.saturating_add(u64::try_from(shown).unwrap_or(u64::MAX));
    match shown {
        0 => format!("none of {count}"),
        _ => format!("{}–{last} of {count}", offset.saturating_add(1)),
    }
}
