//! The browsable API: every endpoint as a page for people.
//!
//! A page is made from what every endpoint is made of (its name, its operations, their field descriptions) and
//! from the answer that a program would have got. A new endpoint has its page by existing.
//!
//! Pages work without a script and load nothing from elsewhere: no inline script, style or handler is in them,
//! so that the strictest Content-Security-Policy holds.

mod assets;
mod forms;
mod json;
mod lists;
mod navigation;
#[cfg(any(test, feature = "bench"))]
#[expect(clippy::unwrap_used, reason = "samples are for tests and benchmarks alone")]
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        clippy::wildcard_imports,
        reason = "the benchmark needs one sample of many"
    )
)]
pub(crate) mod samples;
#[cfg(test)]
mod tests;

use std::{borrow::Cow, time::Duration};

use actix_web::http::StatusCode;
use askama::Template;
use serde_json::{Map, Value};

pub(crate) use assets::{asset, asset_url};
pub(crate) use forms::{Control, FormField};
pub(crate) use navigation::{Crumb, Link, Parameters, url};

use crate::{
    api::endpoint::{Method, Operation},
    request::query::ListSpec,
};
use forms::{FormSet, Problem, Refusal};
use json::Json;
use lists::{ListControls, Pager};

/// Everything that a page shows.
pub(crate) struct Page<'a> {
    /// The endpoint's name, or what went wrong where there is none.
    pub(crate) title: &'a str,
    /// One sentence about the endpoint; may be empty.
    pub(crate) description: &'a str,
    /// The method that was answered.
    pub(crate) method: &'a str,
    /// The path without its query, as it was asked for.
    pub(crate) path: &'a str,
    /// The query without its question mark; may be empty.
    pub(crate) query: &'a str,
    /// `http://host`.
    pub(crate) base_url: &'a str,
    pub(crate) status: u16,
    /// The headers that a program would have got and that matter to a person, in their order.
    pub(crate) headers: &'a [(&'static str, String)],
    /// The answer's body; empty where there is none.
    pub(crate) json: &'a [u8],
    /// Who is logged in, by their username.
    pub(crate) username: Option<&'a str>,
    /// Whether they may use the admin panel.
    pub(crate) is_admin: bool,
    /// The token that a form must send back. Empty for who is not logged in.
    pub(crate) csrf_token: &'a str,
    /// What may be done here, by who asks: nothing where the answer is 401, 403 or 404.
    pub(crate) operations: &'a [&'static Operation],
    /// What is there now, with which the forms that change it are filled.
    pub(crate) object: Option<&'a Map<String, Value>>,
    /// What was sent and refused, which the forms keep.
    pub(crate) sent: Sent<'a>,
    /// What the list can be asked for, where it is one.
    pub(crate) list: Option<&'static ListSpec>,
    /// Whether a long list is shown in pages that the API would answer whole.
    pub(crate) is_shortened: bool,
    /// How long the answer took.
    pub(crate) elapsed: Duration,
}

/// What was sent and refused.
pub(crate) enum Sent<'a> {
    /// Nothing, or it was not refused.
    Nothing,
    /// A form, field by field.
    Fields(Method, &'a [(String, String)]),
    /// A body as it was written, and its media type.
    Raw(Method, &'a str, &'a str),
}

/// What the page for logging in shows.
pub(crate) struct Login<'a> {
    /// Where one goes afterwards.
    pub(crate) next: &'a str,
    /// What was typed before; may be empty.
    pub(crate) username: &'a str,
    /// Why one is not logged in.
    pub(crate) error: Option<&'a str>,
    pub(crate) csrf_token: &'a str,
}

impl Login<'_> {
    /// Whether one wants to the admin panel.
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

/// The whole HTML of an API page.
pub(crate) fn render(page: &Page<'_>) -> String {
    write(&PageTemplate::new(page))
}

/// The whole HTML of the page for logging in.
pub(crate) fn render_login(login: &Login<'_>) -> String {
    write(&LoginTemplate { login })
}

/// The whole HTML of the page on which the document at `schema` is read and tried out.
pub(crate) fn render_docs(schema: &str) -> String {
    write(&DocsTemplate { schema })
}

