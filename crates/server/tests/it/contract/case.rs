//! The format of recorded cases. An unknown key is an error, so that no expectation is ignored.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Deserializer, de::DeserializeOwned};

use super::json::{Json, Object};

/// The cases of one area: one file.
#[derive(Deserialize)]
pub(super) struct Area {
    pub(super) area: String,
    pub(super) cases: Vec<Case>,
}

/// Users, and the steps of a case.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Case {
    pub(super) name: String,
    #[serde(default)]
    pub(super) users: Object,
    #[serde(default)]
    pub(super) jwt: Object,
    pub(super) steps: Vec<Step>,
}

/// A request, and the expected response.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Step {
    #[serde(rename = "do")]
    pub(super) call: String,
    #[serde(rename = "as")]
    pub(super) actor: Option<String>,
    #[serde(default)]
    pub(super) headers: Object,
    /// `Some(Json::Null)` is the body `null`.
    #[serde(default, deserialize_with = "given")]
    pub(super) json: Option<Json>,
    pub(super) form: Option<Object>,
    pub(super) multipart: Option<Object>,
    pub(super) raw: Option<String>,
    pub(super) raw_base64: Option<String>,
    #[serde(default)]
    pub(super) keep: Object,
    pub(super) race: Option<usize>,
    /// For readers of the case; it is not checked.
    #[serde(rename = "hand", default)]
    _is_written_by_hand: bool,
    pub(super) expect: Expect,
}

/// An expected response. Missing keys are not checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Expect {
    pub(super) status: Option<Status>,
    /// For a race: the number of responses per status.
    pub(super) statuses: Option<BTreeMap<String, usize>>,
    #[serde(default)]
    pub(super) headers: Object,
    #[serde(default, deserialize_with = "given")]
    pub(super) body: Option<Json>,
    #[serde(rename = "match")]
    pub(super) strictness: Option<Strictness>,
    #[serde(default)]
    pub(super) empty: bool,
    #[serde(default)]
    pub(super) contains: Vec<String>,
    #[serde(default)]
    pub(super) lacks: Vec<String>,
    pub(super) bytes: Option<usize>,
    pub(super) image: Option<Picture>,
}

/// The status, or the allowed ones.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum Status {
    One(u16),
    AnyOf(Vec<u16>),
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "lowercase")]
pub(super) enum Strictness {
    /// The body may contain more than the expected keys.
    Subset,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Picture {
    /// Width and height in pixels.
    pub(super) size: [u16; 2],
}

impl Status {
    pub(super) fn allows(&self, status: u16) -> bool {
        match self {
            Self::One(one) => *one == status,
            Self::AnyOf(statuses) => statuses.contains(&status),
        }
    }

    /// Whether only a status that means success is allowed.
    pub(super) fn is_success(&self) -> bool {
        matches!(self, Self::One(one) if *one < 400)
    }
}

/// Deserializes a present value, which may be `null`.
fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Json>, D::Error> {
    Json::deserialize(deserializer).map(Some)
}

/// Returns all areas, in the order of their files.
pub(super) fn areas() -> Vec<Area> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder())
        .expect("the cases are there")
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "json"))
        .filter(|path| !path.ends_with("shapes.json"))
        .collect();
    files.sort();
    files.iter().map(|path| read(path)).collect()
}

/// Returns the shapes that cases refer to, by name.
pub(super) fn shapes() -> Object {
    read(&folder().join("shapes.json"))
}

/// Returns the content of a file that a case sends.
pub(super) fn file(name: &str) -> Vec<u8> {
    let path = folder().join("files").join(name);
    fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn read<T: DeserializeOwned>(path: &Path) -> T {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/contract")
}
