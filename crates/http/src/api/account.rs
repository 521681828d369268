//! `/api/delete-account/` and `/api/me/leave/`: delete the caller's own account.

use mycars_application::accounts;
use mycars_domain::Field;

use crate::{
    api::{
        endpoint::{Access, Endpoint, Method, Operation, RateClass, Reply, Request, ResponseSpec, Tag},
        fields::{FieldKind, FieldSpec, Schema},
    },
    error::ApiError,
};

pub(crate) static DELETE: Endpoint = Endpoint {
    path: "/api/delete-account/",
    name: "Delete Account",
    description: "Delete your own account with your cars and their pictures. The last active superuser cannot be deleted.",
    tag: Tag::Account,
    access: Access::Login,
    rate: RateClass::Standard,
    list: None,
    operations: &[Operation::plain(
        "delete_account",
        "Delete your own account",
        Method::Delete,
        ResponseSpec::Nothing,
        delete,
    )],
};

pub(crate) static LEAVE: Endpoint = Endpoint {
    path: "/api/me/leave/",
    name: "Leave",
    description: "Delete your own account with your cars and their pictures, and remove your name, your addresses and all \
                  your texts from the audit log. The last active superuser cannot leave.",
    tag: Tag::Account,
    access: Access::Login,
    rate: RateClass::Standard,
    list: None,
    operations: &[Operation {
        id: "leave",
        summary: "Delete your own account and your data in the audit log",
        method: Method::Post,
        body: Some(&Schema {
            name: "Leave",
            fields: &[FieldSpec::required(
                Field::Password,
                "Password",
                FieldKind::Password,
            )],
        }),
        answer: ResponseSpec::Nothing,
        handle: leave,
    }],
};

fn delete(request: &Request<'_>) -> Result<Reply, ApiError> {
    accounts::delete_account(request.app, request.caller)?;
    Ok(gone())
}

fn leave(request: &Request<'_>) -> Result<Reply, ApiError> {
    let password = request.form()?.secret(Field::Password);
    accounts::leave(request.app, request.caller, &password)?;
    Ok(gone())
}

/// Returns the reply after the account was deleted.
fn gone() -> Reply {
    Reply {
        ends_session: true,
        ..Reply::no_content()
    }
}
