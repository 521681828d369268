//! The HTTP face of My Cars: the only crate that names actix.
//!
//! A request goes one way: the actix handler reads the body and hands everything to a blocking lane, where it
//! is found out who asks, the endpoint's plain function reads the body's fields by their description and calls
//! a use-case, and the answer is written as JSON. Endpoints are data (`endpoint::Endpoint`): what holds for
//! all of them (who may call, methods, 405, OPTIONS, slashes, errors) is written once, in `dispatch`.
//!
//! To add an endpoint, add a file under `api/` with its `Endpoint` and name it in `api::ENDPOINTS`.

mod api;
mod assets;
#[cfg(feature = "bench")]
pub mod bench;
mod bidi;
mod blocking;
mod body;
mod browsable;
mod browser;
mod client;
mod cors;
mod dispatch;
mod documents;
mod endpoint;
mod error;
mod fields;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod headers;
mod health;
mod hosts;
mod log;
mod login;
mod media;
mod metadata;
mod metrics;
mod negotiation;
pub mod openapi;
mod page;
mod panel;
mod patience;
mod payload;
mod query;
mod safety;
mod server;
mod throttle;
mod timestamp;
mod urlencoded;
mod views;
pub mod words;

pub use api::routes;
pub use client::{Networks, TrustedProxies};
pub use cors::{AllowedOrigins, BadOrigin};
pub use panel::screens;
pub use query::ListSettings;
pub use server::{Settings, bind, paths, serve};
pub use throttle::{NoRate, Rate, Rates};
