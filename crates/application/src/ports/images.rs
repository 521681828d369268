//! Pictures: making them fit to be kept, and keeping them.

use std::{
    fs::File,
    io::{self, ErrorKind, Read, Seek},
    time::SystemTime,
};

use chrono::NaiveDate;
use mycars_domain::{UnsupportedFormat, values::ImagePath};

use super::BoxError;

/// What somebody uploaded: bytes that can be read more than once. Every reader that can seek is one.
pub trait Upload: Read + Seek + Send {}

impl<T: Read + Seek + Send> Upload for T {}

/// Why an upload is no picture that is kept.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// The upload is not an image, or a corrupted one.
    #[error("this is not a picture that can be read")]
    NotAnImage,
    /// The upload is an image or video in a format that is not supported.
    #[error("the format {0:?} is not supported")]
    UnsupportedFormat(UnsupportedFormat),
    /// It has more pixels than are taken.
    #[error("the picture has more than {max_megapixels} megapixels")]
    TooManyPixels {
        /// How many megapixels there may be at most.
        max_megapixels: u32,
    },
    /// The upload could not be read, or the picture not be written.
    #[error("the picture could not be processed")]
    Failed(#[source] BoxError),
}

/// Makes a picture fit to be kept (wire contract, section 5).
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait ImageProcessor: Send + Sync {
    /// The picture's pixels, upright, in sRGB and encoded anew as JPEG: nothing else of the upload is left. The format
    /// is judged by decoding, of several frames the first counts, and what is transparent becomes white. MUST
    /// refuse what is too large before it takes time or memory.
    ///
    /// # Errors
    /// [`ImageError`] says why not.
    fn process(&self, upload: &mut dyn Upload) -> Result<Vec<u8>, ImageError>;
}

/// The image store failed. The cause is for the log.
#[derive(Debug, thiserror::Error)]
pub enum ImageStoreError {
    /// The disk is full or read-only. Trying again later may help.
    #[error("pictures cannot be written")]
    NotWritable(#[source] BoxError),
    /// Anything else.
    #[error("the image store failed")]
    Other(#[source] BoxError),
}

/// Tells a disk that can't be written from other failures.
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

/// How much room pictures take, and how much is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageUsage {
    /// How many pictures there are.
    pub count: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many bytes are free where they are kept; `None` where nobody can say.
    pub free_bytes: Option<u64>,
}

/// A picture that is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredImage {
    /// The path of the picture.
    pub path: ImagePath,
    /// The size of the picture in bytes.
    pub bytes: u64,
    /// When the picture was last modified.
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

/// Where pictures are kept. It is not part of the store's transactions: a picture is put before its row is
/// committed, and deleted after.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait ImageStore: Send + Sync {
    /// Keeps a picture under a path that was never used before. MUST keep it whole, or not at all, also after a crash.
    ///
    /// # Errors
    /// The store's.
    fn put(&self, path: &ImagePath, jpeg: &[u8]) -> Result<(), ImageStoreError>;

    /// Forgets a picture; does nothing if there is none.
    ///
    /// # Errors
    /// The store's.
    fn delete(&self, path: &ImagePath) -> Result<(), ImageStoreError>;

    /// An open file with the picture, at its beginning, or `None` if there is none. A path comes from whoever asks:
    /// one that nobody could have been given (one with `..` in it, for example) MUST be none.
    ///
    /// # Errors
    /// The store's.
    fn open(&self, path: &ImagePath) -> Result<Option<File>, ImageStoreError>;

    /// Lists the pictures, in any order, but not those in the trash.
    ///
    /// # Errors
    /// The store's.
    fn list(&self) -> Result<Vec<StoredImage>, ImageStoreError>;

    /// Moves a picture to the trash of a day, from where [`open`](Self::open) no longer finds it; does nothing if there
    /// is no such picture. MUST NOT overwrite a picture in the trash, and a crash MUST leave the picture in at least one
    /// of the two places. Returns `false` and changes nothing if the trash of this day already has a picture with this
    /// path.
    ///
    /// # Errors
    /// The store's.
    fn move_to_trash(&self, path: &ImagePath, day: NaiveDate) -> Result<bool, ImageStoreError>;

    /// Moves a picture from the trash of a day back to its path; does nothing if there is no such picture. MUST NOT
    /// overwrite a picture, and a crash MUST leave the picture in at least one of the two places. Returns `false` and
    /// changes nothing if there already is a picture with this path.
    ///
    /// # Errors
    /// The store's.
    fn restore_from_trash(&self, path: &ImagePath, day: NaiveDate) -> Result<bool, ImageStoreError>;

    /// Lists the pictures in the trash, in any order.
    ///
    /// # Errors
    /// The store's.
    fn list_trash(&self) -> Result<Vec<TrashedImage>, ImageStoreError>;

    /// Deletes a picture from the trash of a day; does nothing if there is none.
    ///
    /// # Errors
    /// The store's.
    fn delete_from_trash(&self, path: &ImagePath, day: NaiveDate) -> Result<(), ImageStoreError>;

    /// Deletes what uploads that were interrupted left half written and was last modified before `before`.
    ///
    /// # Errors
    /// The store's.
    fn delete_unfinished(&self, before: SystemTime) -> Result<(), ImageStoreError>;

    /// Returns the id of the [installation](super::Installation) whose pictures are kept here, or `None` if the store
    /// was not given one.
    ///
    /// # Errors
    /// The store's.
    fn owner(&self) -> Result<Option<String>, ImageStoreError>;

    /// Keeps the id of the installation whose pictures are kept here. If there is one already, it is replaced only with
    /// `overwrite`. MUST keep it whole or not at all, also after a crash.
    ///
    /// # Errors
    /// The store's.
    fn set_owner(&self, id: &str, overwrite: bool) -> Result<(), ImageStoreError>;

    /// How much room the pictures take without those in the trash, and how much is left, in bytes. It may be what it was a little while ago.
    ///
    /// # Errors
    /// The store's.
    fn usage(&self) -> Result<ImageUsage, ImageStoreError>;
}
