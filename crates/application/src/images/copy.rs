//! Copy all pictures to another image store, to move an installation there.

use std::{collections::HashSet, io::Read as _};

use mycars_domain::{Action, CarId, Target, policy, values::ImagePath};
use sha2::{Digest as _, Sha256};

use super::{
    Error, Ownership, new_path,
    owner::{installation_id, read_ownership},
};
use crate::{
    App, Caller,
    backup::{OnProgress, Progress},
    cars,
    ports::{ImageStore, ImageStoreError, StoredImage},
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
    /// The pictures do not belong to this database, or it is not known that they do.
    #[error("the pictures do not belong to this database: if they do, run `mycars adoptmedia`")]
    ForeignPictures,
    /// The other image store is the same one by another name.
    #[error("both places are the same")]
    SamePlace,
    /// The other image store belongs to another database, or has pictures that the present one lacks.
    #[error("the place belongs to another database, or has other pictures")]
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
    match read_ownership(app)? {
        Ownership::Same | Ownership::Unclaimed => {}
        Ownership::Unproven | Ownership::Other => return Err(CopyError::ForeignPictures),
    }
    require_another_place(app, target)?;
    let images = app.images.list()?;
    claim(app, target, &images)?;
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
    Ok(copied)
}

/// Refuses an image store in which pictures of the present one appear, whatever its name: deleting the originals would
/// delete the copies.
fn require_another_place(app: &App, target: &dyn ImageStore) -> Result<(), CopyError> {
    let probe = new_path(app, CarId(0));
    target.put(&probe, b"")?;
    let found = app.images.open(&probe);
    target.delete(&probe)?;
    match found? {
        Some(_) => Err(CopyError::SamePlace),
        None => Ok(()),
    }
}

