//! The admin panel at `/admin/`: pages for the everyday tasks of admins.
//!
//! A [`Screen`] is data, as an endpoint is: a path and the views for GET and POST. The common checks are data, too:
//! access, the CSRF check and the pool are [`Rules`] of the pipeline, and [`dispatch`] renders errors. A view is a
//! function that calls the same use-cases as the API and returns an [`Answer`]. Pages work without a script; `panel.js`
//! adds convenience.

mod access;
mod account;
mod bulk;
mod cars;
mod export;
mod forms;
mod history;
mod imports;
mod index;
mod lists;
mod message;
mod render;
mod tokens;
mod users;

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    cookie::Cookie,
    http::{
        Method, StatusCode,
        header::{self, ContentDisposition, DispositionParam, DispositionType, HeaderValue},
    },
    web::{self, Data, Payload, ServiceConfig},
};
use mycars_application::{App, Caller};
use mycars_domain::{Action, Target, User, UserId, audit::Channel, policy};

use crate::{
    edge::metrics::Route,
    error::{ApiError, Resource},
    request::{
        authentication::{Access, Credentials, Identity, check_admin, find_user},
        body::Body,
        context::RequestContext,
        cookies::{csrf_cookie, session_cookie},
        csrf::token_of_session,
        pipeline::{self, Csrf, Guess, Plan, Rules},
        pools::Pool,
        query::Query,
        stream::{Step, pieces},
        throttle::RateClass,
    },
    state::State,
    web::{page, path_pattern, ui::links::url},
};
use message::Message;
use render::Frame;

/// A page of the panel and its forms.
struct Screen {
    /// Ends in a slash; served without it as well.
    path: &'static str,
    get: Option<View>,
    post: Option<View>,
    /// The pool of a form with a file; `None` if the page takes no file.
    file: Option<Pool>,
}

/// Handles a request of an admin.
type View = fn(&Context<'_>) -> Result<Answer, ApiError>;

const fn form(path: &'static str, get: View, post: View) -> Screen {
    Screen {
        path,
        get: Some(get),
        post: Some(post),
        file: None,
    }
}

const fn shown(path: &'static str, get: View) -> Screen {
    Screen {
        path,
        get: Some(get),
        post: None,
        file: None,
    }
}

const fn done(path: &'static str, post: View) -> Screen {
    Screen {
        path,
        get: None,
        post: Some(post),
        file: None,
    }
}

const fn form_with_file(path: &'static str, get: View, post: View, pool: Pool) -> Screen {
    Screen {
        file: Some(pool),
        ..form(path, get, post)
    }
}

static SCREENS: [Screen; 23] = [
    shown("/admin/", index::show),
    form("/admin/password/", account::show, account::change),
    shown("/admin/users/", users::list),
    done("/admin/users/bulk/", users::bulk),
    shown("/admin/users/find/", users::find),
    form("/admin/users/add/", users::add, users::create),
    form("/admin/users/{id}/", users::edit, users::update),
    form("/admin/users/{id}/delete/", users::confirm_delete, users::delete),
    form(
        "/admin/users/{id}/password/",
        users::edit_password,
        users::set_password,
    ),
    form(
        "/admin/users/{id}/end-logins/",
        users::confirm_end,
        users::end_logins,
    ),
    form("/admin/users/{id}/access/", access::show, access::end),
    form_with_file(
        "/admin/users/{id}/import/",
        imports::show,
        imports::run,
        Pool::Database,
    ),
    shown("/admin/users/{id}/history/", history::of_user),
    shown("/admin/cars/", cars::list),
    done("/admin/cars/bulk/", cars::bulk),
    form_with_file("/admin/cars/add/", cars::add, cars::create, Pool::Images),
    form_with_file("/admin/cars/{id}/", cars::edit, cars::update, Pool::Images),
    form("/admin/cars/{id}/delete/", cars::confirm_delete, cars::delete),
    shown("/admin/cars/{id}/history/", history::of_car),
    shown("/admin/history/", history::list),
    done("/admin/history/bulk/", history::bulk),
    shown("/admin/tokens/", tokens::list),
    done("/admin/tokens/bulk/", tokens::bulk),
];

/// The request, as views see it.
struct Context<'a> {
    request: &'a pipeline::Request<'a>,
    app: &'a App,
    /// The authenticated admin.
    user: &'a User,
    caller: &'a Caller,
    /// The number in the path; without one, an id that no object has.
    id: i64,
    path: &'a str,
    /// The query as it stands in the URL.
    query_text: &'a str,
    query: &'a Query,
    body: &'a Body,
    csrf_token: &'a str,
    message: Option<&'a Message>,
}

