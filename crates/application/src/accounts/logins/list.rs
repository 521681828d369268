//! List the recorded refresh tokens.

use mycars_domain::{Action, Target, policy};

use crate::{
    App, Caller, Error,
    lists::{Page, TokenQuery, in_order_of},
    ports::ListedToken,
};

/// Returns the refresh tokens that match `query`, in a fixed number of queries.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Store`].
pub fn list(app: &App, caller: &Caller, query: &TokenQuery) -> Result<Page<ListedToken>, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    app.store.read(|unit| {
        let total = match query.page {
            Some(_) => Some(unit.refresh_tokens().count(query)?),
            None => None,
        };
        Ok(Page {
            items: unit.refresh_tokens().list(query)?,
            total,
        })
    })
}

/// Counts the refresh tokens that match `query`, on all its pages.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Store`].
pub fn count(app: &App, caller: &Caller, query: &TokenQuery) -> Result<u64, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    Ok(app.store.read(|unit| unit.refresh_tokens().count(query))?)
}

/// Returns the numbers of all refresh tokens that match `query`, in its order, on all its pages.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Store`].
pub fn numbers(app: &App, caller: &Caller, query: &TokenQuery) -> Result<Vec<i64>, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    Ok(app.store.read(|unit| unit.refresh_tokens().numbers(query))?)
}

/// Returns the refresh tokens with these numbers, in this order. Numbers that do not exist are skipped.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Store`].
pub fn read_all(app: &App, caller: &Caller, numbers: &[i64]) -> Result<Vec<ListedToken>, Error> {
    policy::check(&caller.actor, Action::ReadUsers, Target::NOTHING)?;
    let mut tokens = app.store.read(|unit| unit.refresh_tokens().find_all(numbers))?;
    in_order_of(numbers, &mut tokens, |token| token.number);
    Ok(tokens)
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::{
        lists::LimitOffset,
        mocks::{Mocks, samples},
    };

    fn token(number: i64) -> ListedToken {
        ListedToken {
            number,
            token: samples::refresh_token(None),
            username: None,
        }
    }

    #[test]
    fn list_counts_the_total_only_for_a_page() {
        let mut mocks = Mocks::new();
        let tokens = &mut mocks.unit.refresh_tokens;
        tokens.expect_count().once().returning(|_| Ok(9));
        tokens.expect_list().returning(|_| Ok(vec![token(1)]));
        let (app, _) = mocks.into_app();
        let admin = samples::admin();
        let whole = TokenQuery::at(samples::now());
        let page = TokenQuery {
            page: Some(LimitOffset { limit: 1, offset: 0 }),
            ..whole.clone()
        };
        for (query, total) in [(page, Some(9)), (whole, None)] {
            let items = vec![token(1)];
            assert_eq!(list(&app, &admin, &query).unwrap(), Page { items, total });
        }
    }

    #[test]
    fn read_all_returns_tokens_in_the_order_of_the_numbers() {
        let mut mocks = Mocks::new();
        let tokens = &mut mocks.unit.refresh_tokens;
        tokens
            .expect_find_all()
            .returning(|_| Ok([1, 2, 3].map(token).into()));
        let (app, _) = mocks.into_app();
        let tokens = read_all(&app, &samples::admin(), &[3, 9, 1, 2]).unwrap();
        assert_eq!(tokens, [3, 1, 2].map(token));
    }
}
