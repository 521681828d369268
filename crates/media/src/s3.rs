//! Stores pictures as objects of an S3 store, `<prefix>cars/<name>`. The trash and the object with the id of the
//! database are beside `cars`.
//!
//! The store needs no more of S3 than reading, writing, copying, deleting and listing objects, because many servers that
//! are compatible with S3 have no more. So a name is looked up before it is written instead of written on a condition:
//! names of pictures are random, and are used once.

mod client;
mod deleter;

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom},
    sync::Arc,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, NaiveDate, SubsecRound as _, TimeDelta, Utc};
use jiff::Timestamp;
use mycars_application::ports::{
    ImageLink, ImageStore, ImageStoreError, ImageUsage, StoredImage, TrashedImage,
};
use mycars_domain::values::ImagePath;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rusty_s3::{
    S3Action as _,
    actions::{GetObject, HeadObject, ListObjectsV2, PutObject, list_objects_v2::ListObjectsContent},
};
use ureq::{
    Body,
    http::{
        HeaderMap, Response,
        header::{CONTENT_LENGTH, ETAG, HeaderName, LAST_MODIFIED},
    },
};

use self::{
    client::{Client, RequestError, message},
    deleter::Deleter,
};
use crate::{
    names::{
        CHECK, FOLDER, MAX_OWNER_BYTES, OWNER, TRASH, day_name, is_picture_name, name, owner, parse_day, path,
    },
    usage::CountedUsage,
};

/// Maximum age at which a counted usage is returned again: listing a thousand pictures takes a request.
const COUNT_HOLDS: Duration = Duration::from_mins(10);
/// Maximum number of bytes of a response that lists a thousand objects.
const MAX_LIST_BYTES: u64 = 16 << 20;
/// Characters that are not encoded in the header that names the source of a copy.
const UNENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~')
    .remove(b'/');

/// How clients get pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// The program reads them, and passes them on.
    Proxy,
    /// Clients are sent to signed URLs of the store.
    Redirect,
}

/// The settings of an S3 store.
pub struct S3Settings {
    /// The URL of the store, without the bucket.
    pub endpoint: String,
    /// The region, which is part of signatures.
    pub region: String,
    /// The name of the bucket.
    pub bucket: String,
    /// The start of the keys of all objects: empty, or ends with a slash.
    pub prefix: String,
    /// Whether the bucket is the first part of the path, and not of the host name.
    pub path_style: bool,
    /// The id of the access key.
    pub access_key: String,
    /// The secret of the access key.
    pub secret_key: String,
    /// How clients get pictures.
    pub delivery: Delivery,
}

/// The reason why an S3 store cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum S3Error {
    /// The endpoint, or the bucket in its host name, is not valid.
    #[error("`{0}` is no URL of an S3 store for this bucket")]
    Endpoint(String),
    /// The system has no certificate authorities.
    #[error(
        "the system has no certificate authorities: install the package ca-certificates, or set SSL_CERT_FILE"
    )]
    NoAuthorities,
    /// The thread that deletes pictures could not be started.
    #[error("a thread could not be started: {0}")]
    Thread(#[from] io::Error),
}

/// Stores pictures in a bucket.
pub struct S3ImageStore {
    client: Arc<Client>,
    prefix: String,
    delivery: Delivery,
    deleter: Deleter,
    usage: CountedUsage,
}

impl S3ImageStore {
    /// Returns a store in a bucket that exists. Sends no request.
    ///
    /// # Errors
    /// [`S3Error`] with the reason.
    pub fn new(settings: &S3Settings) -> Result<Self, S3Error> {
        let client = Arc::new(Client::new(settings)?);
        Ok(Self {
            deleter: Deleter::start(Arc::clone(&client))?,
            client,
            prefix: settings.prefix.clone(),
            delivery: settings.delivery,
            usage: CountedUsage::new(COUNT_HOLDS),
        })
    }

    /// Returns the key of a picture, or `None` if no picture can have this path.
    fn key(&self, path: &ImagePath) -> Option<String> {
        Some(format!("{}{FOLDER}/{}", self.prefix, name(path)?))
    }

