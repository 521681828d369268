//! The audit log.

use chrono::{DateTime, Utc};
use mycars_domain::{
    Car, NewCar, UserId,
    audit::{Entry, NewEntry},
};

use super::StoreError;
use crate::lists::{HistoryCount, HistoryQuery};

/// Entries that were deleted from the audit log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrunedEntries {
    /// Number of entries.
    pub count: u64,
    /// Id of the last entry.
    pub last: i64,
}

/// The audit log. Entries are only added. Of their content, only the texts of erased users and old addresses can be
/// removed, and only the oldest entries can be deleted.
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait AuditLog {
    /// Stores entries in their order, with increasing ids. Objects and users of an entry may be deleted, and the
    /// entry MUST be kept.
    ///
    /// # Errors
    /// Those of the database.
    fn append(&mut self, entries: &[NewEntry]) -> Result<(), StoreError>;

    /// Stores a new car, as [`CarRepository::insert`](super::CarRepository::insert) does, and the entry about it, in one
    /// statement if the database can. The id of the entry's object MUST become the id of the car.
    ///
    /// # Errors
    /// Those of [`CarRepository::insert`](super::CarRepository::insert).
    fn append_with_car(&mut self, entry: &NewEntry, car: &NewCar) -> Result<Car, StoreError>;

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

    /// Returns the entries about or by a user with ids after `after`, in the order of their ids, at most `at_most`: those
    /// whose object or author is theirs.
    ///
    /// # Errors
    /// Those of the database.
    fn list_of_user(&mut self, user: UserId, after: i64, at_most: u32) -> Result<Vec<Entry>, StoreError>;

    /// Counts the entries of each action and type of object that match a query without its own action and type.
    ///
    /// # Errors
    /// Those of the database.
    fn counts(&mut self, query: &HistoryQuery) -> Result<Vec<HistoryCount>, StoreError>;

    /// Deletes the oldest entries, at most `at_most`: those from before `before` that come before all other entries.
    /// Returns `None` if there are none. The newest entry MUST stay, so that no id is used again.
    ///
    /// # Errors
    /// Those of the database.
    fn delete_oldest(
        &mut self,
        before: DateTime<Utc>,
        at_most: u32,
    ) -> Result<Option<PrunedEntries>, StoreError>;

    /// Removes the texts of a user from all entries, as [`NewEntry::forget`] does, and returns the number of entries
    /// about or by the user. All other columns of these entries, and all other entries, MUST stay.
    ///
    /// # Errors
    /// Those of the database.
    fn forget_user(&mut self, user: UserId) -> Result<u64, StoreError>;

    /// Removes the addresses from the oldest entries that may still have some, at most `at_most` entries: those from
    /// before `before` that come before all other entries. Returns the number of entries; 0 if there are none.
    ///
    /// # Errors
    /// Those of the database.
    fn forget_addresses(&mut self, before: DateTime<Utc>, at_most: u32) -> Result<u64, StoreError>;
}
