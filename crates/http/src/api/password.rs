//! `/api/change-password/`: changes the caller's own password.

use mycars_application::accounts::{self, PasswordChange};
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

pub(crate) static CHANGE: Endpoint = Endpoint {
    path: "/api/change-password/",
    name: "Change Password",
    description: "Change your own password. All refresh tokens issued before are revoked.",
    tag: Tag::Account,
    access: Access::Login,
    rate: RateClass::Standard,
    list: None,
    operations: &[Operation {
        id: "change_password",
        summary: "Change your own password",
        method: Method::Put,
        body: Some(&Schema {
            name: "ChangePassword",
            fields: &[
                FieldSpec::required(Field::OldPassword, "Old password", FieldKind::Password),
                FieldSpec::required(Field::NewPassword, "New password", FieldKind::Password)
                    .at_least(MIN_LENGTH)
                    .at_most(Password::MAX_LENGTH)
                    .help(
                        "At least 8 characters; not a common password, not digits alone, not like your name.",
                    ),
            ],
        }),
        answer: ResponseSpec::One(&Schema {
            name: "Detail",
            fields: &[DETAIL.example(CHANGED)],
        }),
        handle: change,
    }],
};

const CHANGED: &str = "Password updated successfully.";

fn change(request: &Request<'_>) -> Result<Reply, ApiError> {
    let form = request.form()?;
    let input = PasswordChange {
        old_password: form.secret(Field::OldPassword),
        new_password: form.secret(Field::NewPassword),
    };
    accounts::change_password(request.app, request.caller, &input)?;
    Reply::ok(&json!({"detail": CHANGED}))
}
