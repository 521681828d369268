//! Delete what crashes left behind.

use std::time::{Duration, SystemTime};

use mycars_domain::{Action, Target, policy};

use super::Error;
use crate::{App, Caller, cars};

/// A picture younger than this may belong to an upload that is still under way.
const GRACE: Duration = Duration::from_hours(1);

/// Deletes every picture that no car has and that is older than an hour, and answers how many there were.
///
/// # Errors
/// [`cars::Error::Denied`] for everybody but the program itself; [`Error::Images`]; [`cars::Error::Store`].
pub fn sweep(app: &App, caller: &Caller) -> Result<usize, Error> {
    policy::check(&caller.actor, Action::SweepImages, Target::NOTHING).map_err(cars::Error::from)?;
    let before = SystemTime::from(app.now()) - GRACE;
    let mut swept = 0;
    for path in app.images.list_older_than(before)? {
        // One look-up for each picture, so that a large store is not kept busy by one long query.
        if !app.store.read(|unit| unit.cars().has_image(&path))? {
            app.images.delete(&path)?;
            swept += 1;
        }
    }
    Ok(swept)
}

#[cfg(test)]
mod tests {
    use mycars_domain::{Denied, Rank, values::ImagePath};

    use super::*;
    use crate::mocks::{Mocks, samples};

    #[test]
    fn not_even_a_superuser_sweeps_through_the_api() {
        let (app, _) = Mocks::new().into_app();
        let refused = sweep(&app, &samples::somebody_else(Rank::Superuser));
        assert!(matches!(
            refused,
            Err(Error::Car(cars::Error::Denied(Denied::Forbidden)))
        ));
    }

    #[test]
    fn what_no_car_has_is_deleted_after_an_hour_and_the_rest_stays() {
        let mut mocks = Mocks::new();
        let path = |name: &str| ImagePath::from_storage(format!("cars/{name}.jpg"));
        mocks
            .images
            .expect_list_older_than()
            .withf(|before| *before == SystemTime::from(samples::now()) - Duration::from_hours(1))
            .once()
            .returning(move |_| Ok(vec![path("kept"), path("orphan")]));
        mocks
            .unit
            .cars
            .expect_has_image()
            .returning(|path| Ok(path.as_str() == "cars/kept.jpg"));
        mocks
            .images
            .expect_delete()
            .withf(|path| path.as_str() == "cars/orphan.jpg")
            .once()
            .returning(|_| Ok(()));
        let (app, _) = mocks.into_app();
        assert_eq!(sweep(&app, &Caller::system()).unwrap(), 1);
    }
}
