//! The audit log.

use std::collections::HashSet;

use mycars_domain::audit::{Entry, NewEntry};

use super::StoreError;
use crate::lists::{HistoryCount, HistoryQuery, tally};

/// The audit log. Entries are only ever added: there is no way to change or to forget one.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait AuditLog {
    /// Keeps entries, in their order, under numbers that grow. Whom or what an entry names need not be there (any
    /// more), and an entry MUST outlive it.
    ///
    /// # Errors
    /// The database's.
    fn append(&mut self, entries: &[NewEntry]) -> Result<(), StoreError>;

    /// The entries that a query asks for, in its order.
    ///
    /// # Errors
    /// The database's.
    fn list(&mut self, query: &HistoryQuery) -> Result<Vec<Entry>, StoreError>;

    /// How many entries a query asks for, on all its pages.
    ///
    /// Provided: it lists them. An adapter that can count without reading overrides it.
    ///
    /// # Errors
    /// The database's.
    fn count(&mut self, query: &HistoryQuery) -> Result<u64, StoreError> {
        Ok(self.ids(query)?.len() as u64)
    }

    /// The numbers of all entries that a query asks for, in its order, whatever its page.
    ///
    /// Provided: it lists the entries. An adapter that can read numbers alone overrides it.
    ///
    /// # Errors
    /// The database's.
    fn ids(&mut self, query: &HistoryQuery) -> Result<Vec<i64>, StoreError> {
        let whole = HistoryQuery {
            page: None,
            ..query.clone()
        };
        Ok(self.list(&whole)?.iter().map(|entry| entry.id).collect())
    }

    /// The entries that have these numbers, in any order; numbers that there are none of are passed over.
    ///
    /// Provided: it lists all entries. An adapter that can find them by their numbers overrides it.
    ///
    /// # Errors
    /// The database's.
    fn find_all(&mut self, ids: &[i64]) -> Result<Vec<Entry>, StoreError> {
        let ids: HashSet<&i64> = ids.iter().collect();
        let mut entries = self.list(&HistoryQuery::default())?;
        entries.retain(|entry| ids.contains(&entry.id));
        Ok(entries)
    }

    /// How many entries there are of each action and kind of object, among those that a query asks for when its
    /// own action and kind are left aside.
    ///
    /// Provided: it lists these. An adapter that can count without reading overrides it.
    ///
    /// # Errors
    /// The database's.
    fn counts(&mut self, query: &HistoryQuery) -> Result<Vec<HistoryCount>, StoreError> {
        let aside = HistoryQuery {
            action: None,
            object_type: None,
            page: None,
            ..query.clone()
        };
        let entries = self.list(&aside)?.into_iter();
        let counted = tally(entries.map(|kept| (kept.entry.action, kept.entry.object.kind)));
        let alike = |((action, object_type), count)| HistoryCount {
            action,
            object_type,
            count,
        };
        Ok(counted.into_iter().map(alike).collect())
    }
}
