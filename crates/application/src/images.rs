//! Pictures of cars (wire contract, section 5).
//!
//! The order of effects keeps every row right whatever happens: a picture is kept before its row is committed,
//! and the old one is deleted after. What a crash, or a store that fails half-way, leaves behind is a picture
//! without a row, and [`sweep`] finds it.

mod open;
mod remove;
mod sweep;
mod upload;

pub use open::open;
pub use remove::remove;
pub use sweep::sweep;
pub use upload::{Picture, UploadedFile, attach, prepare, upload};

use mycars_domain::{Car, values::ImagePath};

use crate::{App, cars, ports::ImageStoreError};

/// Why a use-case about pictures did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Something about the car is wrong, or the picture is: see [`cars::Error::Invalid`].
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

/// Deletes a picture whose row is gone. If that fails nothing is wrong yet: the next sweep tries again, and the
/// image store has said why in the log.
pub(crate) fn forget(app: &App, image: Option<ImagePath>) {
    if let Some(path) = image {
        drop(app.images.delete(&path));
    }
}

/// Deletes the pictures of cars whose rows are gone.
pub(crate) fn forget_all(app: &App, cars: Vec<Car>) {
    for car in cars {
        forget(app, car.image);
    }
}
