//! The settings of the pictures, and the place where they are stored.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use mycars_media::{Delivery, S3Settings};
use serde::Deserialize;

use super::{MAX_IMAGE_BYTES, Secret, SettingsError, values};

/// The settings of the pictures as they are given.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GivenMedia {
    #[serde(deserialize_with = "values::media_root")]
    root: Option<MediaRoot>,
    #[serde(deserialize_with = "values::delivery")]
    delivery: Delivery,
    #[serde(deserialize_with = "values::flag")]
    private: bool,
    #[serde(deserialize_with = "values::whole::<1, MAX_IMAGE_BYTES, _, _>")]
    max_bytes: u64,
    #[serde(deserialize_with = "values::whole::<1, 1000, _, _>")]
    max_megapixels: u32,
    #[serde(deserialize_with = "values::image_threads")]
    threads: usize,
    s3: S3,
}

/// The settings of the pictures.
#[derive(Debug)]
pub(crate) struct Media {
    pub(crate) root: MediaRoot,
    pub(crate) private: bool,
    pub(crate) max_bytes: u64,
    pub(crate) max_megapixels: u32,
    pub(crate) threads: usize,
    delivery: Delivery,
    s3: S3,
}

/// The settings of an S3 store.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct S3 {
    #[serde(deserialize_with = "values::server_url")]
    endpoint: String,
    #[serde(deserialize_with = "values::text")]
    region: String,
    #[serde(deserialize_with = "values::secret")]
    access_key: Secret,
    #[serde(deserialize_with = "values::secret")]
    secret_key: Secret,
    #[serde(deserialize_with = "values::flag_or_auto")]
    path_style: Option<bool>,
}

/// The place where pictures are stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum MediaRoot {
    Folder(PathBuf),
    Bucket {
        name: String,
        /// The start of all keys: empty, or ends with a slash.
        prefix: String,
    },
}

impl MediaRoot {
    /// Parses the path of a folder, or `s3://BUCKET/PREFIX`. An empty text is no place. Returns `None` if the bucket is
    /// missing.
    pub(crate) fn parse(text: &str) -> Option<Option<Self>> {
        let Some(bucket) = text.strip_prefix("s3://") else {
            return Some((!text.is_empty()).then(|| Self::Folder(text.into())));
        };
        let (name, prefix) = bucket.split_once('/').unwrap_or((bucket, ""));
        let prefix = prefix.trim_matches('/');
        let is_usable = !name.is_empty() && !prefix.split('/').any(|part| matches!(part, "." | ".."));
        is_usable.then(|| {
            Some(Self::Bucket {
                name: name.to_owned(),
                prefix: if prefix.is_empty() {
                    String::new()
                } else {
                    format!("{prefix}/")
                },
            })
        })
    }

    /// Returns the folder, if it is one.
    pub(crate) fn folder(&self) -> Option<&Path> {
        match self {
            Self::Folder(folder) => Some(folder),
            Self::Bucket { .. } => None,
        }
    }
}

impl fmt::Display for MediaRoot {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(folder) => folder.display().fmt(formatter),
            Self::Bucket { name, prefix } => {
                let text = format!("s3://{name}/{prefix}");
                formatter.write_str(text.trim_end_matches('/'))
            }
        }
    }
}

impl GivenMedia {
    /// Applies the defaults. Relative folders are relative to `folder`.
    pub(super) fn settle(self, folder: &Path, data_dir: &Path) -> Media {
        let root = match self.root {
            None => MediaRoot::Folder(data_dir.join("media")),
            Some(MediaRoot::Folder(root)) => MediaRoot::Folder(folder.join(root)),
            Some(bucket) => bucket,
        };
        Media {
            root,
            private: self.private,
            max_bytes: self.max_bytes,
            max_megapixels: self.max_megapixels,
            threads: self.threads,
            delivery: self.delivery,
            s3: self.s3,
        }
    }
}

impl Media {
    /// Refuses settings without the access key of an S3 store.
    pub(crate) fn require_access_key(&self) -> Result<(), SettingsError> {
        let key = [&self.s3.access_key, &self.s3.secret_key].map(Secret::reveal);
        if key.contains(&"") {
            return Err(SettingsError::NoAccessKey);
        }
        Ok(())
    }

    /// Returns the settings of a bucket.
    pub(crate) fn s3(&self, bucket: &str, prefix: &str) -> S3Settings {
        let S3 {
            endpoint,
            region,
            access_key,
            secret_key,
            path_style,
        } = &self.s3;
        S3Settings {
            endpoint: if endpoint.is_empty() {
                format!("https://s3.{region}.amazonaws.com")
            } else {
                endpoint.clone()
            },
            region: region.clone(),
            bucket: bucket.to_owned(),
            prefix: prefix.to_owned(),
            path_style: path_style.unwrap_or(!endpoint.is_empty()),
            access_key: access_key.reveal().to_owned(),
            secret_key: secret_key.reveal().to_owned(),
            delivery: self.delivery,
        }
    }
}
