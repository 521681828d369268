//! Pictures: making them fit to be kept, and keeping them.

use std::{
    fs::File,
    io::{self, ErrorKind, Read, Seek},
    time::SystemTime,
};

use mycars_domain::values::ImagePath;

use super::BoxError;

/// What somebody uploaded: bytes that can be read more than once. Every reader that can seek is one.
pub trait Upload: Read + Seek + Send {}

impl<T: Read + Seek + Send> Upload for T {}

/// Why an upload is no picture that is kept.
#[derive(Debug, thiserror::Error)]
pub enum ImageError {
    /// It is no picture in a format that is taken, or a broken one.
    #[error("this is not a picture that can be read")]
    NotAnImage,
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
    /// The picture's pixels, upright and encoded anew as JPEG: nothing else of the upload is left. The format
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

    /// Every picture that is kept and was last touched before `before`, and removes what crashes left half
    /// written since before then.
    ///
    /// # Errors
    /// The store's.
    fn list_older_than(&self, before: SystemTime) -> Result<Vec<ImagePath>, ImageStoreError>;

    /// How much room the pictures take, and how much is left, in bytes. It may be what it was a little while ago.
    ///
    /// # Errors
    /// The store's.
    fn usage(&self) -> Result<ImageUsage, ImageStoreError>;
}
