//! Pages: the browsable API, the admin panel, login and documentation.

pub(crate) mod browsable;
pub(crate) mod docs;
pub(crate) mod links;
pub(crate) mod login;
pub(crate) mod media;
pub(crate) mod page;
pub(crate) mod panel;
pub(crate) mod ui;

/// Returns a path as a pattern of the router. Ids are digits, perhaps with a minus; no route matches anything else.
pub(crate) fn path_pattern(path: &str) -> String {
    path.replace('}', ":-?[0-9]+}")
}
