//! Users: list, add, change, delete, their password, their logins.

use std::borrow::Cow;

use actix_web::http::StatusCode;
use mycars_application::{
    App, Caller, Input, Secret, UpdateMode,
    accounts::{keys, logins},
    cars::{self, CarScope},
    images::Permits,
    lists::{CarQuery, LimitOffset, Page, UserQuery},
    quotas::{self, Quotas},
    users::{self, Belongings, SeenUser, UserInput},
};
use mycars_domain::{
    Action as Right, Car, Field, Role, Target, User, UserId, Violations, audit::ObjectType, policy,
};

use super::{
    Answer, Context,
    bulk::{self, BulkResource, ConfirmPage, Snapshot},
    cars::rows_of,
    export,
    forms::{self, Fieldset, FormPage, PasswordPage, Related, VERSION},
    lists::{self, Action, Changelist, Facet, ListData, Outcome, Version},
    message::Message,
    render::{self, Cell, Frame, Row},
};
use crate::{
    api::{
        fields::FieldSpec,
        timestamp,
        users::{CHANGED, NEW, USER, UserView, input},
    },
    error::ApiError,
    web::ui::{
        self,
        bidi::isolated,
        forms::FormData,
        links::{Link, url_with},
        text::{Time, bytes},
    },
};

pub(super) const PATH: &str = "/admin/users/";

static LIST: Changelist = Changelist {
    path: PATH,
    title: "Users",
    singular: "user",
    plural: "users",
    searched: "username, e-mail address, names and phone",
    inputs: &[],
    facets: &["role", "is_active"],
    columns: &[
        ("Username", Some("username")),
        ("Email address", Some("email")),
        ("Name", None),
        ("Role", None),
        ("Active", None),
        ("Joined (UTC)", Some("date_joined")),
        ("Last login (UTC)", Some("last_login")),
    ],
    actions: &[
        Action {
            name: "activate",
            title: "Activate",
            past: "activated",
            button: "Activate",
            lead: "They may log in again.",
            is_danger: false,
            run: |app, caller, id, _| set_active(app, caller, UserId(id), true),
        },
        Action {
            name: "deactivate",
            title: "Deactivate",
            past: "deactivated",
            button: "Deactivate",
            lead: "All their logins end, and access tokens are refused while they are inactive. Nothing of theirs is deleted.",
            is_danger: false,
            run: |app, caller, id, _| set_active(app, caller, UserId(id), false),
        },
        Action {
            name: "end_logins",
            title: "End all logins",
            past: "logged out everywhere",
            button: "End all logins",
            lead: LOGINS_END,
            is_danger: false,
            run: |app, caller, id, _| {
                logins::end_all(app, caller, UserId(id))?;
                Ok(Outcome::Done)
            },
        },
        Action {
            name: "delete",
            title: "Delete",
            past: "deleted",
            button: "Yes, delete",
            lead: "Everything below is deleted, too. This can’t be undone; the history stays.",
            is_danger: true,
            run: |app, caller, id, version| {
                users::delete(app, caller, UserId(id), seen(version).as_ref())?;
                Ok(Outcome::Done)
            },
        },
        Action {
            name: "erase",
            title: "Erase",
            past: "erased",
            button: "Yes, erase",
            lead: "Everything below is deleted, too, and the history forgets their names, addresses and values. This \
                   can’t be undone. Backups from before still hold their data.",
            is_danger: true,
            run: |app, caller, id, version| {
                users::erase(app, caller, UserId(id), seen(version).as_ref())?;
                Ok(Outcome::Done)
            },
        },
    ],
};

fn seen(version: Option<&Version>) -> Option<SeenUser> {
    version.map(|version| SeenUser {
        version: version.updated_at,
        cars: version.cars.clone(),
    })
}

/// Number of a user's cars on the user's page.
const CARS: u32 = 20;

/// Number of cars that the confirmation of a deletion names.
const NAMED: u32 = 100;

pub(super) fn list(context: &Context<'_>) -> Result<Answer, ApiError> {
    let found = query(context).and_then(|query| found(context, &query));
    lists::show(context, &LIST, found)
}

