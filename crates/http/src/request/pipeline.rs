//! What holds for every endpoint: find out who asks, let them in or not, find the operation, answer.

use std::{sync::Arc, time::Instant};

use actix_web::{
    HttpMessage as _, HttpRequest, HttpResponse,
    http::{
        Method as HttpMethod, StatusCode,
        header::{self, ContentType, HeaderMap, HeaderValue},
    },
    web::{Data, Payload},
};
use mycars_application::{
    App, Caller,
    accounts::{self, sessions},
};
use mycars_domain::{
    Action, Target, User,
    audit::{Channel, Origin},
    policy,
};

use crate::{
    api::{
        endpoint::{Access, Endpoint, Method, Operation, Reply, Request},
        metadata::Metadata,
    },
    edge::{
        client_addr::{Client, Networks, TrustedProxies},
        cors::{AllowedOrigins, RefusedOrigins},
        metrics::Metrics,
        request_log::RequestId,
        timeouts::wait_for_body,
    },
    error::ApiError,
    request::{
        body::{Body, SentForm},
        csrf::{Browser, CSRF_FIELD, no_session_cookie},
        headers,
        negotiation::{Accepted, negotiate},
        pools::{Pool, PoolError, WorkerPools},
        query::{ListSettings, Query},
        throttle::Throttles,
    },
    web::page,
};

/// What every handler shares.
pub(crate) struct State {
    pub(crate) app: Arc<App>,
    pub(crate) pools: WorkerPools,
    pub(crate) lists: ListSettings,
    pub(crate) proxies: TrustedProxies,
    /// The origins whose scripts may read responses.
    pub(crate) origins: AllowedOrigins,
    pub(crate) refused_origins: RefusedOrigins,
    pub(crate) metrics: Metrics,
    /// Who may ask for the metrics.
    pub(crate) metrics_for: Networks,
    /// Counts requests, if anybody wants them counted.
    pub(crate) throttles: Option<Throttles>,
    /// The largest body that is read, in bytes.
    pub(crate) max_body: usize,
    /// The largest body that is read where a file may come, in bytes.
    pub(crate) max_upload: usize,
}

