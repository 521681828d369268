//! Counts all requests by address, also those that no other rate counts.

use actix_web::{
    Error,
    body::{BoxBody, MessageBody},
    dev::{ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};

use crate::{edge::allowed_hosts::is_for_monitoring, state::State};

/// Refuses requests beyond the rate of their address, except those of monitoring.
pub(crate) async fn check(
    state: Data<State>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if let Some(throttles) = &state.throttles
        && !is_for_monitoring(request.path())
        && let Err(throttled) = throttles.check_address(state.proxies.client(request.request()))
    {
        return Ok(request.into_response(throttled.response()));
    }
    Ok(next.call(request).await?.map_into_boxed_body())
}
