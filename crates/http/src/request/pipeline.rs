//! The checks of a request before its work runs, in one order for the API, its pages, the panel and the login (wire
//! contract, section 1, "Order of checks"). [`Rules`] select the checks of a route.

use std::sync::Arc;

use actix_web::{
    HttpRequest,
    http::header::{CONTENT_LENGTH, HeaderMap, TRANSFER_ENCODING},
    web::{Data, Payload},
};
use mycars_application::{
    Caller, Input,
    accounts::AccessToken,
    security_log::{Details, SecurityEvent},
};
use mycars_domain::{
    Action, Car, CarId, Field, Target, User, UserId, Violation, Violations, audit::Channel, policy, strip,
};

use crate::{
    api::fields::FieldSpec,
    edge::{client_addr::Client, timeouts::wait_for_body},
    error::ApiError,
    request::{
        authentication::{Access, Credentials, Identity, authorize, find_user, find_user_with_car},
        body::{Body, budget::Reservation},
        context::RequestContext,
        csrf::CSRF_FIELD,
        headers,
        pools::{Pool, PoolError},
        throttle::{Attempt, Charges, RateClass, Share, SharedCharges, SharedRequest},
    },
    state::State,
};

/// Maximum number of bytes of a body that is stored before the user is looked up.
const CHECKED_EARLY: usize = 64 * 1024;

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
    /// The car that the work is about if the caller owns it, so that both are read in one query.
    pub(crate) own_car: Option<CarId>,
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

/// The work of a request, as its body and its route decide.
pub(crate) struct Plan<W> {
    pub(crate) pool: Pool,
    /// The password that the work may verify.
    pub(crate) guess: Guess,
    /// The fields of a body whose response may say that a value is taken.
    pub(crate) checks_uniqueness_of: Option<&'static [FieldSpec]>,
    pub(crate) work: W,
}

/// A password that a request may guess.
pub(crate) enum Guess {
    None,
    /// That of the user with this username.
    Login(String),
    /// The caller's own.
    OldPassword,
    /// None: a link is sent to this e-mail address.
    Address(String),
}

/// A request that has passed all checks.
pub(crate) struct Request<'a> {
    pub(crate) state: &'a State,
    pub(crate) context: &'a RequestContext,
    pub(crate) body: &'a Body,
    /// The authenticated user; always there if [`Access::needs_user`].
    pub(crate) user: Option<&'a User>,
    /// The car of [`Rules::own_car`], if it was read with the user.
    pub(crate) own_car: Option<&'a Car>,
    pub(crate) caller: &'a Caller,
    attempt: &'a Charges,
    shared: &'a SharedCharges,
    probe: &'a Charges,
}

impl Request<'_> {
    /// Lets the request count as a wrong guess if its password was wrong, and as a probe if the response reports that a
    /// value is taken. Requests that end in another way count as neither.
    pub(crate) fn commit_charges(&self, error: &ApiError) {
        if matches!(error, ApiError::NoActiveAccount) || reports(error, &Violation::WrongPassword) {
            self.attempt.commit();
            self.shared.commit();
        }
        if reports(error, &Violation::Taken) {
            self.probe.commit();
        }
    }

    /// Counts a mail to an e-mail address that the user wants to have.
    ///
    /// # Errors
    /// [`ApiError::Throttled`] after too many mails for the user or to the address.
    pub(crate) fn count_mail(&self, user: UserId, email: &str) -> Result<(), ApiError> {
        let client = self.context.client;
        let attempt = Some(Attempt::NewEmail(user, email.to_owned()));
        charge(self.state, attempt.as_ref(), client)?;
        let request = SharedRequest {
            client,
            rate: None,
            hashes_for: None,
            exports_for: None,
            attempt,
        };
        charge_shared(self.state, &request).map(drop)
    }
}

/// Returns whether an error reports this violation of a field or a row.
fn reports(error: &ApiError, violation: &Violation) -> bool {
    let is_among = |violations: &Violations| {
        let mut all = violations.iter().flat_map(|(_, violations)| violations);
        all.any(|reported| reported == violation)
    };
    match error {
        ApiError::Fields(violations) => is_among(violations),
        ApiError::Rows(rows) => rows.iter().any(|row| is_among(&row.violations)),
        _ => false,
    }
}

/// The result of a request, and its user if it is known.
pub(crate) struct Outcome<T> {
    pub(crate) user: Option<User>,
    pub(crate) result: Result<T, ApiError>,
}

