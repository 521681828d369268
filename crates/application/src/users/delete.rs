//! Delete a user, and erase a user.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use mycars_domain::{Action, CarId, Denied, Rank, Target, User, UserId, policy, values::ImagePath};

use super::{Error, superusers};
use crate::{
    App, Caller,
    accounts::{logins, sessions},
    audit, images,
    lists::CHUNK,
    ports::{CarVersion, Revocation, StoreError, UnitOfWork},
};

/// The state of a user that a caller saw before a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenUser {
    /// The time of the last change of the user.
    pub version: DateTime<Utc>,
    /// The [digest](car_digests) of the user's cars; `None` accepts any cars.
    pub cars: Option<String>,
}

/// Returns a digest of each user's cars for [`SeenUser`]. It differs after a car was added, changed or removed.
///
/// # Errors
/// [`crate::Error::Denied`] for all callers but admins; [`crate::Error::Store`].
pub fn car_digests(
    app: &App,
    caller: &Caller,
    ids: &[UserId],
) -> Result<HashMap<UserId, String>, crate::Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    let versions = app.store.read(|unit| unit.cars().versions_of(ids))?;
    let mut cars: HashMap<UserId, Vec<CarVersion>> = ids.iter().map(|id| (*id, Vec::new())).collect();
    for version in versions {
        cars.entry(version.owner).or_default().push(version);
    }
    Ok(cars.into_iter().map(|(id, cars)| (id, digest(cars))).collect())
}

/// Returns the SHA-256 of the ids and the times of the last change.
fn digest(mut cars: Vec<CarVersion>) -> String {
    cars.sort_unstable_by_key(|car| car.car);
    let lines = cars
        .iter()
        .map(|car| format!("{} {}\n", car.car, car.updated_at.timestamp_micros()));
    sessions::hash(&lines.collect::<String>())
}

/// Deletes a user with their cars, and then the cars' pictures. With `seen`, only that state is deleted.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights, for admins if the user is a superuser, for callers who delete
/// themselves, and for the last active superuser; [`Error::NotFound`]; [`Error::Conflict`] if the state differs from
/// `seen`; [`Error::Store`].
pub fn delete(app: &App, caller: &Caller, id: UserId, seen: Option<&SeenUser>) -> Result<(), Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    let images = app.store.write(|unit| {
        let is_last_superuser = superusers::is_last(unit, caller, id)?;
        let user = caller.recheck_with::<Error>(unit, id)?.ok_or(Error::NotFound)?;
        check_and_delete(app, unit, caller, &user, is_last_superuser, seen)
    })?;
    images::delete_all_unused(app, images);
    Ok(())
}

/// Deletes a user as [`delete`] does, and removes their texts from the audit log. Users that were deleted before can be
/// erased, too, but only by superusers and by the program itself, because they may have been superusers.
///
/// # Errors
/// Those of [`delete`]; [`Error::NotFound`] only if the audit log has no entries about or by the user, either.
///
/// ```
/// use mycars_application::{Caller, mocks::Mocks, users};
/// use mycars_domain::{UserId, audit::Action};
///
/// let mut mocks = Mocks::new().without_user();
/// mocks.unit.audit_log.expect_forget_user().return_once(|_| Ok(12));
/// let (app, store) = mocks.into_app();
///
/// users::erase(&app, &Caller::system(), UserId(17), None)?;
/// assert_eq!(store.entries()[0].action, Action::Erased);
/// assert_eq!(store.entries()[0].object.name, "erased user 17");
/// # Ok::<(), users::Error>(())
/// ```
pub fn erase(app: &App, caller: &Caller, id: UserId, seen: Option<&SeenUser>) -> Result<(), Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    let images = app.store.write(|unit| {
        let is_last_superuser = superusers::is_last(unit, caller, id)?;
        let user = caller.recheck_with::<Error>(unit, id)?;
        let images = if let Some(user) = &user {
            check_and_delete(app, unit, caller, user, is_last_superuser, seen)?
        } else {
            // Nothing tells any more whether it was a superuser.
            let unknown = Target::user(id, Rank::Superuser);
            policy::check(&caller.actor, Action::DeleteUser, unknown)?;
            Vec::new()
        };
        if audit::user_erased(app, unit, caller, id)? == 0 {
            // The transaction is rolled back.
            return Err(Error::NotFound);
        }
        Ok(images)
    })?;
    images::delete_all_unused(app, images);
    Ok(())
}

