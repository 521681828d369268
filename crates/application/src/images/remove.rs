//! Remove a car's picture.

use chrono::{DateTime, Utc};
use mycars_domain::{Action, Car, CarId};

use super::{Error, delete_unused};
use crate::{
    App, Caller, audit,
    cars::{self, CarScope, authorize_car, check_version},
};

/// Removes the picture of a car in the scope; does nothing if it has none. With `version`, the time of a car's last
/// change, only that version is changed.
///
/// # Errors
/// [`cars::Error::NotFound`]; [`cars::Error::Denied`]; [`cars::Error::Conflict`] if the car has another version;
/// [`cars::Error::Store`].
pub fn remove(
    app: &App,
    caller: &Caller,
    scope: CarScope,
    id: CarId,
    version: Option<DateTime<Utc>>,
) -> Result<(), Error> {
    let old = app.store.write(|unit| {
        scope.recheck(unit, caller, None)?;
        let car = unit.cars().find_for_update(id)?;
        let before = authorize_car(caller, Action::ChangeCar, scope, car)?;
        check_version(&before, version)?;
        if before.image.is_some() {
            let after = Car {
                image: None,
                updated_at: app.now_after(before.updated_at),
                ..before.clone()
            };
            unit.cars().update(&after)?;
            audit::car_changed(app, unit, caller, &before, &after)?;
        }
        Ok::<_, cars::Error>(before.image)
    })?;
    delete_unused(app, old);
    Ok(())
}

#[cfg(test)]
mod tests {
    use mycars_domain::{Field, audit::Value};

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
        ports::StoreError,
    };

    const PATH: &str = "cars/car_10_x.jpg";

    fn pictured() -> Car {
        samples::car_with_image(PATH)
    }

    #[test]
    fn remove_from_another_version_is_a_conflict() {
        let (app, store) = Mocks::new().with_car_locked(pictured()).into_app();
        let other = Some(samples::now());
        let refused = remove(&app, &samples::ann(), CarScope::Caller, CarId(10), other);
        assert!(matches!(refused, Err(Error::Car(cars::Error::Conflict))));
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn remove_from_other_users_car_is_not_found() {
        let (app, store) = Mocks::new().with_car_locked(pictured()).into_app();
        let refused = remove(&app, &samples::admin(), CarScope::Caller, CarId(10), None);
        assert!(matches!(refused, Err(Error::Car(cars::Error::NotFound))));
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn remove_clears_the_row_deletes_the_file_and_is_logged() {
        let (app, store) = Mocks::new()
            .with_car_locked(pictured())
            .expect_car_update(|car| car.image.is_none())
            .expect_image_delete(PATH)
            .into_app();
        remove(&app, &samples::ann(), CarScope::Caller, CarId(10), None).unwrap();
        assert_eq!(store.commits(), 1);
        let change = (Field::Image, PATH.into(), Value::Nothing);
        assert_eq!(
            store.entries(),
            [expected::car_changed(&samples::ann(), [change])]
        );
    }

    #[test]
    fn picture_that_another_car_may_name_is_not_deleted() {
        for is_named in [Some(true), None] {
            let mut mocks = Mocks::new()
                .with_car_locked(pictured())
                .expect_car_update(|_| true);
            mocks
                .unit
                .cars
                .expect_has_image()
                .once()
                .returning(move |_| is_named.ok_or_else(|| StoreError::Unavailable("away".into())));
            let (app, store) = mocks.into_app();
            remove(&app, &samples::ann(), CarScope::Caller, CarId(10), None).unwrap();
            assert_eq!(store.commits(), 1);
        }
    }

    #[test]
    fn remove_from_a_car_without_a_picture_changes_nothing() {
        let (app, store) = Mocks::new().with_car_locked(samples::car()).into_app();
        remove(&app, &samples::ann(), CarScope::Caller, CarId(10), None).unwrap();
        assert_eq!(store.entries(), []);
    }
}
