//! Copy all pictures to another image store, to move an installation there.

use std::io::Read as _;

use mycars_domain::{Action, Target, policy, values::ImagePath};
use sha2::{Digest as _, Sha256};

use super::{Error, owner::installation_id};
use crate::{
    App, Caller,
    backup::{OnProgress, Progress},
    cars,
    ports::{ImageStore, ImageStoreError},
};

/// Whether the pictures stay in the old image store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Originals {
    /// They stay.
    Keep,
    /// Each is deleted when its copy is verified.
    Delete,
}

/// The result of a copy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Number of pictures in the old image store.
    pub images: u64,
    /// Their size in bytes.
    pub bytes: u64,
    /// Number of those that had been copied before.
    pub present: u64,
}

/// The errors of a copy.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// The other image store belongs to another database.
    #[error("the pictures there belong to another database")]
    OtherDatabase,
    /// A picture with the same path and another content is there already.
    #[error("another picture is there already: {0}")]
    Differs(ImagePath),
    /// The copy of a picture has another content than the picture.
    #[error("the copy of a picture differs from it: {0}")]
    Damaged(ImagePath),
    /// The caller may not copy, or the database or an image store failed.
    #[error(transparent)]
    Failed(#[from] Error),
}

impl From<ImageStoreError> for CopyError {
    fn from(error: ImageStoreError) -> Self {
        Self::Failed(error.into())
    }
}

/// Copies all pictures to another image store, and compares the hash of each copy. Pictures that are there already are
/// only compared, so that an interrupted copy can be repeated. The trash is not copied.
///
/// # Errors
/// [`CopyError`] with the reason. The pictures so far are copied then.
pub fn copy_to(
    app: &App,
    caller: &Caller,
    target: &dyn ImageStore,
    originals: Originals,
    on_progress: &mut OnProgress<'_>,
) -> Result<Copied, CopyError> {
    policy::check(&caller.actor, Action::SweepImages, Target::NOTHING)
        .map_err(cars::Error::from)
        .map_err(Error::from)?;
    let id = installation_id(app).map_err(Error::from)?;
    if target.owner()?.is_some_and(|owner| owner != id) {
        return Err(CopyError::OtherDatabase);
    }
    let images = app.images.list()?;
    on_progress(Progress::Images(images.len() as u64));
    let mut copied = Copied::default();
    for image in images {
        // A picture that was deleted meanwhile is no longer needed.
        if let Some(content) = read(&*app.images, &image.path)? {
            copied.images += 1;
            copied.bytes += content.len() as u64;
            copied.present += u64::from(copy(target, &image.path, &content)?);
            if originals == Originals::Delete {
                app.images.delete(&image.path)?;
            }
        }
        on_progress(Progress::Done(1));
    }
    target.set_owner(&id, true)?;
    Ok(copied)
}

/// Copies a picture, and returns whether it was there already.
fn copy(target: &dyn ImageStore, path: &ImagePath, content: &[u8]) -> Result<bool, CopyError> {
    if let Some(present) = read(target, path)? {
        let is_same = hash(&present) == hash(content);
        return is_same
            .then_some(true)
            .ok_or_else(|| CopyError::Differs(path.clone()));
    }
    target.put(path, content)?;
    match read(target, path)? {
        Some(stored) if hash(&stored) == hash(content) => Ok(false),
        _ => Err(CopyError::Damaged(path.clone())),
    }
}

fn read(store: &dyn ImageStore, path: &ImagePath) -> Result<Option<Vec<u8>>, ImageStoreError> {
    let Some(mut file) = store.open(path)? else {
        return Ok(None);
    };
    let mut content = Vec::new();
    file.read_to_end(&mut content)?;
    Ok(Some(content))
}

/// Returns the length and the SHA-256 of a content.
fn hash(content: &[u8]) -> (usize, impl PartialEq) {
    (content.len(), Sha256::digest(content))
}

#[cfg(test)]
mod tests {
    use std::{
        fs::File,
        io::{Seek as _, Write as _},
        time::SystemTime,
    };

    use super::*;
    use crate::{
        images::owner::tests::{ID, owned_by},
        ports::{MockImageStore, StoredImage},
    };

    fn path() -> ImagePath {
        ImagePath::from_storage("cars/a.jpg".into())
    }

    fn file(content: &str) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content.as_bytes()).unwrap();
        file.rewind().unwrap();
        file
    }

    /// Copies one picture with the content `one` to a store.
    fn copy_one(target: &MockImageStore, originals: Originals) -> Result<Copied, CopyError> {
        let mut mocks = owned_by(Some(ID));
        let image = StoredImage {
            path: path(),
            bytes: 3,
            modified: SystemTime::UNIX_EPOCH,
        };
        mocks
            .images
            .expect_list()
            .returning(move || Ok(vec![image.clone()]));
        mocks.images.expect_open().returning(|_| Ok(Some(file("one"))));
        let deletions = usize::from(originals == Originals::Delete);
        mocks
            .images
            .expect_delete()
            .times(..=deletions)
            .returning(|_| Ok(()));
        let app = mocks.into_app().0;
        copy_to(&app, &Caller::system(), target, originals, &mut |_| {})
    }

    /// Returns a store of an owner that has these contents, one after the other.
    fn target(owner: Option<&'static str>, contents: &[Option<&'static str>]) -> MockImageStore {
        let mut contents = Vec::from(contents).into_iter();
        let mut target = MockImageStore::new();
        target
            .expect_owner()
            .returning(move || Ok(owner.map(str::to_owned)));
        target
            .expect_open()
            .returning(move |_| Ok(contents.next().unwrap().map(file)));
        target
    }

    #[test]
    fn picture_is_copied_verified_and_deleted_if_asked() {
        for originals in [Originals::Keep, Originals::Delete] {
            let mut target = target(None, &[None, Some("one")]);
            target
                .expect_put()
                .withf(|path, content| *path == self::path() && content == b"one")
                .once()
                .returning(|_, _| Ok(()));
            target
                .expect_set_owner()
                .withf(|id, overwrite| id == ID && *overwrite)
                .once()
                .returning(|_, _| Ok(()));
            let copied = copy_one(&target, originals).unwrap();
            assert_eq!((copied.images, copied.bytes, copied.present), (1, 3, 0));
        }
    }

    #[test]
    fn copied_picture_is_only_compared() {
        let mut target = target(Some(ID), &[Some("one")]);
        target.expect_set_owner().returning(|_, _| Ok(()));
        assert_eq!(copy_one(&target, Originals::Delete).unwrap().present, 1);
    }

    #[test]
    fn different_or_damaged_picture_is_an_error_and_the_original_stays() {
        let different = target(None, &[Some("two")]);
        let error = copy_one(&different, Originals::Keep).unwrap_err();
        assert!(matches!(error, CopyError::Differs(differing) if differing == path()));
        for stored in [None, Some("on"), Some("two")] {
            let mut damaged = target(None, &[None, stored]);
            damaged.expect_put().returning(|_, _| Ok(()));
            let error = copy_one(&damaged, Originals::Keep).unwrap_err();
            assert!(matches!(error, CopyError::Damaged(damaged) if damaged == path()));
        }
    }

    #[test]
    fn store_of_another_database_is_refused() {
        let target = target(Some("another"), &[]);
        let error = copy_one(&target, Originals::Keep).unwrap_err();
        assert!(matches!(error, CopyError::OtherDatabase));
    }
}
