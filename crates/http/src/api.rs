//! The endpoints: one file for each resource.

mod account;
pub(crate) mod cars;
pub(crate) mod dispatch;
pub(crate) mod email;
pub(crate) mod endpoint;
pub(crate) mod entry;
mod export;
pub(crate) mod fields;
pub(crate) mod history;
mod images;
pub(crate) mod imports;
pub(crate) mod items;
mod keys;
mod logins;
mod logout;
pub(crate) mod metadata;
pub mod openapi;
mod password;
mod profile;
mod registration;
pub(crate) mod reset;
mod root;
pub(crate) mod timestamp;
mod tokens;
pub(crate) mod users;

use crate::api::{
    endpoint::Endpoint,
    fields::{FieldKind, FieldSpec},
};

/// Every endpoint, in the order of the links in the API root.
pub(crate) static ENDPOINTS: [&Endpoint; 33] = [
    &root::ROOT,
    &registration::REGISTER,
    &tokens::LOGIN,
    &tokens::REFRESH,
    &tokens::VERIFY,
    &password::CHANGE,
    &reset::REQUEST,
    &reset::CONFIRM,
    &email::VERIFY,
    &email::RESEND,
    &email::UNDO,
    &logout::LOGOUT,
    &profile::ME,
    &keys::LIST,
    &keys::DETAIL,
    &logins::LIST,
    &logins::DETAIL,
    &export::EXPORT,
    &account::DELETE,
    &account::LEAVE,
    &cars::OWN_LIST,
    &cars::OWN_DETAIL,
    &imports::OWN,
    &images::OWN,
    &history::OWN,
    &users::LIST,
    &users::DETAIL,
    &cars::USER_CARS,
    &cars::USER_CAR,
    &imports::USERS,
    &images::USERS,
    &history::USERS,
    &history::LIST,
];

/// The field of responses that hold only a message.
const DETAIL: FieldSpec = FieldSpec::read_only("detail", "Detail", FieldKind::Text);

/// Returns the method and the path of every operation, for tests and documents. HEAD is served with GET, and OPTIONS by
/// every endpoint.
#[must_use]
pub fn routes() -> Vec<(&'static str, &'static str)> {
    let operations = |endpoint: &'static Endpoint| {
        endpoint
            .operations
            .iter()
            .map(|one| (one.method.as_str(), endpoint.path))
    };
    ENDPOINTS.into_iter().flat_map(operations).collect()
}
