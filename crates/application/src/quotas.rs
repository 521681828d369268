//! Quotas of cars and of the space that their pictures take.
//!
//! A quota belongs to the owner of the cars and holds for all callers that add to them. A quota that is lowered deletes
//! nothing.

use mycars_domain::{Action, CarId, Target, UserId, Violation, policy};

use crate::{
    App, Caller, Error,
    ports::{StoreError, UnitOfWork},
};

/// The quotas of each user; `None` is no limit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Quotas {
    /// Maximum number of cars.
    pub cars: Option<u64>,
    /// Maximum size of all pictures in bytes.
    pub picture_bytes: Option<u64>,
}

/// Number of cars and size of pictures of a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// Number of cars.
    pub cars: u64,
    /// Size of their pictures in bytes, without those that were not measured yet: see
    /// [`images::measure`](crate::images::measure).
    pub picture_bytes: u64,
}

/// Returns what a user has.
///
/// # Errors
/// [`Error::Denied`] for callers who are not admins; [`Error::Store`].
pub fn usage(app: &App, caller: &Caller, user: UserId) -> Result<Usage, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    app.store.read(|unit| {
        Ok(Usage {
            cars: unit.cars().count_of(&[user])?.cars,
            picture_bytes: unit.cars().image_bytes_of(user, None)?,
        })
    })
}

/// The owner is locked if there is room for fewer cars than this. Below that, two additions at once cannot exceed the
/// quota: a database has fewer connections.
const LOCKED_ROOM: u64 = 100;

/// Returns the violation if `owner`, who had `counted` cars in this transaction, may have no further car.
pub(crate) fn check_car(
    app: &App,
    unit: &mut dyn UnitOfWork,
    owner: UserId,
    counted: u64,
) -> Result<Option<Violation>, StoreError> {
    let Some(max) = app.quotas.cars else {
        return Ok(None);
    };
    let mut cars = counted;
    if cars < max && max - cars <= LOCKED_ROOM {
        unit.users().find_for_update(owner)?;
        cars = unit.cars().count_of(&[owner])?.cars;
    }
    Ok((cars >= max).then_some(Violation::TooManyCars { max }))
}

/// Returns the violation if `owner`, who is locked, may not have `new` further cars.
pub(crate) fn check_cars(
    app: &App,
    unit: &mut dyn UnitOfWork,
    owner: UserId,
    new: usize,
) -> Result<Option<Violation>, StoreError> {
    let Some(max) = app.quotas.cars else {
        return Ok(None);
    };
    let cars = unit.cars().count_of(&[owner])?.cars;
    Ok((cars.saturating_add(new as u64) > max).then_some(Violation::TooManyCars { max }))
}

/// Locks the owner, and returns the violation if their other pictures leave no room for one of `bytes` for `car`.
///
/// A use-case that also locks the car calls this first: users are locked before cars.
pub(crate) fn check_picture(
    app: &App,
    unit: &mut dyn UnitOfWork,
    (owner, car): (UserId, CarId),
    bytes: u64,
) -> Result<Option<Violation>, StoreError> {
    let Some(max_bytes) = app.quotas.picture_bytes else {
        return Ok(None);
    };
    unit.users().find_for_update(owner)?;
    let others = unit.cars().image_bytes_of(owner, Some(car))?;
    Ok((others.saturating_add(bytes) > max_bytes).then_some(Violation::TooManyPictureBytes { max_bytes }))
}

#[cfg(test)]
mod tests {
    use mockall::predicate::eq;
    use mycars_domain::Denied;

    use super::*;
    use crate::{
        mocks::{Mocks, samples},
        ports::CarCount,
    };

    const ANN: UserId = UserId(1);
    const CAR: CarId = CarId(10);

    fn cars(max: u64, counted: u64, mocks: Mocks) -> Option<Violation> {
        let (mut app, _) = mocks.into_app();
        app.quotas.cars = Some(max);
        let store = app.store.clone();
        store.write(|unit| check_car(&app, unit, ANN, counted)).unwrap()
    }

    #[test]
    fn far_from_the_quota_nothing_is_locked() {
        assert_eq!(cars(1000, 0, Mocks::new()), None);
        assert_eq!(cars(1000, 899, Mocks::new()), None);
    }

    #[test]
    fn near_the_quota_cars_are_counted_under_a_lock() {
        let max = 1000;
        let full = Some(Violation::TooManyCars { max });
        for (counted, under_lock, expected) in [(900, 900, None), (999, 999, None), (999, 1000, full.clone())]
        {
            let mut mocks = Mocks::new().with_user_locked(samples::user());
            mocks.unit.cars.expect_count_of().once().returning(move |_| {
                Ok(CarCount {
                    cars: under_lock,
                    pictures: 0,
                })
            });
            assert_eq!(cars(max, counted, mocks), expected, "{counted}");
        }
        for counted in [1000, 2000] {
            assert_eq!(cars(max, counted, Mocks::new()), full, "{counted}");
        }
        assert_eq!(cars(0, 0, Mocks::new()), Some(Violation::TooManyCars { max: 0 }));
    }

    #[test]
    fn pictures_of_other_cars_count() {
        let max_bytes = 100;
        for (others, expected) in [
            (0, None),
            (60, None),
            (61, Some(Violation::TooManyPictureBytes { max_bytes })),
        ] {
            let mut mocks = Mocks::new().with_user_locked(samples::user());
            mocks
                .unit
                .cars
                .expect_image_bytes_of()
                .with(eq(ANN), eq(Some(CAR)))
                .once()
                .returning(move |_, _| Ok(others));
            let (mut app, _) = mocks.into_app();
            app.quotas.picture_bytes = Some(max_bytes);
            let store = app.store.clone();
            let found = store.write(|unit| check_picture(&app, unit, (ANN, CAR), 40));
            assert_eq!(found.unwrap(), expected, "{others}");
        }
    }

    #[test]
    fn without_quotas_nothing_is_read() {
        let (app, _) = Mocks::new().into_app();
        app.store
            .write(|unit| {
                assert_eq!(check_car(&app, unit, ANN, u64::MAX)?, None);
                assert_eq!(check_picture(&app, unit, (ANN, CAR), u64::MAX)?, None);
                Ok::<_, StoreError>(())
            })
            .unwrap();
    }

    #[test]
    fn usage_is_for_admins() {
        let mut mocks = Mocks::new();
        let repository = &mut mocks.unit.cars;
        repository
            .expect_count_of()
            .returning(|_| Ok(CarCount { cars: 3, pictures: 2 }));
        repository.expect_image_bytes_of().returning(|_, _| Ok(5000));
        let (app, _) = mocks.into_app();
        let expected = Usage {
            cars: 3,
            picture_bytes: 5000,
        };
        assert_eq!(usage(&app, &samples::admin(), ANN).unwrap(), expected);
        let refused = usage(&app, &samples::ann(), ANN);
        assert!(matches!(refused, Err(Error::Denied(Denied::Forbidden))));
    }
}
