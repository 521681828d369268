//! The HTTP interface of My Cars: the only crate that uses actix.
//!
//! A request passes the middleware of `edge` and the checks of `request::pipeline`, which reads the body and runs the
//! rest on a worker thread: an endpoint's handler reads the fields by their description, calls a use-case, and writes
//! the response as JSON. Endpoints (`api::endpoint::Endpoint`) and the panel's screens are data: `web` shows the same
//! responses as pages.
//!
//! To add an endpoint, add a file under `api/` with its `Endpoint` and name it in `api::ENDPOINTS`.

mod api;
mod digest;
mod edge;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
pub mod messages;
mod request;
mod routes;
mod server;
mod spreadsheet;
mod state;
mod web;

pub use api::{openapi, routes};
pub use edge::{
    bounded::{Bounded, Limited},
    client_addr::{Networks, TrustedProxies},
    cors::{AllowedOrigins, BadOrigin},
    metrics::JobMetrics,
    sockets::{Address, Listener, NoAddress, SocketFile, bind, connect_unix},
    starting::{Starting, serve_while_starting},
    tls::{Tls, connect_unverified},
    tls_files::{TlsError, TlsFiles},
};
pub use request::{
    pools::{PoolSizes, lower_priority},
    query::ListSettings,
    throttle::{Limits, NoRate, Rate},
};
pub use routes::paths;
pub use server::{Settings, serve};
pub use state::TraceHooks;
pub use web::{
    links::{RESET_LINK, UNDO_LINK, VERIFICATION_LINK},
    panel::screens,
};