impl Context<'_> {
    /// Returns whether the admin may do `action`: actions that would be refused are not offered.
    fn may(&self, action: Action, target: Target) -> bool {
        policy::check(&self.caller.actor, action, target).is_ok()
    }

    /// Refuses admins that may not do `action`.
    fn require(&self, action: Action, target: Target) -> Result<(), ApiError> {
        Ok(policy::check(&self.caller.actor, action, target)?)
    }

    /// Returns the value of a form field, without surrounding white space.
    fn sent(&self, name: &str) -> &str {
        self.body
            .text_of(name)
            .unwrap_or("")
            .trim_matches(mycars_domain::is_space)
    }

    /// Returns the query of the list that linked to this page. Empty if a header cannot hold it.
    fn back(&self) -> &str {
        self.query
            .text("back")
            .filter(|back| !back.chars().any(char::is_control))
            .unwrap_or("")
    }

    /// Returns the URL of the list that linked to this page, with its query.
    fn back_to(&self, list: &str) -> String {
        url(list, self.back())
    }

    /// Returns the URL of another page of the same object, with the way back to the list.
    fn with_back(&self, path: &str) -> String {
        lists::with_back(path, self.back())
    }
}

/// The response of a view.
enum Answer {
    Page(StatusCode, String),
    /// Redirects to a page, which shows the message.
    Redirect(String, Option<Message>),
    /// Redirects, with the session key of a new login.
    LoggedIn(String, Message, String),
    Json(Vec<u8>),
    Stream(Stream),
}

/// A response that is generated in steps, and sent meanwhile.
struct Stream {
    media_type: &'static str,
    /// The name under which browsers save it; `None` shows it.
    file_name: Option<String>,
    step: Step,
}

#[expect(clippy::unnecessary_wraps, reason = "views return a result")]
impl Answer {
    fn page(html: String) -> Result<Self, ApiError> {
        Ok(Self::Page(StatusCode::OK, html))
    }

    fn redirect(to: impl Into<String>, message: Message) -> Result<Self, ApiError> {
        Ok(Self::Redirect(to.into(), Some(message)))
    }
}

/// Returns the method and the path of each screen, for tests and documents. HEAD is served with GET.
#[must_use]
pub fn screens() -> Vec<(&'static str, &'static str)> {
    let methods = |screen: &'static Screen| {
        [("GET", screen.get), ("POST", screen.post)]
            .into_iter()
            .filter_map(|(method, view)| view.map(|_| (method, screen.path)))
    };
    SCREENS.iter().flat_map(methods).collect()
}

/// Adds the routes of the panel.
pub(crate) fn routes(config: &mut ServiceConfig) {
    let login = web::resource(["/admin/login/", "/admin/login"]).app_data(Route("/admin/login/"));
    config.service(login.to(log_in));
    for screen in &SCREENS {
        let with_slash = path_pattern(screen.path);
        let without_slash = with_slash.trim_end_matches('/').to_owned();
        let handler = move |state: Data<State>, http: HttpRequest, payload: Payload| {
            dispatch(screen, state, http, payload)
        };
        let resource = web::resource([with_slash, without_slash]).app_data(Route(screen.path));
        config.service(resource.to(handler));
    }
}

/// Redirects from the path of the login in Django's admin, which bookmarks may have.
async fn log_in() -> HttpResponse {
    redirect("/api-auth/login/?next=/admin/")
}

