//! Dispatches requests to endpoints: finds the operation, runs it, and collects the data for its page.

use std::{ptr, sync::Arc};

use actix_web::{
    HttpRequest,
    http::{self, StatusCode},
    web::{Data, Payload},
};
use mycars_application::Input;
use mycars_domain::{CarId, Field, UserId, audit::Channel};

use crate::{
    api::{
        cars,
        endpoint::{Access, Endpoint, Operation, RateClass, Reply, Request, ResponseSpec},
        metadata::Metadata,
    },
    error::ApiError,
    request::{
        authentication::{Credentials, check_admin},
        body::{Body, SentForm},
        context::RequestContext,
        method::Method,
        pipeline::{self, Csrf, Guess, Plan, Rules},
        pools::Pool,
        query::Query,
    },
    state::State,
};

/// Data that a page shows in addition to the response.
#[derive(Default)]
pub(crate) struct PageData {
    /// The method that was executed: that of the request, or the one that a form names.
    pub(crate) method: Option<Method>,
    /// The form of the page that was sent.
    pub(crate) sent: SentForm,
    /// The id of the user, whose share of the worker pools the rest of a long response counts to.
    pub(crate) user: Option<UserId>,
    /// The logged-in user.
    pub(crate) username: Option<String>,
    /// Whether that user may use the admin panel.
    pub(crate) is_admin: bool,
    /// The present state of the object as JSON, if the endpoint can change it.
    pub(crate) object: Option<Vec<u8>>,
    /// Whether a list that the API returns whole is shown in pages.
    pub(crate) is_shortened: bool,
    /// Whether the page shows only the beginning of a long response.
    pub(crate) is_cut: bool,
}

/// Handles a request to an endpoint, with any method.
pub(crate) async fn dispatch(
    endpoint: &'static Endpoint,
    state: &Data<State>,
    http: &HttpRequest,
    payload: Payload,
    context: &Arc<RequestContext>,
    page: &mut PageData,
) -> Result<Reply, ApiError> {
    let operation = Method::answering(&context.method).and_then(|method| endpoint.operation(method));
    let is_post = context.method == http::Method::POST;
    let is_download = endpoint.file().is_some() && context.method == http::Method::GET && !context.is_page;
    let rules = Rules {
        access: endpoint.access,
        credentials: Credentials::All,
        rate: Some(if is_post || is_download {
            endpoint.rate
        } else {
            RateClass::Standard
        }),
        csrf: Csrf::IfSession,
        takes_file: operation.is_some_and(Operation::takes_file),
        checks_early: is_download || operation.is_some_and(Operation::may_be_slow),
        own_car: operation.and_then(|operation| own_car(endpoint, operation, &context.ids)),
        channel: Channel::Api,
    };
    let plan = |body: &mut Body| {
        let named = if context.is_page && is_post {
            body.take_page_form(&mut page.sent)
        } else {
            None
        };
        page.method = named.or(Method::answering(&context.method));
        let (method, method_overridden) = (page.method, named.is_some());
        let operation = method.and_then(|method| endpoint.operation(method));
        let pool = operation.map_or(Pool::Database, |operation| operation.pool(body));
        let work = move |request: &pipeline::Request<'_>| {
            // A form may override the method only if a user is logged in: only then was its CSRF token checked.
            let method = method.filter(|_| !method_overridden || request.user.is_some());
            Ok(answer(endpoint, method, request))
        };
        Plan {
            pool,
            guess: operation.map_or(Guess::None, |operation| guess(endpoint, operation, body)),
            checks_uniqueness_of: operation
                .filter(|operation| operation.checks_uniqueness(body))
                .map(Operation::fields),
            work,
        }
    };
    let outcome = pipeline::run(rules, state, http, payload, context, plan).await;
    let Answer {
        reply,
        object,
        is_shortened,
        is_cut,
    } = outcome.result?;
    // The page after the end of a session is shown to an anonymous user.
    let user = outcome
        .user
        .filter(|_| !reply.as_ref().is_ok_and(|reply| reply.ends_session));
    page.is_admin = user.as_ref().is_some_and(|user| check_admin(user).is_ok());
    page.user = user.as_ref().map(|user| user.id);
    page.username = user.map(|user| user.username.to_string());
    page.object = object;
    page.is_shortened = is_shortened;
    page.is_cut = is_cut;
    let mut reply = reply?;
    // A request with a token or a key does not end the session of the browser, which may be another user's.
    reply.ends_session &= rules.credentials.bearer(context)?.is_none();
    Ok(reply)
}

