//! Writes and opens files and folders so that they survive a crash, without following symbolic links.

use std::{
    ffi::OsStr,
    fs::{DirBuilder, File, Permissions},
    io::{self, ErrorKind},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::Path,
};

use rustix::fs::{Mode, OFlags};

/// The prefix of the names of incomplete files. The name of a picture never begins with a dot.
const TEMPORARY: &str = ".tmp-";
/// Number of random letters and digits that follow [`TEMPORARY`].
const TEMPORARY_RANDOM: usize = 6;

/// Whether an existing file may be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overwrite {
    Never,
    Always,
}

/// Writes a file into an existing folder, completely or not at all, also in a crash.
pub(crate) fn write_whole(
    folder: &Path,
    name: &str,
    overwrite: Overwrite,
    write: impl FnOnce(&mut File) -> io::Result<()>,
) -> io::Result<()> {
    let mut file = tempfile::Builder::new()
        .prefix(TEMPORARY)
        .rand_bytes(TEMPORARY_RANDOM)
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(folder)?;
    write(file.as_file_mut())?;
    file.as_file().sync_all()?;
    match overwrite {
        Overwrite::Never => file.persist_noclobber(folder.join(name))?,
        Overwrite::Always => file.persist(folder.join(name))?,
    };
    sync_folder(folder)
}

/// Returns whether a file has a name that [`write_whole`] gives to incomplete files.
pub(crate) fn is_temporary_name(name: &str) -> bool {
    name.strip_prefix(TEMPORARY).is_some_and(|random| {
        random.len() == TEMPORARY_RANDOM && random.bytes().all(|byte| byte.is_ascii_alphanumeric())
    })
}

/// Opens a file. Neither follows a symbolic link nor waits for the other end of a pipe.
pub(crate) fn open_regular(path: &Path) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map(File::from);
    // The error for opening a symbolic link without following it.
    if opened
        .as_ref()
        .is_err_and(|error| *error == rustix::io::Errno::LOOP)
    {
        return Ok(None);
    }
    let Some(file) = unless_missing(opened.map_err(io::Error::from))? else {
        return Ok(None);
    };
    Ok(file.metadata()?.is_file().then_some(file))
}

/// Creates a folder and its parents so that they survive a crash.
pub(crate) fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(Path::new("/"));
    // The parents of a relative path end in the empty path, which is the current folder.
    let parent = if parent.as_os_str() == OsStr::new("") {
        Path::new(".")
    } else {
        parent
    };
    create_folder(parent)?;
    match DirBuilder::new().mode(0o755).create(folder) {
        // A concurrent upload created the folder.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.and_then(|()| sync_folder(parent)),
    }
}

/// Syncs a folder, so that its entries survive a crash.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// Returns `None` if there was no such file.
pub(crate) fn unless_missing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}
