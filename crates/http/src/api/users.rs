//! `/api/admin/users/` and `/api/admin/users/{user_id}/`: everybody's accounts, for admins.

use mycars_application::{
    Completeness, cars,
    lists::{CarQuery, Garage, Listed},
    users::{self, UserInput},
};
use mycars_domain::{
    Field, User, UserId,
    password::MIN_LENGTH,
    values::{Address, Email, FirstName, LastName, Password, Phone, Username},
};

use super::cars::CAR;
use crate::{
    api::{
        endpoint::{Access, Answer, Endpoint, Operation, Reply, Request, Tag, Verb},
        fields::{FieldSpec, Kind, Shape},
        views::{OwnerView, UserView, UserWithCarsView},
    },
    error::ApiError,
    request::{body::Form, query},
};

pub(crate) static LIST: Endpoint = Endpoint {
    path: "/api/admin/users/",
    name: "Admin User List",
    description: "All clients; ?role=admin and ?role=all widen it.",
    tag: Tag::AdminUsers,
    access: Access::Admin,
    list: Some(&query::USERS),
    operations: &[
        Operation::plain("list_users", "List users", Verb::Get, Answer::Many(&USER), list),
        Operation {
            id: "create_user",
            summary: "Add a user",
            verb: Verb::Post,
            body: Some(&NEW_USER),
            answer: Answer::Created(&USER),
            handle: create,
        },
    ],
};

pub(crate) static DETAIL: Endpoint = Endpoint {
    path: "/api/admin/users/{user_id}/",
    name: "Admin User Instance",
    description: "A user and their cars.",
    tag: Tag::AdminUsers,
    access: Access::Admin,
    list: None,
    operations: &[
        Operation::plain(
            "get_user",
            "Read a user with their cars",
            Verb::Get,
            Answer::One(&USER_WITH_CARS),
            read,
        ),
        Operation {
            id: "replace_user",
            summary: "Replace a user",
            verb: Verb::Put,
            body: Some(&USER),
            answer: Answer::One(&USER_WITH_CARS),
            handle: replace,
        },
        Operation {
            id: "update_user",
            summary: "Change some of a user",
            verb: Verb::Patch,
            body: Some(&USER),
            answer: Answer::One(&USER_WITH_CARS),
            handle: change,
        },
        Operation::plain(
            "delete_user",
            "Delete a user with their cars and pictures",
            Verb::Delete,
            Answer::Nothing,
            delete,
        ),
    ],
};

/// A user, as one is changed and answered.
pub(crate) static USER: Shape = Shape {
    name: "User",
    fields: &CHANGED,
};

/// A user, as one is made.
static NEW_USER: Shape = Shape {
    name: "NewUser",
    fields: &NEW,
};

/// A user, as one is looked at.
pub(crate) static USER_WITH_CARS: Shape = Shape {
    name: "UserWithCars",
    fields: &WITH_CARS,
};

/// The roles, and how they are shown.
const ROLES: Kind = Kind::Choice(&[("client", "Client"), ("admin", "Admin")]);

/// Of ASCII what [`Username`] takes. Which letters and digits there are besides, the dialects of regular expressions
/// don't agree on.
const USERNAME_PATTERN: &str = r"[^\s\x00-*,/:-?\[-^`{-\x7F]+";

pub(super) const USERNAME: FieldSpec = FieldSpec::required(Field::Username, "Username", Kind::Text)
    .at_most(Username::MAX_LENGTH)
    .matching(USERNAME_PATTERN)
    .help("At most 150 characters: letters, digits and @/./+/-/_ only.")
    .example("ann");
pub(super) const EMAIL: FieldSpec = FieldSpec::required(Field::Email, "Email address", Kind::Email)
    .at_most(Email::MAX_LENGTH)
    .example("ann@example.com");
pub(super) const FIRST_NAME: FieldSpec = FieldSpec::required(Field::FirstName, "First name", Kind::Text)
    .at_most(FirstName::MAX_LENGTH)
    .example("Ann");
pub(super) const LAST_NAME: FieldSpec = FieldSpec::required(Field::LastName, "Last name", Kind::Text)
    .at_most(LastName::MAX_LENGTH)
    .example("Lee");
pub(super) const PASSWORD: FieldSpec = FieldSpec::required(Field::Password, "Password", Kind::Password)
    .at_least(MIN_LENGTH)
    .at_most(Password::MAX_LENGTH)
    .help("At least 8 characters.");
pub(super) const PASSWORD_CONFIRMATION: FieldSpec =
    FieldSpec::optional(Field::PasswordConfirmation, "Password (again)", Kind::Password)
        .at_most(Password::MAX_LENGTH)
        .help("May be left out; must match if it is there.");
pub(super) const ROLE: FieldSpec = FieldSpec::optional(Field::Role, "Role", ROLES).default("client");
const IS_ACTIVE: FieldSpec = FieldSpec::optional(Field::IsActive, "Active", Kind::Boolean)
    .default("true")
    .help("Whether the user may log in. Their tokens stop working at once when not.");
pub(super) const PHONE: FieldSpec = FieldSpec::optional(Field::Phone, "Phone", Kind::Text)
    .nullable()
    .at_most(Phone::MAX_LENGTH)
    .example("+49 30 1234567");
