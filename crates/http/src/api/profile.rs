//! `/api/me/`: one's own account.

use mycars_application::accounts::{self, ProfileInput};
use mycars_domain::{
    Field,
    values::{Address, Email, FirstName, LastName, Phone},
};

use crate::{
    endpoint::{Access, Endpoint, Operation, Reply, Request, Verb},
    error::ApiError,
    fields::{FieldSpec, Kind},
    views::UserView,
};

pub(crate) static ME: Endpoint = Endpoint {
    path: "/api/me/",
    name: "Me",
    description: "Your own account.",
    access: Access::Authenticated,
    list: None,
    operations: &[
        Operation::plain(Verb::Get, read),
        Operation {
            verb: Verb::Patch,
            fields: &FIELDS,
            handle: change,
        },
    ],
};

static FIELDS: [FieldSpec; 14] = [
    FieldSpec::read_only("id", "ID", Kind::Integer),
    FieldSpec::read_only("username", "Username", Kind::Text),
    FieldSpec::optional(Field::Email, "Email address", Kind::Email).at_most(Email::MAX_LENGTH),
    FieldSpec::optional(Field::FirstName, "First name", Kind::Text).at_most(FirstName::MAX_LENGTH),
    FieldSpec::optional(Field::LastName, "Last name", Kind::Text).at_most(LastName::MAX_LENGTH),
    FieldSpec::read_only("role", "Role", Kind::Text),
    FieldSpec::optional(Field::Phone, "Phone", Kind::Text)
        .nullable()
        .at_most(Phone::MAX_LENGTH),
    FieldSpec::optional(Field::Address, "Address", Kind::Text)
        .nullable()
        .at_most(Address::MAX_LENGTH),
    FieldSpec::read_only("is_active", "Active", Kind::Boolean),
    FieldSpec::read_only("is_superuser", "Superuser status", Kind::Boolean),
    FieldSpec::read_only("date_joined", "Date joined", Kind::DateTime),
    FieldSpec::read_only("last_login", "Last login", Kind::DateTime),
    FieldSpec::read_only("created_at", "Created at", Kind::DateTime),
    FieldSpec::read_only("updated_at", "Updated at", Kind::DateTime),
];

fn read(request: &Request<'_>) -> Result<Reply, ApiError> {
    let user = accounts::read_profile(request.app, request.caller)?;
    Reply::ok(&UserView::from(&user))
}

fn change(request: &Request<'_>) -> Result<Reply, ApiError> {
    let form = request.form()?;
    let input = ProfileInput {
        email: form.text(Field::Email),
        first_name: form.text(Field::FirstName),
        last_name: form.text(Field::LastName),
        phone: form.text(Field::Phone),
        address: form.text(Field::Address),
    };
    let user = accounts::change_profile(request.app, request.caller, &input)?;
    Reply::ok(&UserView::from(&user))
}