fn write(template: &impl Template) -> String {
    // Writing to a string fails only where a value's `Display` does, and none here does.
    template.render().unwrap_or_default()
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
    /// The path with its query, where forms and links to the page itself lead.
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

/// What has happened, and where it goes on.
struct Notice {
    text: &'static str,
    link: Option<Link>,
}

struct Header<'a> {
    name: &'static str,
    value: &'a str,
    /// Where the value leads, if it is a URL of this server.
    url: Option<String>,
}

impl<'a> PageTemplate<'a> {
    fn new(page: &'a Page<'a>) -> Self {
        let has_answer = matches!(page.status, 200 | 201);
        let offers = |verb| page.operations.iter().any(|operation| operation.verb == verb);
        Self {
            page,
            url: url(page.path, page.query),
            login_url: login_url(page),
            breadcrumbs: navigation::breadcrumbs(page.path),
            children: if has_answer {
                navigation::children(page.path)
            } else {
                Vec::new()
            },
            formats: formats(page),
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
            list: page.list.map(|spec| ListControls::new(page, spec)),
            pager: has_answer.then(|| Pager::new(page)).flatten(),
            forms: forms::forms(page),
        }
    }

    /// Whether anything stands beside the answer.
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

/// A URL as a path of this server; `None` where it leads elsewhere.
fn local_url(url: &str, base_url: &str) -> Option<String> {
    let path = url.strip_prefix(base_url).unwrap_or(url);
    path.starts_with('/').then(|| navigation::local_path(path))
}

fn login_url(page: &Page<'_>) -> String {
    let query = form_urlencoded::Serializer::new(String::new())
        .append_pair("next", &url(page.path, page.query))
        .finish();
    format!("/api-auth/login/?{query}")
}

/// The page in each form in which it can be had.
fn formats(page: &Page<'_>) -> Vec<Link> {
    let parameters = Parameters::parse(page.query);
    let link = |format: &str| Link {
        label: format.to_owned(),
        url: url(
            page.path,
            &parameters.query(&["format"], Some(("format", format))),
        ),
    };
    vec![link("json"), link("api")]
}

/// The request as a command. It names no token, so that it can be passed on.
fn curl(page: &Page<'_>) -> String {
    let url = format!("{}{}", page.base_url, url(page.path, page.query));
    let mut command = format!("curl -X {} {}", shell(page.method), shell(&url));
    command.push_str(" -H 'Accept: application/json' -H \"Authorization: Bearer $TOKEN\"");
    if let Sent::Raw(_, content, media_type) = page.sent {
        let content_type = format!("Content-Type: {media_type}");
        let data = format!(" -H {} --data-raw {}", shell(&content_type), shell(content));
        command.push_str(&data);
    }
    command
}

/// A word that a shell takes as it is.
fn shell(word: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/:.-_=".contains(&byte);
    if !word.is_empty() && word.bytes().all(is_plain) {
        return Cow::Borrowed(word);
    }
    Cow::Owned(format!("'{}'", word.replace('\'', r"'\''")))
}

/// Says what can't be seen from the answer, and leads on.
fn notice(page: &Page<'_>) -> Option<Notice> {
    match page.status {
        201 => {
            let (_, location) = page
                .headers
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case("location"))?;
            let url = local_url(location, page.base_url)?;
            // What is created elsewhere, whoever asked may not be let in to see.
            let is_below = url.starts_with(&navigation::local_path(page.path));
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
            text: "There is nothing to read here, only something to send.",
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

/// The path under which the items of the list are found.
fn list_path<'a>(page: &Page<'a>) -> Option<&'a str> {
    let is_canonical = page.path.ends_with('/') && page.path == navigation::local_path(page.path);
    (page.list.is_some() && is_canonical && navigation::has_items(page.path)).then_some(page.path)
}

/// The picture of the thing that was answered.
fn image(page: &Page<'_>) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Pictured {
        image: Option<String>,
    }
    let Pictured { image } = serde_json::from_slice(page.json).ok()?;
    image.filter(|path| path.starts_with("/media/"))
}
