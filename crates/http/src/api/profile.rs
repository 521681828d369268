//! `/api/me/`: the caller's own account.

use mycars_application::{
    Input,
    accounts::{self, ProfileInput},
};
use mycars_domain::{Field, values::Email};

use super::users::{
    ADDRESS, CREATED_AT, DATE_JOINED, EMAIL, FIRST_NAME, ID, IS_SUPERUSER, LAST_LOGIN, LAST_NAME, PHONE,
    UPDATED_AT, USER, UserView,
};
use crate::{
    api::{
        endpoint::{Access, Endpoint, Method, Operation, RateClass, Reply, Request, ResponseSpec, Tag},
        fields::{FieldKind, FieldSpec, Schema},
    },
    error::ApiError,
    request::authentication::Credentials,
};

pub(crate) static ME: Endpoint = Endpoint {
    path: "/api/me/",
    name: "Me",
    description: "Your own account.",
    tag: Tag::Account,
    access: Access::Authenticated,
    rate: RateClass::Standard,
    list: None,
    operations: &[
        Operation::plain(
            "get_me",
            "Read your own account",
            Method::Get,
            ResponseSpec::One(&USER),
            read,
        ),
        Operation {
            id: "update_me",
            summary: "Update your own account",
            method: Method::Patch,
            body: Some(&Schema {
                name: "Profile",
                fields: &FIELDS,
            }),
            answer: ResponseSpec::One(&USER),
            handle: change,
        },
    ],
};

static FIELDS: [FieldSpec; 14] = [
    ID,
    FieldSpec::read_only("username", "Username", FieldKind::Text),
    EMAIL.not_required(),
    FIRST_NAME.not_required(),
    LAST_NAME.not_required(),
    FieldSpec::read_only("role", "Role", FieldKind::Text),
    PHONE,
    ADDRESS,
    FieldSpec::read_only("is_active", "Active", FieldKind::Boolean),
    IS_SUPERUSER,
    DATE_JOINED,
    LAST_LOGIN,
    CREATED_AT,
    UPDATED_AT,
];

fn read(request: &Request<'_>) -> Result<Reply, ApiError> {
    let user = accounts::read_profile(request.caller, request.user()?)?;
    Reply::ok(&UserView::from(user))
}

fn change(request: &Request<'_>) -> Result<Reply, ApiError> {
    let form = request.form()?;
    let input = ProfileInput {
        email: form.text(Field::Email),
        first_name: form.text(Field::FirstName),
        last_name: form.text(Field::LastName),
        phone: form.text(Field::Phone),
        address: form.text(Field::Address),
        credential: Credentials::All.sent(request.context)?,
    };
    let user = request.user()?;
    if request.app.requires_verified_email()
        && let Input::Given(email) = &input.email
        && Email::parse(email).is_ok_and(|email| !user.has_email(&email))
    {
        (request.count_mail)(user.id, email)?;
    }
    let user = accounts::change_profile(request.app, request.caller, &input)?;
    Reply::ok(&UserView::from(&user))
}
