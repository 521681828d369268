//! The audit log.

use mycars_domain::audit::{Entry, NewEntry};

use super::StoreError;
use crate::lists::{HistoryCount, HistoryQuery};

/// The audit log. Entries are only added, never changed or deleted.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait AuditLog {
    /// Stores entries in their order, with increasing ids. Objects and users of an entry may be deleted, and the
    /// entry MUST be kept.
    ///
    /// # Errors
    /// Those of the database.
    fn append(&mut self, entries: &[NewEntry]) -> Result<(), StoreError>;

    /// Returns the entries that match a query, in its order.
    ///
    /// # Errors
    /// Those of the database.
    fn list(&mut self, query: &HistoryQuery) -> Result<Vec<Entry>, StoreError>;

    /// Counts the entries that match a query, on all its pages.
    ///
    /// # Errors
    /// Those of the database.
    fn count(&mut self, query: &HistoryQuery) -> Result<u64, StoreError>;

    /// Returns the numbers of all entries that match a query, in its order, on all its pages.
    ///
    /// # Errors
    /// Those of the database.
    fn ids(&mut self, query: &HistoryQuery) -> Result<Vec<i64>, StoreError>;

    /// Returns the entries with these numbers, in any order. Numbers that do not exist are skipped.
    ///
    /// # Errors
    /// Those of the database.
    fn find_all(&mut self, ids: &[i64]) -> Result<Vec<Entry>, StoreError>;

    /// Counts the entries of each action and type of object that match a query without its own action and type.
    ///
    /// # Errors
    /// Those of the database.
    fn counts(&mut self, query: &HistoryQuery) -> Result<Vec<HistoryCount>, StoreError>;
}
