//! The browsable API: every endpoint as an HTML page.
//!
//! A page is made from the endpoint's name, operations and field descriptions, and from the JSON response. Each new
//! endpoint has a page without further code.
//!
//! Pages work without a script and load files of this server only. They hold no inline script, style or event handler,
//! so that the strictest Content-Security-Policy allows them.

mod forms;
mod json;
mod lists;
mod navigation;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, time::Duration};

use actix_web::http::StatusCode;
use askama::Template;
use serde_json::{Map, Value};

use crate::{
    api::endpoint::{Method, Operation},
    request::{
        negotiation::Renderer,
        query::{ListSpec, Query},
    },
    web::ui::{
        self,
        forms::{Control, Problem},
        links::{Crumb, Link, changed_url, local_path, url, url_with},
        lists::Pager,
    },
};
use forms::{FormSet, Refusal};
use json::Json;
use lists::ListControls;

/// The content of a page.
pub(crate) struct Page<'a> {
    /// The endpoint's name, or the error if no endpoint has the path.
    pub(crate) title: &'a str,
    /// One sentence about the endpoint; may be empty.
    pub(crate) description: &'a str,
    /// The request's method.
    pub(crate) method: &'a str,
    /// The requested path without its query.
    pub(crate) path: &'a str,
    /// The query without its question mark; may be empty.
    pub(crate) query: &'a str,
    /// `http://host`.
    pub(crate) base_url: &'a str,
    pub(crate) status: u16,
    /// The response's headers that the page shows, in their order.
    pub(crate) headers: &'a [(&'static str, String)],
    /// The response's body; may be empty.
    pub(crate) json: &'a [u8],
    /// Username of the logged-in user.
    pub(crate) username: Option<&'a str>,
    /// Whether the user may use the admin panel.
    pub(crate) is_admin: bool,
    /// The CSRF token; empty for anonymous users.
    pub(crate) csrf_token: &'a str,
    /// The operations that the user may use; none if the status is 401, 403 or 404.
    pub(crate) operations: &'a [&'static Operation],
    /// The stored object, with which the forms that change it are filled.
    pub(crate) object: Option<&'a Map<String, Value>>,
    /// The refused body, which the forms show again.
    pub(crate) sent: Sent<'a>,
    /// The filters and orderings of a list.
    pub(crate) list: Option<&'static ListSpec>,
    /// Whether the page shows a part of a list that the API returns whole.
    pub(crate) is_shortened: bool,
    /// Whether the page shows only the beginning of a long response.
    pub(crate) is_cut: bool,
    /// The format of the file that programs get instead of JSON.
    pub(crate) file: Option<&'static Renderer>,
    /// Time until the response was ready.
    pub(crate) elapsed: Duration,
}

/// A refused body.
pub(crate) enum Sent<'a> {
    /// No body, or one that was accepted.
    Nothing,
    /// The names and values of a form.
    Fields(Method, &'a [(String, String)]),
    /// A body as text, and its media type.
    Raw(Method, &'a str, &'a str),
}

/// The content of the login page.
pub(crate) struct Login<'a> {
    /// URL to which a login redirects.
    pub(crate) next: &'a str,
    /// Username of the previous attempt; may be empty.
    pub(crate) username: &'a str,
    /// Why the previous attempt failed.
    pub(crate) error: Option<&'a str>,
    /// The path of the page for forgotten passwords, if the server sends mail.
    pub(crate) reset_path: Option<&'static str>,
    /// The path of the page that sends another link, if the e-mail address is not verified.
    pub(crate) resend_path: Option<&'static str>,
    pub(crate) csrf_token: &'a str,
}

impl Login<'_> {
    /// Returns whether a login leads to the admin panel.
    fn is_for_panel(&self) -> bool {
        self.next.starts_with("/admin/")
    }

    fn site(&self) -> &'static str {
        if self.is_for_panel() {
            "My Cars panel"
        } else {
            "My Cars API"
        }
    }

    fn home(&self) -> &'static str {
        if self.is_for_panel() { "/admin/" } else { "/api/" }
    }
}

/// Renders a page.
pub(crate) fn render(page: &Page<'_>) -> String {
    ui::render(&PageTemplate::new(page))
}

/// Renders the login page.
pub(crate) fn render_login(login: &Login<'_>) -> String {
    ui::render(&LoginTemplate { login })
}

/// Renders the documentation page, for the OpenAPI document at `schema`.
pub(crate) fn render_docs(schema: &str) -> String {
    ui::render(&DocsTemplate { schema })
}

#[derive(Template)]
#[template(path = "login.html")]
struct LoginTemplate<'a> {
    login: &'a Login<'a>,
}

#[derive(Template)]
#[template(path = "docs.html")]
struct DocsTemplate<'a> {
    schema: &'a str,
}

#[derive(Template)]
#[template(path = "page.html")]
struct PageTemplate<'a> {
    page: &'a Page<'a>,
    /// The path with its query: target of forms and of links to the page itself.
    url: String,
    login_url: String,
    breadcrumbs: Vec<Crumb>,
    children: Vec<Link>,
    formats: Vec<Link>,
    can_get: bool,
    can_delete: bool,
    curl: String,
    notice: Option<Notice>,
    problems: Vec<Problem>,
    reason: &'static str,
    headers: Vec<Header<'a>>,
    elapsed: String,
    json: Json<'a>,
    image: Option<String>,
    list: Option<ListControls>,
    pager: Option<Pager>,
    forms: Vec<FormSet>,
}

/// A message about the result, with a link to the next page.
struct Notice {
    text: &'static str,
    link: Option<Link>,
}