fn query(context: &Context<'_>) -> Result<UserQuery, ApiError> {
    let query = context.query.users(lists::PAGES)?;
    Ok(UserQuery {
        // Unlike the API's list, this one shows all users unless a role is given.
        role: query.role.filter(|_| context.query.text("role").is_some()),
        ..query
    })
}

fn found(context: &Context<'_>, query: &UserQuery) -> Result<ListData, ApiError> {
    let listed = users::list(context.app, context.caller, query)?;
    Ok(ListData {
        rows: listed.items.iter().map(|user| row(user, context)).collect(),
        total: listed.total.unwrap_or_default(),
        facets: facets(context, query)?,
        add: Some(Link {
            label: "Add a user".into(),
            url: lists::from_list("/admin/users/add/", context),
        }),
    })
}

/// Counts the users that each choice would show, with all other filters unchanged.
fn facets(context: &Context<'_>, query: &UserQuery) -> Result<Vec<Facet>, ApiError> {
    let counts = users::counts(context.app, context.caller, query)?;
    let count = |role: Option<Role>, is_active: Option<bool>| {
        let alike = counts.iter().filter(|alike| {
            role.is_none_or(|role| alike.role == role)
                && is_active.is_none_or(|is_active| alike.is_active == is_active)
        });
        alike.map(|alike| alike.count).sum()
    };
    let roles = Role::ALL.into_iter().map(|role| {
        let (name, count) = (role.as_str(), count(Some(role), query.is_active));
        lists::choice(&LIST, context, ("role", name), name, count)
    });
    let activity = [(true, "true", "yes"), (false, "false", "no")].map(|(is_active, value, label)| {
        let count = count(query.role, Some(is_active));
        lists::choice(&LIST, context, ("is_active", value), label, count)
    });
    Ok(vec![
        Facet {
            title: "Role",
            choices: roles.collect(),
        },
        Facet {
            title: "Active",
            choices: activity.into(),
        },
    ])
}

fn row(user: &User, context: &Context<'_>) -> Row {
    Row {
        key: Some(user.id.0),
        name: name(user).into_owned(),
        cells: vec![
            Cell::Link(Link {
                label: user.username.to_string(),
                url: lists::from_list(&own_path(user), context),
            }),
            Cell::Text(user.email.to_string()),
            Cell::Text(format!("{} {}", user.first_name, user.last_name)),
            Cell::Text(role_of(user)),
            Cell::Flag(user.is_active),
            Cell::Time(Some(Time(user.date_joined))),
            Cell::Time(user.last_login.map(Time)),
        ],
    }
}

fn role_of(user: &User) -> String {
    if user.is_superuser {
        format!("{} (superuser)", user.role)
    } else {
        user.role.to_string()
    }
}

/// Returns the username, isolated from the text around it.
pub(super) fn name(user: &User) -> Cow<'_, str> {
    isolated(user.username.as_str())
}

pub(super) fn own_path(user: &User) -> String {
    format!("{PATH}{}/", user.id)
}

fn link(user: &User) -> Link {
    Link {
        label: user.username.to_string(),
        url: own_path(user),
    }
}

/// Returns a user as the target of an action.
pub(super) fn target(user: &User) -> Target {
    Target::user(user.id, user.rank())
}

fn user_ids(ids: &[i64]) -> Vec<UserId> {
    ids.iter().copied().map(UserId).collect()
}

struct Users;

impl BulkResource for Users {
    const LIST: &'static Changelist = &LIST;
    const ARE_USERS: bool = true;

    fn ids(context: &Context<'_>) -> Result<Vec<i64>, ApiError> {
        let ids = users::ids(context.app, context.caller, &query(context)?)?;
        Ok(ids.into_iter().map(|id| id.0).collect())
    }

    fn links(app: &App, caller: &Caller, ids: &[i64]) -> Result<Vec<Link>, ApiError> {
        let users = users::read_all(app, caller, &user_ids(ids))?;
        Ok(users.iter().map(link).collect())
    }

    fn counts(app: &App, caller: &Caller, ids: &[i64]) -> Result<Vec<(&'static str, u64)>, ApiError> {
        let deleted = deletable(app, caller, ids)?;
        let mut counts = counts(deleted.len() as u64, &users::belongings(app, caller, &deleted)?);
        if deleted.len() < ids.len() {
            counts.push(("Users who are kept", (ids.len() - deleted.len()) as u64));
        }
        Ok(counts)
    }

