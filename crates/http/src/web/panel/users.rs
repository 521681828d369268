//! Users: list, add, change, delete, their password, their logins.

use actix_web::http::StatusCode;
use mycars_application::{
    App, Caller, Input, UpdateMode,
    accounts::logins,
    cars::{self, CarScope},
    lists::{CarQuery, LimitOffset, Search, UserQuery},
    users::{self, Belongings, SeenUser, UserInput},
};
use mycars_domain::{
    Action as Right, Field, Role, Target, User, UserId, Violations, audit::ObjectType, policy,
};
use serde_json::json;

use super::{
    Answer, Context,
    bulk::{self, Action, BulkResource, Outcome, Question, Seen, Version},
    cars::rows_of,
    export,
    forms::{self, FormData, VERSION},
    lists::{self, Facet, ListData, ListSpec},
    message::Message,
    render::{self, Cell, FormPage, Frame, PasswordPage, Related, Row, Time},
};
use crate::{
    api::{
        fields::FieldSpec,
        timestamp,
        users::{CHANGED, NEW, USER, input},
        views::UserView,
    },
    error::ApiError,
    web::{bidi::isolated, browsable::Link},
};

const PATH: &str = "/admin/users/";

static LIST: ListSpec = ListSpec {
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
        ("activate", "Activate"),
        ("deactivate", "Deactivate"),
        ("end_logins", "End all logins"),
        ("delete", "Delete"),
        ("export_csv", "Export as CSV"),
        ("export_json", "Export as JSON"),
    ],
    has_choice: true,
};

/// So many users are offered to who searches for one.
const FOUND: u32 = 20;

/// So many cars of a user their page shows.
const CARS: u32 = 20;

pub(super) fn list(context: &Context<'_>) -> Result<Answer, ApiError> {
    let found = query(context).and_then(|query| found(context, &query));
    lists::show(context, &LIST, found)
}