/// Answers a request to an endpoint, whatever its method.
pub(crate) async fn dispatch(
    endpoint: &'static Endpoint,
    state: Data<State>,
    http: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let started = Instant::now();
    let accepted = negotiate(&http);
    let is_page = accepted.as_ref().is_ok_and(Accepted::is_page);
    let mut visit = Visit::new(&state, &http, is_page);
    let mut response = match &accepted {
        Ok(accepted) => accepted.indent(match reply(endpoint, &state, &http, payload, &mut visit).await {
            Ok(reply) => write(reply, visit.client.is_https),
            Err(error) => error.response(),
        }),
        Err(error) => error.response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Cookie"));
    // Django REST framework leaves this out. But nearly every answer holds a token or somebody's data, which no
    // browser should keep on disk; and a rule without exceptions can't be forgotten.
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(allow) = HeaderValue::from_str(&endpoint.allow()) {
        headers.insert(header::ALLOW, allow);
    }
    if is_page {
        page::present(Some(endpoint), response, &http, &visit, started.elapsed())
    } else {
        response
    }
}

/// Reads the body and finds the answer, the latter where blocking is allowed.
async fn reply(
    endpoint: &'static Endpoint,
    state: &Data<State>,
    http: &HttpRequest,
    payload: Payload,
    visit: &mut Visit,
) -> Result<Reply, ApiError> {
    let headers = http.headers();
    let authorization = headers.get(header::AUTHORIZATION);
    let is_anonymous = is_anonymous(endpoint, authorization, &visit.browser);
    if is_anonymous {
        // A request too many takes no place in the queue for passwords.
        state.count(endpoint, http.method(), visit.client, None)?;
    }
    let operation = Method::answering(http.method()).and_then(|verb| endpoint.operation(verb));
    preauthorize(endpoint, operation, state, http, visit).await?;
    let mut body = if operation.is_some_and(Operation::takes_file) {
        let limit = state.max_upload;
        wait_for_body(headers, limit, Body::read_with_file(http, payload, limit)).await?
    } else {
        let limit = state.max_body;
        wait_for_body(headers, limit, Body::read(http, payload, limit)).await?
    };
    let form_token = body.text_of(CSRF_FIELD).map(str::to_owned);
    let may_be_form = visit.is_page && http.method() == HttpMethod::POST;
    let form_verb = if may_be_form {
        body.take_page_form(&mut visit.sent)
    } else {
        None
    };
    let verb = form_verb.or(Method::answering(http.method()));
    let incoming = Incoming {
        method: http.method().clone(),
        verb,
        method_overridden: form_verb.is_some(),
        client: visit.client,
        origin: origin(http, visit.client, Channel::Api),
        is_counted: is_anonymous,
        authorization: authorization.cloned(),
        browser: visit.browser.clone(),
        form_token,
        is_page: visit.is_page,
        ids: ids(http),
        base_url: visit.base_url.clone(),
        path: http.path().to_owned(),
        query: Query::parse(http.query_string()),
        body,
    };
    let operation = verb.and_then(|verb| endpoint.operation(verb));
    let lane = operation.map_or(Pool::Database, |operation| operation.lane(&incoming.body));
    if lane != Pool::Database {
        if form_verb.is_some() {
            // It was another operation before the form named this one.
            preauthorize(endpoint, operation, state, http, visit).await?;
        }
        if has_known_user(endpoint.access) {
            check_csrf(state, &incoming)?;
        }
    }
    let work = {
        let state = Data::clone(state);
        move || {
            let mut seen = Seen::default();
            let reply = answer(endpoint, &state, &incoming, &mut seen);
            (reply, seen)
        }
    };
    let (reply, seen) = state.pools.run(lane, work).await?;
    visit.seen = seen;
    visit.verb = verb;
    reply
}

/// Refuses requests without credentials where there must be some, and requests for slow operations of users who may not
/// do them, before the body is kept and before they take a place on a slow lane. Then the user is looked up twice,
/// which does not matter beside what is slow.
async fn preauthorize(
    endpoint: &'static Endpoint,
    operation: Option<&'static Operation>,
    state: &Data<State>,
    http: &HttpRequest,
    visit: &Visit,
) -> Result<(), ApiError> {
    let access = endpoint.access;
    if !has_known_user(access) {
        return Ok(());
    }
    let authorization = http.headers().get(header::AUTHORIZATION).cloned();
    let session_key = visit.browser.session_key.clone();
    if bearer_token(authorization.as_ref())?.is_none() && session_key.is_none() {
        return Err(ApiError::NoCredentials);
    }
    if !operation.is_some_and(Operation::may_be_slow) {
        return Ok(());
    }
    let app = Arc::clone(&state.app);
    let look_up = move || {
        let user = identify(&app, authorization.as_ref(), session_key.as_deref())?;
        authorize(access, user.as_ref())
    };
    state.pools.run(Pool::Database, look_up).await?
}

/// What a page needs to know of a request beside its answer.
pub(crate) struct Visit {
    pub(crate) is_page: bool,
    pub(crate) client: Client,
    pub(crate) browser: Browser,
    pub(crate) base_url: String,
    /// The token that the page's forms send back: the browser's, or a new one that it is to keep.
    pub(crate) csrf_token: String,
    pub(crate) verb: Option<Method>,
    pub(crate) sent: SentForm,
    pub(crate) seen: Seen,
}

impl Visit {
    pub(crate) fn new(state: &State, http: &HttpRequest, is_page: bool) -> Self {
        let mut client = state.proxies.client(http.head());
        let browser = Browser::of(http.headers());
        let base_url = base_url(client, http.headers());
        client.is_cross_site = browser.is_cross_site(&base_url, &state.origins);
        let csrf_token = match browser.csrf_token() {
            Some(token) => token.to_owned(),
            None if is_page => state.app.random.hex(16),
            None => String::new(),
        };
        Self {
            is_page,
            client,
            base_url,
            csrf_token,
            browser,
            verb: None,
            sent: SentForm::default(),
            seen: Seen::default(),
        }
    }
}

/// What was seen while a request was answered, for its page.
#[derive(Default)]
pub(crate) struct Seen {
    /// Who is logged in.
    pub(crate) username: Option<String>,
    /// Whether they may use the admin panel.
    pub(crate) is_admin: bool,
    /// What is there now, as JSON, where the endpoint is about one thing that can be changed.
    pub(crate) object: Option<Vec<u8>>,
    /// Whether a long list is shown in pages that the API would answer whole.
    pub(crate) is_shortened: bool,
}

/// The parts of a request that go to the blocking lane.
struct Incoming {
    method: HttpMethod,
    /// What is to be done: what the method says, or what a form of our pages says.
    verb: Option<Method>,
    /// Whether the verb was named by a form.
    method_overridden: bool,
    client: Client,
    origin: Origin,
    /// Whether the throttles have counted it.
    is_counted: bool,
    authorization: Option<HeaderValue>,
    browser: Browser,
    /// The token against forgery that a form sent.
    form_token: Option<String>,
    is_page: bool,
    ids: Vec<(String, i64)>,
    base_url: String,
    path: String,
    query: Query,
    body: Body,
}

/// Whether it is clear from the start that a request proves nobody to ask, and that this is no reason to
/// refuse it.
fn is_anonymous(endpoint: &Endpoint, authorization: Option<&HeaderValue>, browser: &Browser) -> bool {
    let is_silent = authorization.is_none() && browser.session_key.is_none();
    endpoint.access == Access::Open || endpoint.access == Access::Optional && is_silent
}

/// Whether an endpoint is for users only, so that [`preauthorize`] has found one where an operation may be slow.
fn has_known_user(access: Access) -> bool {
    matches!(access, Access::Authenticated | Access::Admin)
}

impl State {
    /// Counts a request, as that of a user or else of an address.
    pub(crate) fn count(
        &self,
        endpoint: &Endpoint,
        method: &HttpMethod,
        client: Client,
        user: Option<&User>,
    ) -> Result<(), ApiError> {
        match &self.throttles {
            Some(throttles) => throttles.check(endpoint, method, client, user.map(|user| user.id)),
            None => Ok(()),
        }
    }

    /// Counts a request that failed the CSRF check, and returns why it is refused. It counts as anonymous, and neither
    /// as the user's nor as a login: another site can make a visitor's browser send it.
    pub(crate) fn refuse_forged(&self, client: Client, forged: ApiError) -> ApiError {
        let counted = self
            .throttles
            .as_ref()
            .map(|throttles| throttles.check_anonymous(client));
        match counted {
            Some(Err(throttled)) => throttled,
            _ => forged,
        }
    }
}

/// The order of checks is the wire contract's (section 1): who asks, then how often, then the method, then the
/// rest.
fn answer(
    endpoint: &'static Endpoint,
    state: &State,
    incoming: &Incoming,
    seen: &mut Seen,
) -> Result<Reply, ApiError> {
    let user = user(endpoint.access, state, incoming)?;
    seen.username = user.as_ref().map(|user| user.username.to_string());
    seen.is_admin = authorize(Access::Admin, user.as_ref()).is_ok();
    authorize(endpoint.access, user.as_ref())?;
    if !incoming.is_counted {
        state.count(endpoint, &incoming.method, incoming.client, user.as_ref())?;
    }
    let caller = match &user {
        Some(user) => Caller::user(user, incoming.origin.clone()),
        None => Caller::anonymous(incoming.origin.clone()),
    };
    let shortens_lists = shortens_lists(state, endpoint, incoming);
    seen.is_shortened = shortens_lists;
    let handle = |operation: &'static Operation| {
        (operation.handle)(&Request {
            app: &state.app,
            operation,
            caller: &caller,
            user: user.as_ref(),
            ids: &incoming.ids,
            base_url: &incoming.base_url,
            path: &incoming.path,
            query: &incoming.query,
            lists: if shortens_lists {
                state.lists.for_browsers()
            } else {
                state.lists
            },
            shortens_lists,
            body: &incoming.body,
        })
    };
    if incoming.method == HttpMethod::OPTIONS {
        return Reply::ok(&Metadata::new(endpoint, is_there(endpoint, handle)?));
    }
    // A form may name a verb only where it has proved to be ours: that is, where somebody is logged in.
    let verb = if incoming.method_overridden && user.is_none() {
        None
    } else {
        incoming.verb
    };
    let operation = verb
        .and_then(|verb| endpoint.operation(verb))
        .ok_or_else(|| ApiError::MethodNotAllowed(incoming.method.to_string()))?;
    let mut reply = handle(operation);
    if let Ok(reply) = &mut reply
        && reply.ends_session
    {
        // The page after it is shown to a browser that is not logged in.
        *seen = Seen::default();
        // A token leaves the browser's session, which may be another user's, as it is.
        reply.ends_session = bearer_token(incoming.authorization.as_ref())?.is_none();
    }
    if incoming.is_page {
        seen.object = object(endpoint, operation, &reply, handle);
    }
    reply
}