/// Handles a request to a screen, with any method.
async fn dispatch(
    screen: &'static Screen,
    state: Data<State>,
    http: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let context = Arc::new(RequestContext::new(&state, &http, true));
    let message = Message::of(http.headers());
    let has_message = message.is_some();
    let view = match context.method {
        Method::GET | Method::HEAD => screen.get,
        Method::POST => screen.post,
        _ => None,
    };
    let is_form = context.method == Method::POST;
    let rules = Rules {
        access: Access::Admin,
        credentials: Credentials::Session,
        rate: Some(RateClass::Standard),
        csrf: if view.is_some() {
            Csrf::IfSession
        } else {
            Csrf::Never
        },
        takes_file: screen.file.is_some() && is_form,
        checks_early: is_form,
        own_car: None,
        channel: Channel::Panel,
    };
    let plan = |body: &mut Body| {
        let pool = pool(screen, body);
        let work = move |request: &pipeline::Request<'_>| answer(view, message.as_ref(), request);
        let guess = if body.may_hold("old_password") {
            Guess::OldPassword
        } else {
            Guess::None
        };
        Plan {
            pool,
            guess,
            checks_uniqueness_of: None,
            work,
        }
    };
    let outcome = pipeline::run(rules, &state, &http, payload, &context, plan).await;
    match (outcome.result, outcome.user) {
        (Ok(answer), Some(user)) => {
            let is_page = matches!(answer, Answer::Page(..));
            let mut response = respond(answer, &state, user.id, &context);
            if has_message && is_page {
                add_cookie(&mut response, &message::no_cookie());
            }
            response
        }
        (Err(ApiError::NoCredentials), _) | (Ok(_), None) => to_login(Some(screen), &context),
        (Err(error), user) => refuse(&error, user.as_ref(), &context),
    }
}

/// Runs a view. Errors in the body of its form are reported first.
fn answer(
    view: Option<View>,
    message: Option<&Message>,
    request: &pipeline::Request<'_>,
) -> Result<Answer, ApiError> {
    let RequestContext {
        method,
        path,
        query: query_text,
        ids,
        csrf_token,
        ..
    } = request.context;
    let view = view.ok_or_else(|| ApiError::MethodNotAllowed(method.to_string()))?;
    if let Some(problem) = request.body.problem() {
        return Err(problem);
    }
    view(&Context {
        request,
        app: &request.state.app,
        user: request.user.ok_or(ApiError::NoCredentials)?,
        caller: request.caller,
        id: ids.first().map_or(-1, |(_, id)| *id),
        path,
        query_text,
        query: &Query::typed(query_text),
        body: request.body,
        csrf_token,
        message,
    })
}

/// Returns the pool of a form: slow work has pools of its own.
fn pool(screen: &Screen, body: &Body) -> Pool {
    if let Some(pool) = screen.file.filter(|_| body.has_file()) {
        pool
    } else if body.may_hold("password") || body.may_hold("new_password") {
        Pool::Passwords
    } else {
        Pool::Database
    }
}

/// Redirects to the login, which leads back to the page, or to the list above it if the page has no GET.
fn to_login(screen: Option<&Screen>, context: &RequestContext) -> HttpResponse {
    let path = match screen {
        Some(Screen { get: None, path, .. }) => path.trim_end_matches("bulk/"),
        _ => &context.path,
    };
    let here = url(path, &context.query);
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("next", &here)
        .finish();
    redirect(&format!("/api-auth/login/?{query}"))
}

fn redirect(to: &str) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, to))
        .insert_header((header::CACHE_CONTROL, "no-store"))
        .finish()
}

fn add_cookie(response: &mut HttpResponse, cookie: &Cookie<'_>) {
    // This fails only for a cookie that is not a valid header.
    drop(response.add_cookie(cookie));
}

fn respond(answer: Answer, state: &Data<State>, user: UserId, context: &Arc<RequestContext>) -> HttpResponse {
    let is_https = context.client.is_https;
    match answer {
        Answer::Page(status, html) => page::as_page(status, html, context),
        Answer::Redirect(to, message) => {
            let mut response = redirect(&to);
            if let Some(message) = message {
                add_cookie(&mut response, &message.cookie(is_https));
            }
            response
        }
        Answer::LoggedIn(to, message, key) => {
            let mut response = redirect(&to);
            let lifetime = state.app.session_settings.lifetime;
            for cookie in [
                message.cookie(is_https),
                session_cookie(&key, lifetime, is_https),
                csrf_cookie(&token_of_session(&key), is_https),
            ] {
                add_cookie(&mut response, &cookie);
            }
            response
        }
        Answer::Json(json) => HttpResponse::Ok()
            .content_type(header::ContentType::json())
            .insert_header((header::CACHE_CONTROL, "no-store"))
            .body(json),
        Answer::Stream(stream) => send(stream, state, user, context),
    }
}

