//! Pictures of cars (wire contract, section 5).
//!
//! The order of effects keeps every row valid: a picture is stored before its row is committed, and the old picture
//! is deleted after that. A crash, or a failure of the store, leaves at most a picture without a row. [`sweep`] moves
//! it to the trash when the operator runs it; a start deletes nothing.

mod copy;
mod measure;
mod missing;
mod open;
mod owner;
mod permit;
mod remove;
mod sweep;
mod upload;

pub use copy::{Copied, CopyError, Originals, copy_to};
pub use measure::measure;
pub use missing::missing;
pub use open::{Opened, open};
pub use owner::{Ownership, adopt, claim, ownership};
pub use permit::{Permit, Permits};
pub use remove::remove;
pub use sweep::{Refusal, SweepError, SweepPlan, empty_trash, plan_sweep, sweep};
pub use upload::{Picture, UploadedFile, attach, prepare, upload};

use mycars_domain::{CarId, values::ImagePath};

use crate::{App, cars, ports::ImageStoreError};

/// The errors of use-cases about pictures.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The car or the picture is invalid: see [`cars::Error::Invalid`].
    #[error(transparent)]
    Car(#[from] cars::Error),
    /// The image store failed, or the picture could not be processed.
    #[error(transparent)]
    Images(#[from] ImageStoreError),
}

impl From<crate::ports::StoreError> for Error {
    fn from(error: crate::ports::StoreError) -> Self {
        Self::Car(error.into())
    }
}

/// Returns an unguessable path for a new picture of a car.
fn new_path(app: &App, car: CarId) -> ImagePath {
    path_with(car, &app.random.hex(RANDOM_BYTES))
}

/// Returns the path of a picture of a car with these hexadecimal digits, which are cut to the length of random ones.
pub(crate) fn path_with(car: CarId, hex: &str) -> ImagePath {
    let hex = hex.get(..2 * RANDOM_BYTES).unwrap_or(hex);
    ImagePath::from_storage(format!("{PREFIX}{car}_{hex}{SUFFIX}"))
}

/// Returns whether a path has the form of [`new_path`]. Other pictures were stored by users or by other programs.
fn is_generated(path: &ImagePath) -> bool {
    let parts = path.as_str().strip_prefix(PREFIX);
    let parts = parts.and_then(|rest| rest.strip_suffix(SUFFIX)?.split_once('_'));
    parts.is_some_and(|(car, random)| {
        !car.is_empty()
            && car.bytes().all(|byte| byte.is_ascii_digit())
            && random.len() == 2 * RANDOM_BYTES
            && random
                .bytes()
                .all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    })
}

const PREFIX: &str = "cars/car_";
const SUFFIX: &str = ".jpg";
/// Number of random bytes in the path of a picture.
const RANDOM_BYTES: usize = 16;

/// Deletes a picture that its committed row no longer refers to, unless another car does: imported rows may share a
/// picture. A failure is harmless, because a sweep finds the picture, and the image store has logged the cause.
pub(crate) fn delete_unused(app: &App, image: Option<ImagePath>) {
    let Some(path) = image else { return };
    if let Ok(false) = app.store.read(|unit| unit.cars().has_image(&path)) {
        drop(app.images.delete(&path));
    }
}

/// Deletes the pictures of deleted cars.
pub(crate) fn delete_all_unused(app: &App, images: Vec<ImagePath>) {
    for image in images {
        delete_unused(app, Some(image));
    }
}
