//! `/api/`: the URLs of the endpoints.

use serde::{Serialize, Serializer};

use super::ENDPOINTS;
use crate::{
    api::{
        endpoint::{Access, Endpoint, Method, Operation, RateClass, Reply, Request, ResponseSpec, Tag},
        openapi::{DOCS_PATH, SCHEMA_PATH},
    },
    error::ApiError,
};

pub(crate) static ROOT: Endpoint = Endpoint {
    path: "/api/",
    name: "Api Root",
    description: "Links to the resources of the API. Open to all; most of the resources need a token.",
    tag: Tag::Root,
    access: Access::Optional,
    rate: RateClass::Standard,
    list: None,
    operations: &[Operation::plain(
        "get_root",
        "List the resources",
        Method::Get,
        ResponseSpec::Links,
        read,
    )],
};

fn read(request: &Request<'_>) -> Result<Reply, ApiError> {
    Reply::ok(&Links {
        base_url: request.base_url,
    })
}

/// The absolute URL of each endpoint without a number in its path, by the name of the path.
struct Links<'a> {
    base_url: &'a str,
}

impl Serialize for Links<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let paths = ENDPOINTS
            .iter()
            .map(|endpoint| endpoint.path)
            .chain([SCHEMA_PATH, DOCS_PATH])
            .filter(|path| !path.contains('{'));
        serializer.collect_map(paths.filter_map(|path| {
            let name = path.strip_prefix(ROOT.path)?.trim_end_matches('/');
            (!name.is_empty()).then(|| (name, format!("{}{path}", self.base_url)))
        }))
    }
}
