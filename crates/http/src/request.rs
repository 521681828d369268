//! Reading and checking a request: body, query, negotiation, CSRF, throttles, and the pipeline that runs the checks
//! in their order.

pub(crate) mod authentication;
pub(crate) mod body;
pub(crate) mod context;
pub(crate) mod cookies;
pub(crate) mod csrf;
pub(crate) mod headers;
pub(crate) mod indentation;
pub(crate) mod login;
pub(crate) mod method;
pub(crate) mod negotiation;
pub(crate) mod pipeline;
pub(crate) mod pools;
pub(crate) mod preconditions;
pub(crate) mod query;
pub(crate) mod stream;
pub(crate) mod throttle;
pub(crate) mod urlencoded;
