//! `/api-auth/password/reset/` and `/api-auth/password/reset/confirm/`: pages for users that forgot their password. They
//! work without scripts.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode},
    web::{Data, Payload},
};
use askama::Template;
use mycars_application::{
    Input,
    accounts::{self, PasswordReset},
};
use mycars_domain::Field;

use crate::{
    api::reset::{CHANGED, REQUESTED},
    error::ApiError,
    messages,
    request::{
        body::Body,
        context::RequestContext,
        pipeline::{self, Guess, Plan, Rules},
        pools::Pool,
        query::Query,
        throttle::RateClass,
    },
    state::State,
    web::{
        login::{self, LOG_IN, refuse_method},
        page, ui,
    },
};

/// The path of the page that a link in a mail leads to. The token follows.
pub const LINK: &str = "/api-auth/password/reset/confirm/?token=";

pub(crate) const REQUEST_PATH: &str = login::RESET_PATH;
pub(crate) const CONFIRM_PATH: &str = "/api-auth/password/reset/confirm/";

/// The rules of both forms, which are those of the login but for the rate.
const REQUEST: Rules = Rules {
    rate: Some(RateClass::PasswordReset),
    ..LOG_IN
};
const CONFIRM: Rules = Rules {
    rate: Some(RateClass::Standard),
    ..LOG_IN
};

#[derive(Template)]
#[template(path = "reset.html")]
struct ResetPage<'a> {
    csrf_token: &'a str,
    /// The result; then there is no form.
    done: Option<&'static str>,
    /// The token of the link, on the page that sets a password.
    token: Option<&'a str>,
    email: &'a str,
    errors: Vec<String>,
}

/// `GET` and `POST /api-auth/password/reset/`.
pub(crate) async fn request(state: Data<State>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let context = Arc::new(RequestContext::new(&state, &http, true));
    match context.method {
        Method::GET | Method::HEAD if state.app.mail.is_none() => {
            page::present_error(&accounts::Error::NoMail.into(), &context)
        }
        Method::GET | Method::HEAD => show(&context, None, None, "", &[]),
        Method::POST => {
            let mut email = String::new();
            let plan = |form: &mut Body| {
                email = field(form, "email");
                let (given, address) = (Input::Given(email.clone()), email.clone());
                Plan {
                    pool: Pool::Database,
                    guess: Guess::Address(address),
                    checks_uniqueness_of: None,
                    work: move |request: &pipeline::Request<'_>| {
                        Ok(accounts::request_password_reset(
                            &request.state.app,
                            request.caller,
                            &given,
                        )?)
                    },
                }
            };
            let outcome = pipeline::run(REQUEST, &state, &http, payload, &context, plan).await;
            conclude(outcome.result, REQUESTED, None, &email, &context)
        }
        _ => refuse_method(&context, "GET, POST, HEAD"),
    }
}

/// `GET` and `POST /api-auth/password/reset/confirm/`.
pub(crate) async fn confirm(state: Data<State>, http: HttpRequest, payload: Payload) -> HttpResponse {
    let context = Arc::new(RequestContext::new(&state, &http, true));
    match context.method {
        Method::GET | Method::HEAD => {
            let query = Query::parse(&context.query);
            show(&context, None, Some(query.text("token").unwrap_or("")), "", &[])
        }
        Method::POST => {
            let mut token = String::new();
            let plan = |form: &mut Body| {
                token = field(form, "token");
                let input = PasswordReset {
                    token: Input::Given(token.clone()),
                    new_password: Input::Given(field(form, "new_password").into()),
                };
                Plan {
                    pool: Pool::Passwords,
                    guess: Guess::None,
                    checks_uniqueness_of: None,
                    work: move |request: &pipeline::Request<'_>| {
                        let origin = request.caller.origin.clone();
                        Ok(accounts::reset_password(&request.state.app, origin, &input)?)
                    },
                }
            };
            let outcome = pipeline::run(CONFIRM, &state, &http, payload, &context, plan).await;
            conclude(outcome.result, CHANGED, Some(&token), "", &context)
        }
        _ => refuse_method(&context, "GET, POST, HEAD"),
    }
}

fn field(form: &Body, name: &str) -> String {
    form.text_of(name).unwrap_or("").to_owned()
}

/// Returns the page after a form was sent: the result, the form with its errors, or an error.
fn conclude(
    result: Result<(), ApiError>,
    done: &'static str,
    token: Option<&str>,
    email: &str,
    context: &RequestContext,
) -> HttpResponse {
    match result {
        Ok(()) => show(context, Some(done), token, email, &[]),
        Err(ApiError::Fields(violations)) => {
            let message = |field: Field, violation| match field {
                Field::Token => messages::violation(field, violation),
                _ => format!("{}: {}", label(field), messages::violation(field, violation)),
            };
            let errors: Vec<String> = violations
                .iter()
                .flat_map(|(field, all)| all.iter().map(move |violation| message(field, violation)))
                .collect();
            show(context, None, token, email, &errors)
        }
        Err(error) => page::present_error(&error, context),
    }
}

fn label(field: Field) -> &'static str {
    if field == Field::Email {
        "Email address"
    } else {
        "New password"
    }
}

fn show(
    context: &RequestContext,
    done: Option<&'static str>,
    token: Option<&str>,
    email: &str,
    errors: &[String],
) -> HttpResponse {
    let html = ui::render(&ResetPage {
        csrf_token: &context.csrf_token,
        done,
        token,
        email,
        errors: errors.to_vec(),
    });
    let status = if errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    page::as_page(status, html, context)
}
