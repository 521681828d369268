//! Leases: the right of one of several servers to run a recurring job.

use chrono::TimeDelta;

use super::StoreError;

/// A lease, seen at one moment of the database's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// The name of the job.
    pub name: String,
    /// The server that took the lease last.
    pub holder: String,
    /// Time until the lease ends; zero or less if it has ended.
    pub held_for: TimeDelta,
    /// Time until the job is due; zero or less if it is due.
    pub due_in: TimeDelta,
}

impl Lease {
    /// Time by which the clock of a database may be behind that of the one before, after a failover.
    pub const TOLERANCE: TimeDelta = TimeDelta::minutes(1);

    /// Returns whether a server that runs the job at this interval can take the lease. A job that is due much later than
    /// the interval allows is due at once, because the interval was longer before.
    #[must_use]
    pub fn is_available(&self, every: TimeDelta) -> bool {
        let zero = TimeDelta::zero();
        self.held_for <= zero && (self.due_in <= zero || self.due_in > every + Self::TOLERANCE)
    }
}

/// The leases. All times are measured by the database, so that servers with different clocks agree. Errors are those of
/// the database; see [`StoreError`].
#[cfg_attr(feature = "mocks", mockall::automock)]
pub trait LeaseRepository {
    /// Returns all leases in the order of their names.
    ///
    /// # Errors
    /// Those of the database.
    fn list(&mut self) -> Result<Vec<Lease>, StoreError>;

    /// Takes a lease for `lifetime` if it is [available](Lease::is_available), and returns whether it was. Of several
    /// servers, only one MUST succeed. A lease that does not exist is stored, and its job is due after the interval.
    ///
    /// # Errors
    /// Those of the database.
    fn take(
        &mut self,
        name: &str,
        holder: &str,
        lifetime: TimeDelta,
        every: TimeDelta,
    ) -> Result<bool, StoreError>;

    /// Lets a lease end after `lifetime` from now, unless another server has taken it. Returns whether the lease is still
    /// the holder's.
    ///
    /// # Errors
    /// Those of the database.
    fn renew(&mut self, name: &str, holder: &str, lifetime: TimeDelta) -> Result<bool, StoreError>;

    /// Ends a lease, unless another server has taken it. The job is due again after `due_in`, or stays due.
    ///
    /// # Errors
    /// Those of the database.
    fn release(&mut self, name: &str, holder: &str, due_in: Option<TimeDelta>) -> Result<(), StoreError>;
}