    fn snapshot(app: &App, caller: &Caller, ids: &[i64]) -> Result<Snapshot, ApiError> {
        let users = users::read_all(app, caller, &user_ids(ids))?;
        let mut cars = users::car_digests(app, caller, &user_ids(ids))?;
        let deleted = deletable(app, caller, ids)?;
        let version = |user: &User| Version {
            updated_at: user.updated_at,
            cars: cars.remove(&user.id),
        };
        Ok(Snapshot {
            cars: users::belongings(app, caller, &deleted)?.cars,
            versions: users
                .iter()
                .map(|user| user.id.0)
                .zip(users.iter().map(version))
                .collect(),
        })
    }

    fn rows(app: &App, caller: &Caller, ids: &[i64]) -> Result<Vec<export::Row>, ApiError> {
        let users = users::read_all(app, caller, &user_ids(ids))?;
        users
            .iter()
            .map(|user| export::row(&UserView::from(user)))
            .collect()
    }

    fn names() -> Vec<&'static str> {
        export::names(&USER)
    }
}

const LOGINS_END: &str = "Browsers are logged out, and refresh tokens, API keys and access tokens of admins stop \
                          working at once. Access tokens of clients may work until they expire: to stop them at once, \
                          deactivate.";

fn set_active(app: &App, caller: &Caller, id: UserId, is_active: bool) -> Result<Outcome, ApiError> {
    let user = users::read(app, caller, id)?;
    let input = UserInput {
        is_active: Input::Given(is_active),
        // Leaves users unchanged that have this state already.
        version: (user.is_active == is_active).then_some(user.updated_at),
        ..UserInput::default()
    };
    let after = users::update(app, caller, id, &input, UpdateMode::Partial)?;
    Ok(Outcome::of(after.updated_at != user.updated_at))
}

/// Returns those of these users that `caller` may delete.
fn deletable(app: &App, caller: &Caller, ids: &[i64]) -> Result<Vec<UserId>, ApiError> {
    let users = users::read_all(app, caller, &user_ids(ids))?;
    let may_go = |user: &&User| policy::check(&caller.actor, Right::DeleteUser, target(user)).is_ok();
    Ok(users.iter().filter(may_go).map(|user| user.id).collect())
}

fn counts(users: u64, belongings: &Belongings) -> Vec<(&'static str, u64)> {
    vec![
        ("Users", users),
        ("Cars", belongings.cars.cars),
        ("Pictures", belongings.cars.pictures),
        ("Logins of browsers", belongings.sessions),
    ]
}

pub(super) fn bulk(context: &Context<'_>) -> Result<Answer, ApiError> {
    bulk::answer::<Users>(context)
}

/// Searches for owners while the user types: for the script of the panel.
pub(super) fn find(context: &Context<'_>) -> Result<Answer, ApiError> {
    let found = forms::search_owners(context, context.query.text("q").unwrap_or(""))?;
    let json = serde_json::to_vec(&found).map_err(|error| ApiError::Internal(error.into()))?;
    Ok(Answer::Json(json))
}

#[expect(clippy::unnecessary_wraps, reason = "views return a result")]
pub(super) fn add(context: &Context<'_>) -> Result<Answer, ApiError> {
    let mut object = serde_json::Map::new();
    object.insert("is_active".into(), true.into());
    Ok(show_new(context, StatusCode::OK, &forms::filled(object)))
}

pub(super) fn create(context: &Context<'_>) -> Result<Answer, ApiError> {
    let form = context.body.form(&NEW)?;
    let input = UserInput {
        password_confirmation: form.secret(Field::PasswordConfirmation),
        ..input(&form)
    };
    match users::create(context.app, context.caller, &input) {
        Ok(user) => saved(context, &user, "added"),
        Err(error) => {
            let data = forms::refused_by(context, error)?;
            Ok(show_new(context, StatusCode::BAD_REQUEST, &data))
        }
    }
}

pub(super) fn edit(context: &Context<'_>) -> Result<Answer, ApiError> {
    let user = read(context)?;
    let data = forms::filled(forms::object(&UserView::from(&user))?);
    show(context, StatusCode::OK, &user, &data)
}