struct Header<'a> {
    name: &'static str,
    value: &'a str,
    /// The target of a value that is a URL of this server.
    url: Option<String>,
}

impl<'a> PageTemplate<'a> {
    fn new(page: &'a Page<'a>) -> Self {
        let has_answer = matches!(page.status, 200 | 201);
        let query = Query::parse(page.query);
        let offers = |method| page.operations.iter().any(|operation| operation.method == method);
        Self {
            page,
            url: url(page.path, page.query),
            login_url: url_with("/api-auth/login/", "next", &url(page.path, page.query)),
            breadcrumbs: navigation::breadcrumbs(page.path),
            children: if has_answer {
                navigation::children(page.path)
            } else {
                Vec::new()
            },
            formats: formats(page, &query),
            can_get: offers(Method::Get),
            can_delete: offers(Method::Delete),
            curl: curl(page),
            notice: notice(page),
            problems: Refusal::of(page).problems(),
            reason: reason(page.status),
            headers: page
                .headers
                .iter()
                .map(|header| Header::new(header, page))
                .collect(),
            elapsed: format!("{:.1} ms", page.elapsed.as_secs_f64() * 1000.0),
            json: Json {
                text: text(page.json),
                base_url: page.base_url,
                list_path: list_path(page),
            },
            image: has_answer.then(|| image(page)).flatten(),
            list: page.list.map(|spec| ListControls::new(page, &query, spec)),
            pager: has_answer.then(|| lists::pager(page, &query)).flatten(),
            forms: forms::forms(page),
        }
    }

    /// Returns whether the page has a second column.
    fn has_side(&self) -> bool {
        !self.forms.is_empty() || self.image.is_some()
    }
}

impl<'a> Header<'a> {
    fn new((name, value): &'a (&'static str, String), page: &Page<'_>) -> Self {
        let is_url = name.eq_ignore_ascii_case("location");
        Self {
            name,
            value,
            url: is_url.then(|| local_url(value, page.base_url)).flatten(),
        }
    }
}

/// Returns a URL as a path of this server; `None` if it leads to another server.
fn local_url(url: &str, base_url: &str) -> Option<String> {
    let path = url.strip_prefix(base_url).unwrap_or(url);
    path.starts_with('/').then(|| local_path(path))
}

/// Returns the links to the page in each format.
fn formats(page: &Page<'_>, query: &Query) -> Vec<Link> {
    let link = |format: &str| Link {
        label: format.to_owned(),
        url: changed_url(page.path, query, &["format"], Some(("format", format))),
    };
    let csv = page.list.and_then(|list| list.csv).map(|_| link("csv"));
    let main = page.file.map_or("json", |file| file.format);
    [link(main), link("api")].into_iter().chain(csv).collect()
}

/// Returns the request as a shell command. It holds no token, so that users can share it.
fn curl(page: &Page<'_>) -> String {
    let url = format!("{}{}", page.base_url, url(page.path, page.query));
    let media_type = page.file.map_or("application/json", |file| file.media_type);
    let mut command = format!(
        "curl -X {} {} -H 'Accept: {media_type}' -H \"Authorization: Bearer $TOKEN\"",
        shell(page.method),
        shell(&url)
    );
    if page.file.is_some() {
        // The server states the name of the file.
        command.push_str(" -OJ");
    }
    if let Sent::Raw(_, content, media_type) = page.sent {
        let content_type = format!("Content-Type: {media_type}");
        let data = format!(" -H {} --data-raw {}", shell(&content_type), shell(content));
        command.push_str(&data);
    }
    command
}

/// Quotes a word for a shell.
fn shell(word: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/:.-_=".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

/// Returns a message about a result that the response does not show.
fn notice(page: &Page<'_>) -> Option<Notice> {
    match page.status {
        200 if page.is_cut => Some(Notice {
            text: "This response is long. The page shows only its beginning.",
            link: formats(page, &Query::parse(page.query)).into_iter().next(),
        }),
        201 => {
            let (_, location) = page
                .headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("location"))?;
            let url = local_url(location, page.base_url)?;
            // The user may not be allowed to read objects of other endpoints.
            let is_below = url.starts_with(&local_path(page.path));
            Some(Notice {
                text: "Created.",
                link: is_below.then(|| Link {
                    label: "Open it".to_owned(),
                    url,
                }),
            })
        }
        204 => Some(Notice {
            text: if page.method == "DELETE" {
                "Deleted."
            } else {
                "Done."
            },
            link: navigation::parent(page.path).map(|parent| Link {
                label: format!("Back to {}", parent.label),
                ..parent
            }),
        }),
        405 if page.method == "GET" && !page.operations.is_empty() => Some(Notice {
            text: "This path has nothing to GET, only forms to send.",
            link: None,
        }),
        _ => None,
    }
}

fn reason(status: u16) -> &'static str {
    StatusCode::from_u16(status)
        .ok()
        .and_then(|status| status.canonical_reason())
        .unwrap_or_default()
}

fn text(json: &[u8]) -> &str {
    std::str::from_utf8(json).unwrap_or_default()
}

/// Returns the path of the list, if its items have pages.
fn list_path<'a>(page: &Page<'a>) -> Option<&'a str> {
    let is_canonical = page.path.ends_with('/') && page.path == local_path(page.path);
    (page.list.is_some() && is_canonical && navigation::has_items(page.path)).then_some(page.path)
}

/// Returns the URL of the picture in the response.
fn image(page: &Page<'_>) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Pictured {
        image: Option<String>,
    }
    let Pictured { image } = serde_json::from_slice(page.json).ok()?;
    image.filter(|path| path.starts_with("/media/"))
}
