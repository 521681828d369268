//! The memory that the bodies of all requests may take together.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use crate::request::throttle::Key;

/// Number of bytes of each body that are not counted: nearly all bodies are smaller, and the number of connections
/// bounds them.
const UNCOUNTED: usize = 64 * 1024;

/// The part of the memory that the bodies of one client may take: one eighth.
const SHARE: usize = 8;

/// A number of bytes that bodies share.
#[derive(Clone)]
pub(crate) struct BodyBudget {
    bytes: usize,
    taken: Arc<Mutex<Taken>>,
}

/// The bytes that are taken, in all and by each client.
#[derive(Default)]
struct Taken {
    all: usize,
    by_client: HashMap<Key, usize>,
}

impl BodyBudget {
    pub(crate) fn new(bytes: usize) -> Self {
        Self {
            bytes,
            taken: Arc::default(),
        }
    }

    /// Returns the reservation of a client's body that is empty yet.
    pub(crate) fn reserve(&self, client: Key) -> Reservation {
        Reservation {
            budget: self.clone(),
            client,
            taken: 0,
        }
    }

    /// Takes bytes for a client. Returns whether so many were left.
    fn take(&self, client: &Key, bytes: usize) -> bool {
        let mut taken = self.lock();
        let own = taken.by_client.get(client).copied().unwrap_or_default() + bytes;
        let share = match client {
            Key::All => self.bytes,
            _ => self.bytes / SHARE,
        };
        if own > share || taken.all + bytes > self.bytes {
            return false;
        }
        taken.all += bytes;
        taken.by_client.insert(client.clone(), own);
        true
    }

    fn give_back(&self, client: &Key, bytes: usize) {
        let mut taken = self.lock();
        taken.all -= bytes;
        if let Some(own) = taken.by_client.get_mut(client) {
            *own -= bytes;
            if *own == 0 {
                taken.by_client.remove(client);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Taken> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The bytes of one body, given back when this is dropped.
pub(crate) struct Reservation {
    budget: BodyBudget,
    client: Key,
    taken: usize,
}

impl Reservation {
    /// Takes as much as a body of this many bytes needs. Returns whether so much was left.
    pub(crate) fn grow_to(&mut self, bytes: usize) -> bool {
        let more = bytes.saturating_sub(UNCOUNTED + self.taken);
        let is_enough = more == 0 || self.budget.take(&self.client, more);
        if is_enough {
            self.taken += more;
        }
        is_enough
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        if self.taken > 0 {
            self.budget.give_back(&self.client, self.taken);
        }
    }
}

#[cfg(test)]
mod tests {
    use mycars_domain::UserId;

    use super::*;

    #[test]
    fn bodies_share_a_budget_and_give_it_back() {
        let budget = BodyBudget::new(100);
        let (mut one, mut other) = (budget.reserve(Key::All), budget.reserve(Key::All));
        assert!(one.grow_to(UNCOUNTED + 60));
        assert!(!other.grow_to(UNCOUNTED + 41));
        assert!(other.grow_to(UNCOUNTED + 30) && other.grow_to(UNCOUNTED + 40));
        assert!(!one.grow_to(UNCOUNTED + 61));
        drop(one);
        assert!(other.grow_to(UNCOUNTED + 100));
    }

    #[test]
    fn small_bodies_need_no_budget() {
        assert!(BodyBudget::new(0).reserve(Key::All).grow_to(UNCOUNTED));
    }

    #[test]
    fn bodies_of_one_client_take_an_eighth() {
        let budget = BodyBudget::new(80);
        let of = |user| budget.reserve(Key::User(UserId(user)));
        let (mut one, mut two) = (of(1), of(1));
        assert!(one.grow_to(UNCOUNTED + 7));
        assert!(!two.grow_to(UNCOUNTED + 4) && two.grow_to(UNCOUNTED + 3));
        assert!(of(2).grow_to(UNCOUNTED + 10));
        drop(one);
        assert!(two.grow_to(UNCOUNTED + 10));
        drop(two);
        assert!(budget.lock().by_client.is_empty());
    }
}
