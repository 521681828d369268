//! The browsable API: every endpoint as a page for people.
//!
//! A page is made from what every endpoint is made of (its name, its operations, their field descriptions) and
//! from the answer that a program would have got. A new endpoint has its page by existing.

use std::time::Duration;

use serde_json::{Map, Value};

use crate::{
    endpoint::{Operation, Verb},
    query::ListSpec,
};

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
    /// How long the answer took.
    pub(crate) elapsed: Duration,
}

/// What was sent and refused.
pub(crate) enum Sent<'a> {
    /// Nothing, or it was not refused.
    Nothing,
    /// A form, field by field.
    Fields(Verb, &'a [(String, String)]),
    /// A body as it was written, and its media type.
    Raw(Verb, &'a str, &'a str),
}
