//! Stores the pictures of the Django system as uploads are stored.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _},
};

use data_encoding::HEXLOWER;
use mycars_domain::{CarId, Field, values::ImagePath};
use sha2::{Digest as _, Sha256};

use super::{
    convert::{Problem, Reason, problem_of_car},
    outcome::{Error, Mode},
};
use crate::{
    App, Input, cars,
    images::{self, UploadedFile},
};

/// Opens a file below Django's `MEDIA_ROOT`; `None` if it does not exist.
pub type OpenPicture<'a> = dyn Fn(&str) -> io::Result<Option<File>> + 'a;

/// The pictures of the cars.
#[derive(Clone, Copy)]
pub enum Pictures<'a> {
    /// Cars with a picture are problems.
    Undecided,
    /// Cars are imported without their pictures.
    LeaveOut,
    /// Pictures are imported from files.
    From(&'a OpenPicture<'a>),
}

/// A picture in the image store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StoredPicture {
    pub(super) path: ImagePath,
    pub(super) bytes: u64,
}

/// Stores the picture of a car, or only decodes it if nothing is to be changed. A picture that was stored by an
/// interrupted import is found by its name, which follows from the content of the file.
pub(super) fn import(
    app: &App,
    open: &OpenPicture<'_>,
    (car, name): (CarId, &str),
    mode: Mode,
) -> Result<Result<StoredPicture, Problem>, Error> {
    let refused = |reason| Ok(Err(problem_of_car(car.0, vec![(Field::Image, reason)])));
    let mut file = match open(name) {
        Ok(Some(file)) => file,
        Ok(None) => return refused(Reason::NoSuchPicture(name.to_owned())),
        Err(error) => return refused(Reason::UnreadablePicture(error.to_string())),
    };
    let (size, digest) = match digest(&mut file) {
        Ok(read) => read,
        Err(error) => return refused(Reason::UnreadablePicture(error.to_string())),
    };
    let path = images::path_with(car, &digest);
    if let Some(stored) = app.images.open(&path)?
        && let Ok(metadata) = stored.metadata()
    {
        let bytes = metadata.len();
        return Ok(Ok(StoredPicture { path, bytes }));
    }
    let upload = UploadedFile {
        content: &mut file,
        size,
    };
    let picture = match images::prepare(app, Input::Given(upload)) {
        Ok(picture) => picture,
        Err(images::Error::Car(cars::Error::Invalid(violations))) => {
            return Ok(Err(problem_of_car(car.0, Reason::all(&violations))));
        }
        Err(images::Error::Images(error)) => return Err(error.into()),
        Err(images::Error::Car(error)) => return Err(Error::Source(error.into())),
    };
    if mode == Mode::Run {
        app.images.put(&path, picture.jpeg())?;
    }
    let bytes = picture.jpeg().len() as u64;
    Ok(Ok(StoredPicture { path, bytes }))
}

/// Returns the size of a file and its SHA-256 in hexadecimal, and rewinds it.
fn digest(file: &mut File) -> io::Result<(u64, String)> {
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        size += read as u64;
        digest.update(&buffer[..read]);
    }
    file.rewind()?;
    Ok((size, HEXLOWER.encode(&digest.finalize())))
}
