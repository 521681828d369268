//! Pictures: decoding and encoding them, and storing them.

use std::{
    fs::File,
    io::{self, ErrorKind, Read, Seek},
    time::{Duration, SystemTime},
};

use chrono::{DateTime, NaiveDate, Utc};
use mycars_domain::{UnsupportedFormat, values::ImagePath};

use super::BoxError;

/// An upload: bytes that can be read more than once. Every reader that implements `Seek` is one.
pub trait Upload: Read + Seek + Send {}

impl<T: Read + Seek + Send> Upload for T {}

/// The reason why an upload is refused.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The upload is not an image, or a corrupted one.
    #[error("the file is not a readable picture")]
    NotAnImage,
    /// The upload is an image or video in a format that is not supported.
    #[error("the format {0:?} is not supported")]
    UnsupportedFormat(UnsupportedFormat),
    /// It has too many pixels.
    #[error("the picture has more than {max_megapixels} megapixels")]
    TooManyPixels {
        /// Maximum number of megapixels.
        max_megapixels: u32,
    },
    /// The upload could not be read, or the picture could not be encoded.
    #[error("the picture could not be processed")]
    Failed(#[source] BoxError),
}

/// Decodes and encodes pictures (wire contract, section 5).
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait ImageProcessor: Send + Sync {
    /// Returns the pixels of the picture, upright and in sRGB, encoded as a new JPEG without any other data of the
    /// upload. The format is detected by decoding, only the first of several frames is used, and transparent pixels
    /// become white. MUST refuse too large pictures before they take time or memory.
    ///
    /// # Errors
    /// [`ImageError`] with the reason.
    fn process(&self, upload: &mut dyn Upload) -> Result<Vec<u8>, ImageError>;
}

/// The image store failed. The cause is for the log.
#[derive(Debug, thiserror::Error)]
pub enum ImageStoreError {
    /// The disk is full or read-only. A later attempt may succeed.
    #[error("pictures cannot be written")]
    NotWritable(#[source] BoxError),
    /// The store is on another machine, which cannot be reached or does not respond. A later attempt may succeed.
    #[error("the image store is not available")]
    Unavailable(#[source] BoxError),
    /// Any other failure.
    #[error("the image store failed")]
    Other(#[source] BoxError),
}

/// Distinguishes a disk that cannot be written from other failures.
///
/// ```
/// use std::io::{Error, ErrorKind};
///
/// use mycars_application::ports::ImageStoreError;
///
/// let full = ImageStoreError::from(Error::from(ErrorKind::StorageFull));
/// assert!(matches!(full, ImageStoreError::NotWritable(_)));
/// ```
impl From<io::Error> for ImageStoreError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            ErrorKind::StorageFull
            | ErrorKind::QuotaExceeded
            | ErrorKind::FileTooLarge
            | ErrorKind::ReadOnlyFilesystem => Self::NotWritable(error.into()),
            _ => Self::Other(error.into()),
        }
    }
}

/// Disk usage of the pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageUsage {
    /// Number of pictures.
    pub count: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Free space in bytes; `None` if it is unknown.
    pub free_bytes: Option<u64>,
}

/// A stored picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// The path of the picture.
    pub path: ImagePath,
    /// The size of the picture in bytes.
    pub bytes: u64,
    /// Time of the last modification.
    pub modified: SystemTime,
}

/// A picture in the trash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrashedImage {
    /// The path that the picture had before it was moved to the trash.
    pub path: ImagePath,
    /// The size of the picture in bytes.
    pub bytes: u64,
    /// The day, in UTC, on which the picture was moved to the trash.
    pub day: NaiveDate,
}

/// A URL at which clients can get a picture from the store itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageLink {
    /// The URL, with a signature. All clients that have it can read the picture.
    pub url: String,
    /// The time at which the URL expires.
    pub expires_at: DateTime<Utc>,
}

