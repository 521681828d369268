//! Read a picture.

use std::fs::File;

use mycars_domain::values::ImagePath;

use super::Error;
use crate::App;

/// Opens a picture; `None` if it does not exist. Its unguessable path is enough to read it.
///
/// # Errors
/// [`Error::Images`].
pub fn open(app: &App, path: &ImagePath) -> Result<Option<File>, Error> {
    Ok(app.images.open(path)?)
}