    /// Returns the keys of a picture and of its place in the trash.
    fn keys(&self, path: &ImagePath, day: NaiveDate) -> Option<(String, String)> {
        let trashed = format!("{}{TRASH}/{}/{}", self.prefix, day_name(day), name(path)?);
        Some((self.key(path)?, trashed))
    }

    fn get(&self, key: &str) -> Result<Option<Response<Body>>, RequestError> {
        let action = GetObject::new(self.client.bucket(), Some(self.client.credentials()), key);
        self.client.send(action, &[], None)
    }

    fn head(&self, key: &str) -> Result<Option<Response<Body>>, RequestError> {
        let action = HeadObject::new(self.client.bucket(), Some(self.client.credentials()), key);
        self.client.send(action, &[], None)
    }

    fn write(&self, key: &str, content_type: &str, content: &[u8]) -> Result<(), RequestError> {
        let action = PutObject::new(self.client.bucket(), Some(self.client.credentials()), key);
        let headers = [("content-type", content_type.to_owned())];
        match self.client.send(action, &headers, Some(content))? {
            Some(_) => Ok(()),
            None => Err(self.client.unusable(key, "404")),
        }
    }

    /// Copies an object. Returns `false` if it does not exist.
    fn copy(&self, from: &str, to: &str) -> Result<bool, RequestError> {
        let action = PutObject::new(self.client.bucket(), Some(self.client.credentials()), to);
        let source = format!("/{}/{from}", self.client.bucket().name());
        let source = utf8_percent_encode(&source, UNENCODED).to_string();
        let headers = [("x-amz-copy-source", source)];
        let Some(mut copied) = self.client.send(action, &headers, Some(b""))? else {
            return Ok(false);
        };
        // A copy that fails after its first bytes has the status 200 and an error as its body.
        match message(copied.body_mut()) {
            Ok(text) if text.contains("CopyObjectResult") => Ok(true),
            Ok(_) => Err(self.client.unusable(to, "the copy failed")),
            Err(error) => Err(self.client.unusable(to, error.to_string())),
        }
    }

    fn delete_key(&self, key: &str) -> Result<(), RequestError> {
        deleter::delete(&self.client, key)
    }

    /// Moves an object. Returns `false` if another object has the new key already. After a crash between the two steps,
    /// the next move finds the finished copy, and only deletes the source.
    fn move_object(&self, from: &str, to: &str) -> Result<bool, RequestError> {
        let Some(source) = self.head(from)? else {
            return Ok(true);
        };
        if let Some(target) = self.head(to)?
            && !are_equal(source.headers(), target.headers())
        {
            return Ok(false);
        }
        if self.copy(from, to)? {
            self.delete_key(from)?;
        }
        Ok(true)
    }

    /// Lists the objects whose keys begin with the prefix and a folder, with the rest of their keys.
    fn list_below(&self, folder: &str) -> Result<Vec<(String, ListObjectsContent)>, ImageStoreError> {
        let start = format!("{}{folder}/", self.prefix);
        let (mut objects, mut next) = (Vec::new(), None);
        loop {
            let mut action = ListObjectsV2::new(self.client.bucket(), Some(self.client.credentials()));
            action.with_prefix(start.clone());
            if let Some(token) = next.take() {
                action.with_continuation_token(token);
            }
            let unusable = |problem: String| self.client.unusable("listing", problem);
            let response = self.client.send(action, &[], None)?;
            let mut response = response.ok_or_else(|| unusable("there is no such bucket".into()))?;
            let body = response.body_mut().with_config().limit(MAX_LIST_BYTES);
            let text = body
                .read_to_string()
                .map_err(|error| unusable(error.to_string()))?;
            let page = ListObjectsV2::parse_response(&text).map_err(|error| unusable(error.to_string()))?;
            objects.extend(page.contents.into_iter().filter_map(|object| {
                let rest = object.key.strip_prefix(&start)?.to_owned();
                Some((rest, object))
            }));
            match page.next_continuation_token {
                Some(token) => next = Some(token),
                None => return Ok(objects),
            }
        }
    }

