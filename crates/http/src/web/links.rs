//! Pages for links in mails, which request and use them: for forgotten passwords, and for e-mail addresses. They work without
//! scripts. Reading a page changes nothing, because mail servers and programs follow links.

use std::sync::Arc;

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode},
    web::{Data, Payload},
};
use askama::Template;
use mycars_application::{
    App, Caller, Input,
    accounts::{self, PasswordReset},
};
use mycars_domain::Field;

use crate::{
    api::{
        email::{RESENT, UNDONE, VERIFIED},
        reset::{CHANGED, REQUESTED},
    },
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

/// The path of the page that a link for a new password leads to. The token follows.
pub const RESET_LINK: &str = "/api-auth/password/reset/confirm/?token=";

/// The same for a link that verifies an e-mail address.
pub const VERIFICATION_LINK: &str = "/api-auth/email/verify/?token=";

/// The same for a link that puts an old e-mail address back.
pub const UNDO_LINK: &str = "/api-auth/email/undo/?token=";

/// A page with one form.
pub(crate) struct LinkPage {
    pub(crate) path: &'static str,
    title: &'static str,
    lead: &'static str,
    button: &'static str,
    input: FormInput,
    /// The message after the form was sent.
    done: &'static str,
    submit: fn(&App, &Caller, &Sent) -> Result<(), accounts::Error>,
}

/// The fields of a form.
#[derive(Clone, Copy, PartialEq, Eq)]
enum FormInput {
    /// An e-mail address, to which a link is sent.
    Email,
    /// The token of a link, and a new password.
    Password,
    /// The token of a link.
    Token,
}

/// The content of a form that was sent.
#[derive(Default)]
struct Sent {
    email: String,
    token: String,
    new_password: String,
}

pub(crate) static PAGES: [LinkPage; 5] = [
    LinkPage {
        path: login::RESET_PATH,
        title: "Forgot your password?",
        lead: "A link that sets a new password is sent to your email address.",
        button: "Send the link",
        input: FormInput::Email,
        done: REQUESTED,
        submit: |app, caller, sent| accounts::request_password_reset(app, caller, &given(&sent.email)),
    },
    LinkPage {
        path: "/api-auth/password/reset/confirm/",
        title: "Set a new password",
        lead: "All your logins end.",
        button: "Set the password",
        input: FormInput::Password,
        done: CHANGED,
        submit: |app, caller, sent| {
            let input = PasswordReset {
                token: given(&sent.token),
                new_password: Input::Given(sent.new_password.clone().into()),
            };
            accounts::reset_password(app, caller.origin.clone(), &input)
        },
    },
    LinkPage {
        path: login::RESEND_PATH,
        title: "Verify your email address",
        lead: "A link that verifies your email address is sent to it.",
        button: "Send the link",
        input: FormInput::Email,
        done: RESENT,
        submit: |app, caller, sent| accounts::request_email_verification(app, caller, &given(&sent.email)),
    },
    LinkPage {
        path: "/api-auth/email/verify/",
        title: "Verify your email address",
        lead: "Confirm that mails to this address reach you.",
        button: "Verify the address",
        input: FormInput::Token,
        done: VERIFIED,
        submit: |app, caller, sent| accounts::verify_email(app, caller.origin.clone(), &given(&sent.token)),
    },
    LinkPage {
        path: "/api-auth/email/undo/",
        title: "Put the old email address back",
        lead: "The email address of your account was changed. You can undo that. All \
               logins and API keys end, and you get a link that sets a new password.",
        button: "Put the old address back",
        input: FormInput::Token,
        done: UNDONE,
        submit: |app, caller, sent| {
            accounts::undo_email_change(app, caller.origin.clone(), &given(&sent.token))
        },
    },
];

fn given(text: &str) -> Input<String> {
    Input::Given(text.to_owned())
}

impl LinkPage {
    /// Returns the rules of the form, which are those of the login but for the rate.
    fn rules(&self) -> Rules {
        let rate = match self.input {
            FormInput::Email => RateClass::PasswordReset,
            FormInput::Password | FormInput::Token => RateClass::Standard,
        };
        Rules {
            rate: Some(rate),
            ..LOG_IN
        }
    }

    fn has_email(&self) -> bool {
        self.input == FormInput::Email
    }

    fn has_password(&self) -> bool {
        self.input == FormInput::Password
    }
}

#[derive(Template)]
#[template(path = "link.html")]
struct LinkTemplate<'a> {
    csrf_token: &'a str,
    page: &'static LinkPage,
    /// Whether the form was sent and succeeded; then there is none.
    is_done: bool,
    sent: &'a Sent,
    errors: Vec<String>,
}

/// `GET` and `POST` of a page.
pub(crate) async fn serve(
    page: &'static LinkPage,
    state: Data<State>,
    http: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let context = Arc::new(RequestContext::new(&state, &http, true));
    match context.method {
        Method::GET | Method::HEAD if page.has_email() && state.app.mail.is_none() => {
            page::present_error(&accounts::Error::NoMail.into(), &context)
        }
        Method::GET | Method::HEAD => {
            let query = Query::parse(&context.query);
            let sent = Sent {
                token: query.text("token").unwrap_or("").to_owned(),
                ..Sent::default()
            };
            show(page, &context, false, &sent, Vec::new())
        }
        Method::POST => {
            let mut sent = Arc::default();
            let plan = |form: &mut Body| {
                let field = |name| form.text_of(name).unwrap_or("").to_owned();
                sent = Arc::new(Sent {
                    email: field("email"),
                    token: field("token"),
                    new_password: field("new_password"),
                });
                let input = Arc::clone(&sent);
                Plan {
                    pool: if page.has_password() {
                        Pool::Passwords
                    } else {
                        Pool::Database
                    },
                    guess: if page.has_email() {
                        Guess::Address(input.email.clone())
                    } else {
                        Guess::None
                    },
                    checks_uniqueness_of: None,
                    work: move |request: &pipeline::Request<'_>| {
                        Ok((page.submit)(&request.state.app, request.caller, &input)?)
                    },
                }
            };
            let outcome = pipeline::run(page.rules(), &state, &http, payload, &context, plan).await;
            conclude(page, outcome.result, &sent, &context)
        }
        _ => refuse_method(&context, "GET, POST, HEAD"),
    }
}

/// Returns the page after a form was sent: the result, the form with its errors, or an error.
fn conclude(
    page: &'static LinkPage,
    result: Result<(), ApiError>,
    sent: &Sent,
    context: &RequestContext,
) -> HttpResponse {
    match result {
        Ok(()) => show(page, context, true, sent, Vec::new()),
        Err(ApiError::Fields(violations)) => {
            let message = |field: Field, violation| match field {
                Field::Token => messages::violation(field, violation),
                _ => format!("{}: {}", label(field), messages::violation(field, violation)),
            };
            let errors = violations
                .iter()
                .flat_map(|(field, all)| all.iter().map(move |violation| message(field, violation)))
                .collect();
            show(page, context, false, sent, errors)
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
    page: &'static LinkPage,
    context: &RequestContext,
    is_done: bool,
    sent: &Sent,
    errors: Vec<String>,
) -> HttpResponse {
    let status = if errors.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::BAD_REQUEST
    };
    let html = ui::render(&LinkTemplate {
        csrf_token: &context.csrf_token,
        page,
        is_done,
        sent,
        errors,
    });
    page::as_page(status, html, context)
}
