//! Pictures in memory: a minimal adapter of the port [`ImageStore`].

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, Seek as _, Write as _},
    sync::Arc,
    time::{Duration, SystemTime},
};

use chrono::{DateTime, NaiveDate, Utc};
use mycars_application::ports::{
    Clock, ImageLink, ImageStore, ImageStoreError, ImageUsage, StoredImage, TrashedImage,
};
use mycars_domain::values::ImagePath;
use parking_lot::Mutex;

type Result<T> = std::result::Result<T, ImageStoreError>;

/// Maximum length of a picture's name, as on most disks.
const MAX_NAME_LENGTH: usize = 255;

/// An image store in memory. Its data are lost on drop.
pub struct MemoryImageStore {
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    images: BTreeMap<String, Image>,
    trash: BTreeMap<(NaiveDate, String), Image>,
    owner: Option<String>,
}

struct Image {
    jpeg: Vec<u8>,
    modified: SystemTime,
}

impl MemoryImageStore {
    /// Creates an empty store. The clock tells when pictures were stored.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            state: Mutex::default(),
        }
    }
}

impl ImageStore for MemoryImageStore {
    fn put(&self, path: &ImagePath, jpeg: &[u8]) -> Result<()> {
        if !is_possible(path) {
            return Err(io::Error::from(io::ErrorKind::InvalidFilename).into());
        }
        let mut state = self.state.lock();
        if state.images.contains_key(path.as_str()) {
            return Err(io::Error::from(io::ErrorKind::AlreadyExists).into());
        }
        let image = Image {
            jpeg: jpeg.to_vec(),
            modified: self.clock.now().into(),
        };
        state.images.insert(path.to_string(), image);
        Ok(())
    }

    fn delete(&self, path: &ImagePath) -> Result<()> {
        self.state.lock().images.remove(path.as_str());
        Ok(())
    }

    fn open(&self, path: &ImagePath) -> Result<Option<File>> {
        let state = self.state.lock();
        let Some(image) = state.images.get(path.as_str()) else {
            return Ok(None);
        };
        let mut file = tempfile::tempfile()?;
        file.write_all(&image.jpeg)?;
        file.set_modified(image.modified)?;
        file.rewind()?;
        Ok(Some(file))
    }

    fn link(&self, _: &ImagePath, _: DateTime<Utc>) -> Option<ImageLink> {
        None
    }

    fn list(&self) -> Result<Vec<StoredImage>> {
        let state = self.state.lock();
        let images = state.images.iter().map(|(path, image)| StoredImage {
            path: ImagePath::from_storage(path.clone()),
            bytes: image.jpeg.len() as u64,
            modified: image.modified,
        });
        Ok(images.collect())
    }

    fn move_to_trash(&self, path: &ImagePath, day: NaiveDate) -> Result<bool> {
        let state = &mut *self.state.lock();
        let place = (day, path.to_string());
        let is_free = !state.trash.contains_key(&place) || !state.images.contains_key(path.as_str());
        if is_free && let Some(image) = state.images.remove(path.as_str()) {
            state.trash.insert(place, image);
        }
        Ok(is_free)
    }

    fn restore_from_trash(&self, path: &ImagePath, day: NaiveDate) -> Result<bool> {
        let state = &mut *self.state.lock();
        let place = (day, path.to_string());
        let is_free = !state.images.contains_key(path.as_str()) || !state.trash.contains_key(&place);
        if is_free && let Some(image) = state.trash.remove(&place) {
            state.images.insert(path.to_string(), image);
        }
        Ok(is_free)
    }

    fn list_trash(&self) -> Result<Vec<TrashedImage>> {
        let state = self.state.lock();
        let images = state.trash.iter().map(|((day, path), image)| TrashedImage {
            path: ImagePath::from_storage(path.clone()),
            bytes: image.jpeg.len() as u64,
            day: *day,
        });
        Ok(images.collect())
    }

    fn delete_from_trash(&self, path: &ImagePath, day: NaiveDate) -> Result<()> {
        self.state.lock().trash.remove(&(day, path.to_string()));
        Ok(())
    }

    fn delete_unfinished(&self, _: SystemTime) -> Result<()> {
        Ok(())
    }

    fn owner(&self) -> Result<Option<String>> {
        Ok(self.state.lock().owner.clone())
    }

    fn set_owner(&self, id: &str, overwrite: bool) -> Result<()> {
        let owner = &mut self.state.lock().owner;
        if overwrite || owner.is_none() {
            *owner = Some(id.to_owned());
        }
        Ok(())
    }

    fn usage(&self) -> Result<ImageUsage> {
        let images = self.list()?;
        Ok(ImageUsage {
            count: images.len() as u64,
            bytes: images.iter().map(|image| image.bytes).sum(),
            free_bytes: None,
        })
    }

    fn finish(&self, _: Duration) -> usize {
        0
    }

    fn check(&self) -> Result<()> {
        Ok(())
    }
}

/// Returns whether a picture can have this path: clients name paths, so only plain names are accepted.
fn is_possible(path: &ImagePath) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    path.as_str().strip_prefix("cars/").is_some_and(|name| {
        (1..=MAX_NAME_LENGTH).contains(&name.len())
            && name.bytes().all(is_plain)
            && !name.starts_with('.')
            && !name.contains("..")
    })
}
