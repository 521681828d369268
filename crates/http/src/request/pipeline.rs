//! The checks of a request before its work runs, in one order for the API, its pages, the panel and the login (wire
//! contract, section 1, "Order of checks"). [`Rules`] select the checks of a route.

use std::sync::Arc;

use actix_web::{
    HttpRequest,
    web::{Data, Payload},
};
use mycars_application::Caller;
use mycars_domain::{User, audit::Channel};

use crate::{
    edge::timeouts::wait_for_body,
    error::ApiError,
    request::{
        authentication::{Access, Credentials, authorize},
        body::Body,
        context::RequestContext,
        csrf::CSRF_FIELD,
        pools::{Pool, PoolError},
        throttle::RateClass,
    },
    state::State,
};

/// The checks of a route, as data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) access: Access,
    pub(crate) credentials: Credentials,
    /// The rate that the request counts to; `None` if it is not counted.
    pub(crate) rate: Option<RateClass>,
    pub(crate) csrf: Csrf,
    /// Whether the body may hold a file, with the size limit for files.
    pub(crate) takes_file: bool,
    /// Whether credentials and permission are checked before the body is read, at the cost of reading the user twice.
    pub(crate) checks_early: bool,
    pub(crate) channel: Channel,
}

/// The condition under which a request must come from this site's own pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Csrf {
    /// If only a session authenticates it.
    IfSession,
    /// Always, also without a login.
    Always,
    /// Never: the route changes nothing.
    Never,
}

/// A request that has passed all checks.
pub(crate) struct Request<'a> {
    pub(crate) state: &'a State,
    pub(crate) context: &'a RequestContext,
    pub(crate) body: &'a Body,
    /// The authenticated user; always there if [`Access::needs_user`].
    pub(crate) user: Option<&'a User>,
    pub(crate) caller: &'a Caller,
}

/// The result of a request, and its user if it is known.
pub(crate) struct Outcome<T> {
    pub(crate) user: Option<User>,
    pub(crate) result: Result<T, ApiError>,
}

/// Checks a request, reads its body, and runs its work on the pool that `plan` names.
///
/// `plan` gets the body before it is known whether the request is admitted: it may only inspect the body. Errors in the
/// body are reported when the work reads its fields.
pub(crate) async fn run<T, W>(
    rules: Rules,
    state: &Data<State>,
    http: &HttpRequest,
    payload: Payload,
    context: &Arc<RequestContext>,
    plan: impl FnOnce(&mut Body) -> (Pool, W),
) -> Outcome<T>
where
    T: Send + 'static,
    W: FnOnce(&Request<'_>) -> Result<T, ApiError> + Send + 'static,
{
    let mut checks = Checks {
        rules,
        state,
        context,
        user: None,
        is_counted: false,
    };
    let result = checks.run(http, payload, plan).await;
    Outcome {
        user: checks.user,
        result,
    }
}

/// The checks of one request, and their results.
struct Checks<'a> {
    rules: Rules,
    state: &'a Data<State>,
    context: &'a Arc<RequestContext>,
    user: Option<User>,
    is_counted: bool,
}

