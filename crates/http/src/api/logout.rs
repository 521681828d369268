//! `/api/logout/`: ends a login.

use mycars_application::accounts;
use mycars_domain::Field;
use serde_json::json;

use super::{DETAIL, tokens::TOKEN};
use crate::{
    api::{
        endpoint::{Access, Endpoint, Method, Operation, RateClass, Reply, Request, ResponseSpec, Tag},
        fields::{FieldKind, FieldSpec, Schema},
    },
    error::ApiError,
};

pub(crate) static LOGOUT: Endpoint = Endpoint {
    path: "/api/logout/",
    name: "Logout",
    description: "Log out: revoke a refresh token.",
    tag: Tag::Tokens,
    access: Access::Login,
    rate: RateClass::Standard,
    list: None,
    operations: &[Operation {
        id: "logout",
        summary: "Revoke a refresh token",
        method: Method::Post,
        body: Some(&Schema {
            name: "Logout",
            fields: &[FieldSpec::required(Field::Refresh, "Refresh", FieldKind::Text).example(TOKEN)],
        }),
        answer: ResponseSpec::One(&Schema {
            name: "Detail",
            fields: &[DETAIL.example(LOGGED_OUT)],
        }),
        handle: log_out,
    }],
};

const LOGGED_OUT: &str = "Successfully logged out.";

fn log_out(request: &Request<'_>) -> Result<Reply, ApiError> {
    accounts::log_out(request.app, request.caller, &request.single_text(Field::Refresh)?)?;
    Reply::ok(&json!({"detail": LOGGED_OUT}))
}
