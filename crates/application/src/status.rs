//! The status of the installation, for admins.

use mycars_domain::{Action, Target, policy};

use crate::{
    App, BackupSettings, Caller, Error,
    lists::UserQuery,
    ports::{BoxError, CarCount, ImageStoreError, ImageUsage, StoreError, StoredBackup, UnitOfWork},
};

/// The status of the installation.
#[derive(Debug)]
#[non_exhaustive]
pub struct Status {
    /// Numbers of rows, or the error of the store.
    pub counts: Result<Counts, StoreError>,
    /// Disk usage of the pictures, or the error of the image store.
    pub images: Result<ImageUsage, ImageStoreError>,
    /// The scheduled backups; `None` if they are turned off.
    pub backups: Option<Backups>,
}

/// The status of the scheduled backups.
#[derive(Debug)]
#[non_exhaustive]
pub struct Backups {
    /// The newest backup, if there is one, or the error of their store.
    pub newest: Result<Option<StoredBackup>, BoxError>,
    /// Whether the newest backup is older than twice the interval, or there is none.
    pub are_overdue: bool,
}

/// Numbers of rows in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Number of users.
    pub users: u64,
    /// Number of active users.
    pub active_users: u64,
    /// Number of cars, and of those with a picture.
    pub cars: CarCount,
}

/// Reads the status. If one part fails, the others are still reported.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights.
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
/// let status = status::read(&app, &samples::other_user(Rank::Admin))?;
/// let counts = status.counts?;
/// assert_eq!((counts.active_users, counts.cars.cars), (12, 5));
/// assert!(status::read(&app, &samples::ann()).is_err());
/// # Ok::<(), mycars_application::Error>(())
/// ```
pub fn read(app: &App, caller: &Caller) -> Result<Status, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    Ok(Status {
        counts: app.store.read(counts),
        images: app.images.usage(),
        backups: app.backups.as_ref().map(|schedule| backups(app, schedule)),
    })
}

fn backups(app: &App, schedule: &BackupSettings) -> Backups {
    let newest = schedule.store.list().map(|mut backups| backups.pop());
    let is_recent = |backup: &StoredBackup| app.now() - backup.created_at <= schedule.every * 2;
    Backups {
        are_overdue: !matches!(&newest, Ok(Some(newest)) if is_recent(newest)),
        newest,
    }
}

fn counts(unit: &mut dyn UnitOfWork) -> Result<Counts, StoreError> {
    let users = unit.users().counts(&UserQuery::default())?;
    Ok(Counts {
        users: users.iter().map(|alike| alike.count).sum(),
        active_users: users
            .iter()
            .filter(|alike| alike.is_active)
            .map(|alike| alike.count)
            .sum(),
        cars: unit.cars().count_all()?,
    })
}

#[cfg(test)]
mod tests {
    use mycars_domain::Role;

    use super::*;
    use crate::{
        lists::UserCount,
        mocks::{Mocks, samples},
    };

    #[test]
    fn image_store_failure_does_not_hide_the_counts() {
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
            .returning(|| Err(ImageStoreError::Other("the disk is gone".into())));
        let (app, _) = mocks.into_app();
        let status = read(&app, &samples::admin()).unwrap();
        let counts = status.counts.unwrap();
        assert_eq!((counts.users, counts.active_users, counts.cars), (15, 12, cars));
        assert!(status.images.is_err());
    }

    #[test]
    fn store_failure_does_not_hide_the_pictures() {
        let usage = ImageUsage {
            count: 2,
            bytes: 300_000,
            free_bytes: None,
        };
        let mut mocks = Mocks::failing_store();
        mocks.images.expect_usage().returning(move || Ok(usage));
        let (app, _) = mocks.into_app();
        let status = read(&app, &samples::admin()).unwrap();
        assert!(matches!(status.counts, Err(StoreError::Unavailable(_))));
        assert_eq!(status.images.unwrap(), usage);
    }
}
