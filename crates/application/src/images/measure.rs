//! Measure the pictures whose sizes are not recorded.

use mycars_domain::{Action, CarId, Target, policy, values::ImagePath};

use super::Error;
use crate::{App, Caller, cars, ports::ImageStoreError};

/// Maximum number of pictures per transaction.
const BATCH: u32 = 500;

/// Records the sizes of pictures that were stored before sizes were recorded or by another program, and returns their
/// number. A picture whose file is missing counts as empty.
///
/// # Errors
/// [`cars::Error::Denied`] for all callers but the program itself; [`Error::Images`]; [`cars::Error::Store`].
pub fn measure(app: &App, caller: &Caller) -> Result<u64, Error> {
    policy::check(&caller.actor, Action::SweepImages, Target::NOTHING).map_err(cars::Error::from)?;
    let mut total = 0;
    loop {
        let unmeasured = app.store.read(|unit| unit.cars().unmeasured_images(BATCH))?;
        if unmeasured.is_empty() {
            return Ok(total);
        }
        total += unmeasured.len() as u64;
        let measured = unmeasured
            .into_iter()
            .map(|(car, path)| Ok((car, size(app, &path)?, path)))
            .collect::<Result<Vec<(CarId, u64, ImagePath)>, ImageStoreError>>()?;
        app.store.write(|unit| {
            measured
                .iter()
                .try_for_each(|(car, bytes, path)| unit.cars().set_image_bytes(*car, path, *bytes))
        })?;
    }
}

fn size(app: &App, path: &ImagePath) -> Result<u64, ImageStoreError> {
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
    fn sizes_are_recorded_until_none_is_missing() {
        let path = |name: &str| ImagePath::from_storage(format!("cars/{name}.jpg"));
        let mut mocks = Mocks::new();
        let mut batches = vec![
            vec![],
            vec![(CarId(1), path("here")), (CarId(2), path("missing"))],
        ];
        let mut order = Sequence::new();
        let cars = &mut mocks.unit.cars;
        cars.expect_unmeasured_images()
            .with(eq(BATCH))
            .times(2)
            .returning(move |_| Ok(batches.pop().unwrap()));
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
        mocks.images.expect_open().returning(move |image| {
            let is_here = image.as_str() == "cars/here.jpg";
            Ok(is_here.then(|| File::open(&opened).unwrap()))
        });
        let (app, store) = mocks.into_app();
        assert_eq!(measure(&app, &Caller::system()).unwrap(), 2);
        assert_eq!(store.commits(), 1);
        std::fs::remove_file(file).unwrap();
    }
}