/// Checks a request, reads its body, and runs its work as `plan` says.
///
/// `plan` gets the body before it is known whether the request is admitted: it may only inspect the body. Errors in the
/// body are reported when the work reads its fields.
pub(crate) async fn run<T, W>(
    rules: Rules,
    state: &Data<State>,
    http: &HttpRequest,
    payload: Payload,
    context: &Arc<RequestContext>,
    plan: impl FnOnce(&mut Body) -> Plan<W>,
) -> Outcome<T>
where
    T: Send + 'static,
    W: FnOnce(&Request<'_>) -> Result<T, ApiError> + Send + 'static,
{
    let mut checks = Checks {
        rules,
        state,
        context,
        token: None,
        identity: None,
        is_counted: false,
    };
    let result = checks.run(http, payload, plan).await;
    let user = checks.user();
    match &result {
        Err(ApiError::Csrf(reason)) => log_refusal(SecurityEvent::CsrfRefused, context, user, reason),
        Err(ApiError::Forbidden(reason)) if user.is_some() => {
            log_refusal(SecurityEvent::PermissionDenied, context, user, reason);
        }
        _ => {}
    }
    Outcome {
        user: checks.identity.map(|identity| identity.user),
        result,
    }
}

/// The checks of one request, and their results.
struct Checks<'a> {
    rules: Rules,
    state: &'a Data<State>,
    context: &'a Arc<RequestContext>,
    /// The token of the request, if it has one and has been counted.
    token: Option<AccessToken>,
    identity: Option<Identity>,
    is_counted: bool,
}

