//! Serves endpoints: as JSON to programs, and to browsers the same response as a page of the browsable API.

use std::{
    future::ready,
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use actix_web::{
    HttpRequest, HttpResponse,
    body::MessageBody as _,
    http::{
        Method as HttpMethod, StatusCode,
        header::{
            ALLOW, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ContentType,
            ETAG, HeaderValue, LOCATION, VARY,
        },
    },
    web::{Bytes, Data, Payload},
};
use futures_util::{StreamExt as _, stream};
use mycars_application::{App, Caller};
use mycars_domain::{UserId, audit::Channel};

use crate::{
    api::{
        dispatch::{PageData, dispatch},
        endpoint::{Access, Download, Endpoint, Method, Operation, Reply},
        items::Rest,
    },
    error::ApiError,
    request::{
        authentication::Credentials,
        body::SentForm,
        context::RequestContext,
        cookies::{csrf_cookie, no_session_cookie},
        indentation::Indentation,
        negotiation::{Accepted, RENDERERS, RENDERERS_OF_FILES, RENDERERS_OF_TABLES, Renderer, negotiate},
        stream::pieces,
    },
    state::State,
    web::browsable::{self, Page, Sent},
};

/// Content-Security-Policy of pages: only files of this server, no inline script or style, and no framing.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/// The response headers that pages show.
const SHOWN: [&str; 6] = [
    "Allow",
    "Content-Type",
    "Vary",
    "Location",
    "WWW-Authenticate",
    "Retry-After",
];

/// Handles a request to an endpoint, with any method.
pub(crate) async fn serve(
    endpoint: &'static Endpoint,
    state: Data<State>,
    http: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let started = Instant::now();
    let accepted = negotiate(renderers(endpoint, &http), &http);
    let is_page = accepted.as_ref().is_ok_and(Accepted::is_page);
    let mut context = RequestContext::new(&state, &http, is_page);
    context.is_csv = accepted.as_ref().is_ok_and(Accepted::is_csv);
    let context = Arc::new(context);
    let mut page = PageData::default();
    let mut response = match &accepted {
        Ok(accepted) => {
            let reply = dispatch(endpoint, &state, &http, payload, &context, &mut page).await;
            match reply {
                Ok(reply) => {
                    let reply = indented(reply, accepted.indent);
                    write(reply, endpoint, &state, page.user, &context)
                }
                Err(error) => accepted.indent(error.response()),
            }
        }
        Err(error) => error.response(),
    };
    let headers = response.headers_mut();
    headers.insert(VARY, HeaderValue::from_static("Accept, Cookie"));
    // Django REST framework does not send this header. But nearly every response holds a token or personal data, which
    // browsers should not store on disk; and the rule has no exceptions.
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(allow) = HeaderValue::from_str(&endpoint.allow()) {
        headers.insert(ALLOW, allow);
    }
    if is_page {
        present(Some(endpoint), response, &context, &page, started.elapsed())
    } else {
        response
    }
}

/// Returns the renderers of a request: CSV is one of those that read a list, and a file takes the place of JSON.
fn renderers(endpoint: &Endpoint, http: &HttpRequest) -> &'static [Renderer] {
    if !matches!(*http.method(), HttpMethod::GET | HttpMethod::HEAD) {
        &RENDERERS
    } else if endpoint.file().is_some() {
        &RENDERERS_OF_FILES
    } else if endpoint.csv().is_some() {
        &RENDERERS_OF_TABLES
    } else {
        &RENDERERS
    }
}

/// Returns the page of an error that concerns no endpoint.
pub(crate) fn present_error(error: &ApiError, context: &RequestContext) -> HttpResponse {
    present(
        None,
        error.response(),
        context,
        &PageData::default(),
        Duration::ZERO,
    )
}

/// Indents a reply and the rest of a long one.
fn indented(reply: Reply, spaces: Option<usize>) -> Reply {
    let is_json = !reply.is_csv && reply.download.is_none();
    let Some(spaces) = spaces.filter(|_| is_json) else {
        return reply;
    };
    let mut indentation = Indentation::new(spaces);
    let json = indentation.apply(&reply.json);
    let rest = reply.rest.map(|mut rest| Rest {
        step: Box::new(move |app: &App, caller: Option<&Caller>| {
            let piece = rest.step.next(app, caller)?;
            Ok(piece.map(|piece| indentation.apply(&piece)))
        }),
        ..rest
    });
    Reply { json, rest, ..reply }
}

