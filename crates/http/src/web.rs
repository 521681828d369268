//! The pages: the browsable API, the admin panel, login, documentation, and their files.

pub(crate) mod assets;
pub(crate) mod bidi;
pub(crate) mod browsable;
pub(crate) mod docs;
pub(crate) mod login;
pub(crate) mod media;
pub(crate) mod page;
pub(crate) mod panel;

/// Returns a path as the router wants it. An id is written in digits, perhaps with a minus; for anything else there is no
/// such route.
pub(crate) fn path_pattern(path: &str) -> String {
    path.replace('}', ":-?[0-9]+}")
}
