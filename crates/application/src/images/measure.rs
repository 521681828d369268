//! Measure the pictures whose sizes are not recorded.

use mycars_domain::{Action, CarId, Target, policy, values::ImagePath};

use super::Error;
use crate::{App, Caller, cars, ports::ImageStoreError};

/// Maximum number of pictures per transaction.
const BATCH: u32 = 500;

/// Records the sizes of pictures that were stored before sizes were recorded or by another program, and returns their
/// number. A picture whose file is missing counts as empty. One whose file can't be read is skipped, and logged.
///
/// # Errors
/// [`cars::Error::Denied`] for all callers but the program itself; [`cars::Error::Store`].
pub fn measure(app: &App, caller: &Caller) -> Result<u64, Error> {
    policy::check(&caller.actor, Action::SweepImages, Target::NOTHING).map_err(cars::Error::from)?;
    let (mut total, mut after) = (0, CarId(i64::MIN));
    loop {
        let unmeasured = app
            .store
            .read(|unit| unit.cars().unmeasured_images(after, BATCH))?;
        let Some((last, _)) = unmeasured.last() else {
            return Ok(total);
        };
        after = *last;
        let measured: Vec<(CarId, u64, ImagePath)> = unmeasured
            .into_iter()
            .filter_map(|(car, path)| Some((car, size(app, &path)?, path)))
            .collect();
        total += measured.len() as u64;
        app.store.write(|unit| {
            measured
                .iter()
                .try_for_each(|(car, bytes, path)| unit.cars().set_image_bytes(*car, path, *bytes))
        })?;
    }
}

/// Returns the size of a picture; `None` if it can't be read.
fn size(app: &App, path: &ImagePath) -> Option<u64> {
    match measured(app, path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            tracing::warn!(%path, %error, "could not measure the picture {path}");
            None
        }
    }
}

fn measured(app: &App, path: &ImagePath) -> Result<u64, ImageStoreError> {
    Ok(match app.images.open(path)? {
        Some(file) => file.metadata()?.len(),
        None => 0,
    })
}

#[cfg(test)]
mod tests {
    use std::{fs::File, io::Write as _};

    use mockall::{Sequence, predicate::eq};

    use super::*;
    use crate::mocks::Mocks;

    #[test]
    fn sizes_are_recorded_and_unreadable_pictures_skipped() {
        let path = |name: &str| ImagePath::from_storage(format!("cars/{name}.jpg"));
        let mut mocks = Mocks::new();
        let mut batches = vec![
            (CarId(3), vec![]),
            (
                CarId(i64::MIN),
                vec![
                    (CarId(1), path("here")),
                    (CarId(2), path("missing")),
                    (CarId(3), path("unreadable")),
                ],
            ),
        ];
        let mut order = Sequence::new();
        let cars = &mut mocks.unit.cars;
        cars.expect_unmeasured_images()
            .times(2)
            .returning(move |after, at_most| {
                let (expected, batch) = batches.pop().unwrap();
                assert_eq!((after, at_most), (expected, BATCH));
                Ok(batch)
            });
        for (car, name, bytes) in [(1, "here", 5), (2, "missing", 0)] {
            cars.expect_set_image_bytes()
                .with(eq(CarId(car)), eq(path(name)), eq(bytes))
                .once()
                .in_sequence(&mut order)
                .returning(|_, _, _| Ok(()));
        }
        let file = std::env::temp_dir().join(format!("mycars-measure-{}", std::process::id()));
        File::create(&file).unwrap().write_all(b"12345").unwrap();
        let opened = file.clone();
        mocks
            .images
            .expect_open()
            .returning(move |image| match image.as_str() {
                "cars/here.jpg" => Ok(Some(File::open(&opened).unwrap())),
                "cars/missing.jpg" => Ok(None),
                _ => Err(ImageStoreError::Other("permission denied".into())),
            });
        let (app, store) = mocks.into_app();
        assert_eq!(measure(&app, &Caller::system()).unwrap(), 2);
        assert_eq!(store.commits(), 1);
        std::fs::remove_file(file).unwrap();
    }
}