fn query(context: &Context<'_>) -> Result<UserQuery, ApiError> {
    let query = context.query.users(lists::PAGES)?;
    Ok(UserQuery {
        // Unlike the API's list, this one shows everybody unless a role is named.
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

/// How many users each choice would show, with everything else as it is.
fn facets(context: &Context<'_>, query: &UserQuery) -> Result<Vec<Facet>, ApiError> {
    let counts = users::counts(context.app, context.caller, query)?;
    let roles = Role::ALL.into_iter().map(|role| {
        let alike = counts.iter().filter(|alike| {
            alike.role == role
                && query
                    .is_active
                    .is_none_or(|is_active| alike.is_active == is_active)
        });
        let count = alike.map(|alike| alike.count).sum();
        lists::choice(&LIST, context, ("role", role.as_str()), role.as_str(), count)
    });
    let activity = [(true, "true", "yes"), (false, "false", "no")].map(|(is_active, value, label)| {
        let alike = counts
            .iter()
            .filter(|alike| alike.is_active == is_active && query.role.is_none_or(|role| alike.role == role));
        let count = alike.map(|alike| alike.count).sum();
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
        name: isolated(user.username.as_str()).into_owned(),
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

fn own_path(user: &User) -> String {
    format!("{PATH}{}/", user.id)
}

fn link(user: &User) -> Link {
    Link {
        label: user.username.to_string(),
        url: own_path(user),
    }
}

/// A user, as far as rights go.
fn target(user: &User) -> Target {
    Target::user(user.id, user.rank())
}

fn user_ids(ids: &[i64]) -> Vec<UserId> {
    ids.iter().copied().map(UserId).collect()
}

static USERS: BulkResource = BulkResource {
    spec: &LIST,
    ids: |context| {
        let ids = users::ids(context.app, context.caller, &query(context)?)?;
        Ok(ids.into_iter().map(|id| id.0).collect())
    },
    links: |app, caller, ids| {
        let users = users::read_all(app, caller, &user_ids(ids))?;
        Ok(users.iter().map(link).collect())
    },
    counts: |app, caller, ids| {
        let going = deletable(app, caller, ids)?;
        let mut counts = counts(going.len() as u64, &users::belongings(app, caller, &going)?);
        if going.len() < ids.len() {
            counts.push(("Users who stay", (ids.len() - going.len()) as u64));
        }
        Ok(counts)
    },
    names: || export::names(&USER),
    seen: |app, caller, ids| {
        let users = users::read_all(app, caller, &user_ids(ids))?;
        let mut cars = users::car_digests(app, caller, &user_ids(ids))?;
        let going = deletable(app, caller, ids)?;
        Ok(Seen {
            going: users::belongings(app, caller, &going)?.cars,
            versions: users
                .iter()
                .map(|user| {
                    let version = Version {
                        updated_at: user.updated_at,
                        cars: cars.remove(&user.id),
                    };
                    (user.id.0, version)
                })
                .collect(),
        })
    },
    rows: |app, caller, ids| {
        let users = users::read_all(app, caller, &user_ids(ids))?;
        users
            .iter()
            .map(|user| export::row(&UserView::from(user)))
            .collect()
    },
    actions: &[
        Action {
            name: "delete",
            title: "Delete",
            past: "deleted",
            button: "Yes, delete",
            lead: "Everything below goes with them. This can’t be undone; the history stays.",
            is_danger: true,
            run: |app, caller, id, version| {
                let seen = version.map(|version| SeenUser {
                    version: version.updated_at,
                    cars: version.cars.clone(),
                });
                users::delete(app, caller, UserId(id), seen.as_ref())?;
                Ok(Outcome::Done)
            },
        },
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
    ],
    are_users: true,
};

const LOGINS_END: &str = "Browsers are logged out and refresh tokens stop working at once. Access tokens in hand \
                          work until they expire: to stop them at once, deactivate.";

fn set_active(app: &App, caller: &Caller, id: UserId, is_active: bool) -> Result<Outcome, ApiError> {
    let user = users::read(app, caller, id)?;
    let input = UserInput {
        is_active: Input::Given(is_active),
        // Who is so already is left as they are.
        version: (user.is_active == is_active).then_some(user.updated_at),
        ..UserInput::default()
    };
    let after = users::update(app, caller, id, &input, UpdateMode::Partial)?;
    Ok(Outcome::of(after.updated_at != user.updated_at))
}

/// Those of these users whom `caller` may delete.
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
    bulk::answer(context, &USERS)
}

/// Users whom a search finds, for who looks for one.
pub(super) fn search(context: &Context<'_>, typed: &str) -> Result<Vec<User>, ApiError> {
    let short: String = typed.chars().filter(|letter| *letter != '\0').take(200).collect();
    Ok(users::search(
        context.app,
        context.caller,
        Search::parse(&short),
        FOUND,
    )?)
}

/// By what one knows a user among others who were found.
pub(super) fn described(user: &User) -> String {
    format!(
        "{} · {}",
        isolated(&user.full_name()),
        isolated(user.email.as_str())
    )
}

/// The same for the script that searches while one types.
pub(super) fn find(context: &Context<'_>) -> Result<Answer, ApiError> {
    let found = search(context, context.query.text("q").unwrap_or(""))?;
    let found: Vec<_> = found
        .iter()
        .map(|user| {
            json!({
                "username": user.username.as_str(),
                "name": described(user),
            })
        })
        .collect();
    let json = serde_json::to_vec(&found).map_err(|error| ApiError::Internal(error.into()))?;
    Ok(Answer::Json(json))
}

#[expect(clippy::unnecessary_wraps, reason = "that is what views answer")]
pub(super) fn add(context: &Context<'_>) -> Result<Answer, ApiError> {
    let mut object = serde_json::Map::new();
    object.insert("is_active".into(), true.into());
    Ok(show_new(context, StatusCode::OK, &FormData::with(object)))
}

pub(super) fn create(context: &Context<'_>) -> Result<Answer, ApiError> {
    let form = context.body.form(&NEW)?;
    let input = UserInput {
        password_confirmation: form.text(Field::PasswordConfirmation),
        ..input(&form)
    };
    match users::create(context.app, context.caller, &input) {
        Ok(user) => saved(context, &user, "added"),
        Err(users::Error::Invalid(violations)) => {
            let filling = FormData::refused(context, violations);
            Ok(show_new(context, StatusCode::BAD_REQUEST, &filling))
        }
        Err(error) => Err(error.into()),
    }
}

pub(super) fn edit(context: &Context<'_>) -> Result<Answer, ApiError> {
    let user = read(context)?;
    let filling = FormData::with(forms::object(&UserView::from(&user))?);
    show(context, StatusCode::OK, &user, &filling)
}

pub(super) fn update(context: &Context<'_>) -> Result<Answer, ApiError> {
    let user = read(context)?;
    let input = UserInput {
        version: forms::version(context),
        // It has a page of its own.
        password: Input::Absent,
        ..input(&context.body.form(&CHANGED)?)
    };
    match users::update(context.app, context.caller, user.id, &input, UpdateMode::Full) {
        Ok(user) => saved(context, &user, "changed"),
        Err(users::Error::Invalid(violations)) => {
            let filling = FormData::refused(context, violations);
            show(context, StatusCode::BAD_REQUEST, &user, &filling)
        }
        Err(users::Error::Conflict) => {
            let filling = FormData {
                current: Some(forms::object(&UserView::from(&user))?),
                ..FormData::refused(context, Violations::new())
            };
            show(context, StatusCode::CONFLICT, &user, &filling)
        }
        Err(error) => Err(error.into()),
    }
}

fn read(context: &Context<'_>) -> Result<User, ApiError> {
    Ok(users::read(context.app, context.caller, UserId(context.id))?)
}

fn saved(context: &Context<'_>, user: &User, what: &str) -> Result<Answer, ApiError> {
    let own = own_path(user);
    Answer::redirect(
        forms::after_save(context, PATH, &own),
        Message::success(format!(
            "The user {} was {what}.",
            isolated(user.username.as_str())
        ))
        .with_link("Open", own),
    )
}

/// The groups of fields that new and changed users have in common.
fn fieldsets(
    filling: &FormData<'_>,
    specs: &'static [FieldSpec],
    account: &[Field],
) -> Vec<render::Fieldset> {
    let person = [Field::FirstName, Field::LastName, Field::Phone, Field::Address];
    vec![
        filling.fieldset("Account", specs, account),
        filling.fieldset("Person", specs, &person),
    ]
}

const PASSWORDS: [Field; 2] = [Field::Password, Field::PasswordConfirmation];

fn show_new(context: &Context<'_>, status: StatusCode, filling: &FormData<'_>) -> Answer {
    let mut fieldsets = fieldsets(
        filling,
        &NEW,
        &[Field::Username, Field::Email, Field::Role, Field::IsActive],
    );
    fieldsets.push(filling.fieldset("Password", &NEW, &PASSWORDS));
    let html = render::write(&FormPage {
        frame: Frame::of(context),
        crumbs: render::crumbs(&[("Users", &context.back_to(PATH))], "Add a user"),
        title: "Add a user".into(),
        locked: None,
        tools: Vec::new(),
        delete: None,
        problems: FormData::problems(&fieldsets),
        fieldsets,
        version: None,
        conflict: None,
        noun: "user",
        takes_file: false,
        is_cleared: false,
        lost_file: false,
        image: None,
        owners: None,
        facts: Vec::new(),
        related: None,
        action: context.with_back(context.path),
    });
    Answer::Page(status, html)
}

fn show(
    context: &Context<'_>,
    status: StatusCode,
    user: &User,
    filling: &FormData<'_>,
) -> Result<Answer, ApiError> {
    let target = target(user);
    let own = own_path(user);
    let may_change = context.may(Right::ChangeUser, target);
    // What would be refused is not offered: nobody takes these from themselves.
    let mut account = vec![Field::Username, Field::Email];
    if context.may(Right::DemoteUser, target) {
        account.push(Field::Role);
    }
    if context.may(Right::DeactivateUser, target) {
        account.push(Field::IsActive);
    }
    let fieldsets = fieldsets(filling, &CHANGED, &account);
    let tool = |label: &str, path: &str, is_offered: bool| {
        is_offered.then(|| Link {
            label: label.to_owned(),
            url: context.with_back(&format!("{own}{path}")),
        })
    };
    let html = render::write(&FormPage {
        frame: Frame::of(context),
        crumbs: render::crumbs(&[("Users", &context.back_to(PATH))], user.username.as_str()),
        title: isolated(user.username.as_str()).into_owned(),
        locked: (!may_change).then_some("Only a superuser can change a superuser."),
        tools: [
            tool("History", "history/", true),
            tool(
                "Set a password",
                "password/",
                context.may(Right::SetPassword, target),
            ),
            tool(
                "End all logins",
                "end-logins/",
                context.may(Right::EndLogins, target),
            ),
        ]
        .into_iter()
        .flatten()
        .collect(),
        delete: tool("", "delete/", context.may(Right::DeleteUser, target)).map(|link| link.url),
        problems: FormData::problems(&fieldsets),
        fieldsets,
        version: Some(forms::shown_version(context, status, user.updated_at)),
        conflict: match status {
            StatusCode::CONFLICT => {
                let id = (ObjectType::User, user.id.0);
                Some(forms::conflict(context, id, user.updated_at, &own)?)
            }
            _ => None,
        },
        noun: "user",
        takes_file: false,
        is_cleared: false,
        lost_file: false,
        image: None,
        owners: None,
        facts: facts(user),
        related: Some(related(context, user)?),
        action: context.with_back(context.path),
    });
    Ok(Answer::Page(status, html))
}

fn facts(user: &User) -> Vec<(&'static str, Cell)> {
    vec![
        ("ID", Cell::Number(user.id.0)),
        ("Role", Cell::Text(role_of(user))),
        ("Active", Cell::Flag(user.is_active)),
        ("Joined", Cell::Time(Some(Time(user.date_joined)))),
        ("Last login", Cell::Time(user.last_login.map(Time))),
        ("All logins ended", Cell::Time(user.logins_ended_at.map(Time))),
        ("Changed", Cell::Time(Some(Time(user.updated_at)))),
    ]
}

/// The cars of a user, the newest of them.
fn related(context: &Context<'_>, user: &User) -> Result<Related, ApiError> {
    let query = CarQuery {
        page: Some(LimitOffset {
            limit: CARS,
            offset: 0,
        }),
        ..CarQuery::default()
    };
    let listed = cars::list(context.app, context.caller, CarScope::Owner(user.id), &query)?;
    let add = form_urlencoded::Serializer::new(String::new())
        .append_pair("owner", user.username.as_str())
        .finish();
    Ok(Related {
        title: format!("Cars ({})", listed.total.unwrap_or_default()),
        add: Link {
            label: "Add a car".into(),
            url: format!("/admin/cars/add/?{add}"),
        },
        all: Link {
            label: "All of them".into(),
            url: format!("/admin/cars/?owner={}", user.id),
        },
        columns: super::cars::columns(),
        rows: rows_of(user, &listed.items),
    })
}

pub(super) fn confirm_delete(context: &Context<'_>) -> Result<Answer, ApiError> {
    let user = read(context)?;
    context.require(Right::DeleteUser, target(&user))?;
    ask_to_delete(context, &user, false)
}

/// The hidden field with the digest of the cars that a page showed before their owner is deleted.
const SEEN_CARS: &str = "cars";

/// Asks whether a user is to be deleted; once more, where they or their cars were changed since it was asked before.
fn ask_to_delete(context: &Context<'_>, user: &User, is_changed: bool) -> Result<Answer, ApiError> {
    // It is read before the cars that the page shows, so that a change after that is noticed.
    let mut digests = users::car_digests(context.app, context.caller, &[user.id])?;
    let belongings = users::belongings(context.app, context.caller, &[user.id])?;
    let query = CarQuery {
        page: Some(LimitOffset {
            limit: 100,
            offset: 0,
        }),
        ..CarQuery::default()
    };
    let cars = cars::list(context.app, context.caller, CarScope::Owner(user.id), &query)?.items;
    let own = own_path(user);
    bulk::confirm_one(
        context,
        &[("Users", &context.back_to(PATH)), (user.username.as_str(), &own)],
        Question {
            changed: is_changed.then_some((ObjectType::User, user.id.0)),
            hidden: vec![
                (VERSION, timestamp::write(user.updated_at)),
                (SEEN_CARS, digests.remove(&user.id).unwrap_or_default()),
            ],
            title: format!("Delete the user {}?", isolated(user.username.as_str())),
            lead: "Everything below goes with them. This can’t be undone; the history stays.".into(),
            counts: counts(1, &belongings),
            more: belongings.cars.cars.saturating_sub(cars.len() as u64),
            items: cars.iter().map(super::cars::link).collect(),
            button: "Yes, delete them",
            is_danger: true,
            back: context.with_back(&own),
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
        Message::success(format!(
            "The user {} was deleted.",
            isolated(user.username.as_str())
        ))
        .with_link("Their history", format!("{PATH}{}/history/", user.id)),
    )
}

pub(super) fn confirm_end(context: &Context<'_>) -> Result<Answer, ApiError> {
    let user = read(context)?;
    context.require(Right::EndLogins, target(&user))?;
    let own = own_path(&user);
    let belongings = users::belongings(context.app, context.caller, &[user.id])?;
    let tokens = super::tokens::live_of(context, user.id)?;
    bulk::confirm_one(
        context,
        &[("Users", PATH), (user.username.as_str(), &own)],
        Question {
            changed: None,
            hidden: Vec::new(),
            title: format!("End all logins of {}?", isolated(user.username.as_str())),
            lead: LOGINS_END.into(),
            counts: vec![
                ("Refresh tokens", tokens),
                ("Logins of browsers", belongings.sessions),
            ],
            items: Vec::new(),
            more: 0,
            button: "End them",
            is_danger: false,
            back: context.with_back(&own),
        },
    )
}

pub(super) fn end_logins(context: &Context<'_>) -> Result<Answer, ApiError> {
    let user = read(context)?;
    logins::end_all(context.app, context.caller, user.id)?;
    Answer::redirect(
        context.with_back(&own_path(&user)),
        Message::success(format!(
            "All logins of {} were ended.",
            isolated(user.username.as_str())
        )),
    )
}

/// Where one's own password is changed, by proving the old one.
fn own_password(context: &Context<'_>, user: &User) -> Option<Answer> {
    (user.id == context.user.id).then(|| Answer::Redirect("/admin/password/".into(), None))
}

pub(super) fn edit_password(context: &Context<'_>) -> Result<Answer, ApiError> {
    let user = read(context)?;
    context.require(Right::SetPassword, target(&user))?;
    if let Some(elsewhere) = own_password(context, &user) {
        return Ok(elsewhere);
    }
    let filling = FormData::with(serde_json::Map::new());
    Ok(show_password(context, StatusCode::OK, &user, &filling))
}

pub(super) fn set_password(context: &Context<'_>) -> Result<Answer, ApiError> {
    let user = read(context)?;
    if let Some(elsewhere) = own_password(context, &user) {
        return Ok(elsewhere);
    }
    let form = context.body.form(&NEW)?;
    let given = |input: Input<String>| match input {
        Input::Absent => Input::Given(String::new()),
        given => given,
    };
    let input = UserInput {
        password: given(form.text(Field::Password)),
        password_confirmation: given(form.text(Field::PasswordConfirmation)),
        ..UserInput::default()
    };
    match users::update(context.app, context.caller, user.id, &input, UpdateMode::Partial) {
        Ok(user) => Answer::redirect(
            context.with_back(&own_path(&user)),
            Message::success(format!(
                "The password of {} was set, and their logins were ended.",
                isolated(user.username.as_str())
            )),
        ),
        Err(users::Error::Invalid(violations)) => {
            let filling = FormData::refused(context, violations);
            Ok(show_password(context, StatusCode::BAD_REQUEST, &user, &filling))
        }
        Err(error) => Err(error.into()),
    }
}

fn show_password(context: &Context<'_>, status: StatusCode, user: &User, filling: &FormData<'_>) -> Answer {
    let own = own_path(user);
    let fieldsets = vec![filling.fieldset("", &NEW, &PASSWORDS)];
    let html = render::write(&PasswordPage {
        frame: Frame::of(context),
        crumbs: render::crumbs(
            &[("Users", PATH), (user.username.as_str(), &own)],
            "Set a password",
        ),
        title: format!("Set a password for {}", isolated(user.username.as_str())),
        lead: "It ends all their logins: tell them the new password in a safe way.",
        whose: user.username.as_str(),
        problems: FormData::problems(&fieldsets),
        fields: fieldsets.into_iter().flat_map(|set| set.fields).collect(),
        action: context.with_back(context.path),
        back: context.with_back(&own),
    });
    Answer::Page(status, html)
}
