//! Delete a car.

use chrono::{DateTime, Utc};
use mycars_domain::{Action, CarId};

use super::{CarScope, Error, authorize_car, check_version};
use crate::{App, Caller, audit, images};

/// Deletes a car in the scope, and then its picture. With `version`, the time of a car's last change, only that version
/// is deleted.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Denied`]; [`Error::Conflict`] if the car has another version; [`Error::Store`].
pub fn delete(
    app: &App,
    caller: &Caller,
    scope: CarScope,
    id: CarId,
    version: Option<DateTime<Utc>>,
) -> Result<(), Error> {
    let image = app.store.write(|unit| {
        scope.recheck(unit, caller, None)?;
        let car = authorize_car(caller, Action::DeleteCar, scope, unit.cars().find_for_update(id)?)?;
        check_version(&car, version)?;
        unit.cars().delete(id)?;
        unit.audit_log()
            .append(&[audit::car_deleted(app, caller, &car)])?;
        Ok::<_, Error>(car.image)
    })?;
    images::delete_unused(app, image);
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;
    use mockall::Sequence;
    use mycars_domain::Rank;

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
    };

    #[test]
    fn delete_of_other_users_car_is_not_found() {
        for rank in [Rank::Client, Rank::Admin, Rank::Superuser] {
            let (app, store) = Mocks::new().with_car_locked(samples::car()).into_app();
            let caller = samples::other_user(rank);
            let refused = delete(&app, &caller, CarScope::Caller, CarId(10), None);
            assert!(matches!(refused, Err(Error::NotFound)), "{rank:?}");
            assert_eq!((store.commits(), store.entries().len()), (0, 0));
        }
    }

    #[test]
    fn delete_of_unknown_car_is_not_found() {
        let (app, _) = Mocks::new().without_car().into_app();
        assert!(matches!(
            delete(&app, &samples::ann(), CarScope::Caller, CarId(10), None),
            Err(Error::NotFound)
        ));
    }

    #[test]
    fn delete_of_own_car_is_logged_with_its_fields() {
        let (app, store) = Mocks::new()
            .with_car_locked(samples::car())
            .expect_car_delete(CarId(10))
            .into_app();
        delete(&app, &samples::ann(), CarScope::Caller, CarId(10), None).unwrap();
        assert_eq!(store.commits(), 1);
        assert_eq!(store.entries(), [expected::car_is_gone(&samples::ann())]);
    }

    #[test]
    fn delete_of_another_version_is_a_conflict() {
        let version = samples::car().updated_at;
        for other in [
            version + TimeDelta::microseconds(1),
            version - TimeDelta::microseconds(1),
            samples::now(),
        ] {
            let (app, store) = Mocks::new().with_car_locked(samples::car()).into_app();
            let refused = delete(&app, &samples::ann(), CarScope::Caller, CarId(10), Some(other));
            assert!(matches!(refused, Err(Error::Conflict)), "{other}");
            assert_eq!((store.commits(), store.entries().len()), (0, 0));
        }
    }

    #[test]
    fn delete_of_the_seen_version_succeeds() {
        let mut order = Sequence::new();
        let mut mocks = Mocks::new();
        let cars = &mut mocks.unit.cars;
        cars.expect_find_for_update()
            .once()
            .in_sequence(&mut order)
            .returning(|_| Ok(Some(samples::car())));
        cars.expect_delete()
            .once()
            .in_sequence(&mut order)
            .returning(|_| Ok(()));
        let (app, store) = mocks.into_app();
        let version = Some(samples::car().updated_at);
        delete(&app, &samples::ann(), CarScope::Caller, CarId(10), version).unwrap();
        assert_eq!(store.entries(), [expected::car_is_gone(&samples::ann())]);
    }

    #[test]
    fn delete_of_other_users_car_ignores_the_version() {
        let (app, _) = Mocks::new().with_car_locked(samples::car()).into_app();
        let client = samples::other_user(Rank::Client);
        let refused = delete(&app, &client, CarScope::Caller, CarId(10), Some(samples::now()));
        assert!(matches!(refused, Err(Error::NotFound)));
    }

    #[test]
    fn delete_removes_the_picture() {
        let mocks = Mocks::new()
            .with_car_locked(samples::car_with_image("cars/car_10_x.jpg"))
            .expect_car_delete(CarId(10))
            .expect_image_delete("cars/car_10_x.jpg");
        let (app, store) = mocks.into_app();
        delete(&app, &samples::ann(), CarScope::Caller, CarId(10), None).unwrap();
        assert_eq!(store.commits(), 1);
    }
}
