//! Search, filters and pages of lists.

use mycars_domain::strip;

use super::{
    bidi::isolated,
    links::{Link, changed_url},
};
use crate::request::query::Query;

/// The form that searches and filters a list.
pub(crate) struct ListControls {
    pub(crate) search: String,
    /// Names of the fields that the search covers; empty if the list has no search.
    pub(crate) searched: &'static str,
    pub(crate) filters: Vec<Filter>,
    /// Query parameters without a control of their own in the form.
    pub(crate) kept: Vec<(String, String)>,
    /// The filters that are set; each link removes one.
    pub(crate) active: Vec<Link>,
    /// URL of the list without any filter.
    pub(crate) unfiltered: String,
}

/// A control that filters.
pub(crate) struct Filter {
    pub(crate) name: &'static str,
    pub(crate) label: &'static str,
    /// The type of the `<input>`: `text`, `number` or `date`.
    pub(crate) kind: &'static str,
    /// The options of a `<select>`; empty for an `<input>`.
    pub(crate) choices: &'static [&'static str],
    pub(crate) value: String,
    pub(crate) errors: Vec<String>,
}

impl Filter {
    pub(crate) fn is_chosen(&self, choice: &str) -> bool {
        self.value == choice
    }
}

impl ListControls {
    /// `facets` are filters that links set. `controls` are further parameters that the form has a control for.
    pub(crate) fn new(
        path: &str,
        query: &Query,
        searched: &'static str,
        filters: Vec<Filter>,
        facets: &[&'static str],
        controls: &[&str],
    ) -> Self {
        let names: Vec<&str> = filters.iter().map(|filter| filter.name).collect();
        let base = ["search", "offset"].as_slice();
        Self {
            search: query.raw("search").to_owned(),
            searched,
            kept: query.without(&[&names, base, controls].concat()),
            active: active(path, query, searched, &filters, facets),
            unfiltered: changed_url(path, query, &[&names, facets, base].concat(), None),
            filters,
        }
    }
}

fn active(
    path: &str,
    query: &Query,
    searched: &str,
    filters: &[Filter],
    facets: &[&'static str],
) -> Vec<Link> {
    let search = (!searched.is_empty()).then(|| ("search", "Search".to_owned()));
    let filters = filters
        .iter()
        .map(|filter| (filter.name, filter.label.to_owned()));
    let facets = facets.iter().map(|name| (*name, name.replace('_', " ")));
    search
        .into_iter()
        .chain(filters)
        .chain(facets)
        .filter_map(|(name, label)| {
            let value = strip(query.raw(name));
            (!value.is_empty()).then(|| Link {
                label: format!("{label}: {}", isolated(value)),
                url: changed_url(path, query, &[name, "offset"], None),
            })
        })
        .collect()
}

/// The position in a list, and the links to its other pages.
#[derive(Default)]
pub(crate) struct Pager {
    /// Such as "21–40 of 57".
    pub(crate) position: String,
    pub(crate) first: Option<String>,
    pub(crate) previous: Option<String>,
    pub(crate) next: Option<String>,
    pub(crate) last: Option<String>,
    /// Leads to the list in pages, if all of it is shown.
    pub(crate) in_pages: Option<String>,
    /// Leads to the whole list as JSON, if a part is shown only because this is a page.
    pub(crate) whole: Option<String>,
}
