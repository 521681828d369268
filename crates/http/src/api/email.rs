//! `/api/email/…`: verifying e-mail addresses, and undoing their change, with links that are sent by mail.

use mycars_application::accounts;
use mycars_domain::Field;
use serde_json::json;

use super::DETAIL;
use crate::{
    api::{
        endpoint::{Access, Endpoint, Method, Operation, RateClass, Reply, Request, ResponseSpec, Tag},
        fields::{FieldKind, FieldSpec, Schema},
    },
    error::ApiError,
};

pub(crate) static VERIFY: Endpoint = Endpoint {
    path: "/api/email/verify/",
    name: "Email Verify",
    description: "Verifies an email address with the token of a link. A new address of a user replaces the old one.",
    tag: Tag::Account,
    access: Access::Open,
    rate: RateClass::Standard,
    list: None,
    operations: &[Operation {
        id: "verify_email",
        summary: "Verify an email address",
        method: Method::Post,
        body: Some(&LINK),
        answer: ResponseSpec::One(&Schema {
            name: "Detail",
            fields: &[DETAIL.example(VERIFIED)],
        }),
        handle: verify,
    }],
};

pub(crate) static RESEND: Endpoint = Endpoint {
    path: "/api/email/verify/resend/",
    name: "Email Verify Resend",
    description: "Sends a link that verifies this email address to its user. The response is the same if there is no such \
                  user, or the address is verified.",
    tag: Tag::Account,
    access: Access::Open,
    rate: RateClass::PasswordReset,
    list: None,
    operations: &[Operation {
        id: "resend_email_verification",
        summary: "Request another link that verifies an email address",
        method: Method::Post,
        body: Some(&Schema {
            name: "EmailVerificationRequest",
            fields: &[FieldSpec::required(Field::Email, "Email", FieldKind::Email).example("ann@example.com")],
        }),
        answer: ResponseSpec::One(&Schema {
            name: "Detail",
            fields: &[DETAIL.example(RESENT)],
        }),
        handle: resend,
    }],
};

pub(crate) static UNDO: Endpoint = Endpoint {
    path: "/api/email/undo/",
    name: "Email Undo",
    description: "Puts an old email address back with the token of a link, and ends all logins and the password of the user. A \
                  link that sets a new password is sent to the old address.",
    tag: Tag::Account,
    access: Access::Open,
    rate: RateClass::Standard,
    list: None,
    operations: &[Operation {
        id: "undo_email_change",
        summary: "Undo the change of an email address",
        method: Method::Post,
        body: Some(&LINK),
        answer: ResponseSpec::One(&Schema {
            name: "Detail",
            fields: &[DETAIL.example(UNDONE)],
        }),
        handle: undo,
    }],
};

static LINK: Schema = Schema {
    name: "LinkToken",
    fields: &[FieldSpec::required(Field::Token, "Token", FieldKind::Text)
        .help("The part of the link after `token=`.")
        .example(super::tokens::TOKEN)],
};

/// The message after a verification.
pub(crate) const VERIFIED: &str = "Email address verified.";

/// The message after a request, for all addresses alike.
pub(crate) const RESENT: &str = "If a user has this email address and has not verified it, a link is on its way. It works for three days.";

/// The message after an undo.
pub(crate) const UNDONE: &str = "The old email address is back, and all logins have ended. A link that sets a new password is on its way to it.";

fn verify(request: &Request<'_>) -> Result<Reply, ApiError> {
    let token = request.single_text(Field::Token)?;
    accounts::verify_email(request.app, request.caller.origin.clone(), &token)?;
    Reply::ok(&json!({"detail": VERIFIED}))
}

fn resend(request: &Request<'_>) -> Result<Reply, ApiError> {
    accounts::request_email_verification(request.app, request.caller, &request.single_text(Field::Email)?)?;
    Reply::ok(&json!({"detail": RESENT}))
}

fn undo(request: &Request<'_>) -> Result<Reply, ApiError> {
    let token = request.single_text(Field::Token)?;
    accounts::undo_email_change(request.app, request.caller.origin.clone(), &token)?;
    Reply::ok(&json!({"detail": UNDONE}))
}
