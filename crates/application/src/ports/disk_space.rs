//! Free space of the disks that the program writes to.

use super::StoreError;

/// Watches the free space of the disks that the program writes to. Use-cases that add data ask first; those that end
/// logins, delete data or log in do not, so that a nearly full disk can still be cleaned up.
pub trait DiskSpace: Send + Sync {
    /// Checks that each disk has the required free space. Nearly every write calls this, so it MUST be cheap; the
    /// result may be about a second old.
    ///
    /// # Errors
    /// [`StoreError::NotWritable`] if a disk has less.
    fn check(&self) -> Result<(), StoreError>;
}