pub(super) fn update(context: &Context<'_>) -> Result<Answer, ApiError> {
    let user = read(context)?;
    let input = UserInput {
        version: forms::version(context),
        // The password has a page of its own.
        password: Input::Absent,
        ..input(&context.body.form(&CHANGED)?)
    };
    match users::update(context.app, context.caller, user.id, &input, UpdateMode::Full) {
        Ok(user) => saved(context, &user, "changed"),
        Err(users::Error::Conflict) => {
            let data = FormData {
                current: Some(forms::object(&UserView::from(&user))?),
                ..forms::refused(context, &Violations::new())
            };
            show(context, StatusCode::CONFLICT, &user, &data)
        }
        Err(error) => {
            let data = forms::refused_by(context, error)?;
            show(context, StatusCode::BAD_REQUEST, &user, &data)
        }
    }
}

pub(super) fn read(context: &Context<'_>) -> Result<User, ApiError> {
    Ok(users::read(context.app, context.caller, UserId(context.id))?)
}

fn saved(context: &Context<'_>, user: &User, what: &str) -> Result<Answer, ApiError> {
    let own = own_path(user);
    Answer::redirect(
        forms::after_save(context, PATH, &own),
        Message::success(format!("The user {} was {what}.", name(user))).with_link("Open", own),
    )
}

/// Returns the groups of fields that the forms for new and for existing users share.
fn fieldsets(data: &FormData<'_>, specs: &'static [FieldSpec], account: &[Field]) -> Vec<Fieldset> {
    let person = [Field::FirstName, Field::LastName, Field::Phone, Field::Address];
    vec![
        forms::fieldset(data, "Account", specs, account),
        forms::fieldset(data, "Person", specs, &person),
    ]
}

const PASSWORDS: [Field; 2] = [Field::Password, Field::PasswordConfirmation];

fn show_new(context: &Context<'_>, status: StatusCode, data: &FormData<'_>) -> Answer {
    let mut fieldsets = fieldsets(
        data,
        &NEW,
        &[Field::Username, Field::Email, Field::Role, Field::IsActive],
    );
    fieldsets.push(forms::fieldset(data, "Password", &NEW, &PASSWORDS));
    let page = FormPage::new(context, ("Users", PATH), "Add a user", "user", fieldsets);
    Answer::Page(status, ui::render(&page))
}

fn show(
    context: &Context<'_>,
    status: StatusCode,
    user: &User,
    data: &FormData<'_>,
) -> Result<Answer, ApiError> {
    let target = target(user);
    let own = own_path(user);
    let may_change = context.may(Right::ChangeUser, target);
    // Users may not demote or deactivate themselves.
    let mut account = vec![Field::Username, Field::Email];
    if context.may(Right::DemoteUser, target) {
        account.push(Field::Role);
    }
    if context.may(Right::DeactivateUser, target) {
        account.push(Field::IsActive);
    }
    let fieldsets = fieldsets(data, &CHANGED, &account);
    let tool = |label: &str, path: &str, is_offered: bool| {
        is_offered.then(|| Link {
            label: label.to_owned(),
            url: context.with_back(&format!("{own}{path}")),
        })
    };
    let tools = [
        tool("History", "history/", true),
        tool(
            "Set a password",
            "password/",
            user.id == context.user.id || context.may(Right::SetPassword, target),
        ),
        tool("Logins and keys", "access/", true),
        tool(
            "End all logins",
            "end-logins/",
            context.may(Right::EndLogins, target),
        ),
    ];
    let username = user.username.as_str();
    let object = (ObjectType::User, user.id.0);
    let page = FormPage {
        title: name(user).into_owned(),
        locked: (!may_change).then_some("Only a superuser can change a superuser."),
        tools: tools.into_iter().flatten().collect(),
        delete: tool("", "delete/", context.may(Right::DeleteUser, target)).map(|link| link.url),
        facts: facts(context, user)?,
        related: Some(related(context, user)?),
        ..FormPage::new(context, ("Users", PATH), username, "user", fieldsets)
    };
    let page = page.with_version(context, status, object, user.updated_at, &own)?;
    Ok(Answer::Page(status, ui::render(&page)))
}

