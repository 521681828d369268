//! The trash, `<root>/trash/<day>/<name>`: deleted pictures that can be restored.
//!
//! The folders are accessible to their owner only, so that a web server which serves the root does not serve them. A
//! symbolic link in the place of one of them is refused or skipped.

use std::{
    fs::{self, File, read_dir, remove_file},
    io::{self, ErrorKind},
    os::fd::{AsFd, OwnedFd},
    path::{Path, PathBuf},
};

use chrono::NaiveDate;
use rustix::{
    fs::{AtFlags, CWD, FileType, Mode, OFlags, RenameFlags},
    io::Errno,
};

use crate::{
    files::{Overwrite, create_folder, open_regular, unless_missing, write_whole},
    names::{TRASH, day_name, parse_day},
};

/// Moves the file `name` from a folder to the trash of a day. Does nothing if there is no such regular file. Returns
/// `false` if the name is taken in the trash of this day.
pub(crate) fn move_in(root: &Path, folder: &Path, name: &str, day: NaiveDate) -> io::Result<bool> {
    let Some(source) = unless_missing(open_folder(CWD, folder, OFlags::empty()))? else {
        return Ok(true);
    };
    if !is_regular(&source, name)? {
        return Ok(true);
    }
    let target = create_day(root, day)?;
    move_file((&source, folder), (&target, &day_folder(root, day)), name)
}

/// Moves the file `name` from the trash of a day to a folder, and deletes the folder of the day if it is empty then.
/// Does nothing if there is no such regular file. Returns `false` if the name is taken in the folder.
pub(crate) fn move_out(root: &Path, folder: &Path, name: &str, day: NaiveDate) -> io::Result<bool> {
    let Some((trash, source)) = unless_missing(open_day(root, day))? else {
        return Ok(true);
    };
    if !is_regular(&source, name)? {
        return Ok(true);
    }
    create_folder(folder)?;
    let target = open_folder(CWD, folder, OFlags::empty())?;
    let is_moved = move_file((&source, &day_folder(root, day)), (&target, folder), name)?;
    remove_if_empty(&trash, day)?;
    Ok(is_moved)
}

/// Moves a file from one folder to another, each given open and by its path. Returns `false` if the name is taken there.
fn move_file(
    (source, source_path): (&OwnedFd, &Path),
    (target, target_path): (&OwnedFd, &Path),
    name: &str,
) -> io::Result<bool> {
    // A crash leaves the file in one of the two places, because renaming is atomic.
    let moved = match rustix::fs::renameat_with(source, name, target, name, RenameFlags::NOREPLACE) {
        // The pictures are kept on another file system, or on one that can't rename without overwriting.
        Err(Errno::XDEV | Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => {
            move_by_copying(&source_path.join(name), target_path, name)
        }
        // Another sweep moved the file first.
        Err(Errno::NOENT) => Ok(()),
        renamed => renamed.map_err(io::Error::from),
    };
    match moved {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(false),
        moved => moved.map(|()| true),
    }
}

/// Copies a file with its modification time, and removes it once the copy is certain to survive a crash.
fn move_by_copying(source: &Path, folder: &Path, name: &str) -> io::Result<()> {
    let Some(mut file) = open_regular(source)? else {
        return Ok(());
    };
    write_whole(folder, name, Overwrite::Never, |copy| {
        io::copy(&mut file, copy)?;
        copy.set_modified(file.metadata()?.modified()?)
    })?;
    unless_missing(remove_file(source)).map(drop)
}

/// Lists the regular files in the trash: the day, the name and the size in bytes.
pub(crate) fn list(root: &Path) -> io::Result<Vec<(NaiveDate, String, u64)>> {
    let mut files = Vec::new();
    for (day, folder) in days(root)? {
        for entry in unless_missing(read_dir(folder))?.into_iter().flatten() {
            let entry = entry?;
            let metadata = unless_missing(entry.metadata())?.filter(fs::Metadata::is_file);
            if let (Some(metadata), Ok(name)) = (metadata, entry.file_name().into_string()) {
                files.push((day, name, metadata.len()));
            }
        }
    }
    Ok(files)
}

/// Lists the days of the trash with their folders.
pub(crate) fn days(root: &Path) -> io::Result<Vec<(NaiveDate, PathBuf)>> {
    let trash = root.join(TRASH);
    let is_folder = unless_missing(fs::symlink_metadata(&trash))?.is_some_and(|trash| trash.is_dir());
    if !is_folder {
        return Ok(Vec::new());
    }
    let mut days = Vec::new();
    for entry in read_dir(&trash)? {
        let entry = entry?;
        let day = entry.file_name().to_str().and_then(parse_day);
        if let (Some(day), true) = (day, entry.file_type()?.is_dir()) {
            days.push((day, entry.path()));
        }
    }
    Ok(days)
}

/// Deletes a file from the trash of a day, and the folder of the day if it is empty then.
pub(crate) fn delete(root: &Path, day: NaiveDate, name: &str) -> io::Result<()> {
    let Some((trash, folder)) = unless_missing(open_day(root, day))? else {
        return Ok(());
    };
    unless_missing(rustix::fs::unlinkat(folder, name, AtFlags::empty()).map_err(io::Error::from))?;
    remove_if_empty(&trash, day)
}

/// Opens the trash and the folder of a day.
fn open_day(root: &Path, day: NaiveDate) -> io::Result<(OwnedFd, OwnedFd)> {
    let root = open_folder(CWD, root, OFlags::empty())?;
    let trash = open_folder(root, TRASH, OFlags::NOFOLLOW)?;
    let folder = open_folder(&trash, day_name(day).as_str(), OFlags::NOFOLLOW)?;
    Ok((trash, folder))
}

/// Deletes the folder of a day from the trash if it is empty.
fn remove_if_empty(trash: &OwnedFd, day: NaiveDate) -> io::Result<()> {
    match rustix::fs::unlinkat(trash, day_name(day), AtFlags::REMOVEDIR) {
        Err(Errno::NOTEMPTY | Errno::EXIST | Errno::NOENT) => Ok(()),
        removed => Ok(removed?),
    }
}

/// Returns the path of a day's folder.
pub(crate) fn day_folder(root: &Path, day: NaiveDate) -> PathBuf {
    root.join(TRASH).join(day_name(day))
}

/// Opens the folder of a day, and creates it if it is missing.
fn create_day(root: &Path, day: NaiveDate) -> io::Result<OwnedFd> {
    let root = open_folder(CWD, root, OFlags::empty())?;
    let trash = create_private(&root, TRASH)?;
    create_private(&trash, &day_name(day))
}

fn create_private(parent: &OwnedFd, name: &str) -> io::Result<OwnedFd> {
    match rustix::fs::mkdirat(parent, name, Mode::RWXU) {
        Ok(()) => File::from(parent.try_clone()?).sync_all()?,
        Err(Errno::EXIST) => {}
        Err(error) => return Err(error.into()),
    }
    open_folder(parent, name, OFlags::NOFOLLOW)
}

fn open_folder(parent: impl AsFd, name: impl rustix::path::Arg, flags: OFlags) -> io::Result<OwnedFd> {
    let flags = flags | OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    Ok(rustix::fs::openat(parent, name, flags, Mode::empty())?)
}

/// Returns whether a folder has a regular file with this name. A symbolic link does not count.
fn is_regular(folder: &OwnedFd, name: &str) -> io::Result<bool> {
    let found = rustix::fs::statat(folder, name, AtFlags::SYMLINK_NOFOLLOW).map_err(io::Error::from);
    let stat = unless_missing(found)?;
    Ok(stat.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file()))
}
