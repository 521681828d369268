//! The memory that the bodies of all requests may take together.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

/// Number of bytes of each body that are not counted: nearly all bodies are smaller, and the number of connections
/// bounds them.
const UNCOUNTED: usize = 64 * 1024;

/// A number of bytes that bodies share.
#[derive(Clone)]
pub(crate) struct BodyBudget(Arc<AtomicUsize>);

impl BodyBudget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(bytes)))
    }

    /// Returns the reservation of a body that is empty yet.
    pub(crate) fn reserve(&self) -> Reservation {
        Reservation {
            left: Arc::clone(&self.0),
            taken: 0,
        }
    }
}

/// The bytes of one body, given back when this is dropped.
pub(crate) struct Reservation {
    left: Arc<AtomicUsize>,
    taken: usize,
}

impl Reservation {
    /// Takes as much as a body of this many bytes needs. Returns whether so much was left.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(UNCOUNTED + self.taken);
        let take = |left: usize| left.checked_sub(more);
        let is_enough = more == 0
            || self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
                .is_ok();
        if is_enough {
            self.taken += more;
        }
        is_enough
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.left.fetch_add(self.taken, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_share_a_budget_and_give_it_back() {
        let budget = BodyBudget::new(100);
        let (mut one, mut other) = (budget.reserve(), budget.reserve());
        assert!(one.grow_to(UNCOUNTED + 60));
        assert!(!other.grow_to(UNCOUNTED + 41));
        assert!(other.grow_to(UNCOUNTED + 30) && other.grow_to(UNCOUNTED + 40));
        assert!(!one.grow_to(UNCOUNTED + 61));
        drop(one);
        assert!(other.grow_to(UNCOUNTED + 100));
    }

    #[test]
    fn small_bodies_need_no_budget() {
        assert!(BodyBudget::new(0).reserve().grow_to(UNCOUNTED));
    }
}
