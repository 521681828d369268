//! What an endpoint is: data that the dispatcher, the router, OPTIONS and the documents read.

use mycars_application::{
    App, Caller,
    lists::{LimitOffset, Page},
};
use mycars_domain::{Field, User};
use serde::Serialize;

use crate::{
    api::{
        fields::{FieldKind, FieldSpec, Schema},
        items::{self, Items},
    },
    error::ApiError,
    request::{
        body::{Body, Form},
        pools::Pool,
        query::{ListSettings, ListSpec, ListView, Query},
        stream::Step,
    },
};

pub(crate) use crate::request::{authentication::Access, method::Method, throttle::RateClass};

/// One resource and what can be done to it.
pub(crate) struct Endpoint {
    /// The canonical path, which ends in a slash.
    pub(crate) path: &'static str,
    /// What it is called, for OPTIONS and for people.
    pub(crate) name: &'static str,
    /// One sentence about it.
    pub(crate) description: &'static str,
    /// The group that documents put it into.
    pub(crate) tag: Tag,
    /// The users that may call it.
    pub(crate) access: Access,
    /// The rate that its POST requests count to; all others count to the standard rate.
    pub(crate) rate: RateClass,
    /// What it can be asked for, where it is a list.
    pub(crate) list: Option<&'static ListSpec>,
    /// What can be done to it, one operation for each method.
    pub(crate) operations: &'static [Operation],
}

/// A group of endpoints, for documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tag {
    Root,
    Tokens,
    Account,
    Cars,
    AdminUsers,
    AdminCars,
    AdminHistory,
}

/// What one method does to an endpoint.
pub(crate) struct Operation {
    /// Its name in the OpenAPI document, of which generated clients make that of a method.
    pub(crate) id: &'static str,
    /// What it does, in a few words.
    pub(crate) summary: &'static str,
    pub(crate) verb: Method,
    /// What the body is, where there is one.
    pub(crate) body: Option<&'static Schema>,
    /// What the answer is when all went well.
    pub(crate) answer: ResponseSpec,
    /// Does it.
    pub(crate) handle: Handler,
}

/// What an operation answers when all went well.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseSpec {
    /// 200 with one thing.
    One(&'static Schema),
    /// 201 with a new thing, and where it is.
    Created(&'static Schema),
    /// 200 with many things, or a page of them: the endpoint's list says which.
    Many(&'static Schema),
    /// 200 with URLs by their names.
    Links,
    /// 204.
    Nothing,
}

/// Does what an operation does.
pub(crate) type Handler = fn(&Request<'_>) -> Result<Reply, ApiError>;

impl Operation {
    /// An operation without a body.
    pub(crate) const fn plain(
        id: &'static str,
        summary: &'static str,
        verb: Method,
        answer: ResponseSpec,
        handle: Handler,
    ) -> Self {
        Self {
            id,
            summary,
            verb,
            body: None,
            answer,
            handle,
        }
    }

    /// The fields of the body; none where there is no body.
    pub(crate) fn fields(&self) -> &'static [FieldSpec] {
        self.body.map_or(&[], |body| body.fields)
    }

    /// Where the operation runs with this body: away from the others if it takes time. The description says
    /// which fields make it do so.
    pub(crate) fn pool(&self, body: &Body) -> Pool {
        let is_sent = |kind| {
            self.fields()
                .iter()
                .any(|spec| spec.kind == kind && body.may_hold(spec.name))
        };
        if self.takes_file() {
            Pool::Images
        } else if is_sent(FieldKind::Password) {
            Pool::Passwords
        } else {
            Pool::Database
        }
    }

    /// Whether there are bodies with which it takes long.
    pub(crate) fn may_be_slow(&self) -> bool {
        self.takes_file() || self.fields().iter().any(|spec| spec.kind == FieldKind::Password)
    }

    /// Whether the body may hold a file.
    pub(crate) fn takes_file(&self) -> bool {
        self.fields()
            .iter()
            .any(|spec| spec.kind == FieldKind::ImageUpload)
    }
}

impl Endpoint {
    /// The operation that answers a verb.
    pub(crate) fn operation(&self, verb: Method) -> Option<&'static Operation> {
        self.operations.iter().find(|operation| operation.verb == verb)
    }

    /// Whether its list comes in pages even where no page is asked for.
    pub(crate) fn always_has_pages(&self) -> bool {
        self.list.is_some_and(|list| list.page_size.is_some())
    }

    /// The value of the header `Allow`, in Django REST framework's order.
    pub(crate) fn allow(&self) -> String {
        let mut methods: Vec<&str> = [
            Method::Get,
            Method::Post,
            Method::Put,
            Method::Patch,
            Method::Delete,
        ]
        .into_iter()
        .filter(|verb| self.operation(*verb).is_some())
        .map(Method::as_str)
        .collect();
        if self.operation(Method::Get).is_some() {
            methods.push("HEAD");
        }
        methods.push("OPTIONS");
        methods.join(", ")
    }
}

/// A request, as an operation sees it.
pub(crate) struct Request<'a> {
    pub(crate) app: &'a App,
    pub(crate) operation: &'static Operation,
    /// The caller, for use-cases.
    pub(crate) caller: &'a Caller,
    /// The authenticated user, if there is one.
    pub(crate) user: Option<&'a User>,
    /// The numbers in the path, by their names.
    pub(crate) ids: &'a [(String, i64)],
    /// `http://host`, as the client wrote it.
    pub(crate) base_url: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a Query,
    pub(crate) lists: ListSettings,
    /// Whether `lists` has a page size for browsers alone: a list of which a page shows a part would be whole in JSON.
    pub(crate) shortens_lists: bool,
    pub(crate) body: &'a Body,
}

