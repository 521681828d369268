//! List users.

use mycars_domain::{Action, Target, User, policy};

use crate::{
    App, Caller, Error,
    lists::{Page, UserQuery},
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

#[cfg(test)]
mod tests {
    use mycars_domain::Denied;

    use super::*;
    use crate::{
        lists::LimitOffset,
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
