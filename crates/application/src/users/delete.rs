//! Delete a user.

use mycars_domain::{Action, Target, UserId, policy};

use super::Error;
use crate::{App, Caller, audit, images};

/// Deletes a user with their cars, and then the cars' pictures.
///
/// # Errors
/// [`Error::Denied`] for who is no admin, for who is no superuser and deletes one, and for who deletes
/// themselves; [`Error::NotFound`]; [`Error::Store`].
pub fn delete(app: &App, caller: &Caller, id: UserId) -> Result<(), Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    let cars = app.store.write(|unit| {
        let user = unit.users().find_for_update(id)?.ok_or(Error::NotFound)?;
        policy::check(
            &caller.actor,
            Action::DeleteUser,
            Target::user(user.id, user.rank()),
        )?;
        let cars = unit.cars().list_for_update(id)?;
        unit.users().delete(id)?;
        let of_cars = cars.iter().map(|car| audit::car_deleted(app, caller, car));
        let entries: Vec<_> = of_cars.chain([audit::user_deleted(app, caller, &user)]).collect();
        unit.audit_log().append(&entries)?;
        Ok::<_, Error>(cars)
    })?;
    for car in cars {
        images::forget(app, car.image);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mycars_domain::{
        Car, CarId, Denied, Field, Rank, Role, User,
        audit::{Change, Value},
        values::ImagePath,
    };

    use super::*;
    use crate::{
        audit::expected,
        mocks::{Mocks, samples},
    };

    fn denied(user: User, caller: &Caller) -> Denied {
        let mut mocks = Mocks::new();
        let id = user.id;
        mocks
            .unit
            .users
            .expect_find_for_update()
            .return_once(|_| Ok(Some(user)));
        mocks.unit.users.expect_delete().never();
        let (app, store) = mocks.into_app();
        match delete(&app, caller, id) {
            Err(Error::Denied(denied)) => {
                assert_eq!((store.commits(), store.entries().len()), (0, 0));
                denied
            }
            other => panic!("must be refused: {other:?}"),
        }
    }

    #[test]
    fn a_client_deletes_nobody_and_nobody_deletes_themselves() {
        let ann = samples::user();
        assert_eq!(denied(samples::user(), &samples::caller(&ann)), Denied::Forbidden);
        let admin = User {
            role: Role::Admin,
            ..samples::user()
        };
        assert_eq!(
            denied(admin.clone(), &samples::caller(&admin)),
            Denied::NotToOneself
        );
        let root = User {
            is_superuser: true,
            ..samples::user()
        };
        assert_eq!(
            denied(root.clone(), &samples::caller(&root)),
            Denied::NotToOneself
        );
    }

    #[test]
    fn only_a_superuser_deletes_a_superuser() {
        let root = User {
            is_superuser: true,
            ..samples::user()
        };
        assert_eq!(
            denied(root, &samples::somebody_else(Rank::Admin)),
            Denied::SuperusersOnly
        );
    }

    #[test]
    fn who_is_not_there_is_not_found() {
        let mut mocks = Mocks::new();
        mocks.unit.users.expect_find_for_update().returning(|_| Ok(None));
        let (app, _) = mocks.into_app();
        let refused = delete(&app, &samples::somebody_else(Rank::Admin), UserId(9));
        assert!(matches!(refused, Err(Error::NotFound)));
    }

    #[test]
    fn the_pictures_of_their_cars_go_after_the_rows_and_what_went_is_written_down_one_by_one() {
        let mut mocks = Mocks::new();
        mocks
            .unit
            .users
            .expect_find_for_update()
            .returning(|_| Ok(Some(samples::user())));
        let with_picture = |id, path: &str| Car {
            id: CarId(id),
            image: Some(ImagePath::from_storage(path.into())),
            ..samples::car()
        };
        mocks.unit.cars.expect_list_for_update().returning(move |_| {
            Ok(vec![
                with_picture(10, "cars/a.jpg"),
                with_picture(11, "cars/b.jpg"),
            ])
        });
        mocks
            .unit
            .users
            .expect_delete()
            .withf(|id| *id == UserId(1))
            .once()
            .returning(|_| Ok(()));
        mocks.unit.cars.expect_has_image().returning(|_| Ok(false));
        mocks.images.expect_delete().times(2).returning(|_| Ok(()));
        let (app, store) = mocks.into_app();
        let admin = samples::somebody_else(Rank::Admin);
        delete(&app, &admin, UserId(1)).unwrap();
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
                expected::ann_is_gone(&admin)
            ]
        );
    }
}
