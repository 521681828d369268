//! Pages: the browsable API, the admin panel, login and documentation.

pub(crate) mod browsable;
pub(crate) mod docs;
pub(crate) mod login;
pub(crate) mod media;
pub(crate) mod page;
pub(crate) mod panel;
pub(crate) mod ui;
