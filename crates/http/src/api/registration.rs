//! `/api/register/`: make an account.

use mycars_application::{accounts, users::UserInput};
use mycars_domain::{
    Field,
    values::{Address, Email, FirstName, LastName, Password, Phone, Username},
};

use super::users::ROLES;
use crate::{
    body::Form,
    endpoint::{Access, Endpoint, Operation, Reply, Request, Verb},
    error::ApiError,
    fields::{FieldSpec, Kind},
    views::UserView,
};

pub(crate) static REGISTER: Endpoint = Endpoint {
    path: "/api/register/",
    name: "Register",
    description: "Make an account. Only an administrator can make one with the role of an administrator.",
    access: Access::Optional,
    list: None,
    operations: &[Operation {
        verb: Verb::Post,
        fields: &FIELDS,
        handle: register,
    }],
};

static FIELDS: [FieldSpec; 9] = [
    FieldSpec::required(Field::Username, "Username", Kind::Text)
        .at_most(Username::MAX_LENGTH)
        .help("At most 150 characters: letters, digits and @/./+/-/_ only."),
    FieldSpec::required(Field::Email, "Email address", Kind::Email).at_most(Email::MAX_LENGTH),
    FieldSpec::required(Field::FirstName, "First name", Kind::Text).at_most(FirstName::MAX_LENGTH),
    FieldSpec::required(Field::LastName, "Last name", Kind::Text).at_most(LastName::MAX_LENGTH),
    FieldSpec::required(Field::Password, "Password", Kind::Password)
        .at_most(Password::MAX_LENGTH)
        .help("At least 8 characters; not a common password, not digits alone, not like your name."),
    FieldSpec::optional(Field::PasswordConfirmation, "Password (again)", Kind::Password)
        .at_most(Password::MAX_LENGTH)
        .help("May be left out; must match if it is there."),
    FieldSpec::optional(Field::Role, "Role", ROLES),
    FieldSpec::optional(Field::Phone, "Phone", Kind::Text)
        .nullable()
        .at_most(Phone::MAX_LENGTH),
    FieldSpec::optional(Field::Address, "Address", Kind::Text)
        .nullable()
        .at_most(Address::MAX_LENGTH),
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
        password: form.text(Field::Password),
        password_confirmation: form.text(Field::PasswordConfirmation),
        role: form.text(Field::Role),
        phone: form.text(Field::Phone),
        address: form.text(Field::Address),
        ..UserInput::default()
    }
}
