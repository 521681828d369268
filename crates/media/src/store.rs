//! Keeps pictures as files: `<root>/cars/<name>`. Whoever serves the folder serves the pictures.

use std::{
    ffi::OsStr,
    fs::{DirBuilder, DirEntry, File, Permissions, read_dir, remove_file},
    io::{self, ErrorKind, Write},
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use mycars_application::ports::{ImageStore, ImageStoreError, ImageUsage};
use mycars_domain::values::ImagePath;
use rustix::fs::{Mode, OFlags};

/// The one folder below the root.
const FOLDER: &str = "cars";
/// Files that are being written begin with this. No picture does: its name has no leading dot.
const TEMPORARY: &str = ".tmp-";
/// The longest name that common file systems take.
const MAX_NAME_LENGTH: usize = 255;

/// Keeps pictures in a folder, which it makes when the first picture comes.
///
/// A symbolic link in the place of a picture is no picture. The folder itself may be one: whoever runs the
/// server may keep pictures elsewhere.
#[derive(Debug, Clone)]
pub struct FileImageStore {
    root: PathBuf,
    /// What was counted last, and when: counting takes long where there are many pictures.
    counted: Arc<Mutex<Option<(Instant, ImageUsage)>>>,
}

/// So long a count is as good as a new one.
const COUNT_HOLDS: Duration = Duration::from_mins(1);

impl FileImageStore {
    /// A store below `root` (`MEDIA_ROOT`), which need not exist yet.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
            counted: Arc::default(),
        }
    }

    fn folder(&self) -> PathBuf {
        self.root.join(FOLDER)
    }

    /// Where a picture is, or `None` if no picture can have this path.
    fn file(&self, path: &ImagePath) -> Option<PathBuf> {
        let name = path.as_str().strip_prefix(FOLDER)?.strip_prefix('/')?;
        is_picture_name(name).then(|| self.folder().join(name))
    }

    fn try_put(&self, path: &ImagePath, jpeg: &[u8]) -> io::Result<()> {
        let target = self.file(path).ok_or(ErrorKind::InvalidFilename)?;
        let folder = self.folder();
        create_folder(&folder)?;
        let mut file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            .permissions(Permissions::from_mode(0o644))
            .tempfile_in(&folder)?;
        file.write_all(jpeg)?;
        file.as_file().sync_all()?;
        file.persist_noclobber(target)?;
        sync_folder(&folder)
    }

    fn try_list(&self, before: SystemTime) -> io::Result<Vec<ImagePath>> {
        let Some(entries) = unless_missing(read_dir(self.folder()))? else {
            return Ok(Vec::new());
        };
        let mut pictures = Vec::new();
        for entry in entries {
            pictures.extend(unless_missing(old_picture(&entry?, before))?.flatten());
        }
        Ok(pictures)
    }
}

impl FileImageStore {
    fn try_usage(&self) -> io::Result<ImageUsage> {
        let mut usage = ImageUsage {
            count: 0,
            bytes: 0,
            free_bytes: free_bytes(&self.root),
        };
        for entry in unless_missing(read_dir(self.folder()))?.into_iter().flatten() {
            if let Some(bytes) = unless_missing(size_of_picture(&entry?))?.flatten() {
                usage.count += 1;
                usage.bytes += bytes;
            }
        }
        Ok(usage)
    }
}

impl ImageStore for FileImageStore {
    fn put(&self, path: &ImagePath, jpeg: &[u8]) -> Result<(), ImageStoreError> {
        Ok(self.try_put(path, jpeg)?)
    }

    fn delete(&self, path: &ImagePath) -> Result<(), ImageStoreError> {
        let Some(file) = self.file(path) else {
            return Ok(());
        };
        unless_missing(remove_file(&file))
            .map(|_| ())
            .map_err(|error| logged("a picture could not be deleted", &file, error))
    }

    fn open(&self, path: &ImagePath) -> Result<Option<File>, ImageStoreError> {
        let Some(file) = self.file(path) else {
            return Ok(None);
        };
        Ok(open_regular(&file)?)
    }

    fn list_older_than(&self, before: SystemTime) -> Result<Vec<ImagePath>, ImageStoreError> {
        self.try_list(before)
            .map_err(|error| logged("pictures could not be listed", &self.folder(), error))
    }

    /// What it answers may be a minute old.
    fn usage(&self) -> Result<ImageUsage, ImageStoreError> {
        // Whoever comes meanwhile waits for the one count, instead of counting as well.
        let mut counted = self.counted.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, usage)) = *counted
            && at.elapsed() < COUNT_HOLDS
        {
            return Ok(usage);
        }
        let usage = self
            .try_usage()
            .map_err(|error| logged("pictures could not be counted", &self.folder(), error))?;
        *counted = Some((Instant::now(), usage));
        Ok(usage)
    }
}

/// Says in the log as well what failed. Nobody waits for old pictures to go, so that nobody else might say it.
fn logged(what: &str, path: &Path, error: io::Error) -> ImageStoreError {
    tracing::warn!(path = %path.display(), %error, "{what}");
    error.into()
}

/// No name that leads elsewhere, is hidden, or means something to a shell or in a URL.
fn is_picture_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=MAX_NAME_LENGTH).contains(&name.len())
        && name.bytes().all(plain)
        && !name.starts_with('.')
        && !name.contains("..")
}

/// The picture in a file that was last touched before `before`. If a crash left it half written, it is
/// removed instead.
fn old_picture(entry: &DirEntry, before: SystemTime) -> io::Result<Option<ImagePath>> {
    // Follows no links: a link is no file here.
    let metadata = entry.metadata()?;
    if !metadata.is_file() || metadata.modified()? >= before {
        return Ok(None);
    }
    match entry.file_name().to_str() {
        Some(name) if is_picture_name(name) => Ok(Some(ImagePath::from_storage(format!("{FOLDER}/{name}")))),
        Some(name) if name.starts_with(TEMPORARY) => remove_file(entry.path()).map(|()| None),
        _ => Ok(None),
    }
}

/// How many bytes the picture in a file has, if it is one.
fn size_of_picture(entry: &DirEntry) -> io::Result<Option<u64>> {
    let is_picture = entry.file_name().to_str().is_some_and(is_picture_name);
    let metadata = entry.metadata()?;
    Ok((is_picture && metadata.is_file()).then_some(metadata.len()))
}

/// How many bytes are free where a folder is, or will be; `None` if that can't be found out.
fn free_bytes(folder: &Path) -> Option<u64> {
    let present = folder.ancestors().find(|folder| folder.is_dir())?;
    let disk = rustix::fs::statvfs(present).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// Opens a file, but neither follows a link nor waits for the other end of a pipe.
fn open_regular(path: &Path) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = rustix::fs::open(path, flags, Mode::empty()).map(File::from);
    // That is what opening a link without following it fails with.
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

/// Makes a folder, and those above it, so that a crash can't undo it.
fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    let parent = folder.parent().unwrap_or(Path::new("/"));
    // A relative path ends in the empty path, which is the current folder.
    let parent = if parent.as_os_str() == OsStr::new("") {
        Path::new(".")
    } else {
        parent
    };
    create_folder(parent)?;
    match DirBuilder::new().mode(0o755).create(folder) {
        // Another upload was faster.
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made.and_then(|()| sync_folder(parent)),
    }
}

/// Makes sure that the names in a folder outlive a crash.
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

/// `None` if there was nothing there.
fn unless_missing<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}
