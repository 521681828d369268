//! Logins of programs: the refresh tokens that are known.

use mycars_application::{
    accounts::logins,
    lists::{TokenOrder, TokenQuery, TokenState},
    ports::{ListedToken, Revocation},
};
use mycars_domain::UserId;
use serde_json::json;

use super::{
    Answer, Context,
    bulk::{self, Action, BulkResource, Outcome, Seen},
    lists::{self, Facet, ListData, ListSpec},
    render::{Cell, Row, Time},
};
use crate::{
    api::timestamp,
    error::ApiError,
    web::{bidi::isolated, browsable::Link},
};

static LIST: ListSpec = ListSpec {
    path: "/admin/tokens/",
    title: "Logins",
    singular: "refresh token",
    plural: "refresh tokens",
    searched: "owner and JTI",
    inputs: &[],
    facets: &["state"],
    columns: &[
        ("Owner", None),
        ("State", None),
        ("Issued (UTC)", Some("issued_at")),
        ("Expires (UTC)", Some("expires_at")),
        ("JTI", None),
    ],
    actions: &[
        ("revoke", "End"),
        ("export_csv", "Export as CSV"),
        ("export_json", "Export as JSON"),
    ],
    has_choice: true,
};

fn name(state: TokenState) -> &'static str {
    match state {
        TokenState::Live => "live",
        TokenState::Revoked => "ended",
        TokenState::Expired => "expired",
    }
}

pub(super) fn list(context: &Context<'_>) -> Result<Answer, ApiError> {
    let found = query(context).and_then(|query| found(context, &query));
    lists::show(context, &LIST, found)
}

fn query(context: &Context<'_>) -> Result<TokenQuery, ApiError> {
    let state = match context.query.text("state") {
        None => None,
        Some(text) => Some(
            TokenState::ALL
                .into_iter()
                .find(|state| name(*state) == text)
                .ok_or_else(|| {
                    let message = "Select a valid choice: live, ended or expired.";
                    ApiError::Parameters(vec![("state", message.to_owned())])
                })?,
        ),
    };
    Ok(TokenQuery {
        search: context.query.search()?,
        state,
        ordering: context.query.ordering(|name| match name {
            "issued_at" => Some(TokenOrder::IssuedAt),
            "expires_at" => Some(TokenOrder::ExpiresAt),
            _ => None,
        }),
        page: Some(lists::page(context.query)),
        ..TokenQuery::at(context.app.clock.now())
    })
}

fn found(context: &Context<'_>, query: &TokenQuery) -> Result<ListData, ApiError> {
    let listed = logins::list(context.app, context.caller, query)?;
    let choices = TokenState::ALL
        .into_iter()
        .map(|state| {
            let count = logins::count(
                context.app,
                context.caller,
                &TokenQuery {
                    state: Some(state),
                    ..query.clone()
                },
            )?;
            Ok(lists::choice(
                &LIST,
                context,
                ("state", name(state)),
                name(state),
                count,
            ))
        })
        .collect::<Result<_, ApiError>>()?;
    Ok(ListData {
        rows: listed.items.iter().map(|token| row(token, query)).collect(),
        total: listed.total.unwrap_or_default(),
        facets: vec![Facet {
            title: "State",
            choices,
        }],
        add: None,
    })
}

/// How many refresh tokens of a user are alive.
pub(super) fn live_of(context: &Context<'_>, user: UserId) -> Result<u64, ApiError> {
    let query = TokenQuery {
        user: Some(user),
        state: Some(TokenState::Live),
        ..TokenQuery::at(context.app.clock.now())
    };
    Ok(logins::count(context.app, context.caller, &query)?)
}

fn row(listed: &ListedToken, query: &TokenQuery) -> Row {
    let token = &listed.token;
    let owner = match (&listed.username, token.user) {
        (Some(username), Some(id)) => Cell::Link(Link {
            label: username.clone(),
            url: format!("/admin/users/{id}/"),
        }),
        _ => Cell::Text("–".into()),
    };
    let state = match token.revoked {
        Some(why) => format!("ended: {}", reason(why)),
        None if token.expires_at <= query.now => "expired".to_owned(),
        None => "live".to_owned(),
    };
    Row {
        key: Some(listed.number),
        name: token.id.clone(),
        cells: vec![
            owner,
            Cell::Text(state),
            Cell::Time(Some(Time(token.issued_at))),
            Cell::Time(Some(Time(token.expires_at))),
            Cell::Text(token.id.clone()),
        ],
    }
}

fn reason(why: Revocation) -> &'static str {
    match why {
        Revocation::LoggedOut => "logged out",
        Revocation::Rotated => "exchanged",
        Revocation::PasswordChanged => "password changed",
        Revocation::Revoked => "by an admin",
    }
}

/// The names of the fields of an exported token.
const EXPORTED: [&str; 7] = [
    "id",
    "jti",
    "user",
    "username",
    "issued_at",
    "expires_at",
    "revocation",
];

static TOKENS: BulkResource = BulkResource {
    spec: &LIST,
    ids: |context| Ok(logins::numbers(context.app, context.caller, &query(context)?)?),
    links: |app, caller, numbers| {
        let tokens = logins::read_all(app, caller, numbers)?;
        let link = |listed: &ListedToken| {
            let owner = listed.username.as_deref().unwrap_or("nobody");
            Link {
                label: format!("{}: {}", isolated(owner), listed.token.id),
                url: listed
                    .token
                    .user
                    .map_or_else(|| LIST.path.to_owned(), |id| format!("/admin/users/{id}/")),
            }
        };
        Ok(tokens.iter().map(link).collect())
    },
    counts: |_, _, numbers| Ok(vec![("Refresh tokens", numbers.len() as u64)]),
    names: || EXPORTED.to_vec(),
    // A token has no version: to end one that was ended changes nothing.
    seen: |_, _, _| Ok(Seen::default()),
    rows: |app, caller, numbers| {
        let tokens = logins::read_all(app, caller, numbers)?;
        let row = |listed: &ListedToken| {
            let token = &listed.token;
            let values = [
                json!(listed.number),
                json!(token.id),
                json!(token.user.map(|user| user.0)),
                json!(listed.username),
                json!(timestamp::write(token.issued_at)),
                json!(timestamp::write(token.expires_at)),
                json!(token.revoked.map(Revocation::as_str)),
            ];
            EXPORTED.map(str::to_owned).into_iter().zip(values).collect()
        };
        Ok(tokens.iter().map(row).collect())
    },
    actions: &[Action {
        name: "revoke",
        title: "End",
        past: "ended",
        button: "End",
        lead: "They stop working at once. Access tokens in hand work until they expire.",
        is_danger: false,
        run: |app, caller, number, _| Ok(Outcome::of(logins::revoke(app, caller, number)?)),
    }],
    are_users: false,
};

pub(super) fn bulk(context: &Context<'_>) -> Result<Answer, ApiError> {
    bulk::answer(context, &TOKENS)
}
