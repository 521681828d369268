//! `/api/admin/users/` and `/api/admin/users/{user_id}/`: the accounts of all users, for admins.

use chrono::{DateTime, Utc};
use mycars_application::{
    App, Caller, UpdateMode,
    cars::{self, CarScope},
    lists::CarQuery,
    users::{self, SeenUser, UserInput},
};
use mycars_domain::{
    Field, User, UserId,
    password::MIN_LENGTH,
    values::{Address, Email, FirstName, LastName, Password, Phone, Username},
};
use serde::Serialize;

use super::cars::{CAR, CarItems};
use crate::{
    api::{
        endpoint::{Access, Endpoint, Method, Operation, RateClass, Reply, Request, ResponseSpec, Tag},
        fields::{FieldKind, FieldSpec, Schema},
        items::Items,
        timestamp,
    },
    error::ApiError,
    request::{body::Form, query},
};

pub(crate) static LIST: Endpoint = Endpoint {
    path: "/api/admin/users/",
    name: "Admin User List",
    description: "Users with the role `client`. ?role=admin selects admins, ?role=all all users.",
    tag: Tag::AdminUsers,
    access: Access::Admin,
    rate: RateClass::Standard,
    list: Some(&query::USERS),
    operations: &[
        Operation::plain(
            "list_users",
            "List users",
            Method::Get,
            ResponseSpec::Many(&USER),
            list,
        ),
        Operation {
            id: "create_user",
            summary: "Add a user",
            method: Method::Post,
            body: Some(&NEW_USER),
            answer: ResponseSpec::Created(&USER),
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
    rate: RateClass::Standard,
    list: None,
    operations: &[
        Operation::plain(
            "get_user",
            "Read a user with their cars",
            Method::Get,
            ResponseSpec::One(&USER_WITH_CARS),
            read,
        ),
        Operation {
            id: "replace_user",
            summary: "Replace a user",
            method: Method::Put,
            body: Some(&USER),
            answer: ResponseSpec::One(&USER_WITH_CARS),
            handle: replace,
        },
        Operation {
            id: "update_user",
            summary: "Update a user",
            method: Method::Patch,
            body: Some(&USER),
            answer: ResponseSpec::One(&USER_WITH_CARS),
            handle: change,
        },
        Operation::plain(
            "delete_user",
            "Delete a user with their cars and pictures",
            Method::Delete,
            ResponseSpec::Nothing,
            delete,
        ),
    ],
};

/// A user, in requests that change one and in responses.
pub(crate) static USER: Schema = Schema {
    name: "User",
    fields: &CHANGED,
};

/// A user, in requests that create one.
static NEW_USER: Schema = Schema {
    name: "NewUser",
    fields: &NEW,
};

/// A user with all cars, in responses.
pub(crate) static USER_WITH_CARS: Schema = Schema {
    name: "UserWithCars",
    fields: &WITH_CARS,
};

/// The roles with their labels.
const ROLES: FieldKind = FieldKind::Choice(&[("client", "Client"), ("admin", "Admin")]);

/// Regular expression of the ASCII texts that [`Username`] accepts. Other letters and digits all match, because the
/// dialects of regular expressions differ in them.
const USERNAME_PATTERN: &str = r"[^\s\x00-*,/:-?\[-^`{-\x7F]+";

pub(super) const USERNAME: FieldSpec = FieldSpec::required(Field::Username, "Username", FieldKind::Text)
    .at_most(Username::MAX_LENGTH)
    .matching(USERNAME_PATTERN)
    .help("At most 150 characters: letters, digits and @/./+/-/_ only.")
    .example("ann");
pub(super) const EMAIL: FieldSpec = FieldSpec::required(Field::Email, "Email address", FieldKind::Email)
    .at_most(Email::MAX_LENGTH)
    .example("ann@example.com");
pub(super) const FIRST_NAME: FieldSpec = FieldSpec::required(Field::FirstName, "First name", FieldKind::Text)
    .at_most(FirstName::MAX_LENGTH)
    .example("Ann");
pub(super) const LAST_NAME: FieldSpec = FieldSpec::required(Field::LastName, "Last name", FieldKind::Text)
    .at_most(LastName::MAX_LENGTH)
    .example("Lee");
pub(super) const PASSWORD: FieldSpec = FieldSpec::required(Field::Password, "Password", FieldKind::Password)
    .at_least(MIN_LENGTH)
    .at_most(Password::MAX_LENGTH)
    .help("At least 8 characters.");
pub(super) const PASSWORD_CONFIRMATION: FieldSpec = FieldSpec::optional(
    Field::PasswordConfirmation,
    "Password (again)",
    FieldKind::Password,
)
.at_most(Password::MAX_LENGTH)
.help("Optional; must equal the password.");
pub(super) const ROLE: FieldSpec = FieldSpec::optional(Field::Role, "Role", ROLES).default("client");
const IS_ACTIVE: FieldSpec = FieldSpec::optional(Field::IsActive, "Active", FieldKind::Boolean)
    .default("true")
    .help("Whether the user may log in. Deactivating a user ends their tokens and sessions.");
pub(super) const PHONE: FieldSpec = FieldSpec::optional(Field::Phone, "Phone", FieldKind::Text)
    .nullable()
    .at_most(Phone::MAX_LENGTH)
    .example("+49 30 1234567");
pub(super) const ADDRESS: FieldSpec = FieldSpec::optional(Field::Address, "Address", FieldKind::Text)
    .nullable()
    .at_most(Address::MAX_LENGTH)
    .example("12 Mill Lane, Oxford");
pub(super) const ID: FieldSpec = FieldSpec::read_only("id", "ID", FieldKind::Integer);
pub(super) const IS_SUPERUSER: FieldSpec =
    FieldSpec::read_only("is_superuser", "Superuser status", FieldKind::Boolean).example("false");
pub(super) const DATE_JOINED: FieldSpec =
    FieldSpec::read_only("date_joined", "Date joined", FieldKind::DateTime);
pub(super) const LAST_LOGIN: FieldSpec =
    FieldSpec::read_only("last_login", "Last login", FieldKind::DateTime).nullable();
pub(super) const CREATED_AT: FieldSpec =
    FieldSpec::read_only("created_at", "Created at", FieldKind::DateTime);
pub(super) const UPDATED_AT: FieldSpec =
    FieldSpec::read_only("updated_at", "Updated at", FieldKind::DateTime);

/// The fields of a user in the contract's order, with others after the last name and at the end.
macro_rules! user_fields {
    ([$($secrets:expr),*] $(, $last:expr)?) => {
        [
            ID, USERNAME, EMAIL, FIRST_NAME, LAST_NAME, $($secrets,)* ROLE, PHONE, ADDRESS, IS_ACTIVE, IS_SUPERUSER,
            DATE_JOINED, LAST_LOGIN, CREATED_AT, UPDATED_AT, $($last)?
        ]
    };
}

pub(crate) static NEW: [FieldSpec; 16] = user_fields!([PASSWORD, PASSWORD_CONFIRMATION]);

pub(crate) static CHANGED: [FieldSpec; 15] = user_fields!([PASSWORD
    .not_required()
    .help("At least 8 characters. A new password ends all logins of the user.")]);

static WITH_CARS: [FieldSpec; 15] =
    user_fields!([], FieldSpec::read_only("cars", "Cars", FieldKind::List(&CAR)));

/// A user, without the password.
#[derive(Serialize)]
pub(crate) struct UserView<'a> {
    id: i64,
    username: &'a str,
    email: &'a str,
    first_name: &'a str,
    last_name: &'a str,
    role: &'a str,
    phone: Option<&'a str>,
    address: Option<&'a str>,
    is_active: bool,
    is_superuser: bool,
    #[serde(serialize_with = "timestamp::serialize")]
    date_joined: DateTime<Utc>,
    #[serde(serialize_with = "timestamp::serialize_option")]
    last_login: Option<DateTime<Utc>>,
    #[serde(serialize_with = "timestamp::serialize")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "timestamp::serialize")]
    updated_at: DateTime<Utc>,
}

impl<'a> From<&'a User> for UserView<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            id: user.id.0,
            username: user.username.as_str(),
            email: user.email.as_str(),
            first_name: user.first_name.as_str(),
            last_name: user.last_name.as_str(),
            role: user.role.as_str(),
            phone: user.phone.as_ref().map(Phone::as_str),
            address: user.address.as_ref().map(Address::as_str),
            is_active: user.is_active,
            is_superuser: user.is_superuser,
            date_joined: user.date_joined,
            last_login: user.last_login,
            created_at: user.created_at,
            updated_at: user.updated_at,
        }
    }
}

