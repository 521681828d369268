//! `/api/token/`, `/api/token/refresh/`, `/api/token/verify/`: obtain, refresh and verify tokens.

use mycars_application::{
    Secret,
    accounts::{self, Credentials, TokenError},
};
use mycars_domain::Field;
use serde::Serialize;

use crate::{
    api::{
        endpoint::{Access, Endpoint, Method, Operation, RateClass, Reply, Request, ResponseSpec, Tag},
        fields::{FieldKind, FieldSpec, Schema},
    },
    error::{ApiError, token_message},
    request::login,
};

pub(crate) static LOGIN: Endpoint = Endpoint {
    path: "/api/token/",
    name: "Token Obtain Pair",
    description: "Takes a username and a password and returns an access token and a refresh token.",
    tag: Tag::Tokens,
    access: Access::Open,
    rate: RateClass::Login,
    list: None,
    operations: &[Operation {
        id: "obtain_token",
        summary: "Log in",
        method: Method::Post,
        body: Some(&Schema {
            name: "TokenObtainPair",
            fields: &[
                FieldSpec::required(Field::Username, "Username", FieldKind::Text).example("ann"),
                FieldSpec::required(Field::Password, "Password", FieldKind::Password),
            ],
        }),
        answer: ResponseSpec::One(&Schema {
            name: "TokenPair",
            fields: &[REFRESH_TOKEN, ACCESS_TOKEN],
        }),
        handle: obtain,
    }],
};

pub(crate) static REFRESH: Endpoint = Endpoint {
    path: "/api/token/refresh/",
    name: "Token Refresh",
    description: "Takes a refresh token and returns a new access token.",
    tag: Tag::Tokens,
    access: Access::Open,
    rate: RateClass::Refresh,
    list: None,
    operations: &[Operation {
        id: "refresh_token",
        summary: "Get a new access token",
        method: Method::Post,
        body: Some(&Schema {
            name: "TokenRefresh",
            fields: &[FieldSpec::required(Field::Refresh, "Refresh", FieldKind::Text).example(TOKEN)],
        }),
        answer: ResponseSpec::One(&Schema {
            name: "RefreshedToken",
            fields: &[
                ACCESS_TOKEN,
                REFRESH_TOKEN
                    .sometimes()
                    .help("Only with rotation of refresh tokens, which revokes the token that was sent."),
            ],
        }),
        handle: refresh,
    }],
};

pub(crate) static VERIFY: Endpoint = Endpoint {
    path: "/api/token/verify/",
    name: "Token Verify",
    description: "Takes a token of either type and returns 200 if it is valid.",
    tag: Tag::Tokens,
    access: Access::Open,
    rate: RateClass::Standard,
    list: None,
    operations: &[Operation {
        id: "verify_token",
        summary: "Verify a token",
        method: Method::Post,
        body: Some(&Schema {
            name: "TokenVerify",
            fields: &[FieldSpec::required(Field::Token, "Token", FieldKind::Text).example(TOKEN)],
        }),
        answer: ResponseSpec::One(&Schema {
            name: "Verified",
            fields: &[],
        }),
        handle: verify,
    }],
};

const REFRESH_TOKEN: FieldSpec = FieldSpec::read_only("refresh", "Refresh", FieldKind::Text).example(TOKEN);
const ACCESS_TOKEN: FieldSpec = FieldSpec::read_only("access", "Access", FieldKind::Text)
    .help("For the header `Authorization: Bearer …`.")
    .example(TOKEN);

/// An example of a token; it belongs to no user.
pub(super) const TOKEN: &str =
    "eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiJ9.eyJ1c2VyX2lkIjoiMCJ9.c2lnbmVkX2J5X25vYm9keQ";

#[derive(Serialize)]
struct PairView<'a> {
    refresh: &'a str,
    access: &'a str,
}

#[derive(Serialize)]
struct RefreshedView<'a> {
    access: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh: Option<&'a str>,
}

fn obtain(request: &Request<'_>) -> Result<Reply, ApiError> {
    let form = request.form()?;
    let credentials = Credentials {
        username: form.text(Field::Username),
        password: form.secret(Field::Password),
    };
    let result = accounts::log_in(request.app, &credentials, request.context.device());
    let pair = login::conclude(request.caller, &credentials, result, |pair| &pair.user)?;
    Reply::ok(&PairView {
        refresh: pair.refresh.reveal(),
        access: pair.access.reveal(),
    })
}

fn refresh(request: &Request<'_>) -> Result<Reply, ApiError> {
    let refreshed = accounts::refresh(
        request.app,
        request.caller.origin.clone(),
        &request.single_text(Field::Refresh)?,
    )?;
    Reply::ok(&RefreshedView {
        access: refreshed.access.reveal(),
        refresh: refreshed.refresh.as_ref().map(Secret::reveal),
    })
}

fn verify(request: &Request<'_>) -> Result<Reply, ApiError> {
    match accounts::verify_token(request.app, &request.single_text(Field::Token)?) {
        Ok(()) => Reply::ok(&serde_json::Map::new()),
        // Only here, simplejwt reports this as an error of the body.
        Err(accounts::Error::Token(error @ TokenError::Blacklisted)) => {
            Err(ApiError::NonField(token_message(error).into()))
        }
        Err(error) => Err(error.into()),
    }
}
