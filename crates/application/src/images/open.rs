//! Read a picture.

use std::fs::File;

use mycars_domain::values::ImagePath;

use super::{
    Error,
    permit::{Permit, is_permitted},
};
use crate::{App, ports::ImageLink};

/// A picture that a client may read.
#[derive(Debug)]
pub enum Opened {
    /// The picture itself.
    File(File),
    /// A URL of the image store, which has the picture if it exists.
    Link(ImageLink),
}

/// Opens a picture; `None` if it does not exist, or is private and the permit is missing or not valid. If pictures are not
/// private, the unguessable path is enough to read one.
///
/// # Errors
/// [`Error::Images`].
pub fn open(app: &App, path: &ImagePath, permit: Option<&Permit>) -> Result<Option<Opened>, Error> {
    if !is_permitted(app, path, permit) {
        return Ok(None);
    }
    if let Some(link) = app.images.link(path, app.now()) {
        return Ok(Some(Opened::Link(link)));
    }
    Ok(app.images.open(path)?.map(Opened::File))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mocks::{Mocks, samples};

    #[test]
    fn picture_with_link_is_not_opened() {
        let path = ImagePath::from_storage("cars/a.jpg".into());
        let link = ImageLink {
            url: "https://s3.example/a".into(),
            expires_at: samples::now(),
        };
        let mut mocks = Mocks::new();
        let given = link.clone();
        mocks
            .images
            .expect_link()
            .withf(|path, now| path.as_str() == "cars/a.jpg" && *now == samples::now())
            .return_once(|_, _| Some(given));
        let opened = open(&mocks.into_app().0, &path, None).unwrap();
        assert!(matches!(opened, Some(Opened::Link(opened)) if opened == link));
    }
}