/// Sends a response while it is generated.
fn send(stream: Stream, state: &Data<State>, user: UserId, context: &Arc<RequestContext>) -> HttpResponse {
    let mut response = page::as_page(StatusCode::OK, String::new(), context);
    if let Ok(media_type) = HeaderValue::from_str(stream.media_type) {
        response.headers_mut().insert(header::CONTENT_TYPE, media_type);
    }
    if let Some(name) = stream.file_name {
        let disposition = ContentDisposition {
            disposition: DispositionType::Attachment,
            parameters: vec![DispositionParam::Filename(name)],
        };
        if let Ok(disposition) = HeaderValue::from_str(&disposition.to_string()) {
            response
                .headers_mut()
                .insert(header::CONTENT_DISPOSITION, disposition);
        }
    }
    let (access, credentials, channel) = (Access::Admin, Credentials::Session, Channel::Panel);
    let share = state.share(context.client, Some(user));
    let pieces = pieces(state, context, share, access, credentials, channel, stream.step);
    response
        .set_body(actix_web::body::BodyStream::new(Box::pin(pieces)))
        .map_into_boxed_body()
}

/// Returns the page of an error.
fn refuse(error: &ApiError, user: Option<&User>, context: &RequestContext) -> HttpResponse {
    let answer = error.response();
    let frame = Frame {
        username: user.map(|user| user.username.as_str()),
        csrf_token: &context.csrf_token,
        message: None,
        path: &context.path,
        is_admin: user.is_some_and(|user| check_admin(user).is_ok()),
    };
    let html = render::error(&frame, answer.status(), &error.sentence());
    let mut response = page::as_page(answer.status(), html, context);
    for name in [header::RETRY_AFTER, header::ALLOW] {
        if let Some(value) = answer.headers().get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    response
}

/// Responds to a request for a path below `/admin/` that does not exist.
pub(crate) async fn no_such_page(state: &Data<State>, http: &HttpRequest) -> HttpResponse {
    let context = Arc::new(RequestContext::new(state, http, true));
    let look_up = {
        let (app, context) = (Arc::clone(&state.app), Arc::clone(&context));
        move || find_user(&app, &context, Credentials::Session, None)
    };
    let share = state.share(context.client, None);
    let found = state.pools.run(Pool::Database, share, look_up).await;
    match found.map_err(ApiError::from).flatten() {
        Ok(None) => to_login(None, &context),
        Ok(Some(Identity { user, .. })) => {
            let denied = check_admin(&user).err();
            let error = denied.unwrap_or(ApiError::NotFound(Resource::Route));
            refuse(&error, Some(&user), &context)
        }
        Err(error) => refuse(&error, None, &context),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{FromRequest as _, test::TestRequest};
    use mycars_application::{
        mocks::{Mocks, samples},
        ports::{Device, Session, Verification},
    };

    use super::*;
    use crate::{
        request::{
            csrf::CSRF_FIELD,
            throttle::{Throttles, tests::limits},
        },
        state::tests::state,
    };

    /// Sends the old password five times with a weak new one, and returns the statuses.
    async fn changes_to_a_weak_password(verification: Verification) -> Vec<u16> {
        let mut mocks = Mocks::new().with_user_read(samples::admin_user());
        mocks.hasher.expect_verify().returning(move |_, _| verification);
        mocks.random.expect_hex().return_const("0000");
        mocks.unit.sessions.expect_find().returning(|key_hash| {
            Ok(Some(Session {
                key_hash: key_hash.into(),
                user: samples::user().id,
                created_at: samples::now(),
                last_seen_at: samples::now(),
                device: Device::default(),
            }))
        });
        let state = Data::new(State {
            throttles: Some(Throttles::new(&limits())),
            max_body: 1000,
            ..state(mocks)
        });
        let screen = SCREENS
            .iter()
            .find(|screen| screen.path == "/admin/password/")
            .unwrap();
        let token = &token_of_session("key");
        let mut statuses = Vec::new();
        for _ in 0..5 {
            let (http, mut payload) = TestRequest::post()
                .insert_header((header::COOKIE, format!("sessionid=key; csrftoken={token}")))
                .set_form([
                    ("old_password", "old"),
                    ("new_password", "weak"),
                    ("password2", "weak"),
                    (CSRF_FIELD, token),
                ])
                .to_http_parts();
            let payload = Payload::from_request(&http, &mut payload).await.unwrap();
            let response = dispatch(screen, state.clone(), http, payload).await;
            statuses.push(response.status().as_u16());
        }
        statuses
    }

    #[actix_web::test]
    async fn only_wrong_old_passwords_count_as_wrong() {
        let right = changes_to_a_weak_password(Verification::Right).await;
        assert_eq!(right, [400; 5]);
        let wrong = changes_to_a_weak_password(Verification::Wrong).await;
        assert_eq!(wrong, [400, 400, 400, 429, 429]);
    }
}
