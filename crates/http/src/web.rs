//! Pages: the browsable API, the admin panel, login and documentation.

pub(crate) mod browsable;
pub(crate) mod docs;
pub(crate) mod login;
pub(crate) mod media;
pub(crate) mod page;
pub(crate) mod panel;
pub(crate) mod ui;

/// Returns a path as the router wants it. An id is written in digits, perhaps with a minus; for anything else there is no
/// such route.
pub(crate) fn path_pattern(path: &str) -> String {
    path.replace('}', ":-?[0-9]+}")
}
