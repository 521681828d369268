//! Sockets, TLS, limits of connections, client address, allowed hosts, CORS, security headers, timeouts, the request log, metrics and
//! health checks.

pub(crate) mod address_rate;
pub(crate) mod allowed_hosts;
pub(crate) mod bounded;
pub(crate) mod client_addr;
pub(crate) mod compression;
pub(crate) mod connections;
pub(crate) mod cors;
pub(crate) mod metrics;
pub(crate) mod monitoring;
pub(crate) mod payload;
pub(crate) mod readiness;
pub(crate) mod request_id;
pub(crate) mod request_log;
pub(crate) mod security_headers;
pub(crate) mod sockets;
pub(crate) mod starting;
pub(crate) mod timeouts;
#[cfg_attr(not(feature = "tls"), path = "edge/no_tls.rs")]
pub(crate) mod tls;
pub(crate) mod tls_files;