/// Stores the id of this database in the other image store, unless that has the id of another one, or has no id but other
/// pictures.
fn claim(app: &App, target: &dyn ImageStore, images: &[StoredImage]) -> Result<(), CopyError> {
    let id = installation_id(app).map_err(Error::from)?;
    if target.owner()?.is_none() {
        let known: HashSet<&str> = images.iter().map(|image| image.path.as_str()).collect();
        let present = target.list()?;
        // Pictures are never empty; an interrupted copy may have left an empty probe.
        let is_foreign = |image: &StoredImage| image.bytes > 0 && !known.contains(image.path.as_str());
        if present.iter().any(is_foreign) {
            return Err(CopyError::OtherDatabase);
        }
        target.set_owner(&id, false)?;
    }
    if target.owner()?.as_deref() == Some(&*id) {
        Ok(())
    } else {
        Err(CopyError::OtherDatabase)
    }
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
        _ => {
            // The next run copies it again.
            target.delete(path)?;
            Err(CopyError::Damaged(path.clone()))
        }
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

    /// The path of the probe that finds out whether two places are the same.
    const PROBE: &str = "cars/car_0_new.jpg";

    fn is_probe(path: &ImagePath) -> bool {
        path.as_str() == PROBE
    }

    fn image(path: ImagePath) -> StoredImage {
        StoredImage {
            path,
            bytes: 3,
            modified: SystemTime::UNIX_EPOCH,
        }
    }

    /// Copies one picture with the content `one` from a store of this owner.
    fn copy_from(
        owner: Option<&'static str>,
        target: &MockImageStore,
        originals: Originals,
    ) -> Result<Copied, CopyError> {
        let mut mocks = owned_by(owner);
        mocks.images.expect_list().returning(|| Ok(vec![image(path())]));
        mocks.unit.cars.expect_has_image().returning(|_| Ok(false));
        mocks
            .images
            .expect_open()
            .returning(|path| Ok((!is_probe(path)).then(|| file("one"))));
        let deletions = usize::from(originals == Originals::Delete);
        mocks
            .images
            .expect_delete()
            .times(..=deletions)
            .returning(|_| Ok(()));
        let app = mocks.into_app().0;
        copy_to(&app, &Caller::system(), target, originals, &mut |_| {})
    }

    fn copy_one(target: &MockImageStore, originals: Originals) -> Result<Copied, CopyError> {
        copy_from(Some(ID), target, originals)
    }

    /// Returns a store of an owner that has these contents, one after the other. It takes the probe.
    fn target(owner: Option<&'static str>, contents: &[Option<&'static str>]) -> MockImageStore {
        let mut contents = Vec::from(contents).into_iter();
        let mut owners = [owner, Some(owner.unwrap_or(ID))].into_iter();
        let mut target = MockImageStore::new();
        target
            .expect_owner()
            .returning(move || Ok(owners.next().unwrap().map(str::to_owned)));
        target
            .expect_open()
            .returning(move |_| Ok(contents.next().unwrap().map(file)));
        target
            .expect_put()
            .withf(|path, _| is_probe(path))
            .once()
            .returning(|_, _| Ok(()));
        target
            .expect_delete()
            .withf(is_probe)
            .once()
            .returning(|_| Ok(()));
        target.expect_list().returning(|| Ok(vec![image(path())]));
        target
            .expect_set_owner()
            .withf(|id, overwrite| id == ID && !*overwrite)
            .times(usize::from(owner.is_none()))
            .returning(|_, _| Ok(()));
        target
    }

    fn take_picture(target: &mut MockImageStore) {
        target
            .expect_put()
            .withf(|path, content| *path == self::path() && content == b"one")
            .once()
            .returning(|_, _| Ok(()));
    }

    #[test]
    fn picture_is_copied_verified_and_deleted_if_asked() {
        for originals in [Originals::Keep, Originals::Delete] {
            let mut target = target(None, &[None, Some("one")]);
            take_picture(&mut target);
            let copied = copy_one(&target, originals).unwrap();
            assert_eq!((copied.images, copied.bytes, copied.present), (1, 3, 0));
        }
    }

    #[test]
    fn copied_picture_is_only_compared() {
        let target = target(Some(ID), &[Some("one")]);
        assert_eq!(copy_one(&target, Originals::Delete).unwrap().present, 1);
    }

    #[test]
    fn different_picture_is_an_error_and_the_original_stays() {
        let different = target(Some(ID), &[Some("two")]);
        let error = copy_one(&different, Originals::Keep).unwrap_err();
        assert!(matches!(error, CopyError::Differs(differing) if differing == path()));
    }

    #[test]
    fn damaged_copy_is_deleted_and_the_original_stays() {
        for stored in [None, Some("on"), Some("two")] {
            let mut damaged = target(Some(ID), &[None, stored]);
            take_picture(&mut damaged);
            damaged
                .expect_delete()
                .withf(|path| *path == self::path())
                .once()
                .returning(|_| Ok(()));
            let error = copy_one(&damaged, Originals::Keep).unwrap_err();
            assert!(matches!(error, CopyError::Damaged(damaged) if damaged == path()));
        }
    }

    #[test]
    fn store_of_another_database_is_refused() {
        let other = target(Some("another"), &[]);
        let error = copy_one(&other, Originals::Keep).unwrap_err();
        assert!(matches!(error, CopyError::OtherDatabase));

        let mut unclaimed = MockImageStore::new();
        unclaimed.expect_put().returning(|_, _| Ok(()));
        unclaimed.expect_delete().returning(|_| Ok(()));
        unclaimed.expect_owner().returning(|| Ok(None));
        let foreign = ImagePath::from_storage("cars/foreign.jpg".into());
        unclaimed
            .expect_list()
            .returning(move || Ok(vec![image(foreign.clone())]));
        let error = copy_one(&unclaimed, Originals::Keep).unwrap_err();
        assert!(matches!(error, CopyError::OtherDatabase));
    }

    #[test]
    fn pictures_of_another_database_are_not_moved() {
        for owner in [Some("another"), None] {
            let error = copy_from(owner, &MockImageStore::new(), Originals::Delete).unwrap_err();
            assert!(matches!(error, CopyError::ForeignPictures), "{owner:?}");
        }
    }

    #[test]
    fn same_place_by_another_name_is_refused() {
        let mut mocks = owned_by(Some(ID));
        mocks
            .images
            .expect_open()
            .withf(is_probe)
            .returning(|_| Ok(Some(file(""))));
        let mut target = MockImageStore::new();
        target.expect_put().returning(|_, _| Ok(()));
        target
            .expect_delete()
            .withf(is_probe)
            .once()
            .returning(|_| Ok(()));
        let app = mocks.into_app().0;
        let refused = copy_to(&app, &Caller::system(), &target, Originals::Delete, &mut |_| {});
        assert!(matches!(refused, Err(CopyError::SamePlace)));
    }
}
