//! The checks that a request passes before its work is done, in one order for the API, its pages, the panel and the
//! login (wire contract, section 1, "Order of checks"). [`Rules`] say which checks a route wants.

use std::sync::Arc;

use actix_web::{
    HttpRequest,
    http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING},
    web::{Data, Payload},
};
use mycars_application::Caller;
use mycars_domain::{User, audit::Channel};

use crate::{
    edge::timeouts::wait_for_body,
    error::ApiError,
    request::{
        authentication::{Access, Credentials, authorize},
        body::{Body, budget::Share},
        context::RequestContext,
        csrf::CSRF_FIELD,
        headers,
        pools::{Pool, PoolError},
        throttle::RateClass,
    },
    state::State,
};

/// Maximum number of bytes of a body that is stored before the user is looked up.
const CHECKED_EARLY: usize = 64 * 1024;

/// The checks that a route wants, as data.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) access: Access,
    pub(crate) credentials: Credentials,
    /// The rate that the request counts to; `None` if it is not counted.
    pub(crate) rate: Option<RateClass>,
    pub(crate) csrf: Csrf,
    /// Whether the body may hold a file, and be as large as one.
    pub(crate) takes_file: bool,
    /// Whether credentials and permission are checked before the body is read, at the cost of reading the user twice.
    pub(crate) checks_early: bool,
    pub(crate) channel: Channel,
}

/// When a request must prove that it comes from this site's own pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Csrf {
    /// If it is authenticated by a session alone.
    IfSession,
    /// In any case, also without a login.
    Always,
    /// Never: nothing is done.
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

/// What came of a request, and its user as far as they became known.
pub(crate) struct Outcome<T> {
    pub(crate) user: Option<User>,
    pub(crate) result: Result<T, ApiError>,
}

/// Checks a request, reads its body, and runs its work on the pool that `plan` names.
///
/// `plan` sees the body as soon as it is read, before it is known whether the request is admitted: it may only look at
/// it. What is wrong with a body is reported when the work asks for its fields.
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

/// The checks of one request, and what they have found out.
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
            // An excess request takes no place in the queue for passwords.
            self.count()?;
        }
        if rules.access.needs_user() && !rules.credentials.are_sent(context)? {
            return Err(ApiError::NoCredentials);
        }
        if rules.checks_early || announced_body(http.headers()) > CHECKED_EARLY {
            self.authorize_early().await?;
        }
        if rules.access != Access::Open && announced_body(http.headers()) > 0 {
            rules.credentials.check_token(&self.state.app, context)?;
        }
        let mut share = self.state.bodies.share();
        let mut body = read_body(rules, self.state, http, payload, &mut share).await?;
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
            let admitted = admit(
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
            drop(share);
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

    /// Looks the user up and refuses those who are not admitted, so that no body is stored and no place in a slow queue
    /// is taken for them.
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
    share: &mut Share,
) -> Result<Body, ApiError> {
    let headers = http.headers();
    if rules.takes_file {
        let limit = state.max_upload;
        let body = Body::read_with_file(http, payload, limit, share);
        wait_for_body(headers, limit, body).await
    } else {
        let limit = state.max_body;
        wait_for_body(headers, limit, Body::read(http, payload, limit, share)).await
    }
}

/// Returns the length of the body that a request announces; the greatest if it announces a body without a length.
fn announced_body(headers: &HeaderMap) -> usize {
    if headers.contains_key(TRANSFER_ENCODING) {
        return usize::MAX;
    }
    let length = headers::first(headers, &CONTENT_LENGTH).and_then(|length| length.trim().parse().ok());
    length.unwrap_or(0)
}

/// The checks that need the database: runs on a worker thread. Stores the user as soon as it is known.
fn admit(
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

/// Counts a request as that of its user, or else of its address.
fn count(rules: Rules, state: &State, context: &RequestContext, user: Option<&User>) -> Result<(), ApiError> {
    match (&state.throttles, rules.rate) {
        (Some(throttles), Some(rate)) => throttles.check(rate, context.client, user.map(|user| user.id)),
        _ => Ok(()),
    }
}

/// Checks that a request comes from this site's own pages, unless a token authenticates it. A request that does not
/// counts as anonymous, and neither as the user's nor as a login: another site can make a visitor's browser send it.
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
            // The token of a form that was too large is not missing: it was not read.
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