    fn count(&self) -> Result<ImageUsage, ImageStoreError> {
        let images = self.list()?;
        Ok(ImageUsage {
            count: images.len() as u64,
            bytes: images.iter().map(|image| image.bytes).sum(),
            free_bytes: None,
        })
    }
}

impl ImageStore for S3ImageStore {
    fn put(&self, path: &ImagePath, jpeg: &[u8]) -> Result<(), ImageStoreError> {
        let refused = |kind: io::ErrorKind| ImageStoreError::from(io::Error::from(kind));
        let key = self
            .key(path)
            .ok_or_else(|| refused(io::ErrorKind::InvalidFilename))?;
        self.deleter.finish(&key);
        if self.head(&key)?.is_some() {
            return Err(refused(io::ErrorKind::AlreadyExists));
        }
        Ok(self.write(&key, "image/jpeg", jpeg)?)
    }

    /// Deletes the picture later, on a thread of its own; no other method of this store finds it any more. Failures are
    /// logged.
    fn delete(&self, path: &ImagePath) -> Result<(), ImageStoreError> {
        if let Some(key) = self.key(path) {
            self.deleter.delete(&key);
        }
        Ok(())
    }

    /// Returns a copy of the picture in a temporary file without a name.
    fn open(&self, path: &ImagePath) -> Result<Option<File>, ImageStoreError> {
        let Some(key) = self.key(path).filter(|key| !self.deleter.is_deleting(key)) else {
            return Ok(None);
        };
        let Some(mut response) = self.get(&key)? else {
            return Ok(None);
        };
        let modified = modified(response.headers());
        let length = header(response.headers(), &CONTENT_LENGTH).and_then(|length| length.parse().ok());
        let mut file = tempfile::tempfile()?;
        let received = io::copy(&mut response.body_mut().as_reader(), &mut file)
            .map_err(|error| ImageStoreError::Unavailable(error.into()))?;
        if length.is_some_and(|length: u64| length != received) {
            let cut = io::Error::from(io::ErrorKind::UnexpectedEof);
            return Err(ImageStoreError::Unavailable(cut.into()));
        }
        file.seek(SeekFrom::Start(0))?;
        if let Some(modified) = modified {
            file.set_modified(modified)?;
        }
        Ok(Some(file))
    }

    /// The URL is the same for an hour, so that browsers can keep the picture, and valid for another hour.
    fn link(&self, path: &ImagePath, now: DateTime<Utc>) -> Option<ImageLink> {
        let key = self
            .key(path)
            .filter(|_| self.delivery == Delivery::Redirect)
            .filter(|key| !self.deleter.is_deleting(key))?;
        let hour = now.timestamp().div_euclid(3600) * 3600;
        let signed_at = DateTime::from_timestamp(hour, 0)?;
        let expires_in = TimeDelta::hours(2);
        let action = GetObject::new(self.client.bucket(), Some(self.client.credentials()), &key);
        let url = action.sign_with_time(
            expires_in.to_std().ok()?,
            &Timestamp::from_second(signed_at.timestamp()).ok()?,
        );
        Some(ImageLink {
            url: url.into(),
            expires_at: signed_at + expires_in,
        })
    }

    fn list(&self) -> Result<Vec<StoredImage>, ImageStoreError> {
        // The thread may delete an object between its listing and the check.
        let deleting = self.deleter.keys();
        let mut images = Vec::new();
        for (name, object) in self.list_below(FOLDER)? {
            if !is_picture_name(&name) || deleting.contains(&object.key) {
                continue;
            }
            let modified = object.last_modified.as_deref().map(DateTime::parse_from_rfc3339);
            let Some(Ok(modified)) = modified else {
                let problem = "an object has no time of its last change";
                return Err(self.client.unusable(&object.key, problem).into());
            };
            images.push(StoredImage {
                path: path(&name),
                bytes: object.size.unwrap_or(0),
                modified: modified.into(),
            });
        }
        Ok(images)
    }

