//! Find the pictures that cars refer to and that are not stored.

use std::collections::HashSet;

use mycars_domain::{Action, Target, policy, values::ImagePath};

use super::Error;
use crate::{
    App, Caller, cars,
    ports::{Row, Table},
};

/// Number of cars that are read at once.
const BATCH: u32 = 1000;

/// Returns the paths of pictures that a car refers to and that the image store does not have, in the order of the cars.
/// A picture that is replaced meanwhile is not among them. Changes nothing.
///
/// # Errors
/// [`cars::Error::Denied`] for all callers but the program itself; [`Error::Images`]; [`cars::Error::Store`].
pub fn missing(app: &App, caller: &Caller) -> Result<Vec<ImagePath>, Error> {
    policy::check(&caller.actor, Action::SweepImages, Target::NOTHING).map_err(cars::Error::from)?;
    let stored: HashSet<ImagePath> = app.images.list()?.into_iter().map(|image| image.path).collect();
    let mut missing = Vec::new();
    let mut after = i64::MIN;
    loop {
        let rows = app
            .store
            .read(|unit| unit.rows().list(Table::Cars, after, BATCH))?;
        let Some(last) = rows.last() else {
            return Ok(missing);
        };
        after = last.id();
        for path in rows.into_iter().filter_map(image) {
            // The list may be older than the row.
            if !stored.contains(&path)
                && app.images.open(&path)?.is_none()
                && app.store.read(|unit| unit.cars().has_image(&path))?
            {
                missing.push(path);
            }
        }
    }
}

fn image(row: Row) -> Option<ImagePath> {
    match row {
        Row::Car { car, .. } => car.image,
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::{fs::File, time::SystemTime};

    use mycars_domain::{Car, CarId};

    use super::*;
    use crate::{
        mocks::{Mocks, samples},
        ports::StoredImage,
    };

    fn path(name: &str) -> ImagePath {
        ImagePath::from_storage(format!("cars/{name}.jpg"))
    }

    fn car(id: i64, image: Option<&str>) -> Row {
        let car = Car {
            id: CarId(id),
            image: image.map(path),
            ..samples::car()
        };
        Row::Car {
            car,
            image_bytes: None,
        }
    }

    #[test]
    fn only_pictures_that_are_neither_listed_nor_found_are_missing() {
        let mut mocks = Mocks::new();
        mocks.images.expect_list().returning(|| {
            Ok(vec![StoredImage {
                path: path("listed"),
                bytes: 1,
                modified: SystemTime::UNIX_EPOCH,
            }])
        });
        mocks
            .images
            .expect_open()
            .returning(|found| Ok((*found == path("new")).then(|| File::open("/dev/null").unwrap())));
        mocks.unit.rows.expect_list().returning(|_, after, _| {
            Ok(match after {
                i64::MIN => vec![car(1, Some("listed")), car(2, None), car(3, Some("new"))],
                3 => vec![car(4, Some("lost")), car(5, Some("replaced"))],
                _ => vec![],
            })
        });
        mocks
            .unit
            .cars
            .expect_has_image()
            .returning(|named| Ok(*named != path("replaced")));
        let (app, _) = mocks.into_app();
        assert_eq!(missing(&app, &Caller::system()).unwrap(), [path("lost")]);
        assert!(missing(&app, &samples::admin()).is_err());
    }
}