/// Deletes a locked user if `caller` may do so, and returns the paths of the pictures.
fn check_and_delete(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    user: &User,
    is_last_superuser: bool,
    seen: Option<&SeenUser>,
) -> Result<Vec<ImagePath>, Error> {
    policy::check(
        &caller.actor,
        Action::DeleteUser,
        Target::user(user.id, user.rank()),
    )?;
    if is_last_superuser {
        return Err(Denied::LastSuperuser.into());
    }
    let deleted = delete_locked(app, unit, caller, user, Revocation::Revoked)?;
    if seen.is_some_and(|seen| !seen.is_still(user, deleted.cars)) {
        // The transaction is rolled back.
        return Err(Error::Conflict);
    }
    Ok(deleted.images)
}

impl SeenUser {
    fn is_still(&self, user: &User, cars: Vec<CarVersion>) -> bool {
        self.version == user.updated_at && self.cars.as_ref().is_none_or(|seen| *seen == digest(cars))
    }
}

/// The cars that were deleted with their owner.
pub(crate) struct DeletedCars {
    cars: Vec<CarVersion>,
    pub(crate) images: Vec<ImagePath>,
}

/// Deletes a locked user and their cars, ends the user's logins, and writes the entries of the audit log. The cars are
/// locked and read in chunks, so that the memory does not grow with their texts.
pub(crate) fn delete_locked(
    app: &App,
    unit: &mut dyn UnitOfWork,
    caller: &Caller,
    user: &User,
    why: Revocation,
) -> Result<DeletedCars, StoreError> {
    let ended = logins::end_recorded(app, unit, user.id, why)?;
    let mut deleted = DeletedCars {
        cars: Vec::new(),
        images: Vec::new(),
    };
    let mut last = CarId(0);
    loop {
        let cars = unit.cars().list_for_update(user.id, last, CHUNK)?;
        let Some(car) = cars.last() else { break };
        last = car.id;
        let entries: Vec<_> = cars
            .iter()
            .map(|car| audit::car_deleted(app, caller, car))
            .collect();
        unit.audit_log().append(&entries)?;
        deleted.cars.extend(cars.iter().map(CarVersion::from));
        deleted
            .images
            .extend(cars.into_iter().filter_map(|car| car.image));
    }
    unit.users().delete(user.id)?;
    unit.audit_log()
        .append(&[audit::user_deleted(app, caller, user, ended)])?;
    Ok(deleted)
}

