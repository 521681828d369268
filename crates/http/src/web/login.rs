//! `/api-auth/login/` and `/api-auth/logout/`: browsers log in and out, as with Django REST framework.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method, StatusCode,
        header::{ALLOW, LOCATION},
    },
    web::{Data, Payload},
};
use mycars_application::{
    Input,
    accounts::{
        Credentials,
        sessions::{self, LoggedIn},
    },
};

use crate::{
    api,
    edge::timeouts::wait_for_body,
    error::ApiError,
    request::{
        body::Body,
        csrf::{CSRF_FIELD, csrf_cookie, local, no_session_cookie, session_cookie},
        pipeline::{State, Visit},
        pools::Pool,
        query::Query,
    },
    web::{
        browsable::{self, Login},
        page,
    },
};

/// What is said of a login that failed, whatever the reason: Django's words.
const REFUSED: &str =
    "Please enter a correct username and password. Note that both fields may be case-sensitive.";

/// `GET` and `POST /api-auth/login/`.
pub(crate) async fn log_in(state: Data<State>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let visit = Visit::new(&state, &http, true);
    match *http.method() {
        Method::GET | Method::HEAD => {
            let query = Query::parse(http.query_string());
            show(&visit, query.text("next").unwrap_or(""), "", None)
        }
        Method::POST => match try_to_log_in(&state, &http, payload, &visit).await {
            Ok(response) => response,
            Err(error) => refuse(&error, &http, &visit),
        },
        _ => refuse_method(&http, &visit, "GET, POST, HEAD"),
    }
}

async fn try_to_log_in(
    state: &Data<State>,
    http: &HttpRequest,
    payload: Payload,
    visit: &Visit,
) -> Result<HttpResponse, ApiError> {
    let form = read_own_form(state, http, payload, visit).await?;
    state.count(&api::LOGIN, http.method(), visit.client, None)?;
    let field = |name| form.text_of(name).unwrap_or("").to_owned();
    let (username, next) = (field("username"), field("next"));
    let credentials = Credentials {
        username: Input::Given(username.clone()),
        password: Input::Given(field("password")),
    };
    let (app, old_key) = (state.app.clone(), visit.browser.session_key.clone());
    let work = move || sessions::log_in(&app, &credentials, old_key.as_deref());
    match state.pools.run(Pool::Passwords, work).await? {
        Ok(LoggedIn { key, .. }) => {
            let is_https = visit.client.is_https;
            let mut response = HttpResponse::Found();
            response
                .insert_header((LOCATION, local(&next)))
                .cookie(session_cookie(
                    &key,
                    state.app.session_settings.lifetime,
                    is_https,
                ));
            // Who planted a token before the login does not know the one after it.
            response.cookie(csrf_cookie(&state.app.random.hex(16), is_https));
            Ok(response.finish())
        }
        Err(error) => match error.into() {
            ApiError::NoActiveAccount | ApiError::Fields(_) => {
                Ok(show(visit, &next, &username, Some(REFUSED)))
            }
            error => Err(error),
        },
    }
}

/// `POST /api-auth/logout/`.
pub(crate) async fn log_out(state: Data<State>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let visit = Visit::new(&state, &http, true);
    if http.method() != Method::POST {
        return refuse_method(&http, &visit, "POST");
    }
    match try_to_log_out(&state, &http, payload, &visit).await {
        Ok(response) => response,
        Err(error) => refuse(&error, &http, &visit),
    }
}

async fn try_to_log_out(
    state: &Data<State>,
    http: &HttpRequest,
    payload: Payload,
    visit: &Visit,
) -> Result<HttpResponse, ApiError> {
    let form = read_own_form(state, http, payload, visit).await?;
    let query = Query::parse(http.query_string());
    let next = form
        .text_of("next")
        .or(query.text("next"))
        .unwrap_or("")
        .to_owned();
    if let Some(key) = visit.browser.session_key.clone() {
        let app = state.app.clone();
        state
            .pools
            .run(Pool::Database, move || sessions::log_out(&app, &key))
            .await??;
    }
    Ok(HttpResponse::Found()
        .insert_header((LOCATION, local(&next)))
        .cookie(no_session_cookie(visit.client.is_https))
        .finish())
}

/// Reads a form of this site's own pages. A request that is no such form is refused before it counts as a login.
async fn read_own_form(
    state: &State,
    http: &HttpRequest,
    payload: Payload,
    visit: &Visit,
) -> Result<Body, ApiError> {
    let form = wait_for_body(
        http.headers(),
        state.max_body,
        Body::read(http, payload, state.max_body),
    )
    .await?;
    let token = form.text_of(CSRF_FIELD);
    match visit.browser.check_csrf(http.method(), &visit.base_url, token) {
        Ok(()) => Ok(form),
        // The token of a form that was too large is not missing, it was not read.
        Err(forged) => Err(state.refuse_forged(visit.client, form.problem().unwrap_or(forged))),
    }
}

fn show(visit: &Visit, next: &str, username: &str, error: Option<&str>) -> HttpResponse {
    let login = Login {
        next: local(next),
        username,
        error,
        csrf_token: &visit.csrf_token,
    };
    page::as_page(StatusCode::OK, browsable::render_login(&login), visit)
}

fn refuse(error: &ApiError, http: &HttpRequest, visit: &Visit) -> HttpResponse {
    page::present(None, error.response(), http, visit, std::time::Duration::ZERO)
}

fn refuse_method(http: &HttpRequest, visit: &Visit, allow: &'static str) -> HttpResponse {
    let error = ApiError::MethodNotAllowed(http.method().to_string());
    let mut response = refuse(&error, http, visit);
    response
        .headers_mut()
        .insert(ALLOW, actix_web::http::header::HeaderValue::from_static(allow));
    response
}
