//! Read a picture.

use std::fs::File;

use mycars_domain::values::ImagePath;

use super::Error;
use crate::App;

/// An open file with a picture, or `None` if there is none. Pictures are open to all who know their path, which
/// nobody can guess.
///
/// # Errors
/// [`Error::Images`].
pub fn open(app: &App, path: &ImagePath) -> Result<Option<File>, Error> {
    Ok(app.images.open(path)?)
}
