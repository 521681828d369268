//! How the whole installation is doing, for admins.

use mycars_domain::{Action, Target, policy};

use crate::{
    App, Caller,
    lists::UserQuery,
    ports::{CarCount, ImageStoreError, ImageUsage},
    users::Error,
};

/// How the whole installation is doing.
#[derive(Debug)]
#[non_exhaustive]
pub struct Status {
    /// How many users there are.
    pub users: u64,
    /// How many of them may log in.
    pub active_users: u64,
    /// How many cars there are, and how many have a picture.
    pub cars: CarCount,
    /// The room that pictures take, or why it can't be said.
    pub images: Result<ImageUsage, ImageStoreError>,
}

/// Reads how the installation is doing. That the pictures' room can't be said hides nothing else.
///
/// # Errors
/// [`Error::Denied`] for who is no admin; [`Error::Store`].
///
/// ```
/// use mycars_application::{lists::UserCount, mocks::{Mocks, samples}, ports::{CarCount, ImageUsage}, status};
/// use mycars_domain::{Rank, Role};
///
/// let mut mocks = Mocks::new();
/// mocks.unit.users.expect_counts().returning(|_| {
///     Ok(vec![UserCount { role: Role::Client, is_active: true, count: 12 }])
/// });
/// mocks.unit.cars.expect_count_all().returning(|| Ok(CarCount { cars: 5, pictures: 2 }));
/// mocks.images.expect_usage().returning(|| {
///     Ok(ImageUsage { count: 2, bytes: 300_000, free_bytes: None })
/// });
/// let (app, _) = mocks.into_app();
///
/// let status = status::read(&app, &samples::somebody_else(Rank::Admin))?;
/// assert_eq!((status.active_users, status.cars.cars), (12, 5));
/// assert!(status::read(&app, &samples::ann()).is_err());
/// # Ok::<(), mycars_application::users::Error>(())
/// ```
pub fn read(app: &App, caller: &Caller) -> Result<Status, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    let (users, cars) = app.store.read(|unit| {
        let users = unit.users().counts(&UserQuery::default())?;
        Ok::<_, Error>((users, unit.cars().count_all()?))
    })?;
    Ok(Status {
        users: users.iter().map(|alike| alike.count).sum(),
        active_users: users
            .iter()
            .filter(|alike| alike.is_active)
            .map(|alike| alike.count)
            .sum(),
        cars,
        images: app.images.usage(),
    })
}

#[cfg(test)]
mod tests {
    use mycars_domain::{Rank, Role};

    use super::*;
    use crate::{
        lists::UserCount,
        mocks::{Mocks, samples},
    };

    #[test]
    fn who_may_log_in_is_counted_among_all_and_pictures_that_cant_be_counted_hide_nothing_else() {
        let alike = |role, is_active, count| UserCount {
            role,
            is_active,
            count,
        };
        let cars = CarCount { cars: 5, pictures: 2 };
        let mut mocks = Mocks::new();
        mocks
            .unit
            .users
            .expect_counts()
            .withf(|query| *query == UserQuery::default())
            .returning(move |_| {
                Ok(vec![
                    alike(Role::Client, true, 10),
                    alike(Role::Client, false, 3),
                    alike(Role::Admin, true, 2),
                ])
            });
        mocks.unit.cars.expect_count_all().returning(move || Ok(cars));
        mocks
            .images
            .expect_usage()
            .returning(|| Err(ImageStoreError("the disk is gone".into())));
        let (app, _) = mocks.into_app();
        let status = read(&app, &samples::somebody_else(Rank::Admin)).unwrap();
        assert_eq!((status.users, status.active_users, status.cars), (15, 12, cars));
        assert!(status.images.is_err());
    }
}