fn write(
    reply: Reply,
    endpoint: &'static Endpoint,
    state: &Data<State>,
    user: Option<UserId>,
    context: &Arc<RequestContext>,
) -> HttpResponse {
    let status = StatusCode::from_u16(reply.status).unwrap_or_default();
    let mut response = HttpResponse::build(status);
    if reply.ends_session {
        response.cookie(no_session_cookie(context.client.is_https));
    }
    if let Some(tag) = reply.tag.filter(|_| !context.is_page) {
        response.insert_header((ETAG, tag.to_string()));
        if matches!(context.method, HttpMethod::GET | HttpMethod::HEAD) && context.preconditions.has(&tag) {
            return response.status(StatusCode::NOT_MODIFIED).finish();
        }
    }
    if let Some(location) = reply.location {
        response.insert_header((LOCATION, location));
    }
    if reply.json.is_empty() && reply.rest.is_none() {
        return response.finish();
    }
    let csv = endpoint.csv().filter(|_| reply.is_csv).map(|file| Download {
        media_type: "text/csv; charset=utf-8",
        file_name: file.to_owned(),
    });
    if let Some(Download {
        media_type,
        file_name,
    }) = reply.download.or(csv)
    {
        response.content_type(media_type).insert_header((
            CONTENT_DISPOSITION,
            format!("attachment; filename=\"{file_name}\""),
        ));
    } else {
        response.content_type(ContentType::json());
    }
    let Some(rest) = reply.rest else {
        return response.body(reply.json);
    };
    let first = stream::once(ready(Ok::<_, io::Error>(Bytes::from(reply.json))));
    if context.method == HttpMethod::HEAD {
        return response.streaming(first);
    }
    let (access, credentials) = (endpoint.access, Credentials::All);
    let share = state.share(context.client, user);
    let rest = pieces(
        state,
        context,
        share,
        access,
        credentials,
        Channel::Api,
        rest.step,
    );
    response.streaming(Box::pin(first.chain(rest)))
}

/// Returns the page that shows a response. It has the same status, except that a 204, which has no body, becomes 200.
fn present(
    endpoint: Option<&'static Endpoint>,
    answer: HttpResponse,
    context: &RequestContext,
    page: &PageData,
    elapsed: Duration,
) -> HttpResponse {
    let status = answer.status();
    let headers = shown(&answer);
    let (head, body) = answer.into_parts();
    let json = body.try_into_bytes().unwrap_or_default();
    let object = page
        .object
        .as_deref()
        .and_then(|object| serde_json::from_slice(object).ok());
    let operations = endpoint
        .map(|endpoint| offered(endpoint, status, page))
        .unwrap_or_default();
    let html = browsable::render(&Page {
        title: endpoint.map_or(status.canonical_reason().unwrap_or("Error"), |endpoint| {
            endpoint.name
        }),
        description: endpoint.map_or("", |endpoint| endpoint.description),
        method: page
            .method
            .map_or(context.method.as_str(), |method| method.as_str()),
        path: &context.path,
        query: &context.query,
        base_url: &context.base_url,
        status: status.as_u16(),
        headers: &headers,
        json: &json,
        username: page.username.as_deref(),
        is_admin: page.is_admin,
        csrf_token: &context.csrf_token,
        operations: &operations,
        object: object.as_ref(),
        sent: sent(status, page),
        list: endpoint
            .and_then(|endpoint| endpoint.list)
            .filter(|_| shows_list(status, context)),
        is_shortened: page.is_shortened,
        is_cut: page.is_cut,
        file: endpoint.and_then(Endpoint::file),
        elapsed,
    });
    let status = if status == StatusCode::NO_CONTENT {
        StatusCode::OK
    } else {
        status
    };
    let mut response = as_page(status, html, context);
    for (name, value) in head.headers() {
        if *name != CONTENT_TYPE && *name != LOCATION {
            response.headers_mut().insert(name.clone(), value.clone());
        }
    }
    response
}

/// Returns a page, with the cookie of the CSRF token in its forms.
pub(crate) fn as_page(status: StatusCode, html: String, context: &RequestContext) -> HttpResponse {
    let mut response = HttpResponse::build(status);
    response
        .content_type("text/html; charset=utf-8")
        .insert_header((CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)))
        .insert_header((CACHE_CONTROL, HeaderValue::from_static("no-store")))
        .insert_header((VARY, HeaderValue::from_static("Accept, Cookie")));
    if !context.browser.has_csrf_cookie(&context.csrf_token) {
        response.cookie(csrf_cookie(&context.csrf_token, context.client.is_https));
    }
    response.body(html)
}

fn shown(answer: &HttpResponse) -> Vec<(&'static str, String)> {
    SHOWN
        .into_iter()
        .filter_map(|name| Some((name, answer.headers().get(name)?)))
        .map(|(name, value)| (name, String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect()
}

/// Returns the operations that the user may use; none if the response refuses them.
fn offered(endpoint: &'static Endpoint, status: StatusCode, page: &PageData) -> Vec<&'static Operation> {
    let is_gone = status == StatusCode::NO_CONTENT && page.method == Some(Method::Delete);
    let is_open = status.is_success()
        || matches!(
            status,
            StatusCode::BAD_REQUEST
                | StatusCode::METHOD_NOT_ALLOWED
                | StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::UNSUPPORTED_MEDIA_TYPE
        );
    // These endpoints check tokens, not the user: after a wrong token, the form is still shown.
    let is_login = status == StatusCode::UNAUTHORIZED && endpoint.access == Access::Open;
    if is_gone || !(is_open || is_login) {
        return Vec::new();
    }
    endpoint.operations.iter().collect()
}

/// Returns whether the page shows the controls of a list: also if a filter was invalid.
fn shows_list(status: StatusCode, context: &RequestContext) -> bool {
    status.is_success() || (status == StatusCode::BAD_REQUEST && context.method.is_safe())
}

/// Returns the refused body.
fn sent(status: StatusCode, page: &PageData) -> Sent<'_> {
    let method = page.method.filter(|_| status.is_client_error());
    match (method, &page.sent) {
        (Some(method), SentForm::Fields(fields)) => Sent::Fields(method, fields),
        (Some(method), SentForm::Raw(media_type, content)) => Sent::Raw(method, content, media_type),
        _ => Sent::Nothing,
    }
}