    fn move_to_trash(&self, path: &ImagePath, day: NaiveDate) -> Result<bool, ImageStoreError> {
        let Some((key, trashed)) = self.keys(path, day) else {
            return Ok(true);
        };
        self.deleter.finish(&key);
        Ok(self.move_object(&key, &trashed)?)
    }

    fn restore_from_trash(&self, path: &ImagePath, day: NaiveDate) -> Result<bool, ImageStoreError> {
        let Some((key, trashed)) = self.keys(path, day) else {
            return Ok(true);
        };
        self.deleter.finish(&key);
        Ok(self.move_object(&trashed, &key)?)
    }

    fn list_trash(&self) -> Result<Vec<TrashedImage>, ImageStoreError> {
        let objects = self.list_below(TRASH)?.into_iter();
        let images = objects.filter_map(|(rest, object)| {
            let (day, name) = rest.split_once('/')?;
            is_picture_name(name).then_some(())?;
            Some(TrashedImage {
                path: path(name),
                bytes: object.size.unwrap_or(0),
                day: parse_day(day)?,
            })
        });
        Ok(images.collect())
    }

    fn delete_from_trash(&self, path: &ImagePath, day: NaiveDate) -> Result<(), ImageStoreError> {
        match self.keys(path, day) {
            Some((_, trashed)) => Ok(self.delete_key(&trashed)?),
            None => Ok(()),
        }
    }

    /// Does nothing: an object is written completely or not at all.
    fn delete_unfinished(&self, _: SystemTime) -> Result<(), ImageStoreError> {
        Ok(())
    }

    fn owner(&self) -> Result<Option<String>, ImageStoreError> {
        let Some(mut response) = self.get(&format!("{}{OWNER}", self.prefix))? else {
            return Ok(None);
        };
        let mut content = Vec::new();
        let mut reader = response.body_mut().as_reader().take(MAX_OWNER_BYTES);
        reader
            .read_to_end(&mut content)
            .map_err(|error| ImageStoreError::Unavailable(error.into()))?;
        Ok(Some(owner(&content)))
    }

    /// Of two databases that claim the bucket in the same moment, the later one succeeds.
    fn set_owner(&self, id: &str, overwrite: bool) -> Result<(), ImageStoreError> {
        if !overwrite && self.owner()?.is_some() {
            return Ok(());
        }
        let key = format!("{}{OWNER}", self.prefix);
        Ok(self.write(&key, "text/plain", format!("{id}\n").as_bytes())?)
    }

    /// The result may be up to ten minutes old.
    fn usage(&self) -> Result<ImageUsage, ImageStoreError> {
        self.usage.get(|| self.count())
    }

    fn finish(&self, within: Duration) -> usize {
        self.deleter.finish_all(within)
    }

    fn check(&self) -> Result<(), ImageStoreError> {
        let key = format!("{}{CHECK}", self.prefix);
        self.list_below(CHECK)?;
        self.write(&key, "text/plain", CHECK.as_bytes())?;
        let response = self.get(&key)?;
        let read = response
            .map(|mut response| message(response.body_mut()))
            .transpose()?;
        self.delete_key(&key)?;
        if read.as_deref() == Some(CHECK) {
            Ok(())
        } else {
            Err(self
                .client
                .unusable(&key, "another content was read than written")
                .into())
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// Returns the time in the header `Last-Modified`.
fn modified(headers: &HeaderMap) -> Option<SystemTime> {
    let text = header(headers, &LAST_MODIFIED)?;
    let time = DateTime::parse_from_rfc2822(text).ok()?;
    Some(time.trunc_subsecs(0).into())
}

/// Returns whether two objects have the same content.
fn are_equal(one: &HeaderMap, other: &HeaderMap) -> bool {
    [ETAG, CONTENT_LENGTH].iter().all(|name| {
        let value = header(one, name);
        value.is_some() && value == header(other, name)
    })
}
