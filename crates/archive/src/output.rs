//! Where an archive is written to.

use std::{
    fs::{File, Permissions},
    io::{self, BufWriter, Write},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

/// The prefix of the names of incomplete archives.
pub(crate) const TEMPORARY: &str = ".mycars-backup-";

/// A place for the bytes of an archive, which become an archive when it is complete.
pub trait Output: Write {
    /// Makes the archive available.
    ///
    /// # Errors
    /// Those of the operating system.
    fn complete(self) -> io::Result<()>;
}

/// A new file, readable by its owner only. It is written under a temporary name, and renamed when it is complete and
/// stored safely.
pub struct NewFile {
    file: BufWriter<NamedTempFile>,
    path: PathBuf,
}

impl NewFile {
    /// Begins a file in an existing folder.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`] if the file exists; those of the operating system.
    pub fn create(path: &Path) -> io::Result<Self> {
        if path.try_exists()? {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .permissions(Permissions::from_mode(0o600))
            .tempfile_in(folder(path))?;
        Ok(Self {
            file: BufWriter::new(file),
            path: path.to_owned(),
        })
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Output for NewFile {
    fn complete(self) -> io::Result<()> {
        let file = self.file.into_inner().map_err(io::IntoInnerError::into_error)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(&self.path)?;
        File::open(folder(&self.path))?.sync_all()
    }
}

/// Returns the folder of a file.
fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if folder != Path::new("") => folder,
        _ => Path::new("."),
    }
}

/// A pipe, such as the standard output. The bytes in it are an archive if they end with a seal.
pub struct Pipe<W>(pub W);

impl<W: Write> Write for Pipe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

impl<W: Write> Output for Pipe<W> {
    fn complete(mut self) -> io::Result<()> {
        self.0.flush()
    }
}
