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

/// Makes a response, a piece at a time.
pub(crate) trait Steps: Send {
    /// Makes the next piece; `None` after the last one. An error aborts the response. There is no caller if the user has
    /// lost the right to the response.
    fn next(&mut self, app: &App, caller: Option<&Caller>) -> Result<Option<Vec<u8>>, ApiError>;

    /// Returns the pool on which the next piece is made.
    fn pool(&self) -> Pool {
        Pool::Database
    }
}

impl<F> Steps for F
where
    F: FnMut(&App, Option<&Caller>) -> Result<Option<Vec<u8>>, ApiError> + Send,
{
    fn next(&mut self, app: &App, caller: Option<&Caller>) -> Result<Option<Vec<u8>>, ApiError> {
        self(app, caller)
    }
}

pub(crate) type Step = Box<dyn Steps>;

/// Returns what `step` makes. Each step is a job of its own on its pool, and none begins before the client has taken the
/// piece before, or after its connection is closed. The user is read before each step: a response that takes long must
/// not outlive the right to it.
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
    stream::try_unfold(step, move |step| {
        let (state, context) = (Data::clone(&state), Arc::clone(&context));
        let share = share.clone();
        let find_caller = {
            let state = Data::clone(&state);
            move || {
                let token = credentials.verify_token(&state.app, &context)?;
                let found = find_user(&state.app, &context, credentials, token.as_ref())?;
                let found = found.filter(|found| authorize(access, &context, Some(found)).is_ok());
                Ok(found.map(|found| found.caller(context.origin(channel))))
            }
        };
        async move {
            let made = make(&state, share, find_caller, step).await;
            let (piece, step) = made.map_err(|error| {
                // The log has the cause; the client sees that the response is incomplete.
                drop(error.response());
                io::Error::other("the response broke off")
            })?;
            Ok(piece.map(|piece| (Bytes::from(piece), step)))
        }
    })
}

/// Makes the next piece, and returns the step for the one after it. On another pool than the database's, the step does not
/// wait for a connection: its caller is read before.
async fn make(
    state: &Data<State>,
    share: Share,
    find_caller: impl FnOnce() -> Result<Option<Caller>, ApiError> + Send + 'static,
    mut step: Step,
) -> Result<(Option<Vec<u8>>, Step), ApiError> {
    let (pools, pool, state) = (&state.pools, step.pool(), Data::clone(state));
    if pool == Pool::Database {
        let work = move || {
            let piece = step.next(&state.app, find_caller()?.as_ref())?;
            Ok((piece, step))
        };
        return pools.run(pool, share, work).await?;
    }
    let caller = pools.run(Pool::Database, share.clone(), find_caller).await??;
    let work = move || {
        let piece = step.next(&state.app, caller.as_ref())?;
        Ok((piece, step))
    };
    pools.run(pool, share, work).await?
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use actix_web::{http::header::AUTHORIZATION, test::TestRequest};
    use futures_util::StreamExt as _;

    use super::*;
    use crate::{api::dispatch::tests::with_ann, state::tests::state};

    /// Makes pieces on a pool, and counts them.
    struct Counted(Pool, Arc<AtomicUsize>);

    impl Steps for Counted {
        fn next(&mut self, _: &App, caller: Option<&Caller>) -> Result<Option<Vec<u8>>, ApiError> {
            assert_eq!(caller.map(|caller| caller.name.as_str()), Some("ann"));
            self.1.fetch_add(1, Ordering::Relaxed);
            Ok(Some(vec![1]))
        }

        fn pool(&self) -> Pool {
            self.0
        }
    }

    #[actix_web::test]
    async fn client_that_disconnects_ends_the_work() {
        for pool in [Pool::Database, Pool::Media] {
            let state = Data::new(state(with_ann()));
            let http = TestRequest::default().insert_header((AUTHORIZATION, "Bearer token"));
            let context = RequestContext::new(&state, &http.to_http_request(), false);
            let made = Arc::new(AtomicUsize::new(0));
            let step = Box::new(Counted(pool, Arc::clone(&made)));
            let mut stream = Box::pin(pieces(
                &state,
                &Arc::new(context),
                Share::ALL,
                Access::Login,
                Credentials::All,
                Channel::Api,
                step,
            ));
            for expected in 1..=3 {
                assert_eq!(stream.next().await.unwrap().unwrap(), [1][..]);
                assert_eq!(
                    made.load(Ordering::Relaxed),
                    expected,
                    "no piece is made in advance"
                );
            }
            drop(stream);
            for pool in [Pool::Database, pool] {
                state.pools.run(pool, Share::ALL, || ()).await.unwrap();
            }
            assert_eq!(made.load(Ordering::Relaxed), 3);
        }
    }
}