impl Checks<'_> {
    async fn run<T, W>(
        &mut self,
        http: &HttpRequest,
        payload: Payload,
        plan: impl FnOnce(&mut Body) -> (Pool, W),
    ) -> Result<T, ApiError>
    where
        T: Send + 'static,
        W: FnOnce(&Request<'_>) -> Result<T, ApiError> + Send + 'static,
    {
        let Self { rules, context, .. } = *self;
        let sends_credentials = rules.access != Access::Open && context.sends_credentials();
        if !rules.access.needs_user() && !sends_credentials && rules.csrf != Csrf::Always {
            // A request that exceeds its rate takes no place in the queue for passwords.
            self.count()?;
        }
        if rules.access.needs_user() && !rules.credentials.are_sent(context)? {
            return Err(ApiError::NoCredentials);
        }
        if rules.checks_early {
            self.authorize_early().await?;
        }
        let mut body = read_body(rules, self.state, http, payload).await?;
        let token = body.text_of(CSRF_FIELD).map(str::to_owned);
        let (pool, work) = plan(&mut body);
        if pool != Pool::Database {
            self.authorize_early().await?;
        }
        if rules.csrf == Csrf::Always || self.user.is_some() {
            check_csrf(rules, self.state, context, &body, token.as_deref())?;
            self.count()?;
        }
        let (state, context) = (Data::clone(self.state), Arc::clone(context));
        let is_counted = self.is_counted;
        let job = move || {
            let mut user = None;
            let admitted = check_access(
                rules,
                &state,
                &context,
                &body,
                token.as_deref(),
                is_counted,
                &mut user,
            );
            let result = admitted.and_then(|caller| {
                work(&Request {
                    state: &state,
                    context: &context,
                    body: &body,
                    user: user.as_ref(),
                    caller: &caller,
                })
            });
            (result, user)
        };
        let (result, user) = self.state.pools.run(pool, job).await?;
        self.user = user;
        result
    }

    /// Counts the request, unless it is counted already.
    fn count(&mut self) -> Result<(), ApiError> {
        if !self.is_counted {
            self.is_counted = true;
            count(self.rules, self.state, self.context, self.user.as_ref())?;
        }
        Ok(())
    }

    /// Reads the user and refuses requests that are not admitted, so that no body is stored and no place in a slow queue
    /// is taken by them.
    async fn authorize_early(&mut self) -> Result<(), ApiError> {
        let Rules {
            access, credentials, ..
        } = self.rules;
        if !access.needs_user() || self.user.is_some() {
            return Ok(());
        }
        let (state, context) = (Data::clone(self.state), Arc::clone(self.context));
        let job = move || credentials.user(&state.app, &context);
        self.user = self.state.pools.run(Pool::Database, job).await??;
        authorize(access, self.user.as_ref())
    }
}

/// Reads the body within its limits of size and time.
async fn read_body(
    rules: Rules,
    state: &State,
    http: &HttpRequest,
    payload: Payload,
) -> Result<Body, ApiError> {
    let headers = http.headers();
    if rules.takes_file {
        let limit = state.max_upload;
        wait_for_body(headers, limit, Body::read_with_file(http, payload, limit)).await
    } else {
        let limit = state.max_body;
        wait_for_body(headers, limit, Body::read(http, payload, limit)).await
    }
}

/// Runs the checks that need the database, on a worker thread. Stores the user as soon as it is known.
fn check_access(
    rules: Rules,
    state: &State,
    context: &RequestContext,
    body: &Body,
    csrf_field: Option<&str>,
    is_counted: bool,
    user: &mut Option<User>,
) -> Result<Caller, ApiError> {
    if rules.access != Access::Open {
        *user = rules.credentials.user(&state.app, context)?;
    }
    let user = user.as_ref();
    if user.is_some() {
        check_csrf(rules, state, context, body, csrf_field)?;
    }
    authorize(rules.access, user)?;
    if !is_counted {
        count(rules, state, context, user)?;
    }
    let origin = context.origin(rules.channel);
    Ok(match user {
        Some(user) => Caller::user(user, origin),
        None => Caller::anonymous(origin),
    })
}

/// Counts a request by its user or, without one, by its address.
fn count(rules: Rules, state: &State, context: &RequestContext, user: Option<&User>) -> Result<(), ApiError> {
    match (&state.throttles, rules.rate) {
        (Some(throttles), Some(rate)) => throttles.check(rate, context.client, user.map(|user| user.id)),
        _ => Ok(()),
    }
}

/// Checks that a request comes from this site's own pages, unless a token authenticates it. A request that fails the
/// check counts as anonymous, because another site can make a user's browser send it.
fn check_csrf(
    rules: Rules,
    state: &State,
    context: &RequestContext,
    body: &Body,
    field: Option<&str>,
) -> Result<(), ApiError> {
    if rules.csrf == Csrf::Never || rules.credentials.token(context)?.is_some() {
        return Ok(());
    }
    let proof = context
        .browser
        .check_csrf(&context.method, &context.base_url, field);
    proof.map_err(|forged| {
        let counted = state
            .throttles
            .as_ref()
            .map(|throttles| throttles.check_anonymous(context.client));
        match counted {
            Some(Err(throttled)) => throttled,
            // The token of a form that exceeds the limit was not read.
            _ => body.problem().unwrap_or(forged),
        }
    })
}

impl From<PoolError> for ApiError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Busy => Self::Unavailable(error.into()),
            PoolError::Panicked => Self::Internal(error.into()),
        }
    }
}
