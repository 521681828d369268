//! Delete a user.

use mycars_domain::{Action, Actor, Target, UserId, policy};

use super::Error;
use crate::{App, images};

/// Deletes a user with their cars, and then the cars' pictures.
///
/// # Errors
/// [`Error::Denied`] for who is no admin, for who is no superuser and deletes one, and for who deletes
/// themselves; [`Error::NotFound`]; [`Error::Store`].
pub fn delete(app: &App, actor: &Actor, id: UserId) -> Result<(), Error> {
    policy::check(actor, Action::ReadUsers, Target::NOTHING)?;
    let pictures = app.store.write(|unit| {
        let user = unit.users().find_for_update(id)?.ok_or(Error::NotFound)?;
        policy::check(actor, Action::DeleteUser, Target::user(user.id, user.rank()))?;
        let pictures = unit.cars().images_of(id)?;
        unit.users().delete(id)?;
        Ok::<_, Error>(pictures)
    })?;
    for picture in pictures {
        images::forget(app, Some(picture));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use mycars_domain::{Denied, Rank, Role, User, values::ImagePath};

    use super::*;
    use crate::mocks::{Mocks, samples};

    fn denied(user: User, actor: &Actor) -> Denied {
        let mut mocks = Mocks::new();
        let id = user.id;
        mocks
            .unit
            .users
            .expect_find_for_update()
            .return_once(|_| Ok(Some(user)));
        mocks.unit.users.expect_delete().never();
        let (app, store) = mocks.into_app();
        match delete(&app, actor, id) {
            Err(Error::Denied(denied)) => {
                assert_eq!(store.commits(), 0);
                denied
            }
            other => panic!("must be refused: {other:?}"),
        }
    }

    #[test]
    fn a_client_deletes_nobody_and_nobody_deletes_themselves() {
        let ann = samples::user();
        assert_eq!(denied(samples::user(), &ann.actor()), Denied::Forbidden);
        let admin = User {
            role: Role::Admin,
            ..samples::user()
        };
        assert_eq!(denied(admin.clone(), &admin.actor()), Denied::NotToOneself);
        let root = User {
            is_superuser: true,
            ..samples::user()
        };
        assert_eq!(denied(root.clone(), &root.actor()), Denied::NotToOneself);
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
    fn the_pictures_of_their_cars_go_after_the_rows() {
        let mut mocks = Mocks::new();
        mocks
            .unit
            .users
            .expect_find_for_update()
            .returning(|_| Ok(Some(samples::user())));
        mocks.unit.cars.expect_images_of().returning(|_| {
            Ok(vec![
                ImagePath::from_storage("cars/a.jpg".into()),
                ImagePath::from_storage("cars/b.jpg".into()),
            ])
        });
        mocks
            .unit
            .users
            .expect_delete()
            .withf(|id| *id == UserId(1))
            .once()
            .returning(|_| Ok(()));
        mocks.images.expect_delete().times(2).returning(|_| Ok(()));
        let (app, store) = mocks.into_app();
        delete(&app, &samples::somebody_else(Rank::Admin), UserId(1)).unwrap();
        assert_eq!(store.commits(), 1);
    }
}
