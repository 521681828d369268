//! List users.

use mycars_domain::{Action, Target, User, UserId, policy};

use crate::{
    App, Caller, Error,
    lists::{ChunkedList, Page, UserQuery, first_chunk, following, may_continue},
};

/// Returns the users that match `query`, in a fixed number of queries.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Store`].
///
/// ```
/// use mycars_application::{Error, lists::{Search, UserQuery}, mocks::{Mocks, samples}, users};
/// use mycars_domain::{Denied, Rank, Role};
///
/// let mut mocks = Mocks::new();
/// mocks.unit.users.expect_list().returning(|_| Ok(vec![samples::user()]));
/// let (app, _) = mocks.into_app();
///
/// let clients = UserQuery {
///     search: Search::parse("lee"),
///     role: Some(Role::Client),
///     ..UserQuery::default()
/// };
/// let listed = users::list(&app, &samples::other_user(Rank::Admin), &clients)?;
/// assert_eq!((listed.items, listed.total), (vec![samples::user()], None));
///
/// let refused = users::list(&app, &samples::ann(), &clients);
/// assert!(matches!(refused, Err(Error::Denied(Denied::Forbidden))));
/// # Ok::<(), Error>(())
/// ```
pub fn list(app: &App, caller: &Caller, query: &UserQuery) -> Result<Page<User>, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    app.store.read(|unit| {
        let total = match query.page {
            Some(_) => Some(unit.users().count(query)?),
            None => None,
        };
        Ok(Page {
            items: unit.users().list(query)?,
            total,
        })
    })
}

/// The same, but reads only the first users, and of the others the ids: [`read_all`](super::read_all) reads them.
///
/// # Errors
/// Those of [`list`].
pub fn list_chunked(
    app: &App,
    caller: &Caller,
    query: &UserQuery,
) -> Result<ChunkedList<User, UserId>, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    let beginning = UserQuery {
        page: Some(first_chunk(query.page)),
        ..query.clone()
    };
    app.store.read(|unit| {
        let total = match query.page {
            Some(_) => Some(unit.users().count(query)?),
            None => None,
        };
        let first = unit.users().list(&beginning)?;
        let rest = if may_continue(&first, query.page) {
            let ids = unit.users().ids(query)?;
            following(first.iter().map(|user| user.id), ids, query.page)
        } else {
            Vec::new()
        };
        Ok(ChunkedList { first, rest, total })
    })
}

#[cfg(test)]
mod tests {
    use mycars_domain::Denied;

    use super::*;
    use crate::{
        lists::{CHUNK, LimitOffset},
        mocks::{Mocks, samples},
    };

    #[test]
    fn list_by_a_client_is_denied() {
        let (app, store) = Mocks::new().into_app();
        let refused = list(&app, &samples::ann(), &UserQuery::default());
        assert!(matches!(refused, Err(Error::Denied(Denied::Forbidden))));
        assert_eq!(store.reads(), 0);
    }

    #[test]
    fn long_list_reads_one_chunk_and_the_ids_of_the_rest() {
        let chunk = i64::from(CHUNK);
        let mut mocks = Mocks::new();
        let users = &mut mocks.unit.users;
        users
            .expect_list()
            .withf(|query| query.page.is_some_and(|page| page.limit == CHUNK))
            .returning(move |_| {
                let user = |id| User {
                    id: UserId(id),
                    ..samples::user()
                };
                Ok((1..=chunk).map(user).collect())
            });
        users
            .expect_ids()
            .returning(move |_| Ok((1..=chunk + 1).map(UserId).collect()));
        let (app, _) = mocks.into_app();
        let listed = list_chunked(&app, &samples::admin(), &UserQuery::default()).unwrap();
        assert_eq!(
            (listed.first.len(), listed.rest),
            (CHUNK as usize, vec![UserId(chunk + 1)])
        );
        let refused = list_chunked(&app, &samples::ann(), &UserQuery::default());
        assert!(matches!(refused, Err(Error::Denied(Denied::Forbidden))));
    }

    #[test]
    fn list_of_a_page_has_the_total() {
        let mut mocks = Mocks::new();
        let users = &mut mocks.unit.users;
        users.expect_count().once().returning(|_| Ok(9));
        users.expect_list().returning(|_| Ok(vec![samples::user()]));
        let (app, _) = mocks.into_app();
        let query = UserQuery {
            page: Some(LimitOffset { limit: 1, offset: 0 }),
            ..UserQuery::default()
        };
        let page = list(&app, &samples::admin(), &query).unwrap();
        assert_eq!((page.items, page.total), (vec![samples::user()], Some(9)));
    }
}
