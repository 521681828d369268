//! The endpoints: one file for each resource.

mod cars;
mod logout;
mod password;
mod profile;
mod registration;
mod root;
mod tokens;

use crate::endpoint::Endpoint;

/// Every endpoint, in the order in which the API's root names them.
pub(crate) static ENDPOINTS: [&Endpoint; 10] = [
    &root::ROOT,
    &registration::REGISTER,
    &tokens::OBTAIN,
    &tokens::REFRESH,
    &tokens::VERIFY,
    &password::CHANGE,
    &logout::LOGOUT,
    &profile::ME,
    &cars::LIST,
    &cars::DETAIL,
];
