//! Endpoints as data: the dispatcher, the router, OPTIONS and the documents read it.

use chrono::{DateTime, Utc};
use mycars_application::{
    App, Caller,
    lists::{ChunkedList, LimitOffset, Page},
};
use mycars_domain::{Car, Field, User, UserId};
use serde::Serialize;

use crate::{
    api::{
        fields::{FieldKind, FieldSpec, Schema},
        items::{self, Items, Rest},
    },
    error::ApiError,
    messages,
    request::{
        body::{Body, Form},
        context::RequestContext,
        negotiation::Renderer,
        pools::Pool,
        preconditions::EntityTag,
        query::{ListSettings, ListSpec, ListView, Query},
    },
};

pub(crate) use crate::request::{authentication::Access, method::Method, throttle::RateClass};

/// A resource and its operations.
pub(crate) struct Endpoint {
    /// The canonical path, which ends in a slash.
    pub(crate) path: &'static str,
    /// Name, for OPTIONS and pages.
    pub(crate) name: &'static str,
    /// Description in one sentence.
    pub(crate) description: &'static str,
    /// Group in the documents.
    pub(crate) tag: Tag,
    /// The users that may call it.
    pub(crate) access: Access,
    /// The rate that POST requests and downloads count to; all other requests count to the standard rate.
    pub(crate) rate: RateClass,
    /// Search, filters and orderings, if the endpoint is a list.
    pub(crate) list: Option<&'static ListSpec>,
    /// One operation for each method.
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

/// The operation of one method.
pub(crate) struct Operation {
    /// Id in the OpenAPI document, from which generated clients name a method.
    pub(crate) id: &'static str,
    /// Summary in a few words.
    pub(crate) summary: &'static str,
    pub(crate) method: Method,
    /// The body, if the operation has one.
    pub(crate) body: Option<&'static Schema>,
    /// The successful response.
    pub(crate) answer: ResponseSpec,
    /// The function that runs the operation.
    pub(crate) handle: Handler,
}

/// The fields whose values are unique.
const UNIQUE: [Field; 3] = [Field::Username, Field::Email, Field::License];

/// The successful response of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ResponseSpec {
    /// 200 with one object.
    One(&'static Schema),
    /// 201 with a new object, and its URL.
    Created(&'static Schema),
    /// 200 with a list or a page of it, as the endpoint's list defines.
    Many(&'static Schema),
    /// 200 with a short list, which has no pages.
    All(&'static Schema),
    /// 200 with URLs by name.
    Links,
    /// 200 with a file of this format. A page has its URL.
    File(&'static Renderer),
    /// 204.
    Nothing,
}

/// A function that runs an operation.
pub(crate) type Handler = fn(&Request<'_>) -> Result<Reply, ApiError>;

impl Operation {
    /// Creates an operation without a body.
    pub(crate) const fn plain(
        id: &'static str,
        summary: &'static str,
        method: Method,
        answer: ResponseSpec,
        handle: Handler,
    ) -> Self {
        Self {
            id,
            summary,
            method,
            body: None,
            answer,
            handle,
        }
    }

    /// Returns the fields of the body; none if there is no body.
    pub(crate) fn fields(&self) -> &'static [FieldSpec] {
        self.body.map_or(&[], |body| body.fields)
    }

    /// Returns the pool for this body: slow work has pools of its own. The fields of the body and the method determine it.
    pub(crate) fn pool(&self, body: &Body) -> Pool {
        let is_sent = |kind| {
            self.fields()
                .iter()
                .any(|spec| spec.kind == kind && body.may_hold(spec.name))
        };
        if self.takes_image() {
            Pool::Images
        } else if is_sent(FieldKind::Password) {
            Pool::Passwords
        } else if self.method == Method::Get {
            Pool::Database
        } else {
            Pool::Writes
        }
    }

    /// Returns whether the response may report that a value of this body is taken; rows may hold any field.
    pub(crate) fn checks_uniqueness(&self, body: &Body) -> bool {
        UNIQUE
            .map(messages::name)
            .iter()
            .any(|name| self.has_field(name) && body.may_hold(name))
            || self.takes_rows()
    }

    /// Returns whether the body has a field.
    pub(crate) fn takes_field(&self, field: Field) -> bool {
        self.has_field(messages::name(field))
    }

    fn has_field(&self, name: &str) -> bool {
        self.fields().iter().any(|spec| spec.name == name)
    }

    /// Returns whether some bodies are slow to process.
    pub(crate) fn may_be_slow(&self) -> bool {
        self.takes_file() || self.takes(FieldKind::Password)
    }

    /// Returns whether the body may hold a file.
    pub(crate) fn takes_file(&self) -> bool {
        self.fields().iter().any(|spec| spec.kind.is_upload())
    }

    /// Returns whether the body is a picture.
    pub(crate) fn takes_image(&self) -> bool {
        self.takes(FieldKind::ImageUpload)
    }

    /// Returns whether the body is a file of rows.
    pub(crate) fn takes_rows(&self) -> bool {
        self.takes(FieldKind::FileUpload)
    }

    fn takes(&self, kind: FieldKind) -> bool {
        self.fields().iter().any(|spec| spec.kind == kind)
    }
}

impl Endpoint {
    /// Returns the operation of a method.
    pub(crate) fn operation(&self, method: Method) -> Option<&'static Operation> {
        self.operations
            .iter()
            .find(|operation| operation.method == method)
    }

    /// Returns whether the endpoint is one object with a version, for conditional requests.
    pub(crate) fn is_versioned(&self) -> bool {
        self.path.ends_with("_id}/") && self.operation(Method::Put).is_some()
    }

    /// Returns whether the list has pages even if the client sends no limit.
    pub(crate) fn always_has_pages(&self) -> bool {
        self.list.is_some_and(|list| list.page_size.is_some())
    }

    /// Returns the name of the file as which the list is returned as CSV; `None` if there is no CSV.
    pub(crate) fn csv(&self) -> Option<&'static str> {
        self.list.and_then(|list| list.csv)
    }

    /// Returns the format of the file that GET returns; `None` if it returns JSON.
    pub(crate) fn file(&self) -> Option<&'static Renderer> {
        match self.operation(Method::Get)?.answer {
            ResponseSpec::File(format) => Some(format),
            _ => None,
        }
    }

    /// Returns the value of the `Allow` header, in Django REST framework's order.
    pub(crate) fn allow(&self) -> String {
        let mut methods: Vec<&str> = [
            Method::Get,
            Method::Post,
            Method::Put,
            Method::Patch,
            Method::Delete,
        ]
        .into_iter()
        .filter(|method| self.operation(*method).is_some())
        .map(Method::as_str)
        .collect();
        if self.operation(Method::Get).is_some() {
            methods.push("HEAD");
        }
        methods.push("OPTIONS");
        methods.join(", ")
    }
}

/// A request, as handlers see it.
pub(crate) struct Request<'a> {
    pub(crate) app: &'a App,
    pub(crate) operation: &'static Operation,
    /// The caller, for use-cases.
    pub(crate) caller: &'a Caller,
    /// The authenticated user, if there is one.
    pub(crate) user: Option<&'a User>,
    /// The caller's own car with the id in the path, if it was read with the caller.
    pub(crate) own_car: Option<&'a Car>,
    /// The numbers in the path, by name.
    pub(crate) ids: &'a [(String, i64)],
    /// `http://host`, as the client wrote it.
    pub(crate) base_url: &'a str,
    pub(crate) path: &'a str,
    pub(crate) query: &'a Query,
    pub(crate) lists: ListSettings,
    /// Whether `lists` has a page size for browsers only: the API returns the list whole.
    pub(crate) shortens_lists: bool,
    pub(crate) body: &'a Body,
    pub(crate) context: &'a RequestContext,
    /// Counts a mail to an e-mail address that the user wants to have.
    pub(crate) count_mail: &'a dyn Fn(UserId, &str) -> Result<(), ApiError>,
}

impl Request<'_> {
    /// Returns the user, on endpoints that require one.
    pub(crate) fn user(&self) -> Result<&User, ApiError> {
        self.user.ok_or(ApiError::NoCredentials)
    }

