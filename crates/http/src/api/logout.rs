//! `/api/logout/`: end a login.

use mycars_application::accounts;
use mycars_domain::Field;
use serde_json::json;

use crate::{
    endpoint::{Access, Endpoint, Operation, Reply, Request, Verb},
    error::ApiError,
    fields::{FieldSpec, Kind},
};

pub(crate) static LOGOUT: Endpoint = Endpoint {
    path: "/api/logout/",
    name: "Logout",
    description: "End a login by giving up its refresh token.",
    access: Access::Authenticated,
    list: None,
    operations: &[Operation {
        verb: Verb::Post,
        fields: &[FieldSpec::required(Field::Refresh, "Refresh", Kind::Text)],
        handle: log_out,
    }],
};

fn log_out(request: &Request<'_>) -> Result<Reply, ApiError> {
    accounts::log_out(request.app, request.caller, &request.single_text(Field::Refresh)?)?;
    Reply::ok(&json!({"detail": "Successfully logged out."}))
}
