//! Stores pictures as files, `<root>/cars/<name>`. A web server that serves the folder serves the pictures. The
//! [trash] and the file with the id of the database are beside `cars`.

use std::{
    fs::{self, DirEntry, File, read_dir, remove_file},
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, NaiveDate, Utc};
use mycars_application::ports::{
    ImageLink, ImageStore, ImageStoreError, ImageUsage, StoredImage, TrashedImage,
};
use mycars_domain::values::ImagePath;

use crate::{
    files::{Overwrite, create_folder, is_temporary_name, open_regular, unless_missing, write_whole},
    names::{self, CHECK, FOLDER, MAX_OWNER_BYTES, OWNER, is_picture_name, name},
    space::free_bytes,
    trash,
    usage::CountedUsage,
};

/// Stores pictures in a folder, which it creates with the first picture.
///
/// A symbolic link in the place of a picture is ignored. The folder itself may be a symbolic link, so that operators
/// can store pictures elsewhere.
#[derive(Debug, Clone)]
pub struct FileImageStore {
    root: PathBuf,
    usage: Arc<CountedUsage>,
}

/// Maximum age at which a counted usage is returned again.
const COUNT_HOLDS: Duration = Duration::from_mins(1);

impl FileImageStore {
    /// Returns a store below `root` (`MEDIA_ROOT`), which need not exist yet.
    #[must_use]
    pub fn new(root: PathBuf) -> Self {
        Self {
            root,
            usage: Arc::new(CountedUsage::new(COUNT_HOLDS)),
        }
    }

    fn folder(&self) -> PathBuf {
        self.root.join(FOLDER)
    }

    /// Returns the file of a picture, or `None` if no picture can have this path.
    fn file(&self, path: &ImagePath) -> Option<PathBuf> {
        name(path).map(|name| self.folder().join(name))
    }

    fn try_put(&self, path: &ImagePath, jpeg: &[u8]) -> io::Result<()> {
        let name = name(path).ok_or(ErrorKind::InvalidFilename)?;
        let folder = self.folder();
        create_folder(&folder)?;
        write_whole(&folder, name, Overwrite::Never, |file| file.write_all(jpeg))
    }

    fn try_list(&self) -> io::Result<Vec<StoredImage>> {
        let Some(entries) = unless_missing(read_dir(self.folder()))? else {
            return Ok(Vec::new());
        };
        let mut images = Vec::new();
        for entry in entries {
            images.extend(unless_missing(stored_image(&entry?))?.flatten());
        }
        Ok(images)
    }

    fn try_list_trash(&self) -> io::Result<Vec<TrashedImage>> {
        let files = trash::list(&self.root)?.into_iter();
        let images = files.filter(|(_, name, _)| is_picture_name(name));
        let images = images.map(|(day, name, bytes)| TrashedImage {
            path: names::path(&name),
            bytes,
            day,
        });
        Ok(images.collect())
    }

    fn try_delete_unfinished(&self, before: SystemTime) -> io::Result<()> {
        let days = trash::days(&self.root)?.into_iter().map(|(_, folder)| folder);
        for folder in [self.root.clone(), self.folder()].into_iter().chain(days) {
            for entry in unless_missing(read_dir(folder))?.into_iter().flatten() {
                let entry = entry?;
                if is_unfinished(&entry, before)? {
                    unless_missing(remove_file(entry.path()))?;
                }
            }
        }
        Ok(())
    }

    fn try_owner(&self) -> io::Result<Option<String>> {
        let path = self.root.join(OWNER);
        let Some(file) = open_regular(&path)? else {
            // An entry that is not a file has no id, which differs from a missing file.
            return Ok(unless_missing(fs::symlink_metadata(path))?.map(|_| String::new()));
        };
        let mut content = Vec::new();
        file.take(MAX_OWNER_BYTES).read_to_end(&mut content)?;
        Ok(Some(names::owner(&content)))
    }

