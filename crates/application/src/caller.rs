//! The caller of a use-case, and the origin of the request.

use mycars_domain::{
    Actor, Denied, KeyRights, User, UserId,
    audit::{Author, Channel, Origin},
};

use crate::ports::{StoreError, UnitOfWork};

/// The caller of a use-case, with the data for the audit log. Use-cases take one, except those whose argument
/// authenticates the caller, such as a token.
///
/// Create one for a user only after authenticating them, as [`accounts::authenticate`](crate::accounts::authenticate)
/// and [`sessions::authenticate`](crate::accounts::sessions::authenticate) do.
///
/// ```
/// use mycars_application::{Caller, mocks::samples};
/// use mycars_domain::{Actor, UserId, audit::{Channel, Origin}};
///
/// let origin = Origin {
///     channel: Channel::Api,
///     request_id: Some("7f3c".into()),
///     address: Some([192, 0, 2, 1].into()),
/// };
/// let ann = Caller::user(&samples::user(), origin.clone());
/// assert_eq!((ann.user_id(), ann.name.as_str()), (Some(UserId(1)), "ann"));
/// assert_eq!(Caller::anonymous(origin).user_id(), None);
/// assert_eq!(Caller::system().actor, Actor::System);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The actor, on which alone policy decides.
    pub actor: Actor,
    /// The name in the audit log.
    pub name: String,
    /// The origin of the request.
    pub origin: Origin,
}

impl Caller {
    /// Returns an authenticated user as a caller, with their current rights.
    #[must_use]
    pub fn user(user: &User, origin: Origin) -> Self {
        Self {
            actor: user.actor(),
            name: user.username.to_string(),
            origin,
        }
    }

    /// Returns a program with an API key of this user as a caller, with their current rights.
    #[must_use]
    pub fn key(user: &User, rights: KeyRights, origin: Origin) -> Self {
        Self {
            actor: Actor::Key {
                id: user.id,
                rank: user.rank(),
                rights,
            },
            ..Self::user(user, origin)
        }
    }

    /// Returns the anonymous caller.
    #[must_use]
    pub fn anonymous(origin: Origin) -> Self {
        Self {
            actor: Actor::Anonymous,
            name: "anonymous".to_owned(),
            origin,
        }
    }

    /// Returns the program itself: start-up tasks and the operator's command line.
    #[must_use]
    pub fn system() -> Self {
        Self {
            actor: Actor::System,
            name: "system".to_owned(),
            origin: Origin {
                channel: Channel::CommandLine,
                request_id: None,
                address: None,
            },
        }
    }

    /// Locks the caller until the transaction ends, and checks that they still have their rights: since the request was
    /// authenticated, they may have been deactivated, demoted or deleted. The program itself always has its rights.
    ///
    /// # Errors
    /// [`Denied::NotAuthenticated`] if their rank is another one now, or they may not log in; [`StoreError`].
    pub(crate) fn recheck<E: From<Denied> + From<StoreError>>(
        &self,
        unit: &mut dyn UnitOfWork,
    ) -> Result<(), E> {
        let Some(id) = self.user_id() else {
            return Ok(());
        };
        let now = unit.users().find_for_update(id)?;
        let has_rank = |user: &User| match self.actor {
            Actor::User { rank, .. } | Actor::Key { rank, .. } => user.rank() == rank,
            Actor::Anonymous | Actor::System => true,
        };
        if now.is_some_and(|user| user.is_active && has_rank(&user)) {
            Ok(())
        } else {
            Err(Denied::NotAuthenticated.into())
        }
    }

    /// [Rechecks](Self::recheck) the caller, and locks the user `target` and returns them, if they exist. The two are
    /// locked in the order of their ids, so that two callers who change each other cannot wait for each other.
    ///
    /// # Errors
    /// Those of [`recheck`](Self::recheck).
    pub(crate) fn recheck_with<E: From<Denied> + From<StoreError>>(
        &self,
        unit: &mut dyn UnitOfWork,
        target: UserId,
    ) -> Result<Option<User>, E> {
        if self.user_id().is_some_and(|id| id > target) {
            let target = unit.users().find_for_update(target)?;
            self.recheck::<E>(unit)?;
            return Ok(target);
        }
        self.recheck::<E>(unit)?;
        Ok(unit.users().find_for_update(target)?)
    }

    /// Returns the id of the user; `None` for anonymous callers and the program itself.
    #[must_use]
    pub fn user_id(&self) -> Option<UserId> {
        self.actor.user_id()
    }

