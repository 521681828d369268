//! Refresh tokens: the logins of programs.

use mycars_application::{
    App, Caller,
    accounts::logins,
    lists::{TokenOrder, TokenQuery, TokenState},
    ports::{ListedToken, Revocation},
};
use mycars_domain::UserId;
use serde_json::json;

use super::{
    Answer, Context,
    bulk::{self, BulkResource},
    export,
    lists::{self, Action, Changelist, Facet, ListData, Outcome},
    render::{Cell, Row},
};
use crate::{
    api::timestamp,
    error::ApiError,
    web::ui::{bidi::isolated, links::Link, text::Time},
};

static LIST: Changelist = Changelist {
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
    actions: &[Action {
        name: "revoke",
        title: "End",
        past: "ended",
        button: "End",
        lead: "They stop working at once. Access tokens already issued work until they expire.",
        is_danger: false,
        run: |app, caller, number, _| Ok(Outcome::of(logins::revoke(app, caller, number)?)),
    }],
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
            let query = TokenQuery {
                state: Some(state),
                ..query.clone()
            };
            let count = logins::count(context.app, context.caller, &query)?;
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

/// Counts the valid refresh tokens of a user.
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
        Revocation::Revoked => "by an admin or from another login",
        Revocation::Reused => "used again",
    }
}

/// Names of the fields of an exported token.
const EXPORTED: [&str; 7] = [
    "id",
    "jti",
    "user",
    "username",
    "issued_at",
    "expires_at",
    "revocation",
];

struct Tokens;

impl BulkResource for Tokens {
    const LIST: &'static Changelist = &LIST;

    fn ids(context: &Context<'_>) -> Result<Vec<i64>, ApiError> {
        Ok(logins::numbers(context.app, context.caller, &query(context)?)?)
    }

    fn links(app: &App, caller: &Caller, ids: &[i64]) -> Result<Vec<Link>, ApiError> {
        let link = |ListedToken { token, username, .. }: &ListedToken| Link {
            label: format!(
                "{}: {}",
                isolated(username.as_deref().unwrap_or("deleted user")),
                token.id
            ),
            url: token
                .user
                .map_or_else(|| LIST.path.to_owned(), |id| format!("/admin/users/{id}/")),
        };
        Ok(logins::read_all(app, caller, ids)?.iter().map(link).collect())
    }

    fn rows(app: &App, caller: &Caller, ids: &[i64]) -> Result<Vec<export::Row>, ApiError> {
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
        Ok(logins::read_all(app, caller, ids)?.iter().map(row).collect())
    }

    fn names() -> Vec<&'static str> {
        EXPORTED.to_vec()
    }
}

pub(super) fn bulk(context: &Context<'_>) -> Result<Answer, ApiError> {
    bulk::answer::<Tokens>(context)
}
