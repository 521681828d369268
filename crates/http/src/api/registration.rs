//! `/api/register/`: creates an account.

use mycars_application::{accounts, users::UserInput};
use mycars_domain::Field;

use super::users::{
    ADDRESS, EMAIL, FIRST_NAME, LAST_NAME, PASSWORD, PASSWORD_CONFIRMATION, PHONE, ROLE, USER, USERNAME,
    UserView,
};
use crate::{
    api::{
        endpoint::{Access, Endpoint, Method, Operation, RateClass, Reply, Request, ResponseSpec, Tag},
        fields::{FieldSpec, Schema},
    },
    error::ApiError,
    request::body::Form,
};

pub(crate) static REGISTER: Endpoint = Endpoint {
    path: "/api/register/",
    name: "Register",
    description: "Create an account. Only admins can create an account with the role `admin`.",
    tag: Tag::Account,
    access: Access::Optional,
    rate: RateClass::Register,
    list: None,
    operations: &[Operation {
        id: "register",
        summary: "Create an account",
        method: Method::Post,
        body: Some(&Schema {
            name: "Registration",
            fields: &FIELDS,
        }),
        answer: ResponseSpec::Created(&USER),
        handle: register,
    }],
};

static FIELDS: [FieldSpec; 9] = [
    USERNAME,
    EMAIL,
    FIRST_NAME,
    LAST_NAME,
    PASSWORD.help("At least 8 characters; not a common password, not digits alone, not like your name."),
    PASSWORD_CONFIRMATION,
    ROLE,
    PHONE,
    ADDRESS,
];

fn register(request: &Request<'_>) -> Result<Reply, ApiError> {
    let input = input(&request.form()?);
    let user = accounts::register(request.app, request.caller, &input)?;
    Reply::created(&UserView::from(&user), format!("/api/admin/users/{}/", user.id))
}

fn input(form: &Form<'_>) -> UserInput {
    UserInput {
        username: form.text(Field::Username),
        email: form.text(Field::Email),
        first_name: form.text(Field::FirstName),
        last_name: form.text(Field::LastName),
        password: form.secret(Field::Password),
        password_confirmation: form.secret(Field::PasswordConfirmation),
        role: form.text(Field::Role),
        phone: form.text(Field::Phone),
        address: form.text(Field::Address),
        ..UserInput::default()
    }
}