/// The store of pictures. It takes no part in transactions: a picture is stored before its row is committed, and
/// deleted after.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait ImageStore: Send + Sync {
    /// Stores a picture at a path that was never used. MUST store it completely or not at all, also after a crash.
    ///
    /// # Errors
    /// Those of the image store.
    fn put(&self, path: &ImagePath, jpeg: &[u8]) -> Result<(), ImageStoreError>;

    /// Deletes a picture; does nothing if it does not exist.
    ///
    /// # Errors
    /// Those of the image store.
    fn delete(&self, path: &ImagePath) -> Result<(), ImageStoreError>;

    /// Opens a picture at its beginning; `None` if it does not exist. Paths come from clients: paths that
    /// [`put`](Self::put) never stores, such as one with `..`, MUST return `None`.
    ///
    /// # Errors
    /// Those of the image store.
    fn open(&self, path: &ImagePath) -> Result<Option<File>, ImageStoreError>;

    /// Returns the URL at which clients can get a picture, if they should get it from the store itself. The picture need
    /// not exist. MUST be the same for about an hour, and valid for at least another one.
    fn link(&self, path: &ImagePath, now: DateTime<Utc>) -> Option<ImageLink>;

    /// Lists the pictures, in any order, but not those in the trash.
    ///
    /// # Errors
    /// Those of the image store.
    fn list(&self) -> Result<Vec<StoredImage>, ImageStoreError>;

    /// Moves a picture to the trash of a day, from where [`open`](Self::open) no longer finds it; does nothing if there
    /// is no such picture. MUST NOT overwrite a picture in the trash, and a crash MUST leave the picture in at least
    /// one of the two places. Returns `false` and changes nothing if the trash of this day already has a picture with
    /// this path.
    ///
    /// # Errors
    /// Those of the image store.
    fn move_to_trash(&self, path: &ImagePath, day: NaiveDate) -> Result<bool, ImageStoreError>;

    /// Moves a picture from the trash of a day back to its path; does nothing if there is no such picture. MUST NOT
    /// overwrite a picture, and a crash MUST leave the picture in at least one of the two places. Returns `false` and
    /// changes nothing if there already is a picture with this path.
    ///
    /// # Errors
    /// Those of the image store.
    fn restore_from_trash(&self, path: &ImagePath, day: NaiveDate) -> Result<bool, ImageStoreError>;

    /// Lists the pictures in the trash, in any order.
    ///
    /// # Errors
    /// Those of the image store.
    fn list_trash(&self) -> Result<Vec<TrashedImage>, ImageStoreError>;

    /// Deletes a picture from the trash of a day; does nothing if there is none.
    ///
    /// # Errors
    /// Those of the image store.
    fn delete_from_trash(&self, path: &ImagePath, day: NaiveDate) -> Result<(), ImageStoreError>;

    /// Deletes the unfinished files of interrupted uploads that were last modified before `before`.
    ///
    /// # Errors
    /// Those of the image store.
    fn delete_unfinished(&self, before: SystemTime) -> Result<(), ImageStoreError>;

    /// Returns the id of the [installation](super::Installation) that the pictures belong to, or `None` if none was
    /// stored.
    ///
    /// # Errors
    /// Those of the image store.
    fn owner(&self) -> Result<Option<String>, ImageStoreError>;

    /// Stores the id of the installation that the pictures belong to. An existing id is replaced only with
    /// `overwrite`. MUST store it completely or not at all, also after a crash.
    ///
    /// # Errors
    /// Those of the image store.
    fn set_owner(&self, id: &str, overwrite: bool) -> Result<(), ImageStoreError>;

    /// Returns the disk usage of the pictures without those in the trash. The result may be slightly out of date.
    ///
    /// # Errors
    /// Those of the image store.
    fn usage(&self) -> Result<ImageUsage, ImageStoreError>;

    /// Waits until pictures that are being deleted are deleted, at most for this time, and returns the number of those
    /// that are left.
    fn finish(&self, within: Duration) -> usize;

    /// Checks that the store works: writes, reads and deletes a small file beside the pictures.
    ///
    /// # Errors
    /// Those of the image store.
    fn check(&self) -> Result<(), ImageStoreError>;
}
