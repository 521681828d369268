//! Packages of files, such as zip files, that are sent while they are written.

use chrono::{DateTime, Utc};

use super::BoxError;

/// Makes packages.
pub trait Packager: Send + Sync {
    /// Begins a package whose files have this time.
    fn begin(&self, at: DateTime<Utc>) -> Box<dyn Package>;
}

/// A package that is being written. It MUST keep no more of the contents in memory than the bytes that are not
/// [taken](Self::take), and MUST NOT be readable without the bytes after [`finish`](Self::finish).
pub trait Package: Send {
    /// Begins the next file. Its name was not used in this package before. Files that are not `compressible`, such as
    /// pictures, are stored as they are.
    ///
    /// # Errors
    /// Those of the format, such as a name that is too long.
    fn begin_file(&mut self, name: &str, compressible: bool) -> Result<(), BoxError>;

    /// Appends bytes to the file that was begun last.
    ///
    /// # Errors
    /// Those of the format.
    fn write(&mut self, bytes: &[u8]) -> Result<(), BoxError>;

    /// Completes the package.
    ///
    /// # Errors
    /// Those of the format.
    fn finish(&mut self) -> Result<(), BoxError>;

    /// Returns the bytes of the package that are complete and were not returned before; perhaps none.
    fn take(&mut self) -> Vec<u8>;
}