impl Checks<'_> {
    async fn run<T, W>(
        &mut self,
        http: &HttpRequest,
        payload: Payload,
        plan: impl FnOnce(&mut Body) -> Plan<W>,
    ) -> Result<T, ApiError>
    where
        T: Send + 'static,
        W: FnOnce(&Request<'_>) -> Result<T, ApiError> + Send + 'static,
    {
        let Self { rules, context, .. } = *self;
        self.count_early()?;
        if rules.access.needs_user() && !rules.credentials.are_sent(context)? {
            return Err(ApiError::NoCredentials);
        }
        if rules.checks_early || announced_body(http.headers()) > CHECKED_EARLY {
            self.authorize_early().await?;
        }
        let mut reservation = self.state.bodies.reserve(self.share().key);
        let mut body = read_body(rules, self.state, http, payload, &mut reservation).await?;
        let token = body.text_of(CSRF_FIELD).map(str::to_owned);
        let Plan {
            pool,
            guess,
            checks_uniqueness_of,
            work,
        } = plan(&mut body);
        if pool.is_slow() {
            self.authorize_early().await?;
        } else if self.token.is_none() {
            self.identify().await?;
        }
        if rules.csrf == Csrf::Always || self.identity.is_some() {
            check_csrf(rules, self.state, context, &body, token.as_deref())?;
            self.count()?;
        }
        if pool == Pool::Passwords {
            self.count_password()?;
        }
        let guess = self.attempt(guess);
        let attempt = charge(self.state, guess.as_ref(), self.context.client)?;
        let shared_request = SharedRequest {
            client: context.client,
            rate: rules.rate,
            hashes_for: self.user_id().filter(|_| pool == Pool::Passwords),
            exports_for: self.user_id().filter(|_| rules.rate == Some(RateClass::Export)),
            attempt: guess,
        };
        let share = self.share();
        let (state, context) = (Data::clone(self.state), Arc::clone(context));
        let (access_token, is_counted) = (self.token.take(), self.is_counted);
        let job = move || {
            let shared = match charge_shared(&state, &shared_request) {
                Ok(shared) => shared,
                Err(throttled) => return (Err(throttled), None),
            };
            let found = match rules.access {
                Access::Open => Ok((None, None)),
                _ => find_user_with_car(
                    &state.app,
                    &context,
                    rules.credentials,
                    access_token.as_ref(),
                    rules.own_car,
                ),
            };
            let (identity, own_car) = match found {
                Ok(found) => found,
                Err(error) => return (Err(error), None),
            };
            let admitted = check_access(
                rules,
                &state,
                &context,
                &body,
                token.as_deref(),
                is_counted,
                identity.as_ref(),
            );
            let user = identity.as_ref().map(|identity| &identity.user);
            let result = admitted.and_then(|caller| {
                let probe = match checks_uniqueness_of {
                    Some(fields) if !repeats_stored(&body, fields, user, own_car.as_ref()) => {
                        charge_probe(&state, &context, &caller)?
                    }
                    _ => Charges::default(),
                };
                work(&Request {
                    state: &state,
                    context: &context,
                    body: &body,
                    user,
                    own_car: own_car.as_ref(),
                    caller: &caller,
                    attempt: &attempt,
                    shared: &shared,
                    probe: &probe,
                })
            });
            drop(reservation);
            (result, identity)
        };
        let (result, identity) = self.state.pools.run(pool, share, job).await?;
        self.identity = identity;
        result
    }

    /// Counts the request before its body is read, with any credentials: by address, or by user if it has a token with a
    /// valid signature. Sessions are looked up in the database first; until then, the request counts only to the rate of
    /// all requests of its address.
    fn count_early(&mut self) -> Result<(), ApiError> {
        let Rules {
            access,
            credentials,
            rate,
            csrf,
            ..
        } = self.rules;
        if csrf == Csrf::Always {
            return Ok(());
        }
        if rate.is_some_and(RateClass::is_by_address) {
            self.count()?;
        }
        if access == Access::Open || !(access.needs_user() || credentials.are_sent(self.context)?) {
            return self.count();
        }
        self.token = credentials.verify_token(&self.state.app, self.context)?;
        if self.token.is_some() {
            self.count()?;
        }
        Ok(())
    }

    /// Counts the request, unless it is counted already.
    fn count(&mut self) -> Result<(), ApiError> {
        if !self.is_counted {
            self.is_counted = true;
            count(self.rules, self.state, self.context, self.user_id())?;
        }
        Ok(())
    }

    /// Counts a request of a user that hashes a password. Others are counted by address.
    fn count_password(&self) -> Result<(), ApiError> {
        match (&self.state.throttles, self.user_id()) {
            (Some(throttles), Some(user)) => throttles.check_password(self.context.client, user),
            _ => Ok(()),
        }
    }

    fn attempt(&self, guess: Guess) -> Option<Attempt> {
        match guess {
            Guess::Login(username) => Some(Attempt::Login(username)),
            Guess::OldPassword => self.user_id().map(Attempt::OldPassword),
            Guess::Address(email) => Some(Attempt::Mail(email)),
            Guess::None => None,
        }
    }

    fn user(&self) -> Option<&User> {
        self.identity.as_ref().map(|identity| &identity.user)
    }

    fn user_id(&self) -> Option<UserId> {
        let user = self.user().map(|user| user.id);
        user.or(self.token.as_ref().map(AccessToken::user))
    }

    /// Returns the share of the worker pools that the request counts to.
    fn share(&self) -> Share {
        self.state.share(self.context.client, self.user_id())
    }

    /// Refuses users who are not admitted, so that no body is stored and no place in a slow queue is taken for them.
    async fn authorize_early(&mut self) -> Result<(), ApiError> {
        self.identify().await?;
        authorize(self.rules.access, self.context, self.identity.as_ref())
    }

    /// Looks the user up in a short job, so that the work counts to their share of the pools. Before that, a request with
    /// a session counts to the share of its address, where other users must not wait for that work.
    async fn identify(&mut self) -> Result<(), ApiError> {
        let Rules {
            access, credentials, ..
        } = self.rules;
        if access == Access::Open || self.identity.is_some() || !credentials.are_sent(self.context)? {
            return Ok(());
        }
        let (state, context) = (Data::clone(self.state), Arc::clone(self.context));
        let token = self.token.clone();
        let job = move || find_user(&state.app, &context, credentials, token.as_ref());
        self.identity = self.state.pools.run(Pool::Database, self.share(), job).await??;
        Ok(())
    }
}