/// Returns the id of the car that an operation shows or changes if the caller owns it.
fn own_car(endpoint: &Endpoint, operation: &Operation, ids: &[(String, i64)]) -> Option<CarId> {
    let returns_car =
        matches!(operation.answer, ResponseSpec::One(schema) if ptr::eq(schema, &raw const cars::CAR));
    match ids {
        [(name, id)] if returns_car && name == "car_id" => {
            (endpoint.access == Access::Authenticated).then_some(CarId(*id))
        }
        _ => None,
    }
}

/// Returns the password that an operation may verify with this body.
fn guess(endpoint: &Endpoint, operation: &Operation, body: &Body) -> Guess {
    // A user proves with the own password that it is them.
    if operation.takes_field(Field::OldPassword)
        || (endpoint.access.needs_user()
            && endpoint.access != Access::Admin
            && operation.takes_field(Field::Password))
    {
        return Guess::OldPassword;
    }
    let sent = |field| match body.form(operation.fields()).ok()?.text(field) {
        Input::Given(text) => Some(text),
        _ => None,
    };
    let guess = match endpoint.rate {
        RateClass::Login => sent(Field::Username).map(Guess::Login),
        RateClass::PasswordReset => sent(Field::Email).map(Guess::Address),
        _ => None,
    };
    guess.unwrap_or(Guess::None)
}

/// The reply of an operation, and the data for its page.
struct Answer {
    reply: Result<Reply, ApiError>,
    object: Option<Vec<u8>>,
    is_shortened: bool,
    is_cut: bool,
}

/// Runs the operation for `method`, or describes the endpoint for OPTIONS.
fn answer(endpoint: &'static Endpoint, method: Option<Method>, request: &pipeline::Request<'_>) -> Answer {
    let context = request.context;
    // In pages, users type the numbers of filters.
    let query = if context.is_page {
        Query::typed(&context.query)
    } else {
        Query::parse(&context.query)
    };
    let is_shortened = shortens_lists(endpoint, request, &query);
    let lists = request.state.lists;
    let handle = |operation: &'static Operation| {
        (operation.handle)(&Request {
            app: &request.state.app,
            operation,
            caller: request.caller,
            user: request.user,
            own_car: request.own_car,
            ids: &context.ids,
            base_url: &context.base_url,
            path: &context.path,
            query: &query,
            lists: if is_shortened { lists.for_browsers() } else { lists },
            shortens_lists: is_shortened,
            body: request.body,
            context,
            count_mail: &|user, email| request.count_mail(user, email),
        })
    };
    let operation = method.and_then(|method| endpoint.operation(method));
    let mut reply = if context.method == http::Method::OPTIONS {
        is_there(endpoint, handle).and_then(|is_there| Reply::ok(&Metadata::new(endpoint, is_there)))
    } else if let Some(operation) = operation {
        handle(operation)
    } else {
        Err(ApiError::MethodNotAllowed(context.method.to_string()))
    };
    let is_cut = context.is_page && reply.as_mut().is_ok_and(Reply::cut);
    if let Err(error) = &reply {
        request.commit_charges(error);
    }
    let object = operation
        .filter(|_| context.is_page)
        .and_then(|operation| object(endpoint, operation, &reply, handle));
    Answer {
        reply,
        object,
        is_shortened,
        is_cut,
    }
}

