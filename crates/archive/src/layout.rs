//! The members of an archive, and the documents in it.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use mycars_application::ports::Table;
use mycars_domain::values::ImagePath;
use serde::{Deserialize, Serialize};

/// The format of the archives that this version writes. A change that older versions cannot read raises it.
pub(crate) const FORMAT: u32 = 1;

pub(crate) const MANIFEST: &str = "manifest.json";
pub(crate) const CONTENTS: &str = "contents.json";
pub(crate) const SECRET_KEY: &str = "secret_key";
const MEDIA: &str = "media/";
const TABLES: &str = "tables/";
const LINES: &str = ".jsonl";

/// Maximum size of a row as JSON, and of the other documents except `contents.json`, in bytes.
pub(crate) const MAX_LINE: u64 = 16 << 20;
/// Maximum size of `contents.json` in bytes: enough for about a million pictures.
pub(crate) const MAX_CONTENTS: u64 = 256 << 20;
/// Maximum size of a picture in bytes.
pub(crate) const MAX_IMAGE: u64 = 64 << 20;

/// The program and the database that an archive comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The version of the program.
    pub version: String,
    /// The kind of database, such as `SQLite`.
    pub database: String,
    /// The migrations that the program knows.
    pub migrations: Vec<String>,
}

/// The first member: what is known before the rows are read.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    pub(crate) format: u32,
    pub(crate) version: String,
    pub(crate) database: String,
    pub(crate) migrations: Vec<String>,
    pub(crate) created_at: DateTime<Utc>,
}

/// The part of the manifest that every version can read.
#[derive(Debug, Deserialize)]
pub(crate) struct Format {
    pub(crate) format: u32,
}

/// The last member: what is known at the end.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Contents {
    pub(crate) tables: BTreeMap<String, TableRecord>,
    pub(crate) images: u64,
    pub(crate) image_bytes: u64,
    /// The SHA-256 of each other member by its name, in hexadecimal.
    pub(crate) sha256: BTreeMap<String, String>,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TableRecord {
    pub(crate) rows: u64,
    pub(crate) next_id: i64,
}

/// A member by its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Member {
    Manifest,
    Contents,
    SecretKey,
    Image(ImagePath),
    Rows(Table),
}

impl Member {
    /// Returns the member with this name; `None` if no archive has such a member.
    pub(crate) fn named(name: &str) -> Option<Self> {
        match name {
            MANIFEST => Some(Self::Manifest),
            CONTENTS => Some(Self::Contents),
            SECRET_KEY => Some(Self::SecretKey),
            _ => {
                if let Some(path) = name.strip_prefix(MEDIA) {
                    return is_image_path(path)
                        .then(|| Self::Image(ImagePath::from_storage(path.to_owned())));
                }
                let table = name.strip_prefix(TABLES)?.strip_suffix(LINES)?;
                table_named(table).map(Self::Rows)
            }
        }
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::Manifest => MANIFEST.to_owned(),
            Self::Contents => CONTENTS.to_owned(),
            Self::SecretKey => SECRET_KEY.to_owned(),
            Self::Image(path) => format!("{MEDIA}{path}"),
            Self::Rows(table) => format!("{TABLES}{}{LINES}", table.as_str()),
        }
    }

    /// Returns whether the content is stored without compression. Pictures are compressed already.
    pub(crate) fn is_stored(&self) -> bool {
        matches!(self, Self::Image(_))
    }
}

pub(crate) fn table_named(name: &str) -> Option<Table> {
    Table::ALL.into_iter().find(|table| table.as_str() == name)
}

/// Returns whether a path names a file in a folder of pictures, without leaving it and without special characters.
pub(crate) fn is_image_path(path: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    let is_name = |name: &str| !name.is_empty() && !name.starts_with('.') && name.bytes().all(plain);
    path.contains('/') && path.split('/').all(is_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_are_found_by_their_names() {
        let image = Member::Image(ImagePath::from_storage("cars/car_1_ab.jpg".into()));
        let tables = Table::ALL.map(Member::Rows);
        let others = [Member::Manifest, Member::Contents, Member::SecretKey, image];
        for member in tables.into_iter().chain(others) {
            assert_eq!(Member::named(&member.name()), Some(member));
        }
    }

    #[test]
    fn names_that_leave_the_folder_are_no_members() {
        for name in [
            "",
            "media/",
            "media/x.jpg",
            "media/../x.jpg",
            "media/cars/../x.jpg",
            "media/cars/..",
            "media//cars/x.jpg",
            "media/cars/",
            "media/cars/.hidden",
            "media/cars/a b.jpg",
            "media/cars\\x.jpg",
            "media/cars/x\0.jpg",
            "../manifest.json",
            "/manifest.json",
            "./manifest.json",
            "tables/passwords.jsonl",
            "tables/users.csv",
            "tables/../users.jsonl",
        ] {
            assert_eq!(Member::named(name), None, "{name:?}");
        }
    }
}