    /// Returns the number with this name in the path.
    pub(crate) fn id(&self, name: &str) -> Option<i64> {
        self.ids
            .iter()
            .find(|(known, _)| known == name)
            .map(|(_, id)| *id)
    }

    /// Returns the path with a slash at its end.
    pub(crate) fn canonical_path(&self) -> String {
        format!("{}/", self.path.trim_end_matches('/'))
    }

    /// Returns a list as a reply: as CSV if the client requests it; in an envelope if the client requests a page, or if a page of the browsable API shows
    /// only a part.
    pub(crate) fn list<I: Items>(
        &self,
        listed: &ChunkedList<I::Item, i64>,
        page: Option<LimitOffset>,
        kind: I,
    ) -> Result<Reply, ApiError> {
        if let (true, ResponseSpec::Many(schema)) = (self.context.is_csv, self.operation.answer) {
            return self.csv(schema, listed, kind);
        }
        let total = listed.total;
        let is_part =
            |page: &LimitOffset| page.offset > 0 || total.is_some_and(|total| total > page.limit.into());
        let page = page.filter(|page| !self.shortens_lists || is_part(page));
        let url = format!("{}{}", self.base_url, self.canonical_path());
        let empty = Page::<()> {
            items: Vec::new(),
            total,
        };
        self.items(&ListView::new(empty, page, self.query, &url), listed, kind)
    }