/// A user and an empty list, into which their cars are written.
#[derive(Serialize)]
pub(crate) struct UserWithCarsView<'a> {
    #[serde(flatten)]
    user: UserView<'a>,
    cars: [(); 0],
}

impl<'a> From<&'a User> for UserWithCarsView<'a> {
    fn from(user: &'a User) -> Self {
        Self {
            user: user.into(),
            cars: [],
        }
    }
}

fn list(request: &Request<'_>) -> Result<Reply, ApiError> {
    let query = request.query.users(request.lists)?;
    let listed = users::list_chunked(request.app, request.caller, &query)?.map_rest(|id| id.0);
    request.list(&listed, query.page, UserItems)
}

/// The users in a list.
struct UserItems;

impl Items for UserItems {
    type Item = User;

    fn id(user: &User) -> i64 {
        user.id.0
    }

    fn read(&self, app: &App, caller: &Caller, ids: &[i64]) -> Result<Vec<User>, ApiError> {
        let ids: Vec<UserId> = ids.iter().copied().map(UserId).collect();
        Ok(users::read_all(app, caller, &ids)?)
    }

    fn write(&self, user: &User, json: &mut Vec<u8>) -> serde_json::Result<()> {
        serde_json::to_writer(json, &UserView::from(user))
    }
}