    /// Returns the author of the audit log's entries.
    #[must_use]
    pub fn author(&self) -> Author {
        Author {
            id: self.user_id(),
            name: self.name.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use mycars_domain::{CarId, Rank};

    use super::*;
    use crate::{
        App, UpdateMode,
        accounts::{self, logins},
        cars::{self, CarInput, CarRow, CarScope, ImportMode},
        images,
        mocks::{Mocks, samples},
        ports::MockUserRepository,
        users::{self, UserInput},
    };

    /// Mocks in which the admin who calls has changed to `now` since the request was authenticated.
    fn mocks(now: Option<User>) -> Mocks {
        let mut users = MockUserRepository::new();
        users.expect_find_for_update().returning(move |id| {
            let caller = samples::admin().user_id();
            Ok(if Some(id) == caller {
                now.clone()
            } else {
                Some(samples::user())
            })
        });
        let mut mocks = Mocks::new().with_hash("hash").nothing_taken();
        users.expect_find().returning(|_| Ok(Some(samples::user())));
        users.expect_username_is_taken().returning(|_, _| Ok(false));
        users.expect_email_is_taken().returning(|_, _, _| Ok(false));
        mocks.unit.users = users;
        mocks
    }

    fn new_user() -> UserInput {
        UserInput {
            username: "jane".into(),
            email: "jane@example.com".into(),
            first_name: "Jane".into(),
            last_name: "Smith".into(),
            password: "Harbour-x7-9".into(),
            ..UserInput::default()
        }
    }

    fn deny<T>(result: Result<T, impl std::fmt::Debug>) {
        let error = result.err().map(|error| format!("{error:?}"));
        let error = error.expect("it must be denied");
        assert!(error.contains("Denied(NotAuthenticated)"), "{error}");
    }

    #[test]
    fn admin_whose_rights_ended_since_authentication_is_denied() {
        let inactive = User {
            is_active: false,
            ..samples::bob(Rank::Admin)
        };
        let demoted = User {
            role: mycars_domain::Role::Client,
            ..samples::bob(Rank::Admin)
        };
        let writes: [fn(&App, &Caller); 9] = [
            |app, admin| deny(users::create(app, admin, &new_user())),
            |app, admin| deny(accounts::register(app, admin, &new_user())),
            |app, admin| {
                deny(users::update(
                    app,
                    admin,
                    UserId(1),
                    &new_user(),
                    UpdateMode::Partial,
                ));
            },
            |app, admin| deny(users::delete(app, admin, UserId(1), None)),
            |app, admin| deny(logins::end_all(app, admin, UserId(1))),
            |app, admin| {
                deny(cars::create(
                    app,
                    admin,
                    CarScope::Owner(UserId(1)),
                    &CarInput::default(),
                ));
            },
            |app, admin| {
                let rows = [CarRow {
                    row: 2,
                    input: CarInput::default(),
                }];
                deny(cars::import(
                    app,
                    admin,
                    CarScope::Owner(UserId(1)),
                    &rows,
                    ImportMode::Store,
                ));
            },
            |app, admin| deny(cars::delete(app, admin, CarScope::All, CarId(10), None)),
            |app, admin| deny(images::remove(app, admin, CarScope::All, CarId(10), None)),
        ];
        for now in [None, Some(inactive), Some(demoted)] {
            for write in writes {
                let (app, store) = mocks(now.clone()).into_app();
                write(&app, &samples::admin());
                assert_eq!((store.commits(), store.rollbacks()), (0, 1));
            }
        }
    }

    /// Each write locks the caller and the user whose quota it counts to.
    #[test]
    fn caller_and_owner_are_locked_in_the_order_of_their_ids() {
        let owned_by_ann = || CarInput {
            owner: crate::Input::Given(UserId(1)),
            ..CarInput::default()
        };
        let writes: [fn(&App, &CarInput); 3] = [
            |app, input| {
                let created = cars::create(app, &samples::admin(), CarScope::All, input);
                drop(created.unwrap_err().violations());
            },
            |app, input| {
                let admin = samples::admin();
                let updated = cars::update(app, &admin, CarScope::All, CarId(10), input, UpdateMode::Full);
                drop(updated.unwrap_err().violations());
            },
            |app, _| {
                let mut content = std::io::Cursor::new(b"a picture");
                let file = images::UploadedFile {
                    size: 9,
                    content: &mut content,
                };
                let admin = samples::admin();
                images::upload(app, &admin, CarScope::All, CarId(10), crate::Input::Given(file)).unwrap();
            },
        ];
        for write in writes {
            let locked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
            let log = std::sync::Arc::clone(&locked);
            let mut mocks = Mocks::default()
                .with_random("random")
                .with_car(samples::car())
                .with_updates();
            mocks.unit.users.expect_find_for_update().returning(move |id| {
                log.lock().unwrap().push(id.0);
                Ok(Some(if id.0 == 3 {
                    samples::bob(Rank::Admin)
                } else {
                    samples::user()
                }))
            });
            let stored = &mut mocks.unit.cars;
            stored.expect_image_bytes_of().returning(|_, _| Ok(0));
            stored.expect_set_image_bytes().returning(|_, _, _| Ok(()));
            mocks.image_processor.expect_process().returning(|_| Ok(vec![7]));
            mocks.images.expect_put().returning(|_, _| Ok(()));
            let (mut app, _) = mocks.into_app();
            app.quotas.cars = Some(1);
            app.quotas.picture_bytes = Some(100);
            write(&app, &owned_by_ann());
            assert_eq!(locked.lock().unwrap()[..2], [1, 3]);
        }
    }

    #[test]
    fn caller_and_target_are_locked_in_the_order_of_their_ids() {
        for (target, expected) in [(1, [1, 3]), (9, [3, 9])] {
            let locked = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
            let log = std::sync::Arc::clone(&locked);
            let mut mocks = Mocks::default();
            mocks.unit.users.expect_find_for_update().returning(move |id| {
                log.lock().unwrap().push(id.0);
                Ok((id.0 == 3).then(|| samples::bob(Rank::Admin)))
            });
            let (app, _) = mocks.into_app();
            let found = app
                .store
                .write(|unit| samples::admin().recheck_with::<crate::Error>(unit, UserId(target)));
            assert_eq!(found.unwrap(), None);
            assert_eq!(*locked.lock().unwrap(), expected);
        }
    }
}