/// Returns whether a list is shown in pages although the API returns it whole: browsers are slow with thousands of
/// items.
fn shortens_lists(endpoint: &Endpoint, request: &pipeline::Request<'_>, query: &Query) -> bool {
    request.context.is_page
        && request.state.lists.page_size.is_none()
        && !endpoint.always_has_pages()
        && !query.has_limit()
}

/// Returns the stored object, for the forms that change it.
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
    match (operation.method, reply) {
        (Method::Get | Method::Put | Method::Patch, Ok(reply)) => Some(reply.json.clone()),
        (Method::Put | Method::Patch, Err(error)) if error.status() == StatusCode::BAD_REQUEST => {
            let mut reply = handle(read).ok()?;
            reply.cut();
            Some(reply.json)
        }
        _ => None,
    }
}

/// Returns whether the user can read the object that a PUT to this path would replace.
fn is_there(
    endpoint: &'static Endpoint,
    handle: impl FnOnce(&'static Operation) -> Result<Reply, ApiError>,
) -> Result<bool, ApiError> {
    let names_an_object = endpoint.path.contains('{') && endpoint.operation(Method::Put).is_some();
    let read = endpoint.operation(Method::Get).filter(|_| names_an_object);
    match read.map(handle) {
        None | Some(Ok(_)) => Ok(true),
        Some(Err(ApiError::NotFound(_) | ApiError::Forbidden(_))) => Ok(false),
        Some(Err(error)) => Err(error),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::{sync::mpsc, time::Duration};

    use actix_web::{
        FromRequest as _,
        body::MessageBody as _,
        dev,
        http::{ConnectionType, header},
        test::TestRequest,
    };
    use futures_util::{FutureExt as _, poll, stream};
    use mycars_application::{
        mocks::{MockUserRepository, Mocks, samples},
        ports::{Claims, Device, DiskSpace, Session, StoreError, Undecodable},
    };
    use mycars_domain::{Car, Rank};
    use serde_json::Value;

    use super::*;
    use crate::{
        api::ENDPOINTS,
        request::{
            csrf::{CSRF_FIELD, token_of_session},
            pools::{PoolSizes, WorkerPools},
            throttle::{Share, Throttles, tests::limits},
        },
        state::tests::state,
        web::page,
    };

    fn endpoint(path: &str) -> &'static Endpoint {
        ENDPOINTS.iter().find(|endpoint| endpoint.path == path).unwrap()
    }

    /// Returns mocks in which the token `token` belongs to Ann.
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

    /// Returns the status and the body of the response to Ann's OPTIONS request for car 10.
    async fn options(path: &str, mocks: Mocks) -> (u16, Value) {
        let (http, mut payload) = TestRequest::default()
            .method(http::Method::OPTIONS)
            .insert_header((header::AUTHORIZATION, "Bearer token"))
            .param("car_id", "10")
            .to_http_parts();
        let payload = Payload::from_request(&http, &mut payload).await.unwrap();
        let response = page::serve(endpoint(path), Data::new(state(mocks)), http, payload).await;
        let status = response.status().as_u16();
        let body = response.into_body().try_into_bytes().unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    async fn described(path: &str, car: Option<Car>) -> Value {
        let mut mocks = with_ann();
        mocks.unit.cars.expect_find().returning(move |_| Ok(car.clone()));
        options(path, mocks).await.1
    }

    #[actix_web::test]
    async fn options_describes_put_only_for_an_existing_object() {
        let detail = "/api/cars/{car_id}/";
        assert!(described(detail, Some(samples::car())).await["actions"]["PUT"].is_object());
        assert_eq!(described(detail, None).await.get("actions"), None);
        assert!(described("/api/cars/", None).await["actions"]["POST"].is_object());
        assert!(described("/api/change-password/", None).await["actions"]["PUT"].is_object());
    }

    #[actix_web::test]
    async fn options_without_store_is_503() {
        let mut mocks = with_ann();
        mocks.fail_store = true;
        assert_eq!(options("/api/cars/{car_id}/", mocks).await.0, 503);
    }

    #[actix_web::test]
    async fn body_that_does_not_arrive_is_408_and_closes_the_connection() {
        tokio::time::pause();
        let http = TestRequest::post().to_http_request();
        let mut pending: dev::Payload = dev::Payload::Stream {
            payload: Box::pin(stream::pending()),
        };
        let payload = Payload::from_request(&http, &mut pending).await.unwrap();
        let state = Data::new(state(Mocks::new()));
        let response = page::serve(endpoint("/api/token/"), state, http, payload).await;
        assert_eq!(response.status().as_u16(), 408);
        assert_eq!(response.head().connection_type(), ConnectionType::Close);
        let body = response.into_body().try_into_bytes().unwrap();
        assert_eq!(body, r#"{"detail":"The request body did not arrive in time."}"#);
    }

    #[actix_web::test]
    async fn token_with_bad_signature_is_refused_before_the_body() {
        let mut mocks = Mocks::new();
        mocks.tokens.expect_decode().returning(|_| Err(Undecodable));
        let http = TestRequest::post()
            .insert_header((header::AUTHORIZATION, "Bearer made-up"))
            .to_http_request();
        let mut pending: dev::Payload = dev::Payload::Stream {
            payload: Box::pin(stream::pending()),
        };
        let payload = Payload::from_request(&http, &mut pending).await.unwrap();
        let state = Data::new(State {
            throttles: Some(Throttles::new(&limits())),
            ..state(mocks)
        });
        let response = page::serve(endpoint("/api/cars/"), state, http, payload).await;
        assert_eq!(response.status().as_u16(), 401);
    }

    #[actix_web::test]
    async fn responses_that_say_that_a_value_is_taken_are_limited() {
        let mut mocks = with_ann();
        let users = &mut mocks.unit.users;
        users
            .expect_find_for_update()
            .returning(|_| Ok(Some(samples::user())));
        users.expect_email_is_taken().returning(|_, _, _| Ok(true));
        let state = Data::new(State {
            throttles: Some(Throttles::new(&limits())),
            ..state(mocks)
        });
        let mut statuses = Vec::new();
        for field in ["email", "email", "email", "phone"] {
            let (http, mut payload) = TestRequest::patch()
                .insert_header((header::AUTHORIZATION, "Bearer token"))
                .set_json(serde_json::json!({field: "bob@example.com", "first_name": ""}))
                .to_http_parts();
            let payload = Payload::from_request(&http, &mut payload).await.unwrap();
            let response = page::serve(endpoint("/api/me/"), state.clone(), http, payload).await;
            statuses.push(response.status().as_u16());
        }
        assert_eq!(statuses, [400, 400, 429, 400]);
    }

    #[actix_web::test]
    async fn full_pool_is_503_at_once_and_counts_no_attempt() {
        let state = Data::new(State {
            throttles: Some(Throttles::new(&limits())),
            ..state(Mocks::new())
        });
        let (started, is_started) = mpsc::channel();
        let (release, held) = mpsc::channel::<()>();
        let running = state.pools.run(Pool::Passwords, Share::ALL, move || {
            started.send(()).unwrap();
            held.recv()
        });
        let mut running = std::pin::pin!(running);
        assert!(poll!(running.as_mut()).is_pending());
        is_started.recv().unwrap();
        let mut waiting = std::pin::pin!(state.pools.run(Pool::Passwords, Share::ALL, || ()));
        assert!(poll!(waiting.as_mut()).is_pending());

        // Three failures of an account, and two of an address, are allowed.
        for _ in 0..5 {
            let login = serde_json::json!({"username": "ann", "password": "secret"});
            let (http, mut payload) = TestRequest::post().set_json(login).to_http_parts();
            let payload = Payload::from_request(&http, &mut payload).await.unwrap();
            let response = page::serve(endpoint("/api/token/"), state.clone(), http, payload).await;
            assert_eq!(response.status().as_u16(), 503);
            assert!(response.headers().contains_key(header::RETRY_AFTER));
        }
        drop(release);
    }

    /// SHA-256 of `key`.
    const KEY_HASH: &str = "2c70e12b7a0646f92279f427c7b38e7334d8e5389cff167a1dc30e73f826b683";

    fn session(key_hash: &str, user: UserId) -> Session {
        Session {
            key_hash: key_hash.into(),
            user,
            created_at: samples::now(),
            last_seen_at: samples::now(),
            device: Device::default(),
        }
    }

    /// Returns mocks in which the session `key` belongs to Ann.
    fn with_anns_session() -> Mocks {
        let mut mocks = with_ann();
        mocks
            .unit
            .sessions
            .expect_find()
            .returning(|given| Ok((given == KEY_HASH).then(|| session(given, samples::user().id))));
        mocks.random.expect_hex().return_const("0000");
        mocks
    }

    /// A disk whose check takes until it is released. It runs outside the mocked store.
    struct SlowDisk {
        started: tokio::sync::mpsc::UnboundedSender<()>,
        release: std::sync::Mutex<mpsc::Receiver<()>>,
    }

    impl DiskSpace for SlowDisk {
        fn check(&self) -> Result<(), StoreError> {
            self.started.send(()).unwrap();
            self.release.lock().unwrap().recv().unwrap_or_default();
            Err(StoreError::NotWritable("full".into()))
        }
    }

    /// Of two threads, one at most works for one share.
    #[actix_web::test]
    async fn slow_work_of_a_session_delays_no_user_of_its_address() {
        let mut mocks = Mocks::new();
        mocks.random.expect_hex().return_const("0000");
        let bob = || samples::bob(Rank::Client);
        mocks.unit.sessions.expect_find().returning(move |given| {
            let user = if given == KEY_HASH { samples::user() } else { bob() };
            Ok(Some(session(given, user.id)))
        });
        mocks.unit.users.expect_find().returning(move |id| {
            let users = [samples::user(), bob()];
            Ok(users.into_iter().find(|user| user.id == id))
        });
        let (started, mut is_started) = tokio::sync::mpsc::unbounded_channel();
        let (release, held) = mpsc::channel();
        let (mut app, _) = mocks.into_app();
        app.disk_space = Arc::new(SlowDisk {
            started,
            release: held.into(),
        });
        let state = Data::new(State {
            app: Arc::new(app),
            pools: WorkerPools::start(PoolSizes {
                connections: 5,
                ..PoolSizes::SMALLEST
            })
            .unwrap(),
            throttles: Some(Throttles::new(&limits())),
            ..state(Mocks::new())
        });
        let add_car = TestRequest::post()
            .insert_header((header::ACCEPT, "text/html"))
            .insert_header((
                header::COOKIE,
                format!("sessionid=key; csrftoken={}", token_of_session("key")),
            ))
            .set_form([(CSRF_FIELD, token_of_session("key"))]);
        let serve = |path: &'static str, request: TestRequest| {
            let state = state.clone();
            async move {
                let (http, mut payload) = request.to_http_parts();
                let payload = Payload::from_request(&http, &mut payload).await.unwrap();
                page::serve(endpoint(path), state, http, payload)
                    .await
                    .status()
                    .as_u16()
            }
        };
        let ann = actix_web::rt::spawn(serve("/api/cars/", add_car));
        is_started.recv().await.unwrap();
        let get_me = TestRequest::default().insert_header((header::COOKIE, "sessionid=other"));
        let bob = tokio::time::timeout(Duration::from_secs(5), serve("/api/me/", get_me)).await;
        drop(release);
        assert_eq!(bob, Ok(200));
        assert_eq!(ann.await.unwrap(), 503);
    }

    /// Sends headers and no body to `/api/cars/`. Returns the status, or `None` if the response waits for the body.
    fn status_before_the_body(mocks: Mocks, headers: &[(&'static str, &'static str)]) -> Option<u16> {
        let request = headers.iter().fold(TestRequest::post(), |request, header| {
            request.append_header(*header)
        });
        let (http, _) = request.to_http_parts();
        let mut payload: dev::Payload = dev::Payload::Stream {
            payload: Box::pin(stream::pending()),
        };
        let payload = Payload::from_request(&http, &mut payload).now_or_never()?.ok()?;
        let served = page::serve(endpoint("/api/cars/"), Data::new(state(mocks)), http, payload);
        served.now_or_never().map(|response| response.status().as_u16())
    }

    #[actix_web::test]
    async fn body_after_an_invalid_token_is_not_read() {
        let token = ("authorization", "Bearer token");
        let body = ("content-length", "50");
        let mut mocks = Mocks::new();
        mocks.tokens.expect_decode().returning(|_| Err(Undecodable));
        assert_eq!(status_before_the_body(mocks, &[token, body]), Some(401));
        assert_eq!(status_before_the_body(with_ann(), &[token, body]), None);
    }

    #[actix_web::test]
    async fn large_body_of_unknown_user_is_not_read() {
        for header in [("content-length", "100000"), ("transfer-encoding", "chunked")] {
            let mut mocks = with_ann();
            mocks.unit.users = MockUserRepository::new();
            mocks.unit.users.expect_find().returning(|_| Ok(None));
            let (http, _) = TestRequest::post()
                .insert_header(("authorization", "Bearer token"))
                .insert_header(header)
                .to_http_parts();
            let mut payload: dev::Payload = dev::Payload::Stream {
                payload: Box::pin(stream::pending()),
            };
            let payload = Payload::from_request(&http, &mut payload).await.unwrap();
            let response = page::serve(endpoint("/api/cars/"), Data::new(state(mocks)), http, payload).await;
            assert_eq!(response.status().as_u16(), 401, "{header:?}");
        }
    }

    #[actix_web::test]
    async fn large_body_without_memory_is_unavailable() {
        let state = State {
            max_body: 1 << 20,
            ..state(with_ann())
        };
        let (http, mut payload) = TestRequest::post()
            .insert_header(("authorization", "Bearer token"))
            .set_json("a".repeat(100_000))
            .to_http_parts();
        let payload = Payload::from_request(&http, &mut payload).await.unwrap();
        let response = page::serve(endpoint("/api/cars/"), Data::new(state), http, payload).await;
        assert_eq!(response.status().as_u16(), 503);
        assert!(response.headers().contains_key("retry-after"));
    }

    #[actix_web::test]
    async fn form_that_names_a_slow_method_is_checked_before_the_queue() {
        let state = Data::new(state(with_anns_session()));
        let (started, is_started) = mpsc::channel();
        let (release, held) = mpsc::channel::<()>();
        let mut running = std::pin::pin!(state.pools.run(Pool::Passwords, Share::ALL, move || {
            started.send(()).unwrap();
            held.recv()
        }));
        assert!(poll!(running.as_mut()).is_pending());
        is_started.recv().unwrap();
        let mut waiting = std::pin::pin!(state.pools.run(Pool::Passwords, Share::ALL, || ()));
        assert!(poll!(waiting.as_mut()).is_pending());

        let planted = "0123456789abcdef0123456789abcdef";
        let token = &token_of_session("key");
        for (method, key, cookie, sent, status) in [
            ("PUT", "stale", token.as_str(), token.as_str(), 401),
            ("PUT", "key", token, "", 403),
            ("PUT", "key", token, "wrong", 403),
            ("PUT", "key", planted, planted, 403),
            ("PUT", "key", token, token, 503),
            ("DELETE", "key", token, token, 405),
        ] {
            let fields = [("_method", method), ("old_password", "a"), (CSRF_FIELD, sent)];
            let (http, mut payload) = TestRequest::post()
                .insert_header((header::ACCEPT, "text/html"))
                .insert_header((header::COOKIE, format!("sessionid={key}; csrftoken={cookie}")))
                .set_form(fields)
                .to_http_parts();
            let payload = Payload::from_request(&http, &mut payload).await.unwrap();
            let response = page::serve(endpoint("/api/change-password/"), state.clone(), http, payload).await;
            assert_eq!(response.status().as_u16(), status, "{method} {key} {sent}");
        }
        drop(release);
    }
}
