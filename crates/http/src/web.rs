//! The pages: the browsable API, the admin panel, login, documentation, and their files.

pub(crate) mod assets;
pub(crate) mod bidi;
pub(crate) mod browsable;
pub(crate) mod docs;
pub(crate) mod login;
pub(crate) mod media;
pub(crate) mod page;
pub(crate) mod panel;