pub(super) const ADDRESS: FieldSpec = FieldSpec::optional(Field::Address, "Address", Kind::Text)
    .nullable()
    .at_most(Address::MAX_LENGTH)
    .example("12 Mill Lane, Oxford");
pub(super) const ID: FieldSpec = FieldSpec::read_only("id", "ID", Kind::Integer);
pub(super) const IS_SUPERUSER: FieldSpec =
    FieldSpec::read_only("is_superuser", "Superuser status", Kind::Boolean).example("false");
pub(super) const DATE_JOINED: FieldSpec = FieldSpec::read_only("date_joined", "Date joined", Kind::DateTime);
pub(super) const LAST_LOGIN: FieldSpec =
    FieldSpec::read_only("last_login", "Last login", Kind::DateTime).nullable();
pub(super) const CREATED_AT: FieldSpec = FieldSpec::read_only("created_at", "Created at", Kind::DateTime);
pub(super) const UPDATED_AT: FieldSpec = FieldSpec::read_only("updated_at", "Updated at", Kind::DateTime);

pub(crate) static NEW: [FieldSpec; 16] = [
    ID,
    USERNAME,
    EMAIL,
    FIRST_NAME,
    LAST_NAME,
    PASSWORD,
    PASSWORD_CONFIRMATION,
    ROLE,
    PHONE,
    ADDRESS,
    IS_ACTIVE,
    IS_SUPERUSER,
    DATE_JOINED,
    LAST_LOGIN,
    CREATED_AT,
    UPDATED_AT,
];

pub(crate) static CHANGED: [FieldSpec; 15] = [
    ID,
    USERNAME,
    EMAIL,
    FIRST_NAME,
    LAST_NAME,
    PASSWORD
        .not_required()
        .help("At least 8 characters. Ends all logins of the user."),
    ROLE,
    PHONE,
    ADDRESS,
    IS_ACTIVE,
    IS_SUPERUSER,
    DATE_JOINED,
    LAST_LOGIN,
    CREATED_AT,
    UPDATED_AT,
];

static WITH_CARS: [FieldSpec; 15] = [
    ID,
    USERNAME,
    EMAIL,
    FIRST_NAME,
    LAST_NAME,
    ROLE,
    PHONE,
    ADDRESS,
    IS_ACTIVE,
    IS_SUPERUSER,
    DATE_JOINED,
    LAST_LOGIN,
    CREATED_AT,
    UPDATED_AT,
    FieldSpec::read_only("cars", "Cars", Kind::List(&CAR)),
];

fn list(request: &Request<'_>) -> Result<Reply, ApiError> {
    let query = request.query.users(request.lists)?;
    let Listed { items, total } = users::list(request.app, request.caller, &query)?;
    let items = items.iter().map(UserView::from).collect();
    request.list(Listed { items, total }, query.page)
}

fn create(request: &Request<'_>) -> Result<Reply, ApiError> {
    let form = request.form()?;
    let input = UserInput {
        password_confirmation: form.text(Field::PasswordConfirmation),
        ..input(&form)
    };
    let user = users::create(request.app, request.caller, &input)?;
    Reply::created(
        &UserView::from(&user),
        format!("{}{}/", request.canonical_path(), user.id),
    )
}

fn read(request: &Request<'_>) -> Result<Reply, ApiError> {
    let (user, cars) = users::read_with_cars(request.app, request.caller, id(request))?;
    Reply::ok(&UserWithCarsView::new(&user, &cars, &OwnerView::from(&user)))
}

fn replace(request: &Request<'_>) -> Result<Reply, ApiError> {
    update(request, Completeness::Whole)
}

fn change(request: &Request<'_>) -> Result<Reply, ApiError> {
    update(request, Completeness::Partial)
}

fn update(request: &Request<'_>, completeness: Completeness) -> Result<Reply, ApiError> {
    let input = input(&request.form_unless_missing(|| find(request))?);
    let user = users::update(request.app, request.caller, id(request), &input, completeness)?;
    let cars = cars::list(
        request.app,
        request.caller,
        Garage::Of(user.id),
        &CarQuery::default(),
    )?
    .items;
    Reply::ok(&UserWithCarsView::new(&user, &cars, &OwnerView::from(&user)))
}

fn delete(request: &Request<'_>) -> Result<Reply, ApiError> {
    users::delete(request.app, request.caller, id(request), None)?;
    Ok(Reply::no_content())
}

fn find(request: &Request<'_>) -> Result<User, ApiError> {
    Ok(users::read(request.app, request.caller, id(request))?)
}

/// The user whom the path names; without one, nobody who is there.
fn id(request: &Request<'_>) -> UserId {
    UserId(request.id("user_id").unwrap_or(-1))
}

/// The fields that new and changed users have in common.
pub(crate) fn input(form: &Form<'_>) -> UserInput {
    UserInput {
        username: form.text(Field::Username),
        email: form.text(Field::Email),
        first_name: form.text(Field::FirstName),
        last_name: form.text(Field::LastName),
        password: form.text(Field::Password),
        role: form.text(Field::Role),
        is_active: form.boolean(Field::IsActive),
        phone: form.text(Field::Phone),
        address: form.text(Field::Address),
        ..UserInput::default()
    }
}