    /// Returns a 200 with items in the empty array at the end of `container`.
    pub(crate) fn items<I: Items>(
        &self,
        container: &impl Serialize,
        listed: &ChunkedList<I::Item, i64>,
        kind: I,
    ) -> Result<Reply, ApiError> {
        let reader = (self.app, self.caller);
        let (json, rest) = items::write(reader, container, &listed.first, listed.rest.clone(), kind)?;
        Ok(Reply {
            rest,
            ..Reply::of_json(json)
        })
    }

    /// Returns a 200 with items as CSV, one in each line.
    fn csv<I: Items>(
        &self,
        schema: &Schema,
        listed: &ChunkedList<I::Item, i64>,
        kind: I,
    ) -> Result<Reply, ApiError> {
        let names = schema.readable().map(|spec| spec.name).collect();
        let reader = (self.app, self.caller);
        let (csv, rest) = items::write_csv(reader, names, &listed.first, listed.rest.clone(), kind)?;
        Ok(Reply {
            is_csv: true,
            rest,
            ..Reply::of_json(csv)
        })
    }

    /// Returns the fields of the body.
    pub(crate) fn form(&self) -> Result<Form<'_>, ApiError> {
        self.body.form(self.operation.fields())
    }

    /// Returns the fields of the body. If the body can't be read, the error of `find` comes first (wire contract,
    /// section 1: 404 before 415 and 400).
    pub(crate) fn form_unless_missing<T>(
        &self,
        find: impl FnOnce() -> Result<T, ApiError>,
    ) -> Result<Form<'_>, ApiError> {
        self.form().or_else(|unreadable| find().and(Err(unreadable)))
    }

    /// Returns the text of the only field of a body.
    pub(crate) fn single_text(&self, field: Field) -> Result<mycars_application::Input<String>, ApiError> {
        Ok(self.form()?.text(field))
    }
}

/// The reply of an operation.
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Serialized JSON, or CSV; empty for no body. It is serialized on the worker thread, because that takes time.
    pub(crate) json: Vec<u8>,
    /// Whether the body is CSV.
    pub(crate) is_csv: bool,
    /// The file that the body is, if it is neither JSON nor CSV.
    pub(crate) download: Option<Download>,
    /// Makes the rest of a long body.
    pub(crate) rest: Option<Rest>,
    pub(crate) location: Option<String>,
    /// The tag of the body, if it shows one object.
    pub(crate) tag: Option<EntityTag>,
    /// Whether the session of the browser has ended, so that its cookie is removed.
    pub(crate) ends_session: bool,
}

/// A file, as browsers store it.
pub(crate) struct Download {
    pub(crate) media_type: &'static str,
    /// The name, in ASCII without quotation marks.
    pub(crate) file_name: String,
}

impl Reply {
    /// Returns a 200 with a body.
    pub(crate) fn ok(body: &impl Serialize) -> Result<Self, ApiError> {
        items::to_json(body).map(Self::of_json)
    }

    /// Returns a 200 with a body of serialized JSON.
    pub(crate) fn of_json(json: Vec<u8>) -> Self {
        Self {
            status: 200,
            json,
            is_csv: false,
            download: None,
            rest: None,
            location: None,
            tag: None,
            ends_session: false,
        }
    }

    /// Adds a tag with the version of the object. A long body, whose rest is not known yet, has none.
    pub(crate) fn tagged(mut self, version: DateTime<Utc>) -> Self {
        self.tag = self.rest.is_none().then(|| EntityTag::new(version, &self.json));
        self
    }

    /// Ends a long body after its first piece. Returns whether it was long.
    pub(crate) fn cut(&mut self) -> bool {
        let rest = self.rest.take();
        let is_long = rest.is_some();
        self.json.extend(rest.into_iter().flat_map(|rest| rest.end));
        is_long
    }

    /// Returns a 201 with a body and the URL of the new object.
    pub(crate) fn created(body: &impl Serialize, location: String) -> Result<Self, ApiError> {
        Ok(Self {
            status: 201,
            location: Some(location),
            ..Self::ok(body)?
        })
    }

    /// Returns a 204.
    pub(crate) fn no_content() -> Self {
        Self {
            status: 204,
            ..Self::of_json(Vec::new())
        }
    }
}
