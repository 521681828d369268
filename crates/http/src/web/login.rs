//! `/api-auth/login/` and `/api-auth/logout/`: browsers log in and out, as with Django REST framework.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{
        Method, StatusCode,
        header::{ALLOW, HeaderValue, LOCATION},
    },
    web::{Data, Payload},
};
use mycars_application::{
    Input,
    accounts::{Credentials, sessions},
};
use mycars_domain::audit::Channel;

use crate::{
    error::ApiError,
    request::{
        authentication::{self, Access},
        body::Body,
        context::RequestContext,
        cookies::{csrf_cookie, no_session_cookie, session_cookie},
        csrf::token_of_session,
        login,
        pipeline::{self, Csrf, Guess, Plan, Rules},
        pools::Pool,
        query::Query,
        throttle::RateClass,
    },
    state::State,
    web::{
        browsable::{self, Login},
        page,
    },
};

/// The path of the page for forgotten passwords.
pub(super) const RESET_PATH: &str = "/api-auth/password/reset/";

/// The path of the page that sends another link that verifies an e-mail address.
pub(super) const RESEND_PATH: &str = "/api-auth/email/verify/resend/";

/// Django's message for a login that failed, whatever the reason.
const REFUSED: &str =
    "Please enter a correct username and password. Note that both fields may be case-sensitive.";

/// The message after the right password of a user with an e-mail address that must be verified.
const UNVERIFIED: &str =
    "Your email address is not verified. Use the link in the mail, or request another one.";

/// The rules of the login. It has no user yet, but must come from this site's own page: otherwise another site could
/// log a visitor in as another user, or use up the logins of an address.
pub(super) const LOG_IN: Rules = Rules {
    access: Access::Open,
    credentials: authentication::Credentials::Session,
    rate: Some(RateClass::Login),
    csrf: Csrf::Always,
    takes_file: false,
    checks_early: false,
    own_car: None,
    channel: Channel::Api,
};

/// The rules of the logout, which is not counted.
const LOG_OUT: Rules = Rules { rate: None, ..LOG_IN };

/// `GET` and `POST /api-auth/login/`.
pub(crate) async fn log_in(state: Data<State>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let context = Arc::new(RequestContext::new(&state, &http, true));
    match context.method {
        Method::GET | Method::HEAD => {
            let query = Query::parse(&context.query);
            show(&state, &context, query.text("next").unwrap_or(""), "", None)
        }
        Method::POST => try_to_log_in(&state, &http, payload, &context).await,
        _ => refuse_method(&context, "GET, POST, HEAD"),
    }
}

async fn try_to_log_in(
    state: &Data<State>,
    http: &HttpRequest,
    payload: Payload,
    context: &Arc<RequestContext>,
) -> HttpResponse {
    let (mut username, mut next) = (String::new(), String::new());
    let plan = |form: &mut Body| {
        let field = |name| form.text_of(name).unwrap_or("").to_owned();
        (username, next) = (field("username"), field("next"));
        let credentials = Credentials {
            username: Input::Given(username.clone()),
            password: Input::Given(field("password").into()),
        };
        let work = move |request: &pipeline::Request<'_>| {
            let old_key = request.context.browser.session_key.as_deref();
            let result = sessions::log_in(
                &request.state.app,
                &credentials,
                old_key,
                request.context.device(),
            );
            let login = login::conclude(request.caller, &credentials, result, |login| &login.user);
            login.inspect_err(|error| request.commit_charges(error))
        };
        Plan {
            pool: Pool::Passwords,
            guess: Guess::Login(username.clone()),
            checks_uniqueness_of: None,
            work,
        }
    };
    let outcome = pipeline::run(LOG_IN, state, http, payload, context, plan).await;
    match outcome.result {
        Ok(login) => {
            let is_https = context.client.is_https;
            let lifetime = state.app.session_settings.lifetime;
            HttpResponse::Found()
                .insert_header((LOCATION, local(&next)))
                .cookie(session_cookie(&login.key, lifetime, is_https))
                .cookie(csrf_cookie(&token_of_session(&login.key), is_https))
                .finish()
        }
        Err(ApiError::NoActiveAccount | ApiError::Fields(_)) => {
            show(state, context, &next, &username, Some(REFUSED))
        }
        Err(ApiError::EmailNotVerified) => show(state, context, &next, &username, Some(UNVERIFIED)),
        Err(error) => page::present_error(&error, context),
    }
}

/// `POST /api-auth/logout/`.
pub(crate) async fn log_out(state: Data<State>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let context = Arc::new(RequestContext::new(&state, &http, true));
    if context.method != Method::POST {
        return refuse_method(&context, "POST");
    }
    let plan = |form: &mut Body| {
        let next = form.text_of("next").map(str::to_owned);
        let work = move |request: &pipeline::Request<'_>| {
            if let Some(key) = request.context.browser.session_key.as_deref() {
                sessions::log_out(&request.state.app, key)?;
            }
            Ok(next)
        };
        Plan {
            pool: Pool::Database,
            guess: Guess::None,
            checks_uniqueness_of: None,
            work,
        }
    };
    let outcome = pipeline::run(LOG_OUT, &state, &http, payload, &context, plan).await;
    match outcome.result {
        Ok(next) => {
            let query = Query::parse(&context.query);
            let next = next.as_deref().or(query.text("next")).unwrap_or("");
            HttpResponse::Found()
                .insert_header((LOCATION, local(next)))
                .cookie(no_session_cookie(context.client.is_https))
                .finish()
        }
        Err(error) => page::present_error(&error, &context),
    }
}

fn show(
    state: &State,
    context: &RequestContext,
    next: &str,
    username: &str,
    error: Option<&str>,
) -> HttpResponse {
    let login = Login {
        reset_path: state.app.mail.as_ref().map(|_| RESET_PATH),
        resend_path: (error == Some(UNVERIFIED)).then_some(RESEND_PATH),
        next: local(next),
        username,
        error,
        csrf_token: &context.csrf_token,
    };
    page::as_page(StatusCode::OK, browsable::render_login(&login), context)
}

pub(super) fn refuse_method(context: &RequestContext, allow: &'static str) -> HttpResponse {
    let error = ApiError::MethodNotAllowed(context.method.to_string());
    let mut response = page::present_error(&error, context);
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static(allow));
    response
}

/// Returns the URL after a login or logout: a path on this site, or the API's root.
pub(crate) fn local(next: &str) -> &str {
    let is_local = next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains('\\')
        && !next.chars().any(char::is_control);
    if is_local { next } else { "/api/" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn login_redirects_to_this_site_only() {
        assert_eq!(local("/api/cars/?limit=2"), "/api/cars/?limit=2");
        for elsewhere in [
            "",
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "\\\\evil",
            "/\n/evil",
            "api/",
        ] {
            assert_eq!(local(elsewhere), "/api/", "{elsewhere:?}");
        }
    }
}