/// Reads the body within its limits of size and time.
async fn read_body(
    rules: Rules,
    state: &State,
    http: &HttpRequest,
    payload: Payload,
    reservation: &mut Reservation,
) -> Result<Body, ApiError> {
    let headers = http.headers();
    if rules.takes_file {
        let limit = state.max_upload;
        let body = Body::read_with_file(http, payload, limit, reservation);
        wait_for_body(headers, limit, body).await
    } else {
        // Without an account, no form needs the memory that all bodies share.
        let is_anonymous_form = rules.access == Access::Open && rules.csrf == Csrf::Always;
        let limit = if is_anonymous_form {
            state.max_body.min(CHECKED_EARLY)
        } else {
            state.max_body
        };
        wait_for_body(headers, limit, Body::read(http, payload, limit, reservation)).await
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

/// Runs the checks that need the user, on a worker thread.
fn check_access(
    rules: Rules,
    state: &State,
    context: &RequestContext,
    body: &Body,
    csrf_field: Option<&str>,
    is_counted: bool,
    identity: Option<&Identity>,
) -> Result<Caller, ApiError> {
    if identity.is_some() {
        check_csrf(rules, state, context, body, csrf_field)?;
    }
    authorize(rules.access, context, identity)?;
    if !is_counted {
        count(rules, state, context, identity.map(|identity| identity.user.id))?;
    }
    let origin = context.origin(rules.channel);
    Ok(match identity {
        Some(identity) => identity.caller(origin),
        None => Caller::anonymous(origin),
    })
}

/// Counts a request as that of its user, or else of its address.
fn count(
    rules: Rules,
    state: &State,
    context: &RequestContext,
    user: Option<UserId>,
) -> Result<(), ApiError> {
    match (&state.throttles, rules.rate) {
        (Some(throttles), Some(rate)) => throttles.check(rate, context.client, user),
        _ => Ok(()),
    }
}

/// Counts an attempt: to guess a password, until the charges are dropped, or to have a mail sent, for good.
fn charge(state: &State, attempt: Option<&Attempt>, client: Client) -> Result<Charges, ApiError> {
    match (&state.throttles, attempt) {
        (Some(throttles), Some(attempt)) => throttles.charge_attempt(attempt, client),
        _ => Ok(Charges::default()),
    }
}

/// Counts a request for all servers, on a worker thread.
fn charge_shared(state: &State, request: &SharedRequest) -> Result<SharedCharges, ApiError> {
    match &state.throttles {
        Some(throttles) => throttles.charge_shared(request),
        None => Ok(SharedCharges::default()),
    }
}

/// Counts a request whose response may say that a value is taken, unless its user may read all values anyway. Requests
/// without a user have a rate of their own.
fn charge_probe(state: &State, context: &RequestContext, caller: &Caller) -> Result<Charges, ApiError> {
    let may_read_all = policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING).is_ok();
    match (&state.throttles, caller.user_id()) {
        (Some(throttles), Some(user)) if !may_read_all => throttles.charge_probe(context.client, user),
        _ => Ok(Charges::default()),
    }
}

/// Returns whether a body repeats the unique values that the user and their car have. Its response says nothing about
/// those of others.
fn repeats_stored(
    body: &Body,
    fields: &'static [FieldSpec],
    user: Option<&User>,
    own_car: Option<&Car>,
) -> bool {
    let Ok(form) = body.form(fields) else {
        return false;
    };
    let stored = [
        (Field::Username, user.map(|user| user.username.as_str())),
        (Field::Email, user.map(|user| user.email.as_str())),
        (Field::License, own_car.map(|car| car.license.as_str())),
    ];
    let is_described = |field| fields.iter().any(|spec| spec.field == Some(field));
    let mut described = stored
        .into_iter()
        .filter(|(field, _)| is_described(*field))
        .peekable();
    described.peek().is_some()
        && described.all(|(field, stored)| match form.text(field) {
            Input::Given(text) => stored.is_some_and(|stored| strip(stored) == strip(&text)),
            input => input == Input::Absent,
        })
}

/// Checks that a request comes from this site's own pages, unless a token or an API key authenticates it. A request that
/// does not counts as anonymous, and neither as the user's nor as a login: another site can make a visitor's browser
/// send it.
fn check_csrf(
    rules: Rules,
    state: &State,
    context: &RequestContext,
    body: &Body,
    field: Option<&str>,
) -> Result<(), ApiError> {
    if rules.csrf == Csrf::Never || rules.credentials.bearer(context)?.is_some() {
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

fn log_refusal(event: SecurityEvent, context: &RequestContext, user: Option<&User>, reason: &str) {
    event.log(&Details {
        address: Some(context.client.address),
        account: user.map(|user| user.username.as_str()),
        user_id: user.map(|user| user.id),
        detail: Some(reason),
        ..Details::default()
    });
}

/// Time until a request of a client with too many waiting ones should be repeated, in seconds.
const SHARE_WAIT: u64 = 2;

impl From<PoolError> for ApiError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Busy => Self::Unavailable(error.into()),
            PoolError::ShareUsedUp => Self::Throttled(SHARE_WAIT),
            PoolError::Panicked => Self::Internal(error.into()),
        }
    }
}
