//! `/api/delete-account/`: deletes the caller's own account.

use mycars_application::accounts;

use crate::{
    api::endpoint::{Access, Endpoint, Method, Operation, RateClass, Reply, Request, ResponseSpec, Tag},
    error::ApiError,
};

pub(crate) static DELETE: Endpoint = Endpoint {
    path: "/api/delete-account/",
    name: "Delete Account",
    description: "Delete your own account with your cars and their pictures. The last active superuser cannot be deleted.",
    tag: Tag::Account,
    access: Access::Authenticated,
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

fn delete(request: &Request<'_>) -> Result<Reply, ApiError> {
    accounts::delete_account(request.app, request.caller)?;
    Ok(Reply {
        ends_session: true,
        ..Reply::no_content()
    })
}