fn create(request: &Request<'_>) -> Result<Reply, ApiError> {
    let form = request.form()?;
    let input = UserInput {
        password_confirmation: form.secret(Field::PasswordConfirmation),
        ..input(&form)
    };
    let user = users::create(request.app, request.caller, &input)?;
    Reply::created(
        &UserView::from(&user),
        format!("{}{}/", request.canonical_path(), user.id),
    )
}

fn read(request: &Request<'_>) -> Result<Reply, ApiError> {
    show_with_cars(request, &find(request)?)
}

fn show_with_cars(request: &Request<'_>, user: &User) -> Result<Reply, ApiError> {
    let scope = CarScope::Owner(user.id);
    let cars = cars::list_chunked(request.app, request.caller, scope, &CarQuery::default())?;
    let cars = cars.map_rest(|id| id.0);
    let items = CarItems::new(scope, user, request.app);
    let reply = request.items(&UserWithCarsView::from(user), &cars, items)?;
    Ok(reply.tagged(user.updated_at))
}

fn replace(request: &Request<'_>) -> Result<Reply, ApiError> {
    update(request, UpdateMode::Full)
}

fn change(request: &Request<'_>) -> Result<Reply, ApiError> {
    update(request, UpdateMode::Partial)
}

fn update(request: &Request<'_>, completeness: UpdateMode) -> Result<Reply, ApiError> {
    let version = version(request)?;
    let input = UserInput {
        version,
        ..input(&request.form_unless_missing(|| find(request))?)
    };
    let user = users::update(request.app, request.caller, id(request), &input, completeness)
        .map_err(|error| request.context.preconditions.failed(error))?;
    show_with_cars(request, &user)
}

fn delete(request: &Request<'_>) -> Result<Reply, ApiError> {
    let seen = version(request)?.map(|version| SeenUser { version, cars: None });
    users::delete(request.app, request.caller, id(request), seen.as_ref())
        .map_err(|error| request.context.preconditions.failed(error))?;
    Ok(Reply::no_content())
}

/// Returns the version of the user that the request expects.
fn version(request: &Request<'_>) -> Result<Option<DateTime<Utc>>, ApiError> {
    let preconditions = &request.context.preconditions;
    preconditions.version(|| Ok(find(request)?.updated_at))
}

fn find(request: &Request<'_>) -> Result<User, ApiError> {
    Ok(users::read(request.app, request.caller, id(request))?)
}

/// Returns the user id in the path; without one, an id that no user has.
fn id(request: &Request<'_>) -> UserId {
    UserId(request.id("user_id").unwrap_or(-1))
}

/// Reads the fields that new and changed users share.
pub(crate) fn input(form: &Form<'_>) -> UserInput {
    UserInput {
        username: form.text(Field::Username),
        email: form.text(Field::Email),
        first_name: form.text(Field::FirstName),
        last_name: form.text(Field::LastName),
        password: form.secret(Field::Password),
        role: form.text(Field::Role),
        is_active: form.boolean(Field::IsActive),
        phone: form.text(Field::Phone),
        address: form.text(Field::Address),
        ..UserInput::default()
    }
}