fn facts(context: &Context<'_>, user: &User) -> Result<Vec<(&'static str, Cell)>, ApiError> {
    let usage = quotas::usage(context.app, context.caller, user.id)?;
    let Quotas { cars, picture_bytes } = context.app.quotas;
    Ok(vec![
        ("ID", Cell::Number(user.id.0)),
        ("Role", Cell::Text(role_of(user))),
        ("Active", Cell::Flag(user.is_active)),
        ("Joined", Cell::Time(Some(Time(user.date_joined)))),
        ("Last login", Cell::Time(user.last_login.map(Time))),
        ("All logins ended", Cell::Time(user.logins_ended_at.map(Time))),
        (
            "Email verified",
            Cell::Time(user.email_state.verified_at.map(Time)),
        ),
        ("Changed", Cell::Time(Some(Time(user.updated_at)))),
        (
            "Cars",
            Cell::Text(used(usage.cars, cars, |count| count.to_string())),
        ),
        (
            "Pictures",
            Cell::Text(used(usage.picture_bytes, picture_bytes, bytes)),
        ),
    ])
}

/// Returns what is used of a quota, if there is one.
fn used(count: u64, max: Option<u64>, text: impl Fn(u64) -> String) -> String {
    match max {
        Some(max) => format!("{} of {}", text(count), text(max)),
        None => text(count),
    }
}

/// Reads a page of a user's cars, the newest first.
fn cars_of(context: &Context<'_>, user: &User, limit: u32) -> Result<Page<Car>, ApiError> {
    let query = CarQuery {
        page: Some(LimitOffset { limit, offset: 0 }),
        ..CarQuery::default()
    };
    let scope = CarScope::Owner(user.id);
    Ok(cars::list(context.app, context.caller, scope, &query)?)
}

fn related(context: &Context<'_>, user: &User) -> Result<Related, ApiError> {
    let listed = cars_of(context, user, CARS)?;
    Ok(Related {
        title: format!("Cars ({})", listed.total.unwrap_or_default()),
        tools: vec![
            Link {
                label: "Add a car".into(),
                url: url_with("/admin/cars/add/", "owner", user.username.as_str()),
            },
            Link {
                label: "Import cars".into(),
                url: format!("{}import/", own_path(user)),
            },
            Link {
                label: "All of them".into(),
                url: format!("/admin/cars/?owner={}", user.id),
            },
        ],
        columns: super::cars::columns(),
        rows: rows_of(user, &listed.items, &Permits::new(context.app)),
    })
}

pub(super) fn confirm_delete(context: &Context<'_>) -> Result<Answer, ApiError> {
    let user = read(context)?;
    context.require(Right::DeleteUser, target(&user))?;
    ask_to_delete(context, &user, false)
}

/// Name of the hidden field with the digest of the cars that the confirmation showed.
const SEEN_CARS: &str = "cars";

/// Asks for confirmation to delete a user: again, if the user or their cars changed since the previous confirmation.
fn ask_to_delete(context: &Context<'_>, user: &User, is_changed: bool) -> Result<Answer, ApiError> {
    // It is read before the cars that the page shows, so that a change after that is noticed.
    let mut digests = users::car_digests(context.app, context.caller, &[user.id])?;
    let belongings = users::belongings(context.app, context.caller, &[user.id])?;
    let cars = cars_of(context, user, NAMED)?.items;
    let own = own_path(user);
    bulk::confirm_one(
        context,
        &[("Users", &context.back_to(PATH)), (user.username.as_str(), &own)],
        is_changed.then_some((ObjectType::User, user.id.0)),
        ConfirmPage {
            hidden: vec![
                (VERSION, timestamp::write(user.updated_at)),
                (SEEN_CARS, digests.remove(&user.id).unwrap_or_default()),
            ],
            title: format!("Delete the user {}?", name(user)),
            lead: "Everything below is deleted, too. This can’t be undone; the history stays.".into(),
            counts: counts(1, &belongings),
            more: belongings.cars.cars.saturating_sub(cars.len() as u64),
            items: cars.iter().map(super::cars::link).collect(),
            button: "Yes, delete them".into(),
            is_danger: true,
            back: context.with_back(&own),
            ..ConfirmPage::default()
        },
    )
}

