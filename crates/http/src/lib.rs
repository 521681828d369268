//! The HTTP face of My Cars: the only crate that names actix.
//!
//! A request goes one way: the actix handler reads the body and hands everything to a blocking lane, where it
//! is found out who asks, the endpoint's plain function reads the body's fields by their description and calls
//! a use-case, and the answer is written as JSON. Endpoints are data (`endpoint::Endpoint`): what holds for
//! all of them (who may call, methods, 405, OPTIONS, slashes, errors) is written once, in `dispatch`.
//!
//! To add an endpoint, add a file under `api/` with its `Endpoint` and name it in `api::ENDPOINTS`.

mod api;
mod edge;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod messages;
mod request;
mod routes;
mod server;
mod state;
mod web;

pub use api::{openapi, routes};
pub use edge::{
    client_addr::{Networks, TrustedProxies},
    cors::{AllowedOrigins, BadOrigin},
};
pub use request::{
    query::ListSettings,
    throttle::{NoRate, Rate, Rates},
};
pub use routes::paths;
pub use server::{Settings, bind, serve};
pub use web::panel::screens;