impl Request<'_> {
    /// Returns the user, on endpoints that admit only users.
    pub(crate) fn user(&self) -> Result<&User, ApiError> {
        self.user.ok_or(ApiError::NoCredentials)
    }

    /// The number that stands in the path under this name.
    pub(crate) fn id(&self, name: &str) -> Option<i64> {
        self.ids
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, id)| *id)
    }

    /// The path as it is written: with a slash at its end.
    pub(crate) fn canonical_path(&self) -> String {
        format!("{}/", self.path.trim_end_matches('/'))
    }

    /// A list that was asked for, as a reply; in an envelope if a page was asked for, or if a page of the browsable API
    /// shows only a part of it.
    pub(crate) fn list<I: Items>(
        &self,
        listed: &Page<I::Item>,
        page: Option<LimitOffset>,
        kind: I,
    ) -> Result<Reply, ApiError> {
        let is_part = |page: &LimitOffset| {
            page.offset > 0 || listed.total.is_some_and(|total| total > page.limit.into())
        };
        let page = page.filter(|page| !self.shortens_lists || is_part(page));
        let url = format!("{}{}", self.base_url, self.canonical_path());
        let total = listed.total;
        let empty = Page::<()> {
            items: Vec::new(),
            total,
        };
        Reply::items(&ListView::new(empty, page, self.query, &url), &listed.items, kind)
    }

    /// The body's fields.
    pub(crate) fn form(&self) -> Result<Form<'_>, ApiError> {
        self.body.form(self.operation.fields())
    }

    /// The body's fields, where a thing that is not there matters more than a body that can't be read: if it
    /// can't be, `find` may say that there is no such thing (wire contract, section 1: 404 before 415 and 400).
    pub(crate) fn form_unless_missing<T>(
        &self,
        find: impl FnOnce() -> Result<T, ApiError>,
    ) -> Result<Form<'_>, ApiError> {
        self.form().or_else(|unreadable| find().and(Err(unreadable)))
    }

    /// The only field of a body, as text.
    pub(crate) fn single_text(&self, field: Field) -> Result<mycars_application::Input<String>, ApiError> {
        Ok(self.form()?.text(field))
    }
}

/// What an operation answers.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// JSON, already written: that took its time on the blocking thread. Empty for no body.
    pub(crate) json: Vec<u8>,
    /// Makes the rest of a long body.
    pub(crate) rest: Option<Step>,
    pub(crate) location: Option<String>,
    /// Whether the session of the browser that sent the request has ended, so that its cookie is removed.
    pub(crate) ends_session: bool,
}

impl Reply {
    /// 200 with a body.
    pub(crate) fn ok(body: &impl Serialize) -> Result<Self, ApiError> {
        items::to_json(body).map(Self::of_json)
    }

    /// 200 with a body that is written already.
    pub(crate) fn of_json(json: Vec<u8>) -> Self {
        Self {
            status: 200,
            json,
            rest: None,
            location: None,
            ends_session: false,
        }
    }

    /// 200 with items in the empty array at the end of `container`.
    pub(crate) fn items<I: Items>(
        container: &impl Serialize,
        items: &[I::Item],
        kind: I,
    ) -> Result<Self, ApiError> {
        let (json, rest) = items::write(container, items, kind)?;
        Ok(Self {
            rest,
            ..Self::of_json(json)
        })
    }

    /// Appends the rest of a long body.
    pub(crate) fn complete(mut self, app: &App, caller: &Caller) -> Result<Self, ApiError> {
        if let Some(mut rest) = self.rest.take() {
            while let Some(piece) = rest(app, Some(caller))? {
                self.json.extend(piece);
            }
        }
        Ok(self)
    }

    /// 201 with a body, and where the new thing is.
    pub(crate) fn created(body: &impl Serialize, location: String) -> Result<Self, ApiError> {
        Ok(Self {
            status: 201,
            location: Some(location),
            ..Self::ok(body)?
        })
    }

    /// 204.
    pub(crate) fn no_content() -> Self {
        Self {
            status: 204,
            ..Self::of_json(Vec::new())
        }
    }
}
