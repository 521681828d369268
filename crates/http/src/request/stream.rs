//! Responses that are made step by step, and sent as they are made.

use std::{io, sync::Arc};

use actix_web::web::{Bytes, Data};
use futures_util::{Stream, stream};
use mycars_application::{App, Caller};
use mycars_domain::audit::Channel;

use crate::{
    error::ApiError,
    request::{
        authentication::{Access, Credentials, authorize, find_user},
        context::RequestContext,
        pools::Pool,
        throttle::Share,
    },
    state::State,
};

/// Generates the next piece; `None` after the last one. An error aborts the response. There is no caller if the user has
/// lost the right to the response.
pub(crate) type Step = Box<dyn FnMut(&App, Option<&Caller>) -> Result<Option<Vec<u8>>, ApiError> + Send>;

/// Returns what `step` makes. Each step is a job of its own on the database's pool, and none begins before the client
/// has taken the piece before, or after its connection is closed. The user is read before each step: a response that
/// takes long must not outlive the right to it.
pub(crate) fn pieces(
    state: &Data<State>,
    context: &Arc<RequestContext>,
    share: Share,
    access: Access,
    credentials: Credentials,
    channel: Channel,
    step: Step,
) -> impl Stream<Item = Result<Bytes, io::Error>> + use<> {
    let (state, context) = (Data::clone(state), Arc::clone(context));
    stream::try_unfold(step, move |mut step| {
        let (state, context, share) = (Data::clone(&state), Arc::clone(&context), share.clone());
        async move {
            let pools = state.pools.clone();
            let work = move || {
                let token = credentials.verify_token(&state.app, &context)?;
                let found = find_user(&state.app, &context, credentials, token.as_ref())?;
                let found = found.filter(|found| authorize(access, &context, Some(found)).is_ok());
                let caller = found.map(|found| found.caller(context.origin(channel)));
                step(&state.app, caller.as_ref()).map(|piece| (piece, step))
            };
            let made = pools
                .run(Pool::Database, share, work)
                .await
                .map_err(ApiError::from)
                .flatten();
            let (piece, step) = made.map_err(|error| {
                // The log has the cause; the client sees that the response is incomplete.
                drop(error.response());
                io::Error::other("the response broke off")
            })?;
            Ok(piece.map(|piece| (Bytes::from(piece), step)))
        }
    })
}
