//! `/api/password/reset/` and `/api/password/reset/confirm/`: a new password with a link that is sent by mail.

use mycars_application::accounts::{self, PasswordReset};
use mycars_domain::{Field, password::MIN_LENGTH, values::Password};
use serde_json::json;

use super::DETAIL;
use crate::{
    api::{
        endpoint::{Access, Endpoint, Method, Operation, RateClass, Reply, Request, ResponseSpec, Tag},
        fields::{FieldKind, FieldSpec, Schema},
    },
    error::ApiError,
};

pub(crate) static REQUEST: Endpoint = Endpoint {
    path: "/api/password/reset/",
    name: "Password Reset",
    description: "Sends a link that sets a new password to the user with this email address. The response is the same if \
                  there is no such user.",
    tag: Tag::Account,
    access: Access::Open,
    rate: RateClass::PasswordReset,
    list: None,
    operations: &[Operation {
        id: "request_password_reset",
        summary: "Request a link for a new password",
        method: Method::Post,
        body: Some(&Schema {
            name: "PasswordResetRequest",
            fields: &[FieldSpec::required(Field::Email, "Email", FieldKind::Email).example("ann@example.com")],
        }),
        answer: ResponseSpec::One(&Schema {
            name: "Detail",
            fields: &[DETAIL.example(REQUESTED)],
        }),
        handle: request,
    }],
};

pub(crate) static CONFIRM: Endpoint = Endpoint {
    path: "/api/password/reset/confirm/",
    name: "Password Reset Confirm",
    description: "Sets a new password with the token of a link, and ends all logins of the user.",
    tag: Tag::Account,
    access: Access::Open,
    rate: RateClass::Standard,
    list: None,
    operations: &[Operation {
        id: "confirm_password_reset",
        summary: "Set a new password",
        method: Method::Post,
        body: Some(&Schema {
            name: "PasswordResetConfirm",
            fields: &[
                FieldSpec::required(Field::Token, "Token", FieldKind::Text)
                    .help("The part of the link after `token=`.")
                    .example(super::tokens::TOKEN),
                FieldSpec::required(Field::NewPassword, "New password", FieldKind::Password)
                    .at_least(MIN_LENGTH)
                    .at_most(Password::MAX_LENGTH),
            ],
        }),
        answer: ResponseSpec::One(&Schema {
            name: "Detail",
            fields: &[DETAIL.example(CHANGED)],
        }),
        handle: confirm,
    }],
};

/// The message after a request, for known and unknown addresses alike.
pub(crate) const REQUESTED: &str =
    "If a user has this email address, a link is on its way. It works for one hour.";

/// The message after a reset.
pub(crate) const CHANGED: &str = "Password updated successfully. Log in with the new password.";

fn request(request: &Request<'_>) -> Result<Reply, ApiError> {
    accounts::request_password_reset(request.app, request.caller, &request.single_text(Field::Email)?)?;
    Reply::ok(&json!({"detail": REQUESTED}))
}

fn confirm(request: &Request<'_>) -> Result<Reply, ApiError> {
    let form = request.form()?;
    let input = PasswordReset {
        token: form.text(Field::Token),
        new_password: form.secret(Field::NewPassword),
    };
    accounts::reset_password(request.app, request.caller.origin.clone(), &input)?;
    Reply::ok(&json!({"detail": CHANGED}))
}