/// Tells whether a list is shown in pages although the API would answer all of it: a browser takes long to show
/// thousands of items.
fn shortens_lists(state: &State, endpoint: &Endpoint, incoming: &Incoming) -> bool {
    incoming.is_page
        && state.lists.page_size.is_none()
        && !endpoint.always_has_pages()
        && !incoming.query.has_limit()
}

/// What is there now, for the forms that change it.
fn object(
    endpoint: &'static Endpoint,
    operation: &'static Operation,
    reply: &Result<Reply, ApiError>,
    handle: impl FnOnce(&'static Operation) -> Result<Reply, ApiError>,
) -> Option<Vec<u8>> {
    let can_change = endpoint
        .operation(Method::Put)
        .or(endpoint.operation(Method::Patch));
    let read = endpoint.operation(Method::Get).filter(|_| can_change.is_some())?;
    match (operation.verb, reply) {
        (Method::Get | Method::Put | Method::Patch, Ok(reply)) => Some(reply.json.clone()),
        (Method::Put | Method::Patch, Err(error)) if error.status() == StatusCode::BAD_REQUEST => {
            handle(read).ok().map(|reply| reply.json)
        }
        _ => None,
    }
}

/// Whether there is, for who asks, what a PUT to this path would replace: what can't be read is not there.
fn is_there(
    endpoint: &'static Endpoint,
    handle: impl FnOnce(&'static Operation) -> Result<Reply, ApiError>,
) -> Result<bool, ApiError> {
    let names_a_thing = endpoint.path.contains('{') && endpoint.operation(Method::Put).is_some();
    let read = endpoint.operation(Method::Get).filter(|_| names_a_thing);
    match read.map(handle) {
        None | Some(Ok(_)) => Ok(true),
        Some(Err(ApiError::NotFound(_) | ApiError::Forbidden(_))) => Ok(false),
        Some(Err(error)) => Err(error),
    }
}

/// Who asks, as far as the endpoint wants to know. What a browser's session changes must come from our own
/// pages.
fn user(access: Access, state: &State, incoming: &Incoming) -> Result<Option<User>, ApiError> {
    if access == Access::Open {
        return Ok(None);
    }
    let authorization = incoming.authorization.as_ref();
    let user = identify(&state.app, authorization, incoming.browser.session_key.as_deref())?;
    if user.is_some() {
        check_csrf(state, incoming)?;
    }
    Ok(user)
}

/// Checks that a request which only a session authenticates comes from this site's own pages.
fn check_csrf(state: &State, incoming: &Incoming) -> Result<(), ApiError> {
    if bearer_token(incoming.authorization.as_ref())?.is_some() {
        return Ok(());
    }
    let token = incoming.form_token.as_deref();
    let proof = incoming
        .browser
        .check_csrf(&incoming.method, &incoming.base_url, token);
    // The token of a form that was too large is not missing, it was not read.
    proof.map_err(|forged| state.refuse_forged(incoming.client, incoming.body.problem().unwrap_or(forged)))
}

/// Where a request comes from, as the audit log keeps it.
pub(crate) fn origin(http: &HttpRequest, client: Client, channel: Channel) -> Origin {
    Origin {
        channel,
        request_id: http.extensions().get::<RequestId>().map(|id| id.0.clone()),
        address: Some(client.address),
    }
}

/// Who asks: by a token, or else by the session of a browser.
fn identify(
    app: &App,
    authorization: Option<&HeaderValue>,
    session_key: Option<&str>,
) -> Result<Option<User>, ApiError> {
    match (bearer_token(authorization)?, session_key) {
        (Some(token), _) => Ok(Some(accounts::authenticate(app, token)?)),
        (None, Some(key)) => Ok(sessions::authenticate(app, key)?),
        (None, None) => Ok(None),
    }
}

/// Whether the endpoint lets in who asks.
pub(crate) fn authorize(access: Access, user: Option<&User>) -> Result<(), ApiError> {
    match (access, user) {
        (Access::Authenticated | Access::Admin, None) => Err(ApiError::NoCredentials),
        (Access::Admin, Some(admin)) => {
            Ok(policy::check(&admin.actor(), Action::ReadUsers, Target::NOTHING)?)
        }
        _ => Ok(()),
    }
}

/// The token after `Bearer`. The scheme is case-sensitive, as simplejwt's is; any other counts as no
/// credentials.
fn bearer_token(authorization: Option<&HeaderValue>) -> Result<Option<&str>, ApiError> {
    let Some(value) = authorization else {
        return Ok(None);
    };
    let mut words = value
        .as_bytes()
        .split(u8::is_ascii_whitespace)
        .filter(|word| !word.is_empty());
    if words.next() != Some(b"Bearer") {
        return Ok(None);
    }
    match (words.next(), words.next()) {
        (Some(token), None) => {
            // What is no text is no token either, and says so when it is decoded.
            Ok(Some(std::str::from_utf8(token).unwrap_or_default()))
        }
        _ => Err(ApiError::BadAuthorizationHeader),
    }
}

/// The numbers in the path. One that is too large or too small for any id becomes the largest, which nothing has.
pub(crate) fn ids(http: &HttpRequest) -> Vec<(String, i64)> {
    http.match_info()
        .iter()
        .map(|(name, digits)| (name.to_owned(), digits.parse().unwrap_or(i64::MAX)))
        .collect()
}

/// The start of absolute URLs, as the client wrote it.
pub(crate) fn base_url(client: Client, headers: &HeaderMap) -> String {
    let scheme = if client.is_https { "https" } else { "http" };
    let host = headers::first(headers, &header::HOST).unwrap_or("localhost".into());
    format!("{scheme}://{host}")
}

fn write(reply: Reply, is_https: bool) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or_default();
    let mut response = HttpResponse::build(status);
    if reply.ends_session {
        response.cookie(no_session_cookie(is_https));
    }
    if let Some(location) = reply.location {
        response.insert_header((header::LOCATION, location));
    }
    if reply.json.is_empty() {
        return response.finish();
    }
    response.content_type(ContentType::json()).body(reply.json)
}

impl From<PoolError> for ApiError {
    fn from(error: PoolError) -> Self {
        match error {
            PoolError::Busy => Self::Unavailable(error.into()),
            PoolError::Panicked => Self::Internal(error.into()),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::sync::mpsc;

    use actix_web::{FromRequest as _, body::MessageBody as _, dev, http::ConnectionType, test::TestRequest};
    use futures_util::{poll, stream};
    use mycars_application::{
        mocks::{Mocks, samples},
        ports::{Claims, Session},
    };
    use mycars_domain::Car;
    use serde_json::Value;

    use super::*;
    use crate::api::ENDPOINTS;

    fn endpoint(path: &str) -> &'static Endpoint {
        ENDPOINTS.iter().find(|endpoint| endpoint.path == path).unwrap()
    }

    /// What handlers share, with these mocks.
    pub(crate) fn state(mocks: Mocks) -> State {
        State {
            app: Arc::new(mocks.into_app().0),
            pools: WorkerPools::start(1, 1).unwrap(),
            proxies: TrustedProxies::default(),
            origins: AllowedOrigins::Local,
            refused_origins: RefusedOrigins::default(),
            metrics: Metrics::new(),
            metrics_for: Networks::default(),
            throttles: None,
            lists: ListSettings::default(),
            max_body: 100,
            max_upload: 100,
        }
    }

    /// A request of Ann's, without a body.
    fn anns(method: HttpMethod) -> Incoming {
        Incoming {
            verb: Method::answering(&method),
            method_overridden: false,
            browser: Browser::default(),
            form_token: None,
            is_page: false,
            method,
            client: TrustedProxies::default().client(TestRequest::default().to_http_request().head()),
            origin: samples::origin(),
            is_counted: false,
            authorization: Some(HeaderValue::from_static("Bearer token")),
            ids: vec![("car_id".into(), 10)],
            base_url: "http://localhost".into(),
            path: "/".into(),
            query: Query::parse(""),
            body: Body::Empty { is_form: false },
        }
    }

    /// Mocks that know Ann by the token `token`.
    pub(crate) fn with_ann() -> Mocks {
        let mut mocks = Mocks::new();
        mocks.tokens.expect_decode().returning(|_| {
            Ok(Claims {
                token_type: Some("access".into()),
                expires_at: Some(samples::NOW + 60),
                id: Some("jti".into()),
                user_id: Some("1".into()),
                ..Claims::default()
            })
        });
        mocks
            .unit
            .users
            .expect_find()
            .returning(|_| Ok(Some(samples::user())));
        mocks
    }

    fn options(path: &str, car: Option<Car>) -> Value {
        let mut mocks = with_ann();
        mocks.unit.cars.expect_find().returning(move |_| Ok(car.clone()));
        let reply = answer(
            endpoint(path),
            &state(mocks),
            &anns(HttpMethod::OPTIONS),
            &mut Seen::default(),
        )
        .unwrap();
        serde_json::from_slice(&reply.json).unwrap()
    }

    #[test]
    fn options_describes_put_only_where_there_is_something_to_replace() {
        let detail = "/api/cars/{car_id}/";
        assert!(options(detail, Some(samples::car()))["actions"]["PUT"].is_object());
        assert_eq!(options(detail, None).get("actions"), None);
        assert!(options("/api/cars/", None)["actions"]["POST"].is_object());
        assert!(options("/api/change-password/", None)["actions"]["PUT"].is_object());
    }

    #[test]
    fn options_of_a_store_that_is_away_is_503_as_everything_is() {
        let mut mocks = with_ann();
        mocks.fail_store = true;
        let request = anns(HttpMethod::OPTIONS);
        let refused = answer(
            endpoint("/api/cars/{car_id}/"),
            &state(mocks),
            &request,
            &mut Seen::default(),
        );
        assert_eq!(refused.err().map(|error| error.status().as_u16()), Some(503));
    }

    #[actix_web::test]
    async fn a_body_that_does_not_arrive_is_408_and_the_connection_is_closed() {
        tokio::time::pause();
        let http = TestRequest::post().to_http_request();
        let mut pending: dev::Payload = dev::Payload::Stream {
            payload: Box::pin(stream::pending()),
        };
        let payload = Payload::from_request(&http, &mut pending).await.unwrap();
        let state = Data::new(state(Mocks::new()));
        let response = dispatch(endpoint("/api/token/"), state, http, payload).await;
        assert_eq!(response.status().as_u16(), 408);
        assert_eq!(response.head().connection_type(), ConnectionType::Close);
        let body = response.into_body().try_into_bytes().unwrap();
        assert_eq!(body, r#"{"detail":"The request body did not arrive in time."}"#);
    }

    #[actix_web::test]
    async fn a_full_lane_is_503_at_once() {
        let state = Data::new(state(Mocks::new()));
        let (started, is_started) = mpsc::channel();
        let (release, held) = mpsc::channel::<()>();
        let running = state.pools.run(Pool::Passwords, move || {
            started.send(()).unwrap();
            held.recv()
        });
        let mut running = std::pin::pin!(running);
        assert!(poll!(running.as_mut()).is_pending());
        is_started.recv().unwrap();
        let mut waiting = std::pin::pin!(state.pools.run(Pool::Passwords, || ()));
        assert!(poll!(waiting.as_mut()).is_pending());

        let login = serde_json::json!({"username": "ann", "password": "secret"});
        let (http, mut payload) = TestRequest::post().set_json(login).to_http_parts();
        let payload = Payload::from_request(&http, &mut payload).await.unwrap();
        let response = dispatch(endpoint("/api/token/"), state.clone(), http, payload).await;
        assert_eq!(response.status().as_u16(), 503);
        assert!(response.headers().contains_key(header::RETRY_AFTER));
        drop(release);
    }

    /// Mocks in which the session `key` is Ann's.
    fn with_anns_session() -> Mocks {
        let mut mocks = with_ann();
        // SHA-256 of `key`.
        let key_hash = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683";
        mocks.unit.sessions.expect_find().returning(move |given| {
            Ok((given == key_hash).then(|| Session {
                key_hash: given.into(),
                user: samples::user().id,
                created_at: samples::now(),
                last_seen_at: samples::now(),
            }))
        });
        mocks.random.expect_hex().return_const("0000");
        mocks
    }

    #[actix_web::test]
    async fn form_that_names_a_slow_method_is_checked_before_the_queue() {
        let state = Data::new(state(with_anns_session()));
        let (started, is_started) = mpsc::channel();
        let (release, held) = mpsc::channel::<()>();
        let mut running = std::pin::pin!(state.pools.run(Pool::Passwords, move || {
            started.send(()).unwrap();
            held.recv()
        }));
        assert!(poll!(running.as_mut()).is_pending());
        is_started.recv().unwrap();
        let mut waiting = std::pin::pin!(state.pools.run(Pool::Passwords, || ()));
        assert!(poll!(waiting.as_mut()).is_pending());

        let token = "0123456789abcdef0123456789abcdef";
        for (method, key, sent, status) in [
            ("PUT", "stale", token, 401),
            ("PUT", "key", "", 403),
            ("PUT", "key", "wrong", 403),
            ("PUT", "key", token, 503),
            ("DELETE", "key", token, 405),
        ] {
            let fields = [("_method", method), ("old_password", "a"), (CSRF_FIELD, sent)];
            let (http, mut payload) = TestRequest::post()
                .insert_header((header::ACCEPT, "text/html"))
                .insert_header((header::COOKIE, format!("sessionid={key}; csrftoken={token}")))
                .set_form(fields)
                .to_http_parts();
            let payload = Payload::from_request(&http, &mut payload).await.unwrap();
            let response = dispatch(endpoint("/api/change-password/"), state.clone(), http, payload).await;
            assert_eq!(response.status().as_u16(), status, "{method} {key} {sent}");
        }
        drop(release);
    }

    #[test]
    fn only_bearer_with_a_capital_b_is_a_scheme_and_it_has_one_token() {
        let token = |text: &'static str| {
            let value = HeaderValue::from_static(text);
            bearer_token(Some(&value))
                .map(|token| token.map(str::to_owned))
                .map_err(|error| error.status().as_u16())
        };
        assert_eq!(token("Bearer abc"), Ok(Some("abc".into())));
        assert_eq!(token("  Bearer   abc "), Ok(Some("abc".into())));
        assert_eq!(token("bearer abc"), Ok(None));
        assert_eq!(token("Token abc"), Ok(None));
        assert_eq!(token(""), Ok(None));
        assert_eq!(token("Bearer"), Err(401));
        assert_eq!(token("Bearer a b"), Err(401));
        assert_eq!(bearer_token(None).unwrap(), None);
    }
}
