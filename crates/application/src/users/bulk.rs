//! Reading many users at once, for the panel.

use mycars_domain::{Action, Target, User, UserId, policy};

use crate::{
    App, Caller, Error,
    lists::{LimitOffset, Search, UserCount, UserQuery, in_order_of},
    ports::CarCount,
};

/// Returns the ids of all users that match `query`, in its order, on all its pages.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Store`].
pub fn ids(app: &App, caller: &Caller, query: &UserQuery) -> Result<Vec<UserId>, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    Ok(app.store.read(|unit| unit.users().ids(query))?)
}

/// Returns the users with these ids, in this order. Ids that do not exist are skipped.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Store`].
pub fn read_all(app: &App, caller: &Caller, ids: &[UserId]) -> Result<Vec<User>, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    let mut users = app.store.read(|unit| unit.users().find_all(ids))?;
    in_order_of(ids, &mut users, |user| user.id);
    Ok(users)
}

/// Returns the first `at_most` users that a search finds, without counting the rest.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Store`].
pub fn search(app: &App, caller: &Caller, search: Search, at_most: u32) -> Result<Vec<User>, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    let query = UserQuery {
        search,
        page: Some(LimitOffset {
            limit: at_most,
            offset: 0,
        }),
        ..UserQuery::default()
    };
    Ok(app.store.read(|unit| unit.users().list(&query))?)
}

/// Counts the users of each role, active and inactive, that match `query` without its own role and activity.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Store`].
pub fn counts(app: &App, caller: &Caller, query: &UserQuery) -> Result<Vec<UserCount>, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    Ok(app.store.read(|unit| unit.users().counts(query))?)
}

/// The objects that are deleted with users.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Belongings {
    /// Their cars, with the number of pictures.
    pub cars: CarCount,
    /// Number of their sessions.
    pub sessions: u64,
}

/// Counts the objects that are deleted with these users.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Store`].
pub fn belongings(app: &App, caller: &Caller, ids: &[UserId]) -> Result<Belongings, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    app.store.read(|unit| {
        Ok(Belongings {
            cars: unit.cars().count_of(ids)?,
            sessions: unit.sessions().count_of(ids)?,
        })
    })
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::mocks::{Mocks, samples};

    #[test]
    fn read_all_returns_users_in_the_order_of_the_ids() {
        let mut mocks = Mocks::new();
        mocks.unit.users.expect_find_all().returning(|_| {
            Ok([1, 2, 3]
                .map(|id| User {
                    id: UserId(id),
                    ..samples::user()
                })
                .into())
        });
        let (app, _) = mocks.into_app();
        let ids = [3, 9, 1, 2].map(UserId);
        let users = read_all(&app, &samples::admin(), &ids).unwrap();
        let found: Vec<UserId> = users.iter().map(|user| user.id).collect();
        assert_eq!(found, [3, 1, 2].map(UserId));
    }

    #[test]
    fn belongings_are_cars_pictures_and_sessions() {
        let cars = CarCount { cars: 3, pictures: 2 };
        let mut mocks = Mocks::new();
        let both = |ids: &[UserId]| ids == [UserId(1), UserId(2)];
        let count = mocks.unit.cars.expect_count_of().withf(both);
        count.returning(move |_| Ok(cars));
        let count = mocks.unit.sessions.expect_count_of().withf(both);
        count.returning(|_| Ok(4));
        let (app, _) = mocks.into_app();
        let admin = samples::admin();
        let belongings = belongings(&app, &admin, &[UserId(1), UserId(2)]).unwrap();
        assert_eq!(belongings, Belongings { cars, sessions: 4 });
    }
}
