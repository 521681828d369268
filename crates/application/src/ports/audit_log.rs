//! The audit log.

use mycars_domain::audit::{Entry, NewEntry};

use super::StoreError;
use crate::lists::{HistoryCount, HistoryQuery};

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
    /// # Errors
    /// The database's.
    fn count(&mut self, query: &HistoryQuery) -> Result<u64, StoreError>;

    /// The numbers of all entries that a query asks for, in its order, whatever its page.
    ///
    /// # Errors
    /// The database's.
    fn ids(&mut self, query: &HistoryQuery) -> Result<Vec<i64>, StoreError>;

    /// The entries that have these numbers, in any order; numbers that there are none of are passed over.
    ///
    /// # Errors
    /// The database's.
    fn find_all(&mut self, ids: &[i64]) -> Result<Vec<Entry>, StoreError>;

    /// How many entries there are of each action and kind of object, among those that a query asks for when its
    /// own action and kind are left aside.
    ///
    /// # Errors
    /// The database's.
    fn counts(&mut self, query: &HistoryQuery) -> Result<Vec<HistoryCount>, StoreError>;
}