    fn try_set_owner(&self, id: &str, overwrite: bool) -> io::Result<()> {
        create_folder(&self.root)?;
        let how = if overwrite {
            Overwrite::Always
        } else {
            Overwrite::Never
        };
        match write_whole(&self.root, OWNER, how, |file| writeln!(file, "{id}")) {
            Err(error) if !overwrite && error.kind() == ErrorKind::AlreadyExists => Ok(()),
            written => written,
        }
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
            if let Some(image) = unless_missing(stored_image(&entry?))?.flatten() {
                usage.count += 1;
                usage.bytes += image.bytes;
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

    fn link(&self, _: &ImagePath, _: DateTime<Utc>) -> Option<ImageLink> {
        None
    }

    fn list(&self) -> Result<Vec<StoredImage>, ImageStoreError> {
        self.try_list().map_err(|error| failed_at(&self.folder(), &error))
    }

    fn move_to_trash(&self, path: &ImagePath, day: NaiveDate) -> Result<bool, ImageStoreError> {
        let Some(name) = name(path) else {
            return Ok(true);
        };
        trash::move_in(&self.root, &self.folder(), name, day)
            .map_err(|error| failed_at(&trash::day_folder(&self.root, day).join(name), &error))
    }

    fn restore_from_trash(&self, path: &ImagePath, day: NaiveDate) -> Result<bool, ImageStoreError> {
        let Some(name) = name(path) else {
            return Ok(true);
        };
        trash::move_out(&self.root, &self.folder(), name, day)
            .map_err(|error| failed_at(&trash::day_folder(&self.root, day).join(name), &error))
    }

    fn list_trash(&self) -> Result<Vec<TrashedImage>, ImageStoreError> {
        self.try_list_trash()
            .map_err(|error| failed_at(&self.root, &error))
    }

    fn delete_from_trash(&self, path: &ImagePath, day: NaiveDate) -> Result<(), ImageStoreError> {
        let Some(name) = name(path) else {
            return Ok(());
        };
        trash::delete(&self.root, day, name)
            .map_err(|error| failed_at(&trash::day_folder(&self.root, day).join(name), &error))
    }

    fn delete_unfinished(&self, before: SystemTime) -> Result<(), ImageStoreError> {
        self.try_delete_unfinished(before)
            .map_err(|error| failed_at(&self.root, &error))
    }

    fn owner(&self) -> Result<Option<String>, ImageStoreError> {
        self.try_owner()
            .map_err(|error| failed_at(&self.root.join(OWNER), &error))
    }

    fn set_owner(&self, id: &str, overwrite: bool) -> Result<(), ImageStoreError> {
        self.try_set_owner(id, overwrite)
            .map_err(|error| failed_at(&self.root.join(OWNER), &error))
    }

    /// The result may be up to a minute old.
    fn usage(&self) -> Result<ImageUsage, ImageStoreError> {
        self.usage.get(|| {
            self.try_usage()
                .map_err(|error| logged("pictures could not be counted", &self.folder(), error))
        })
    }

    /// Returns 0 at once: files are deleted at once.
    fn finish(&self, _: Duration) -> usize {
        0
    }

    fn check(&self) -> Result<(), ImageStoreError> {
        create_folder(&self.root)
            .and_then(|()| check_folder(&self.root))
            .map_err(|error| failed_at(&self.root, &error))
    }
}

/// Writes a file into a folder, which deletes itself, and reads it.
fn check_folder(folder: &Path) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(CHECK).tempfile_in(folder)?;
    file.write_all(CHECK.as_bytes())?;
    file.as_file().sync_all()?;
    if fs::read(file.path())? == CHECK.as_bytes() {
        file.close()
    } else {
        Err(ErrorKind::InvalidData.into())
    }
}

/// Logs an error as well. The deletion of old pictures has no caller that would report it.
fn logged(what: &str, path: &Path, error: io::Error) -> ImageStoreError {
    tracing::warn!(path = %path.display(), %error, "{what}");
    error.into()
}

/// Adds the path to an error.
fn failed_at(path: &Path, error: &io::Error) -> ImageStoreError {
    io::Error::new(error.kind(), format!("`{}`: {error}", path.display())).into()
}

/// Returns the metadata of a picture's file, if it is one.
fn stored_image(entry: &DirEntry) -> io::Result<Option<StoredImage>> {
    // Does not follow symbolic links, which are not regular files here.
    let metadata = entry.metadata()?;
    let name = entry.file_name().into_string().ok();
    let name = name.filter(|name| metadata.is_file() && is_picture_name(name));
    name.map(|name| {
        Ok(StoredImage {
            path: names::path(&name),
            bytes: metadata.len(),
            modified: metadata.modified()?,
        })
    })
    .transpose()
}

/// Returns whether a file is an incomplete one of a crash, last modified before `before`.
fn is_unfinished(entry: &DirEntry, before: SystemTime) -> io::Result<bool> {
    if !entry.file_name().to_str().is_some_and(is_temporary_name) {
        return Ok(false);
    }
    let metadata = unless_missing(entry.metadata())?.filter(fs::Metadata::is_file);
    Ok(match metadata {
        Some(metadata) => metadata.modified()? < before,
        None => false,
    })
}
