//! List entries of the audit log.

use mycars_domain::{Action, Target, audit::Entry, policy};

use crate::{
    App, Caller, Error,
    lists::{HistoryCount, HistoryQuery, LimitOffset, Page, in_order_of},
    ports::UnitOfWork,
};

/// Returns the entries of the audit log that match `query`, in a fixed number of queries.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Store`].
pub fn list(app: &App, caller: &Caller, query: &HistoryQuery) -> Result<Page<Entry>, Error> {
    policy::check(&caller.actor, Action::ReadHistory, Target::NOTHING)?;
    app.store.read(|unit| entries(unit, query))
}

/// Returns at most `at_most` of the newest entries that match `query`, without counting the rest.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Store`].
pub fn newest(app: &App, caller: &Caller, query: &HistoryQuery, at_most: u32) -> Result<Vec<Entry>, Error> {
    policy::check(&caller.actor, Action::ReadHistory, Target::NOTHING)?;
    let query = HistoryQuery {
        oldest_first: false,
        page: Some(LimitOffset {
            limit: at_most,
            offset: 0,
        }),
        ..query.clone()
    };
    Ok(app.store.read(|unit| unit.audit_log().list(&query))?)
}

/// Counts the entries of each action and type of object that match `query` without its own action and type.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Store`].
pub fn counts(app: &App, caller: &Caller, query: &HistoryQuery) -> Result<Vec<HistoryCount>, Error> {
    policy::check(&caller.actor, Action::ReadHistory, Target::NOTHING)?;
    Ok(app.store.read(|unit| unit.audit_log().counts(query))?)
}

/// Returns the numbers of all entries that match `query`, in its order, on all its pages.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Store`].
pub fn ids(app: &App, caller: &Caller, query: &HistoryQuery) -> Result<Vec<i64>, Error> {
    policy::check(&caller.actor, Action::ReadHistory, Target::NOTHING)?;
    Ok(app.store.read(|unit| unit.audit_log().ids(query))?)
}

/// Returns the entries with these numbers, in this order.
///
/// # Errors
/// [`Error::Denied`] for callers without admin rights; [`Error::Store`].
pub fn read_all(app: &App, caller: &Caller, ids: &[i64]) -> Result<Vec<Entry>, Error> {
    policy::check(&caller.actor, Action::ReadHistory, Target::NOTHING)?;
    let mut entries = app.store.read(|unit| unit.audit_log().find_all(ids))?;
    in_order_of(ids, &mut entries, |entry| entry.id);
    Ok(entries)
}

pub(super) fn entries<E: From<crate::ports::StoreError>>(
    unit: &mut dyn UnitOfWork,
    query: &HistoryQuery,
) -> Result<Page<Entry>, E> {
    let total = match query.page {
        Some(_) => Some(unit.audit_log().count(query)?),
        None => None,
    };
    Ok(Page {
        items: unit.audit_log().list(query)?,
        total,
    })
}

#[cfg(test)]
mod tests {

    use super::*;
    use crate::{
        audit::expected,
        lists::LimitOffset,
        mocks::{Mocks, samples},
    };

    fn numbered(id: i64) -> Entry {
        Entry {
            id,
            entry: expected::car_is_new(&samples::ann()),
        }
    }

    #[test]
    fn list_counts_the_total_only_for_a_page() {
        let mut mocks = Mocks::new();
        let log = &mut mocks.unit.audit_log;
        log.expect_count().once().returning(|_| Ok(9));
        log.expect_list().returning(|_| Ok(vec![numbered(1)]));
        let (app, _) = mocks.into_app();
        let admin = samples::admin();
        let page = Some(LimitOffset { limit: 1, offset: 0 });
        for (page, total) in [(page, Some(9)), (None, None)] {
            let query = HistoryQuery {
                page,
                ..HistoryQuery::default()
            };
            let items = vec![numbered(1)];
            assert_eq!(list(&app, &admin, &query).unwrap(), Page { items, total });
        }
    }

    #[test]
    fn read_all_returns_entries_in_the_order_of_the_numbers() {
        let mut mocks = Mocks::new();
        mocks
            .unit
            .audit_log
            .expect_find_all()
            .returning(|_| Ok([1, 2, 3].map(numbered).into()));
        let (app, _) = mocks.into_app();
        let entries = read_all(&app, &samples::admin(), &[3, 1, 2]).unwrap();
        assert_eq!(entries, [3, 1, 2].map(numbered));
    }
}