#[cfg(test)]
mod tests {
    use mycars_domain::{
        Car, Field,
        audit::{Change, Value},
    };

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
    };

    fn denied(user: User, caller: &Caller) -> Denied {
        let id = user.id;
        let mocks = Mocks::new().with_user(user.clone()).with_superusers(vec![user]);
        let (app, store) = mocks.into_app();
        match delete(&app, caller, id, None) {
            Err(Error::Denied(denied)) => {
                assert_eq!((store.commits(), store.entries().len()), (0, 0));
                denied
            }
            other => panic!("must be refused: {other:?}"),
        }
    }

    #[test]
    fn delete_by_a_client_or_of_oneself_is_denied() {
        for (user, expected) in [
            (samples::user(), Denied::Forbidden),
            (samples::admin_user(), Denied::NotToOneself),
            (samples::superuser(), Denied::NotToOneself),
        ] {
            let caller = samples::caller(&user);
            assert_eq!(denied(user, &caller), expected);
        }
    }

    #[test]
    fn delete_of_a_superuser_by_an_admin_is_denied() {
        let root = samples::superuser();
        assert_eq!(denied(root, &samples::admin()), Denied::SuperusersOnly);
    }

    #[test]
    fn delete_of_unknown_user_is_not_found() {
        let (app, _) = Mocks::new().without_user().into_app();
        let refused = delete(&app, &samples::admin(), UserId(9), None);
        assert!(matches!(refused, Err(Error::NotFound)));
    }

    #[test]
    fn delete_removes_pictures_and_logs_each_car() {
        let with_picture = |id, path| Car {
            id: CarId(id),
            ..samples::car_with_image(path)
        };
        let mut mocks = Mocks::new()
            .with_user(samples::user())
            .with_cars(vec![
                with_picture(10, "cars/a.jpg"),
                with_picture(11, "cars/b.jpg"),
            ])
            .expect_logins_ended(Revocation::Revoked, 3, 2)
            .expect_user_delete(UserId(1));
        mocks.unit.cars.expect_has_image().returning(|_| Ok(false));
        mocks.images.expect_delete().times(2).returning(|_| Ok(()));
        let (app, store) = mocks.into_app();
        let admin = samples::admin();
        delete(&app, &admin, UserId(1), None).unwrap();
        assert_eq!(store.commits(), 1);
        let car = |id: &str, path: &str| {
            let mut entry = expected::car_is_gone(&admin);
            entry.object.id = id.into();
            entry.changes.push(Change {
                field: Field::Image,
                before: path.into(),
                after: Value::Nothing,
            });
            entry
        };
        assert_eq!(
            store.entries(),
            [
                car("10", "cars/a.jpg"),
                car("11", "cars/b.jpg"),
                ann_is_gone(&admin)
            ]
        );
    }

    fn ann_is_gone(caller: &Caller) -> mycars_domain::audit::NewEntry {
        let mut entry = expected::ann_is_gone(caller);
        entry.changes.extend(expected::ended_logins(3, 2));
        entry
    }

    #[test]
    fn delete_of_another_state_is_a_conflict() {
        let version = samples::user().updated_at;
        let later = version + chrono::TimeDelta::microseconds(1);
        let car = CarVersion::from(&samples::car());
        let swapped = CarVersion {
            car: CarId(car.car.0 + 1),
            ..car
        };
        let edited = CarVersion {
            updated_at: car.updated_at - chrono::TimeDelta::microseconds(1),
            ..car
        };
        let of = |cars: &[CarVersion]| Some(digest(cars.to_vec()));
        for (version, cars) in [
            (later, None),
            (later, of(&[car])),
            (version, of(&[])),
            (version, of(&[car, swapped])),
            (version, of(&[swapped])),
            (version, of(&[edited])),
            (version, Some("1".into())),
            (version, Some(String::new())),
        ] {
            let (app, store) = Mocks::new()
                .with_user(samples::user())
                .with_cars(vec![samples::car()])
                .expect_logins_ended(Revocation::Revoked, 0, 0)
                .expect_user_delete(UserId(1))
                .into_app();
            let seen = Some(SeenUser { version, cars });
            let refused = delete(&app, &samples::admin(), UserId(1), seen.as_ref());
            assert!(matches!(refused, Err(Error::Conflict)), "{seen:?}");
            assert_eq!((store.commits(), store.entries().len()), (0, 0));
        }
    }

    #[test]
    fn car_digests_do_not_depend_on_the_order() {
        let versions = [3, 1, 2].map(|id| CarVersion {
            car: CarId(id),
            ..CarVersion::from(&samples::car())
        });
        let mut reversed = versions.to_vec();
        reversed.reverse();
        assert_eq!(digest(versions.to_vec()), digest(reversed));

        let mut mocks = Mocks::new();
        mocks
            .unit
            .cars
            .expect_versions_of()
            .returning(move |_| Ok(versions.to_vec()));
        let (app, _) = mocks.into_app();
        let ids = [samples::user().id, UserId(9)];
        let digests = car_digests(&app, &samples::other_user(Rank::Admin), &ids).unwrap();
        assert_eq!(digests[&ids[0]], digest(versions.to_vec()));
        assert_eq!(digests[&ids[1]], digest(Vec::new()));
    }

    #[test]
    fn delete_of_the_seen_state_succeeds() {
        for is_digested in [false, true] {
            let mut mocks =
                Mocks::new()
                    .with_user(samples::user())
                    .expect_logins_ended(Revocation::Revoked, 3, 2);
            mocks
                .unit
                .cars
                .expect_versions_of()
                .withf(|ids| ids == [UserId(1)])
                .returning(|_| Ok(vec![CarVersion::from(&samples::car())]));
            let mut order = mockall::Sequence::new();
            mocks
                .unit
                .cars
                .expect_list_for_update()
                .once()
                .in_sequence(&mut order)
                .returning(|_, _, _| Ok(vec![samples::car()]));
            mocks
                .unit
                .cars
                .expect_list_for_update()
                .once()
                .in_sequence(&mut order)
                .withf(|_, after, _| *after == samples::car().id)
                .returning(|_, _, _| Ok(vec![]));
            mocks
                .unit
                .users
                .expect_delete()
                .once()
                .in_sequence(&mut order)
                .returning(|_| Ok(()));
            let (app, store) = mocks.into_app();
            let version = samples::user().updated_at;
            let admin = samples::admin();
            let mut digests = car_digests(&app, &admin, &[UserId(1)]).unwrap();
            let cars = digests.remove(&UserId(1)).filter(|_| is_digested);
            assert_eq!(cars.is_some(), is_digested);
            let seen = SeenUser { version, cars };
            delete(&app, &admin, UserId(1), Some(&seen)).unwrap();
            assert_eq!(
                store.entries(),
                [expected::car_is_gone(&admin), ann_is_gone(&admin)]
            );
        }
    }

    #[test]
    fn erase_deletes_the_user_and_forgets_them_last() {
        let mut order = mockall::Sequence::new();
        let mut mocks = Mocks::new()
            .with_user(samples::user())
            .with_cars(vec![samples::car()])
            .expect_logins_ended(Revocation::Revoked, 3, 2);
        mocks
            .unit
            .users
            .expect_delete()
            .once()
            .in_sequence(&mut order)
            .returning(|_| Ok(()));
        mocks
            .unit
            .audit_log
            .expect_forget_user()
            .once()
            .in_sequence(&mut order)
            .withf(|user| *user == UserId(1))
            .returning(|_| Ok(9));
        let (app, store) = mocks.into_app();
        let admin = samples::admin();
        erase(&app, &admin, UserId(1), None).unwrap();
        let entries = store.entries();
        assert_eq!(entries[..2], [expected::car_is_gone(&admin), ann_is_gone(&admin)]);
        let erased = &entries[2];
        assert_eq!(
            (erased.action, &erased.object, &erased.author),
            (
                mycars_domain::audit::Action::Erased,
                &mycars_domain::audit::Object::erased_user(UserId(1)),
                &admin.author()
            )
        );
        assert_eq!((entries.len(), store.commits()), (3, 1));
    }

    #[test]
    fn erase_of_a_user_without_entries_is_not_found() {
        let mut mocks = Mocks::new().without_user();
        // The entry about the erasure itself.
        mocks.unit.audit_log.expect_forget_user().returning(|_| Ok(1));
        let (app, store) = mocks.into_app();
        let refused = erase(&app, &Caller::system(), UserId(9), None);
        assert!(matches!(refused, Err(Error::NotFound)));
        let denied = erase(&app, &samples::admin(), UserId(9), None);
        assert!(matches!(denied, Err(Error::Denied(Denied::SuperusersOnly))));
        assert_eq!((store.commits(), store.entries().len()), (0, 0));
    }

    #[test]
    fn erase_of_a_superuser_by_an_admin_is_denied() {
        let root = samples::superuser();
        let mocks = Mocks::new().with_user(root.clone()).with_superusers(vec![root]);
        let (app, store) = mocks.into_app();
        let refused = erase(&app, &samples::admin(), UserId(1), None);
        assert!(matches!(refused, Err(Error::Denied(Denied::SuperusersOnly))));
        assert_eq!(store.commits(), 0);
    }

    /// The calling superuser was active when the request was authenticated, and is inactive now.
    #[test]
    fn delete_of_last_active_superuser_is_denied() {
        let root = samples::superuser();
        assert_eq!(
            denied(root, &samples::other_user(Rank::Superuser)),
            Denied::LastSuperuser
        );
    }
}