pub(super) fn delete(context: &Context<'_>) -> Result<Answer, ApiError> {
    let user = read(context)?;
    let seen = forms::version(context).map(|version| SeenUser {
        version,
        cars: context.body.text_of(SEEN_CARS).map(Into::into),
    });
    match users::delete(context.app, context.caller, user.id, seen.as_ref()) {
        Err(users::Error::Conflict) => return ask_to_delete(context, &read(context)?, true),
        deleted => deleted?,
    }
    Answer::redirect(
        context.back_to(PATH),
        Message::success(format!("The user {} was deleted.", name(&user)))
            .with_link("Their history", format!("{PATH}{}/history/", user.id)),
    )
}

pub(super) fn confirm_end(context: &Context<'_>) -> Result<Answer, ApiError> {
    let user = read(context)?;
    context.require(Right::EndLogins, target(&user))?;
    let own = own_path(&user);
    let belongings = users::belongings(context.app, context.caller, &[user.id])?;
    let tokens = super::tokens::live_of(context, user.id)?;
    let keys = keys::list(context.app, context.caller, user.id)?;
    bulk::confirm_one(
        context,
        &[("Users", PATH), (user.username.as_str(), &own)],
        None,
        ConfirmPage {
            title: format!("End all logins of {}?", name(&user)),
            lead: LOGINS_END.into(),
            counts: vec![
                ("Refresh tokens", tokens),
                ("Logins of browsers", belongings.sessions),
                ("API keys", keys.len() as u64),
            ],
            button: "End them".into(),
            back: context.with_back(&own),
            ..ConfirmPage::default()
        },
    )
}

pub(super) fn end_logins(context: &Context<'_>) -> Result<Answer, ApiError> {
    let user = read(context)?;
    logins::end_all(context.app, context.caller, user.id)?;
    Answer::redirect(
        context.with_back(&own_path(&user)),
        Message::success(format!("All logins and API keys of {} were ended.", name(&user))),
    )
}

/// Redirects users who change their own password to the page that asks for the old one.
fn own_password(context: &Context<'_>, user: &User) -> Option<Answer> {
    (user.id == context.user.id).then(|| Answer::Redirect("/admin/password/".into(), None))
}

pub(super) fn edit_password(context: &Context<'_>) -> Result<Answer, ApiError> {
    let user = read(context)?;
    if let Some(elsewhere) = own_password(context, &user) {
        return Ok(elsewhere);
    }
    context.require(Right::SetPassword, target(&user))?;
    let data = forms::filled(serde_json::Map::new());
    Ok(show_password(context, StatusCode::OK, &user, &data))
}

pub(super) fn set_password(context: &Context<'_>) -> Result<Answer, ApiError> {
    let user = read(context)?;
    if let Some(elsewhere) = own_password(context, &user) {
        return Ok(elsewhere);
    }
    let form = context.body.form(&NEW)?;
    let given = |input: Input<Secret>| match input {
        Input::Absent => Input::Given(Secret::default()),
        given => given,
    };
    let input = UserInput {
        password: given(form.secret(Field::Password)),
        password_confirmation: given(form.secret(Field::PasswordConfirmation)),
        ..UserInput::default()
    };
    match users::update(context.app, context.caller, user.id, &input, UpdateMode::Partial) {
        Ok(user) => Answer::redirect(
            context.with_back(&own_path(&user)),
            Message::success(format!(
                "The password of {} was set, and their logins and API keys were ended.",
                name(&user)
            )),
        ),
        Err(error) => {
            let data = forms::refused_by(context, error)?;
            Ok(show_password(context, StatusCode::BAD_REQUEST, &user, &data))
        }
    }
}

fn show_password(context: &Context<'_>, status: StatusCode, user: &User, data: &FormData<'_>) -> Answer {
    let own = own_path(user);
    let fieldset = forms::fieldset(data, "", &NEW, &PASSWORDS);
    let html = ui::render(&PasswordPage {
        frame: Frame::of(context),
        crumbs: render::crumbs(
            &[("Users", PATH), (user.username.as_str(), &own)],
            "Set a password",
        ),
        title: format!("Set a password for {}", name(user)),
        lead: "It ends all their logins and API keys: tell them the new password in a safe way.",
        username: user.username.as_str(),
        problems: forms::problems(std::slice::from_ref(&fieldset)),
        fields: fieldset.fields,
        action: context.with_back(context.path),
        back: context.with_back(&own),
    });
    Answer::Page(status, html)
}
